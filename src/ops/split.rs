//! Tensors larger than what a device binds to a kernel: an operation that says how it falls into
//! parts ([`Cut`]) is computed part by part. No kernel and no rule knows.

use std::sync::Arc;

use crate::autograd::no_grad;
use crate::device::{Dtype, Gpu};
use crate::tensor::{Shape, Tensor};

use super::Op;

/// Parts start at multiples of this many elements: 256 bytes, an offset that every adapter binds.
const GRAIN: usize = 64;

/// How an operation falls into parts along one axis, which has to be the first whose size is not 1:
/// then a part of a tensor is one piece of its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// For each input the axis that is cut, or `None` where every part reads all of it.
    pub inputs: Vec<Option<usize>>,
    /// The axis of the output that is cut along with them; `None` where the parts are summed.
    pub output: Option<usize>,
}

impl Cut {
    /// Everything by samples, or by channels where there is one sample: for operations on planes.
    pub fn planes(x: &[&Shape]) -> Self {
        let axis = usize::from(x[0][0] == 1);
        Self { inputs: vec![Some(axis); x.len()], output: Some(axis) }
    }
}

/// The shapes that are cut, and along which axis.
fn pieces<'a>(
    cut: &'a Cut,
    x: &'a [&Shape],
    y: &'a Shape,
) -> impl Iterator<Item = (&'a Shape, usize)> {
    let inputs = x.iter().zip(&cut.inputs).filter_map(|(x, axis)| axis.map(|axis| (*x, axis)));
    inputs.chain(cut.output.map(|axis| (y, axis)))
}

/// Computes an operation, in parts where a tensor is too large for the device.
///
/// # Panics
/// When it is, and the operation does not fall into parts that fit, with the sizes.
pub(super) fn run(op: &dyn Op, x: &[&Tensor], shape: &Shape, flops: u64, gpu: &Arc<Gpu>) -> Tensor {
    let most = gpu.max_binding_bytes() as usize / 4;
    let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
    if shapes.iter().chain([&shape]).all(|s| s.numel() <= most) {
        let y = Tensor::empty(op.name(), shape, op.dtype(x[0].device()), x[0].device());
        launch(op, x, &y, flops, gpu);
        return y;
    }
    // Indices are not copied: their parts have to lie where a kernel can bind them.
    let is_index =
        op.dtype(x[0].device()) == Dtype::I32 || x.iter().any(|x| x.dtype() == Dtype::I32);
    let in_place = |shape: &Shape| is_index || shape.numel() > most;
    let parts = op.cut(&shapes, shape);
    let parts = parts.and_then(|cut| Parts::new(cut, &shapes, shape, most, in_place));
    let Some(parts) = parts else {
        panic!(
            "{}: {shapes:?} to {shape:?} holds a tensor that this device cannot bind ({most} \
             elements at most), and does not fall into parts",
            op.name()
        );
    };
    no_grad(|| in_parts(op, x, shape, flops, &parts, gpu))
}

fn launch(op: &dyn Op, x: &[&Tensor], y: &Tensor, flops: u64, gpu: &Arc<Gpu>) {
    if y.numel() == 0 {
        return;
    }
    let mut launches = op.launch(x, y);
    // The first dispatch is the work; others put its parts together.
    if let Some(first) = launches.first_mut() {
        first.flops = flops;
    }
    if let [only] = &mut launches[..] {
        let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
        only.traffic = Some(4 * op.traffic(&shapes, y.shape()) as u64);
    }
    launches.iter().for_each(|launch| gpu.launch(op.name(), launch));
}

/// A cut whose parts fit.
struct Parts {
    cut: Cut,
    rows: usize,
    /// Rows of every part but the last.
    run: usize,
    /// Whether the parts write into the output's buffer, not into tensors that are joined.
    writes_in_place: bool,
}

impl Parts {
    fn new(
        cut: Cut,
        x: &[&Shape],
        y: &Shape,
        most: usize,
        in_place: impl Fn(&Shape) -> bool,
    ) -> Option<Self> {
        let rows = pieces(&cut, x, y).next().map(|(shape, axis)| shape[axis])?;
        let is_leading = |(shape, axis): (&Shape, usize)| {
            shape[axis] == rows && shape[..axis].iter().all(|&n| n == 1)
        };
        let run = rows_of_a_part(&cut, x, y, most, &in_place)?;
        let fits = pieces(&cut, x, y).all(is_leading);
        fits.then_some(Self { cut, rows, run, writes_in_place: in_place(y) })
    }
}

/// The most rows that fit, of which every part but the last has as many.
fn rows_of_a_part(
    cut: &Cut,
    x: &[&Shape],
    y: &Shape,
    most: usize,
    in_place: impl Fn(&Shape) -> bool,
) -> Option<usize> {
    let mut whole = x.iter().zip(&cut.inputs).filter(|(_, axis)| axis.is_none());
    let is_bindable = |shape: &Shape| shape.numel() <= most;
    if !whole.all(|(x, _)| is_bindable(x)) || (cut.output.is_none() && !is_bindable(y)) {
        return None;
    }
    let (mut run, mut grain) = (usize::MAX, 1);
    for (shape, axis) in pieces(cut, x, y) {
        let row: usize = shape[axis + 1..].iter().product();
        run = run.min(most / row.max(1));
        if in_place(shape) {
            // Powers of two: the largest is a multiple of all.
            grain = grain.max(GRAIN / GRAIN.min(1 << row.trailing_zeros().min(6)));
        }
    }
    Some(run / grain * grain).filter(|&run| run > 0)
}

fn in_parts(
    op: &dyn Op,
    x: &[&Tensor],
    shape: &Shape,
    flops: u64,
    parts: &Parts,
    gpu: &Arc<Gpu>,
) -> Tensor {
    let &Parts { ref cut, rows, run, writes_in_place } = parts;
    let device = x[0].device();
    let empty = |shape: &Shape| Tensor::empty(op.name(), shape, op.dtype(device), device);
    let whole = writes_in_place.then(|| empty(shape));
    let part = |start: usize| {
        let n = run.min(rows - start);
        let inputs: Vec<Tensor> = (x.iter().zip(&cut.inputs))
            .map(|(x, axis)| axis.map_or_else(|| x.detach(), |axis| piece(x, axis, start, n)))
            .collect();
        let y = match (&whole, cut.output) {
            (Some(whole), Some(axis)) => piece(whole, axis, start, n),
            (None, Some(axis)) => empty(&shape.with(axis, n)),
            (_, None) => empty(shape),
        };
        let narrowed = op.of_rows(start..start + n);
        let op = narrowed.as_deref().unwrap_or(op);
        launch(op, &inputs.iter().collect::<Vec<_>>(), &y, flops * n as u64 / rows as u64, gpu);
        y
    };
    let done: Vec<Tensor> = (0..rows).step_by(run).map(part).collect();
    match (whole, cut.output) {
        (Some(whole), _) => whole,
        (None, Some(axis)) => Tensor::cat(&done.iter().collect::<Vec<_>>(), axis as isize),
        (None, None) => done.into_iter().reduce(|a, b| a + b).expect("at least one part"),
    }
}

/// Rows of a tensor: where they lie if a kernel can bind that place, else a copy.
fn piece(x: &Tensor, axis: usize, start: usize, n: usize) -> Tensor {
    let offset = start * x.shape()[axis + 1..].iter().product::<usize>();
    if offset.is_multiple_of(GRAIN) {
        return x.segment(offset, x.shape().with(axis, n));
    }
    x.detach().narrow(axis as isize, start, n)
}
