//! Reductions over axes: sum, sum of products, maximum and argmax (operations), mean and variance
//! (compositions).
//!
//! A sum's derivative is a broadcast, a broadcast's a sum. Sums on the CPU run in f64; on a GPU in
//! f32 over a fixed tree, so that two runs agree to the bit.

mod native;
mod plan;
mod runs;

use std::ops::Range;

use self::native::native_sum;
pub(super) use self::native::sum_of_run;
pub(super) use self::plan::Plan;
use self::runs::Runs;
use super::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::device::{Device, Dtype, Launch};
use crate::kernel;
use crate::ops::pointwise::{Deferred, Expr, pointwise};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Sum over the given axes, which stay with size 1 if `keepdim`. PyTorch: `torch.sum`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn sum(&self, axes: &[usize], keepdim: bool) -> Self {
        self.scaled_sum(1.0, axes, keepdim)
    }

    /// The sum times a number.
    #[track_caller]
    pub(crate) fn scaled_sum(&self, factor: f64, axes: &[usize], keepdim: bool) -> Self {
        reduced(Kind::Sum, factor, &[self], axes, keepdim)
    }

    /// Sum of the products with a tensor of the same shape over the given axes: no tensor of
    /// products. With itself the sum of squares. PyTorch: `(x * other).sum(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist, or the shapes differ.
    #[track_caller]
    pub fn dot(&self, other: &Self, axes: &[usize], keepdim: bool) -> Self {
        self.scaled_dot(other, 1.0, axes, keepdim)
    }

    /// The sum of the products times a number.
    #[track_caller]
    pub(crate) fn scaled_dot(
        &self,
        other: &Self,
        factor: f64,
        axes: &[usize],
        keepdim: bool,
    ) -> Self {
        reduced(Kind::Dot, factor, &[self, other], axes, keepdim)
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
        self.scaled_sum(1.0 / self.count(axes) as f64, axes, keepdim)
    }

    /// Mean of the squares over the given axes.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn mean_square(&self, axes: &[usize], keepdim: bool) -> Self {
        self.scaled_dot(self, 1.0 / self.count(axes) as f64, axes, keepdim)
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
        let centred = self - self.mean(axes, true);
        let n = self.count(axes) - usize::from(unbiased);
        centred.scaled_dot(&centred, 1.0 / n as f64, axes, keepdim)
    }

    /// Largest value over the given axes; its gradient goes to the largest elements, in equal parts
    /// where several are equal. PyTorch: `torch.amax`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn max(&self, axes: &[usize], keepdim: bool) -> Self {
        reduced(Kind::Max, 1.0, &[self], axes, keepdim)
    }

    /// Index of the largest value along an axis, the first of equals. PyTorch: `torch.argmax`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn argmax(&self, axis: usize, keepdim: bool) -> Self {
        reduced(Kind::Argmax, 1.0, &[self], &[axis], keepdim)
    }

    fn all_axes(&self) -> Vec<usize> {
        (0..self.shape().len()).collect()
    }

    /// Elements that a reduction over these axes makes one of.
    #[track_caller]
    fn count(&self, axes: &[usize]) -> usize {
        axes.iter().map(|&k| self.shape()[k]).product()
    }
}

