//! e^x normalised to sum 1 along an axis.

use std::ops::Range;

use rayon::prelude::*;

use crate::device::Launch;
use crate::kernel;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// e^x normalised to sum 1 along an axis. PyTorch: `F.softmax`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Self {
        self.sharpened_softmax(axis, 1.0)
    }

    /// The softmax of `factor` x: the larger the factor, the nearer to 1 at the maximum and 0
    /// elsewhere. PyTorch: `F.softmax(factor * x)`.
    ///
    /// # Panics
    /// When the axis does not exist, or the factor is not positive.
    #[track_caller]
    pub fn sharpened_softmax(&self, axis: isize, factor: f64) -> Self {
        assert!(factor > 0.0, "softmax: a factor of {factor}");
        apply(Softmax { axis: self.shape().axis(axis), factor }, &[self])
    }
}

/// Fewest elements that are worth a task of their own.
const TASK: usize = 4096;
/// Invocations of a workgroup.
const WORKGROUP: usize = 64;
/// Shortest line that is a workgroup's.
const WIDE: usize = 128;

struct Softmax {
    axis: usize,
    factor: f64,
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    /// The maximum is subtracted first, so that nothing overflows.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let max = x[0].detach().max(&[self.axis], true);
        let powers = x[0].zip(&max, |x, max| (self.factor * (x - max)).exp());
        Some(&powers / powers.sum(&[self.axis], true))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        assert!(x[0][self.axis] > 0, "softmax of no elements: axis {} of {:?}", self.axis, x[0]);
        x[0].clone()
    }

    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        8 * y.numel()
    }

    fn rows(&self, y: &Shape) -> usize {
        y[..self.axis].iter().product()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        let block: usize = x[0].shape[self.axis..].iter().product();
        let (_, axis, _) = x[0].shape.around(self.axis);
        twin!(y, |y| self.blocks(&Float::of(&x[0])[rows.start * block..], y, axis, block / axis));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let (_, axis, inner) = x[0].shape.around(self.axis);
        let task = (TASK / (axis * inner)).max(1) * axis * inner;
        y.par_chunks_mut(task).zip(x[0].f32().par_chunks(task)).for_each(|(y, x)| {
            let blocks = y.chunks_exact_mut(axis * inner).zip(x.chunks_exact(axis * inner));
            blocks.for_each(|(y, x)| self.native_block(x, y, inner));
        });
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let (outer, axis, inner) = y.shape().around(self.axis);
        let lines = outer * inner;
        let is_wide = axis >= WIDE && (inner == 1 || lines < 1024);
        let lanes = if is_wide { WORKGROUP } else { 1 };
        let launch = Launch::new(kernel!("norm/softmax"))
            .param("lines", lines)
            .param("axis", axis)
            .param("inner", inner)
            .param("lanes", lanes)
            .param("factor", self.factor)
            .bind("x", x[0])
            .bind("y", y);
        vec![launch.rounds(3 * axis.div_ceil(lanes)).elements(lines * lanes, WORKGROUP)]
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let axis = y.leading().filter(|&k| k != self.axis)?;
        Some(Cut { inputs: vec![Some(axis); x.len()], output: Some(axis) })
    }

    /// factor · y (g − sum of g y).
    fn vjp(&self, _x: &[Tensor], y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let [y_k, g_k, dot] = Expr::inputs();
        let slope = y_k * (g_k - dot) * self.factor;
        vec![Some(pointwise(&[y, g, &g.dot(y, &[self.axis], true)], &slope))]
    }
}

impl Softmax {
    /// Whole blocks `[axis, inner]`.
    fn blocks<T: Float>(&self, x: &[T], y: &mut [T], axis: usize, inner: usize) {
        for (y, x) in y.chunks_exact_mut(axis * inner).zip(x.chunks_exact(axis * inner)) {
            for i in 0..inner {
                let line = || x[i..].iter().step_by(inner).map(|x| x.f64());
                let larger = |m: f64, v: f64| if v > m || v.is_nan() { v } else { m };
                let max = line().fold(f64::NEG_INFINITY, larger);
                let power = |v: f64| (self.factor * (v - max)).exp();
                let sum: f64 = line().map(power).sum();
                let to = y[i..].iter_mut().step_by(inner);
                to.zip(line()).for_each(|(y, v)| *y = T::from_f64(power(v) / sum));
            }
        }
    }

    /// One block in f32, along its contiguous rows; sums in f64.
    fn native_block(&self, x: &[f32], y: &mut [f32], inner: usize) {
        let (mut most, mut sums) = (x[..inner].to_vec(), vec![0.0; inner]);
        for row in x.chunks_exact(inner) {
            let larger = |(m, &v): (&mut f32, &f32)| *m = if v > *m || v.is_nan() { v } else { *m };
            most.iter_mut().zip(row).for_each(larger);
        }
        let factor = self.factor as f32;
        for (y, x) in y.chunks_exact_mut(inner).zip(x.chunks_exact(inner)) {
            for (((y, &v), &m), sum) in y.iter_mut().zip(x).zip(&most).zip(&mut sums) {
                *y = (factor * (v - m)).exp();
                *sum += f64::from(*y);
            }
        }
        let shares: Vec<f32> = sums.iter().map(|sum| (1.0 / sum) as f32).collect();
        let scale = |row: &mut [f32]| row.iter_mut().zip(&shares).for_each(|(y, s)| *y *= s);
        y.chunks_exact_mut(inner).for_each(scale);
    }
}
