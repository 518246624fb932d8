//! An operation of one's own, from outside the crate: y(i) = x(0) + … + x(i) along the last axis.
//! Kernel, twin and rule, and the judges that compare them. `cargo run --release --example custom_op`

use semgan::device::{Kernel, Launch};
use semgan::ops::{Float, Op, Slice, SliceMut, apply, twin};
use semgan::verify::{Failure, Judge};
use semgan::{Device, Shape, Tensor};

/// Sums from the first element on, or from the last.
struct CumSum {
    reversed: bool,
}

const KERNEL: &str = "// One invocation per row, because each sum continues the one before.
// uses: index
struct Params { rows: u32, len: u32, reversed: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let row = index_item(id, grid, 64u);
    if row >= params.rows { return; }
    var sum = 0.0;
    for (var k = 0u; k < params.len; k++) {
        let i = row * params.len + select(k, params.len - 1u - k, params.reversed == 1u);
        sum += x[i];
        y[i] = sum;
    }
}";

impl Op for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }
    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }
    fn twin(&self, x: &[Slice], y: SliceMut, rows: std::ops::Range<usize>) {
        twin!(y, |y| self.lines(&x[0], y, rows));
    }
    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let (rows, len) = (self.rows(y.shape()), y.size(-1));
        let launch = Launch::new(Kernel::new("cumsum", KERNEL));
        let launch = launch.bind("x", x[0]).bind("y", y).param("rows", rows).param("len", len);
        vec![launch.param("reversed", usize::from(self.reversed)).rounds(len).elements(rows, 64)]
    }
    fn vjp(&self, _x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![Some(apply(Self { reversed: !self.reversed }, &[g]))]
    }
}

impl CumSum {
    fn lines<T: Float>(&self, x: &Slice, y: &mut [T], rows: std::ops::Range<usize>) {
        let n = *x.shape.last().expect("an axis");
        for (y, x) in y.chunks_exact_mut(n).zip(T::of(x)[rows.start * n..].chunks_exact(n)) {
            for (i, y) in y.iter_mut().enumerate() {
                let x = if self.reversed { &x[i..] } else { &x[..=i] };
                *y = T::from_f64(x.iter().map(|x| x.f64()).sum());
            }
        }
    }
}

#[test]
fn the_operation_agrees_with_its_judges() {
    main().unwrap_or_else(|failure| panic!("{failure}"));
}

#[expect(clippy::print_stdout, reason = "it is what a program does")]
fn main() -> Result<(), Failure> {
    let gpu = Device::select("gpu").map(|(gpu, _)| gpu);
    let devices: Vec<Device> = [Ok(Device::cpu()), gpu].into_iter().flatten().collect();
    let cumsum = |x: &[Tensor]| apply(CumSum { reversed: false }, &[&x[0]]);
    Judge::of(&[&[65, 1, 257]]).check(&devices, cumsum)?;
    let names: Vec<_> = devices.iter().map(Device::kind).collect();
    println!("{}: value, gradient and second order agree", names.join(", "));
    Ok(())
}
