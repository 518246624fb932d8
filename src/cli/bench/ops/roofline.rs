//! The most that a device does: multiply-adds in registers, and copying between tensors that no
//! cache holds. What an operation of known work takes at least follows from both (S. Williams et
//! al., "Roofline", 2009).

use std::ops::Range;

use rayon::prelude::*;

use super::seconds;
use crate::Result;
use crate::device::profile::Work;
use crate::device::{Device, Kernel, Launch};
use crate::ops::{Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// What a device does in a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roofline {
    /// Floating-point operations.
    pub(super) flops: f64,
    /// Bytes read and written.
    pub(super) bytes: f64,
}

/// Bytes of the tensor that is copied.
const COPIED: usize = 64 << 20;

impl Roofline {
    /// On the CPU matrix products count too: they use instructions that plain code does not.
    pub(super) fn measure(device: &Device) -> Result<Self> {
        let best = |call: &dyn Fn() -> Tensor| seconds(device, call).map(|[best, _]| best);
        let is_gpu = device.kind() == "gpu" && !device.is_software();
        let x = Tensor::full(1.0, [if is_gpu { 1 << 16 } else { 1 << 12 }, LANES], device);
        let mut flops = Chain::flops(x.numel()) as f64 / best(&|| apply(Chain, &[&x]))?;
        if device.kind() == "cpu" {
            for n in [256usize, 1024] {
                let a = Tensor::full(1.0, [n, n], device);
                flops = flops.max(2.0 * n.pow(3) as f64 / best(&|| a.matmul(&a))?);
            }
        }
        let x = Tensor::full(1.0, [COPIED / 4 / LANES, LANES], device);
        let bytes = 2.0 * COPIED as f64 / best(&|| apply(Copy, &[&x]))?;
        Ok(Self { flops, bytes })
    }

    /// The least that this work takes.
    pub(super) fn seconds(self, work: Work) -> f64 {
        (work.flops as f64 / self.flops).max(work.bytes as f64 / self.bytes)
    }
}

/// Elements of a row: independent of each other, as many as hide the latency of a multiply-add.
const LANES: usize = 64;
/// Multiply-adds per element: a multiple of 4, so many that memory does not matter.
const STEPS: usize = 1024;
/// Near 1, so that nothing overflows; given at run time, so that no compiler computes ahead.
const FACTOR: f64 = 0.999;
const SUMMAND: f64 = 0.001;

/// Each element goes `STEPS` times through `v * FACTOR + SUMMAND`.
struct Chain;

const CHAIN: &str = "// An invocation keeps 16 elements in registers.
// uses: index
struct Params { rounds: u32, factor: f32, summand: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
fn four(v: vec4<f32>, f: vec4<f32>, s: vec4<f32>) -> vec4<f32> {
    return fma(fma(fma(fma(v, f, s), f, s), f, s), f, s);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let i = index_item(id, grid, 64u);
    if 4u * i >= arrayLength(&y) { return; }
    let f = vec4(params.factor);
    let s = vec4(params.summand);
    var a = x[4u * i];
    var b = x[4u * i + 1u];
    var c = x[4u * i + 2u];
    var d = x[4u * i + 3u];
    for (var k = 0u; k < params.rounds; k++) {
        a = four(a, f, s);
        b = four(b, f, s);
        c = four(c, f, s);
        d = four(d, f, s);
    }
    y[4u * i] = a;
    y[4u * i + 1u] = b;
    y[4u * i + 2u] = c;
    y[4u * i + 3u] = d;
}";

impl Chain {
    fn flops(elements: usize) -> usize {
        2 * STEPS * elements
    }

    fn step<T: Float>(x: &Slice, y: &mut [T], rows: Range<usize>) {
        let x = &T::of(x)[rows.start * LANES..rows.end * LANES];
        for (y, x) in y.iter_mut().zip(x) {
            *y = T::from_f64((0..STEPS).fold(x.f64(), |v, _| v * FACTOR + SUMMAND));
        }
    }
}

impl Op for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }
    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }
    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        Self::flops(y.numel())
    }
    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| Self::step(&x[0], y, rows));
    }
    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let rows = x[0].f32().par_chunks_exact(LANES).zip(y.par_chunks_exact_mut(LANES));
        rows.for_each(|(x, y)| {
            let mut lanes = [0.0; LANES];
            lanes.copy_from_slice(x);
            for _ in 0..STEPS {
                lanes = lanes.map(|v| v * FACTOR as f32 + SUMMAND as f32);
            }
            y.copy_from_slice(&lanes);
        });
        true
    }
    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let launch = Launch::new(Kernel::new("roofline/chain", CHAIN));
        let launch = launch.bind("x", x[0]).bind("y", y).param("rounds", STEPS / 4);
        let launch = launch.param("factor", FACTOR).param("summand", SUMMAND);
        vec![launch.rounds(STEPS / 4).elements(y.numel() / 16, 64)]
    }
    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor, _: &[bool]) -> Vec<Option<Tensor>> {
        vec![None]
    }
}

/// The same numbers elsewhere.
struct Copy;

const COPY: &str = "// uses: index
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let i = index_item(id, grid, 256u);
    if i >= arrayLength(&y) { return; }
    y[i] = x[i];
}";

impl Op for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }
    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }
    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| y.copy_from_slice(&Float::of(&x[0])[rows.start * LANES..rows.end * LANES]));
    }
    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let launch = Launch::new(Kernel::new("roofline/copy", COPY));
        vec![launch.bind("x", x[0]).bind("y", y).elements(y.numel() / 4, 256)]
    }
    fn vjp(&self, _: &[Tensor], _: &Tensor, g: &Tensor, _: &[bool]) -> Vec<Option<Tensor>> {
        vec![Some(g.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_probes_compute_what_they_are_counted_for() {
        let gpu = Device::select("gpu").map(|(gpu, _)| gpu);
        for device in [Ok(Device::cpu()), gpu].into_iter().flatten() {
            let values: Vec<f32> = (0..3 * LANES).map(|k| k as f32 / 7.0 - 9.0).collect();
            let x = Tensor::from_slice(&values, [3, LANES], &device);
            assert_eq!(apply(Copy, &[&x]).to_vec().expect("read back"), values);
            let chained = apply(Chain, &[&x]).to_vec().expect("read back");
            for (x, got) in values.iter().zip(chained) {
                // The fixed point of a step is 1.
                let want = 1.0 + (f64::from(*x) - 1.0) * FACTOR.powi(STEPS as i32);
                assert!((f64::from(got) - want).abs() < 1e-3, "{device:?}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn the_slower_of_computing_and_moving_counts() {
        let roofline = Roofline { flops: 100.0, bytes: 10.0 };
        assert_eq!(roofline.seconds(Work { flops: 200, bytes: 10 }), 2.0);
        assert_eq!(roofline.seconds(Work { flops: 200, bytes: 30 }), 3.0);
    }
}
