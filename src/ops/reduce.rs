//! Reductions over axes: sum and maximum (operations), mean and variance (compositions), argmax.
//!
//! A sum's derivative is a broadcast, a broadcast's a sum. Sums on the CPU run in f64; on a GPU in
//! f32 over a fixed tree, so that two runs agree to the bit.

mod runs;

use std::ops::Range;

use rayon::prelude::*;

use self::runs::Runs;
use super::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::device::{Device, Dtype, Launch};
use crate::kernel;
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Sum over the given axes, which stay with size 1 if `keepdim`. PyTorch: `torch.sum`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn sum(&self, axes: &[usize], keepdim: bool) -> Self {
        self.reduced(Kind::Sum, axes, keepdim)
    }

    /// Sum of everything, of rank 0.
    pub fn sum_all(&self) -> Self {
        self.sum(&self.all_axes(), false)
    }

    /// Mean over the given axes. PyTorch: `torch.mean`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn mean(&self, axes: &[usize], keepdim: bool) -> Self {
        let n: usize = axes.iter().map(|&k| self.shape()[k]).product();
        self.sum(axes, keepdim) * (1.0 / n as f64)
    }

    /// Mean of everything, of rank 0.
    pub fn mean_all(&self) -> Self {
        self.mean(&self.all_axes(), false)
    }

    /// Mean squared distance from the mean over the given axes; `unbiased` divides by n - 1.
    /// PyTorch: `torch.var`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn var(&self, axes: &[usize], keepdim: bool, unbiased: bool) -> Self {
        let n: usize = axes.iter().map(|&k| self.shape()[k]).product();
        let squares = (self - self.mean(axes, true)).square().sum(axes, keepdim);
        squares * (1.0 / (n - usize::from(unbiased)) as f64)
    }

    /// Largest value over the given axes; its gradient goes to the largest elements, in equal parts
    /// where several are equal. PyTorch: `torch.amax`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn max(&self, axes: &[usize], keepdim: bool) -> Self {
        self.reduced(Kind::Max, axes, keepdim)
    }

    /// Index of the largest value along an axis, the first of equals. PyTorch: `torch.argmax`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn argmax(&self, axis: usize, keepdim: bool) -> Self {
        self.reduced(Kind::Argmax, &[axis], keepdim)
    }

    fn all_axes(&self) -> Vec<usize> {
        (0..self.shape().len()).collect()
    }

    #[track_caller]
    fn reduced(&self, kind: Kind, axes: &[usize], keepdim: bool) -> Self {
        let shape = self.shape();
        assert!(axes.iter().all(|&k| k < shape.len()), "axes {axes:?} of shape {shape:?}");
        if kind != Kind::Argmax && axes.iter().all(|&k| shape[k] == 1) && keepdim {
            return self.clone();
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        if axes.len() == shape.len() && shape.len() > 1 {
            // One long axis, which falls into parts of any length.
            let y = self.reshape([shape.numel()]).reduced(kind, &[0], false);
            return if keepdim { y.reshape(vec![1; shape.len()]) } else { y };
        }
        let y = apply(Reduce { kind, axes: axes.clone() }, &[self]);
        if keepdim {
            return y;
        }
        let kept: Vec<usize> =
            (0..shape.len()).filter(|k| !axes.contains(k)).map(|k| shape[k]).collect();
        y.reshape(kept)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    Max,
    Argmax,
}

struct Reduce {
    kind: Kind,
    axes: Vec<usize>,
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Max => "max",
            Kind::Argmax => "argmax",
        }
    }

    /// Of pairs the larger; of the places that hold the maximum the first. Sums are what other
    /// definitions are made of.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        match self.kind {
            Kind::Sum => None,
            Kind::Max => Some(self.axes.iter().fold(x[0].clone(), |x, &k| maximum_along(&x, k))),
            Kind::Argmax => Some(first_maximum(&x[0], self.axes[0])),
        }
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let has_some = self.kind == Kind::Sum || self.axes.iter().all(|&k| x[0][k] > 0);
        assert!(has_some, "{} of no elements: axes {:?} of {:?}", self.name(), self.axes, x[0]);
        self.axes.iter().fold(x[0].clone(), |shape, &k| shape.with(k, 1))
    }

    fn dtype(&self, device: &Device) -> Dtype {
        if self.kind == Kind::Argmax { Dtype::I32 } else { device.float() }
    }

    fn flops(&self, x: &[&Shape], _y: &Shape) -> usize {
        x[0].numel()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        match y {
            SliceMut::I32(y) => self.argmax(x[0], y, rows),
            y => twin!(y, |y| self.elements(x[0], y, rows)),
        }
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let runs = Runs::new(x[0].shape, &self.axes);
        if self.kind != Kind::Sum || runs.inner > 1 {
            return false;
        }
        native_sum(&runs, x[0].f32(), y);
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let mut runs = Runs::new(x[0].shape(), &self.axes);
        let mut from = x[0].detach();
        let mut launches = Vec::new();
        // Partial results [parts, outputs] are reduced again until one part is left.
        loop {
            let plan = Plan::new(self.kind, &runs, y.numel(), y.device());
            let to = match plan.parts {
                1 => y.detach(),
                parts => Tensor::empty(self.name(), [parts, y.numel()], y.dtype(), y.device()),
            };
            launches.push(self.stage(&runs, plan, &from, &to));
            if plan.parts == 1 {
                return launches;
            }
            runs = Runs::new(to.shape(), &[0]);
            from = to;
        }
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        let axis = x[0].leading()?;
        let is_summed = self.axes.contains(&axis);
        let is_possible = !is_summed || self.kind == Kind::Sum;
        let output = if is_summed { None } else { Some(axis) };
        is_possible.then(|| Cut { inputs: vec![Some(axis)], output })
    }

    fn takes_broadcast(&self) -> bool {
        true
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        match self.kind {
            // The same all along the axes that were summed over.
            Kind::Sum => vec![Some(g.clone())],
            Kind::Max => {
                let hit = x[0].detach().zip(&y.detach(), |x, y| x.equal(y));
                let share = &hit / hit.sum(&self.axes, true);
                vec![Some(share * g)]
            }
            // Piecewise constant.
            Kind::Argmax => vec![None],
        }
    }
}

