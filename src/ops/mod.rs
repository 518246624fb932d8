//! Operations on tensors. One operation is one Rust file and, if it has a kernel, one WGSL file of
//! the same path: user method, struct, definition in other operations, shape check, twin, native
//! form, launch, rule, in that order.
//!
//! [`apply`] is the only door from an operation to a device, so that nothing bypasses the tape.
//! The families are closed under differentiation: convolutions among themselves, up-fir-down with
//! itself, resizing and warps with their transposes, pointwise expressions by symbolic derivative,
//! matmul, sums and broadcasts, movement, gather and scatter-add. So every gradient can be
//! differentiated again.

mod as_index;
pub mod cat;
pub mod conv;
mod definition;
pub mod gather;
pub mod linear;
pub mod movement;
pub mod norm;
pub mod optim;
pub mod pointwise;
pub mod random;
pub mod reduce;
pub mod resample;
pub mod reshape;
mod split;
mod twin;

use std::ops::Range;
use std::sync::Arc;

pub use crate::twin;
pub use definition::with_definitions;
pub use split::Cut;
pub use twin::{Float, Slice, SliceMut};

use self::pointwise::Deferred;
use crate::autograd;
use crate::device::{Device, Dtype, Launch};
use crate::tensor::{Shape, Tensor};

/// An operation with one output.
pub trait Op: Send + Sync + 'static {
    /// The name in messages, profiles and golden files.
    fn name(&self) -> &'static str;

    /// The same in other operations, where that is possible: a judge of twin, kernel and rule, which
    /// only [`with_definitions`] runs.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let _ = x;
        None
    }

    /// Shape of the output. Panics, with every shape in the message, where the inputs do not fit.
    fn shape(&self, x: &[&Shape]) -> Shape;

    /// Element type of the output: the device's float type unless the operation makes indices.
    fn dtype(&self, device: &Device) -> Dtype {
        device.float()
    }

    /// Floating-point operations, for the profile and for the size of submits.
    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        let _ = x;
        y.numel()
    }

    /// Elements that it reads and writes, for the same: every tensor once, unless it leaves out some.
    fn traffic(&self, x: &[&Shape], y: &Shape) -> usize {
        x.iter().map(|x| x.numel()).sum::<usize>() + y.numel()
    }

    /// Number of equal parts of the output that the twin can compute independently of each other.
    fn rows(&self, y: &Shape) -> usize {
        y[..y.len().saturating_sub(1)].iter().product()
    }

    /// Plain loops: computes the given rows of the output. Sums run in f64.
    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>);

    /// A fast form in f32 for the `cpu` device; false where there is none for these inputs.
    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let _ = (x, y);
        false
    }

    /// The dispatches that compute `y` from `x` on a GPU.
    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let _ = (x, y);
        panic!("{}: there is no kernel", self.name());
    }

    /// How the operation falls into parts where a tensor is larger than what a GPU binds; `None`
    /// where it does not.
    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let _ = (x, y);
        None
    }

    /// The operation on those rows alone, where it carries sizes of its own.
    fn of_rows(&self, rows: Range<usize>) -> Option<Box<dyn Op>> {
        let _ = rows;
        None
    }

    /// Whether the output has the input's numbers in the input's order, so that it can share its
    /// buffer.
    fn is_view(&self) -> bool {
        false
    }

    /// Whether the rule takes a g that is broadcast: of size 1 along axes where it is the same all
    /// along.
    fn takes_broadcast(&self) -> bool {
        false
    }

    /// For each input the gradient of `<g, y>`, where `needs` asks for it and there is one. Written
    /// with operations only, so that it can be differentiated again. A gradient may have the
    /// output's broadcast shape, over which it is summed to the input's; and it may have size 1
    /// along axes of the input where it is the same all along.
    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>>;

    /// The same, not computed yet where that can wait until it is added to other gradients.
    fn deferred_vjp(
        &self,
        x: &[Tensor],
        y: &Tensor,
        g: &Tensor,
        needs: &[bool],
    ) -> Vec<Option<Deferred>> {
        let found = self.vjp(x, y, g, needs);
        found.into_iter().map(|g| g.map(Deferred::from)).collect()
    }
}

/// Runs an operation and puts its result on the tape.
///
/// # Panics
/// When the inputs do not fit the operation, or live on different devices.
#[track_caller]
pub fn apply(op: impl Op, x: &[&Tensor]) -> Tensor {
    let name = op.name();
    let device = x[0].device().clone();
    assert!(x.iter().all(|x| *x.device() == device), "{name}: inputs on different devices: {x:?}");
    let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
    let shape = op.shape(&shapes);
    let flops = op.flops(&shapes, &shape) as u64;
    if let Some(y) = definition::evaluate(&op, x) {
        assert_eq!(*y.shape(), shape, "{name}: shape of the definition");
        return y;
    }
    let op: Arc<dyn Op> = Arc::new(op);
    let node = autograd::record(&op, x);
    let y = if op.is_view() {
        Tensor::new(shape, x[0].dtype(), &device, x[0].storage().clone())
    } else {
        match &device {
            Device::Cpu(host) | Device::Reference(host) => {
                twin::run(op.as_ref(), x, shape, flops, host)
            }
            Device::Gpu(gpu) => split::run(op.as_ref(), x, &shape, flops, gpu),
        }
    };
    y.with_node(node)
}