#[track_caller]
fn reduced(kind: Kind, factor: f64, x: &[&Tensor], axes: &[usize], keepdim: bool) -> Tensor {
    let shape = x[0].shape();
    assert!(axes.iter().all(|&k| k < shape.len()), "axes {axes:?} of shape {shape:?}");
    let kept = || (0..shape.len()).filter(|k| !axes.contains(k)).map(|k| shape[k]);
    let is_alone = axes.iter().all(|&k| shape[k] == 1);
    if is_alone && factor == 1.0 && matches!(kind, Kind::Sum | Kind::Max) {
        return if keepdim { x[0].clone() } else { x[0].reshape(kept().collect::<Vec<_>>()) };
    }
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    if axes.len() == shape.len() && shape.len() > 1 {
        // One long axis, which falls into parts of any length.
        let lines: Vec<Tensor> = x.iter().map(|x| x.reshape([x.numel()])).collect();
        let y = reduced(kind, factor, &lines.iter().collect::<Vec<_>>(), &[0], false);
        return if keepdim { y.reshape(vec![1; shape.len()]) } else { y };
    }
    let y = apply(Reduce { kind, axes: axes.clone(), factor }, x);
    if keepdim { y } else { y.reshape(kept().collect::<Vec<_>>()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    /// Sum of products.
    Dot,
    Max,
    Argmax,
}

struct Reduce {
    kind: Kind,
    axes: Vec<usize>,
    /// Of sums.
    factor: f64,
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Dot => "dot",
            Kind::Max => "max",
            Kind::Argmax => "argmax",
        }
    }

    /// Of pairs the larger; of the places that hold the maximum the first. Sums are what other
    /// definitions are made of.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        match self.kind {
            Kind::Sum if self.factor == 1.0 => None,
            Kind::Sum => Some(x[0].sum(&self.axes, true) * self.factor),
            Kind::Dot => Some((&x[0] * &x[1]).scaled_sum(self.factor, &self.axes, true)),
            Kind::Max => Some(self.axes.iter().fold(x[0].clone(), |x, &k| maximum_along(&x, k))),
            Kind::Argmax => Some(first_maximum(&x[0], self.axes[0])),
        }
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let alike = x.iter().all(|other| *other == x[0]);
        assert!(alike, "{}: shapes differ ({x:?})", self.name());
        let has_some = self.is_sum() || self.axes.iter().all(|&k| x[0][k] > 0);
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
            y => twin!(y, |y| self.elements(x, y, rows)),
        }
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let runs = Runs::new(x[0].shape, &self.axes);
        let is_possible = self.is_sum() && (runs.inner == 1 || runs.width() > 1);
        if is_possible {
            let z = x.get(1).map(Slice::f32);
            native_sum(&runs, x[0].f32(), z, y);
            y.iter_mut().for_each(|y| *y *= self.factor as f32);
        }
        is_possible
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let mut runs = Runs::new(x[0].shape(), &self.axes);
        let mut from: Vec<Tensor> = x.iter().map(|x| x.detach()).collect();
        let mut launches = Vec::new();
        // Partial results [parts, outputs] are reduced again until one part is left.
        loop {
            let plan = match self.kind {
                Kind::Argmax => Plan { lanes: 1, parts: 1, run: runs.len() },
                _ => Plan::new(runs.len(), runs.inner, y.numel(), y.device()),
            };
            let to = match plan.parts {
                1 => y.detach(),
                parts => Tensor::empty(self.name(), [parts, y.numel()], y.dtype(), y.device()),
            };
            launches.push(self.stage(&runs, plan, &from, &to));
            if plan.parts == 1 {
                return launches;
            }
            runs = Runs::new(to.shape(), &[0]);
            from = vec![to];
        }
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        let axis = x[0].leading()?;
        let is_summed = self.axes.contains(&axis);
        let is_possible = !is_summed || self.is_sum();
        let output = if is_summed { None } else { Some(axis) };
        is_possible.then(|| Cut { inputs: vec![Some(axis); x.len()], output })
    }

    fn takes_broadcast(&self) -> bool {
        true
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        Deferred::compute_all(self.deferred_vjp(x, y, g, needs))
    }

    fn deferred_vjp(
        &self,
        x: &[Tensor],
        y: &Tensor,
        g: &Tensor,
        needs: &[bool],
    ) -> Vec<Option<Deferred>> {
        let [x_k, g_k] = Expr::inputs();
        let times =
            |x: &Tensor, factor: f64| Deferred::new(&[x, g], &(factor * x_k.clone() * g_k.clone()));
        match self.kind {
            // The same all along the axes that were summed over.
            Kind::Sum => vec![Some(Deferred::new(&[g], &(self.factor * x_k)))],
            Kind::Dot if x[0].is_same(&x[1]) => {
                vec![Some(times(&x[0], 2.0 * self.factor)), None]
            }
            Kind::Dot => [1, 0]
                .into_iter()
                .zip(needs)
                .map(|(other, needed)| needed.then(|| times(&x[other], self.factor)))
                .collect(),
            Kind::Max => {
                let hit = x[0].detach().zip(&y.detach(), |x, y| x.equal(y));
                let share = &hit / hit.sum(&self.axes, true);
                vec![Some((share * g).into())]
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
    launches.extend(Reduce { kind: Kind::Sum, axes: vec![0], factor: 1.0 }.launch(&[&partial], y));
    launches
}

impl Reduce {
    fn is_sum(&self) -> bool {
        matches!(self.kind, Kind::Sum | Kind::Dot)
    }

    /// One launch; the factor belongs to the last.
    fn stage(&self, runs: &Runs, plan: Plan, x: &[Tensor], y: &Tensor) -> Launch {
        let Plan { lanes, parts, run } = plan;
        let mut launch = Launch::new(match self.kind {
            Kind::Sum | Kind::Dot => kernel!("reduce/sum"),
            Kind::Max => kernel!("reduce/max"),
            Kind::Argmax => kernel!("reduce/argmax"),
        });
        if self.kind == Kind::Argmax {
            launch = launch.rounds(runs.len());
        }
        if self.is_sum() {
            // A sum reads no second input, but the kernel binds one.
            launch = launch
                .param("factor", if parts == 1 { self.factor } else { 1.0 })
                .constant("PRODUCT", x.len() - 1)
                .bind("z", &x[x.len() - 1]);
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
            .bind("x", &x[0])
            .bind("y", y)
            .elements(y.numel() * lanes, Plan::WORKGROUP)
    }

    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let runs = Runs::new(x[0].shape, &self.axes);
        let x: Vec<&[T]> = x.iter().map(T::of).collect();
        let value = |at: usize| x.iter().map(|x| x[at].f64()).product::<f64>();
        for (y, row) in y.iter_mut().zip(rows) {
            let base = Runs::offset(&runs.kept, row);
            let values = (0..runs.len()).map(|k| value(base + Runs::offset(&runs.summed, k)));
            *y = T::from_f64(match self.kind {
                Kind::Sum | Kind::Dot => self.factor * values.sum::<f64>(),
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