/// The larger of both halves, until one place is left.
fn maximum_along(x: &Tensor, axis: usize) -> Tensor {
    let (n, along) = (x.shape()[axis], axis as isize);
    if n == 1 {
        return x.clone();
    }
    let half = n.div_ceil(2);
    let (low, high) = (x.narrow(along, 0, half), x.narrow(along, n - half, half));
    maximum_along(&low.maximum(&high), axis)
}

fn first_maximum(x: &Tensor, axis: usize) -> Tensor {
    let n = x.shape()[axis];
    let mut shape = vec![1; x.shape().len()];
    shape[axis] = n;
    let places: Vec<f32> = (0..n).map(|k| -(k as f32)).collect();
    let places = Tensor::from_slice(&places, shape, x.device());
    let [x_k, max_k, place_k] = Expr::inputs();
    let of_max = x_k.equal(max_k).select(place_k, -(n as f64));
    let of_max = pointwise(&[x, &maximum_along(x, axis), &places], &of_max);
    (-maximum_along(&of_max, axis)).as_index()
}

/// The launches of an operation that computes y as the sum of so many parts `[parts, y]`: the one
/// that writes them to the tensor it is given, and those that add them up. One part is y itself.
pub(super) fn in_parts(
    op: &str,
    parts: usize,
    y: &Tensor,
    launch: impl FnOnce(&Tensor) -> Launch,
) -> Vec<Launch> {
    if parts == 1 {
        return vec![launch(&y.detach())];
    }
    let partial = Tensor::empty(op, [parts, y.numel()], y.dtype(), y.device());
    let mut launches = vec![launch(&partial)];
    launches.extend(Reduce { kind: Kind::Sum, axes: vec![0] }.launch(&[&partial], y));
    launches
}

/// How a reduction is spread over a GPU.
#[derive(Clone, Copy)]
struct Plan {
    /// Invocations that share one part: 1, or a workgroup's.
    lanes: usize,
    /// Parts that each output's elements are cut into.
    parts: usize,
    /// Elements of a part.
    run: usize,
}

impl Plan {
    const WORKGROUP: usize = 64;
    /// A longer loop would cost accuracy.
    const STEPS: usize = 128;

