//! Sums of a pointwise expression over axes, without a tensor of its values.
//!
//! The derivative is that of the expression, with one number for all that was summed: a pointwise
//! operation.

use std::ops::Range;

use super::layout::Layout;
use super::program::Program;
use super::{Deferred, Expr, MAX_INPUTS, broadcast, codegen, eval, pointwise, slopes};
use crate::device::Launch;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// The sum over axes, which stay with size 1, of what [`pointwise`] makes of the same.
///
/// # Panics
/// As [`pointwise`], and when an axis does not exist.
#[track_caller]
pub fn pointwise_sum(x: &[&Tensor], expr: &Expr, axes: &[usize]) -> Tensor {
    let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
    let whole = broadcast(&shapes);
    assert!(axes.iter().all(|&k| k < whole.len()), "axes {axes:?} of shape {whole:?}");
    let (layout, kept) = Layout::of_sum(&whole, &shapes, axes);
    let program = Program::new(expr);
    let is_whole = program.inputs().len() == x.len();
    if !is_whole || x.len() > MAX_INPUTS || !codegen::sum::is_possible(&layout, kept) {
        return pointwise(x, expr).expand(whole).sum(axes, true);
    }
    apply(PointwiseSum { expr: expr.clone(), program, axes: axes.to_vec() }, x)
}

struct PointwiseSum {
    expr: Expr,
    program: Program,
    axes: Vec<usize>,
}

impl Op for PointwiseSum {
    fn name(&self) -> &'static str {
        "pointwise_sum"
    }

    /// The values first.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let values = pointwise(&x.iter().collect::<Vec<_>>(), &self.expr);
        Some(values.sum(&self.axes, true))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        self.axes.iter().fold(broadcast(x), |y, &k| y.with(k, 1))
    }

    fn flops(&self, x: &[&Shape], _y: &Shape) -> usize {
        broadcast(x).numel() * self.program.steps.len()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let (layout, total) = self.layout(x);
        let x: Vec<&[f32]> = x.iter().map(Slice::f32).collect();
        eval::sums(&self.program, &layout, &x, total, y);
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
        let (layout, kept) = Layout::of_sum(&broadcast(&shapes), &shapes, &self.axes);
        codegen::sum::launches(&self.program, &layout, kept, x, y)
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        let whole = broadcast(x);
        let cut = whole.leading()?;
        let axis = |x: &&Shape| (cut + x.len()).checked_sub(whole.len()).filter(|&k| x[k] != 1);
        let output = if self.axes.contains(&cut) { None } else { Some(cut) };
        Some(Cut { inputs: x.iter().map(axis).collect(), output })
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
        _y: &Tensor,
        g: &Tensor,
        needs: &[bool],
    ) -> Vec<Option<Deferred>> {
        let whole = broadcast(&x.iter().map(Tensor::shape).collect::<Vec<_>>());
        slopes(&self.expr, x, &whole, g, needs)
    }
}

impl PointwiseSum {
    /// With the elements of each output one after another, and how many these are.
    fn layout(&self, x: &[Slice]) -> (Layout, usize) {
        let shapes: Vec<&Shape> = x.iter().map(|x| x.shape).collect();
        let (layout, kept) = Layout::of_sum(&broadcast(&shapes), &shapes, &self.axes);
        let total = layout.sizes[kept..].iter().product();
        (layout, total)
    }

    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let (layout, total) = self.layout(x);
        let x: Vec<&[T]> = x.iter().map(T::of).collect();
        let mut values = Vec::new();
        for (y, row) in y.iter_mut().zip(rows) {
            let value = |index: usize| {
                let input = |k: usize| x[k][layout.offset(k, index)].f64();
                eval::element(&self.program, input, &mut values)
            };
            *y = T::from_f64((row * total..(row + 1) * total).map(value).sum());
        }
    }
}