    fn new(kind: Kind, runs: &Runs, outputs: usize, device: &Device) -> Self {
        let total = runs.len();
        if kind == Kind::Argmax {
            return Self { lanes: 1, parts: 1, run: total };
        }
        // Neighbouring invocations read neighbouring elements: those of one output where these are
        // neighbours, else those of neighbouring outputs.
        let is_long = total >= if outputs < 1024 { 32 } else { 512 };
        let is_wide = is_long && (runs.inner == 1 || outputs < 16);
        // On a processor a barrier costs more than scattered loads.
        let is_software = device.is_software();
        let is_wide = is_wide && !(is_software && outputs * total >= 64 * Self::STEPS);
        let lanes = if is_wide { Self::WORKGROUP } else { 1 };
        // Few outputs do not fill a GPU: shorter loops make more parts.
        let is_full = is_software || outputs * lanes >= 32 * 1024;
        let parts = total.div_ceil(lanes * if is_full { Self::STEPS } else { 32 }).max(1);
        Self { lanes, parts, run: total.div_ceil(parts) }
    }
}

impl Reduce {
    fn stage(&self, runs: &Runs, plan: Plan, x: &Tensor, y: &Tensor) -> Launch {
        let Plan { lanes, parts, run } = plan;
        let mut launch = Launch::new(match self.kind {
            Kind::Sum => kernel!("reduce/sum"),
            Kind::Max => kernel!("reduce/max"),
            Kind::Argmax => kernel!("reduce/argmax"),
        });
        if self.kind == Kind::Argmax {
            launch = launch.rounds(runs.len());
        }
        launch = launch.param("outputs", y.numel() / parts);
        if self.kind != Kind::Argmax {
            launch = launch.param("parts", parts).param("run", run).param("lanes", lanes);
        }
        for (k, (size, stride)) in Runs::padded(&runs.kept).into_iter().enumerate() {
            launch =
                launch.param(format!("kept{k}"), size).param(format!("kept_stride{k}"), stride);
        }
        for (k, (size, stride)) in Runs::padded(&runs.summed).into_iter().enumerate() {
            launch = launch.param(format!("size{k}"), size).param(format!("stride{k}"), stride);
        }
        launch
            .param("total", runs.len())
            .bind("x", x)
            .bind("y", y)
            .elements(y.numel() * lanes, Plan::WORKGROUP)
    }

    fn elements<T: Float>(&self, x: Slice, y: &mut [T], rows: Range<usize>) {
        let runs = Runs::new(x.shape, &self.axes);
        let x = T::of(&x);
        for (y, row) in y.iter_mut().zip(rows) {
            let base = Runs::offset(&runs.kept, row);
            let values = (0..runs.len()).map(|k| x[base + Runs::offset(&runs.summed, k)].f64());
            *y = T::from_f64(match self.kind {
                Kind::Sum => values.sum(),
                _ => values.fold(f64::NEG_INFINITY, |m, v| if v > m || v.is_nan() { v } else { m }),
            });
        }
    }

    fn argmax(&self, x: Slice, y: &mut [i32], rows: Range<usize>) {
        let runs = Runs::new(x.shape, &self.axes);
        for (y, row) in y.iter_mut().zip(rows) {
            let base = Runs::offset(&runs.kept, row);
            let value = |k: usize| x.at(base + Runs::offset(&runs.summed, k));
            let best =
                (0..runs.len()).fold(0, |best, k| if value(k) > value(best) { k } else { best });
            *y = best as i32;
        }
    }
}

/// Sums whose innermost run is contiguous: eight partial sums in f32 over at most 256 elements, the
/// rest in f64.
fn native_sum(runs: &Runs, x: &[f32], y: &mut [f32]) {
    let (inner, outer) = runs.summed.split_last().map_or((1, &[][..]), |(a, rest)| (a.0, rest));
    let outer_len: usize = outer.iter().map(|a| a.0).product();
    let one = |(row, y): (usize, &mut f32)| {
        let base = Runs::offset(&runs.kept, row);
        let run = |k: usize| {
            let start = base + Runs::offset(outer, k);
            x[start..start + inner]
                .chunks(256)
                .map(|block| f64::from(sum_of_lanes(block)))
                .sum::<f64>()
        };
        *y = (0..outer_len).map(run).sum::<f64>() as f32;
    };
    if inner * outer_len * y.len() < 32 * 1024 {
        y.iter_mut().enumerate().for_each(one);
    } else {
        y.par_iter_mut().enumerate().for_each(one);
    }
}

fn sum_of_lanes(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = x.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, v)| *sum += v);
    }
    lanes.iter().sum::<f32>() + rest
}
