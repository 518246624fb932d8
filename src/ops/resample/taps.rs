//! A sparse matrix along one axis: y\[a, o, b\] = Σ over the taps (i, w) of output o of w x\[a, i,
//! b\].
//!
//! The transposed matrix is of the same kind, so the family is closed under differentiation, and a
//! gradient is gathered, in a fixed order.

use std::ops::Range;
use std::sync::Arc;

use super::image_sizes;
use crate::device::Launch;
use crate::kernel;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// The matrix, row by row.
pub(super) struct Taps {
    size_in: usize,
    /// Where the taps of each output begin, and where the last ones end.
    start: Vec<usize>,
    source: Vec<usize>,
    weight: Vec<f64>,
}

impl Taps {
    /// `row` gives the inputs and weights of an output.
    pub(super) fn new<I>(size_in: usize, size_out: usize, row: impl Fn(usize) -> I) -> Self
    where
        I: IntoIterator<Item = (usize, f64)>,
    {
        let mut taps = Self { size_in, start: vec![0], source: Vec::new(), weight: Vec::new() };
        for o in 0..size_out {
            for (source, weight) in row(o) {
                taps.source.push(source);
                taps.weight.push(weight);
            }
            taps.start.push(taps.source.len());
        }
        taps
    }

    fn size_out(&self) -> usize {
        self.start.len() - 1
    }

    fn row(&self, o: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.start[o]..self.start[o + 1];
        range.map(|k| (self.source[k], self.weight[k]))
    }

    fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.size_in];
        for o in 0..self.size_out() {
            self.row(o).for_each(|(i, weight)| rows[i].push((o, weight)));
        }
        Self::new(self.size_out(), self.size_in, |i| rows[i].iter().copied())
    }

    fn is_identity(&self) -> bool {
        self.size_in == self.size_out() && (0..self.size_in).all(|o| self.row(o).eq([(o, 1.0)]))
    }
}

/// Both axes of `[N, C, H, W]`, the vertical one first. `name` is for messages and profiles; the
/// matrix comes from the size of each axis, which 0 or 1 names.
#[track_caller]
pub(super) fn along_both(
    name: &'static str,
    x: &Tensor,
    taps: impl Fn(usize, usize) -> Taps,
) -> Tensor {
    let [_, _, h, w] = image_sizes(name, x);
    [h, w].into_iter().enumerate().fold(x.clone(), |x, (k, size)| {
        let taps = taps(k, size);
        if taps.is_identity() {
            x
        } else {
            apply(Along { name, axis: 2 + k, taps: Arc::new(taps) }, &[&x])
        }
    })
}

struct Along {
    name: &'static str,
    axis: usize,
    taps: Arc<Taps>,
}

impl Op for Along {
    fn name(&self) -> &'static str {
        self.name
    }

    /// The product with the dense matrix.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (size_in, size_out) = (self.taps.size_in, self.taps.size_out());
        let mut dense = vec![0.0; size_out * size_in];
        for o in 0..size_out {
            self.taps.row(o).for_each(|(i, weight)| dense[o * size_in + i] += weight);
        }
        let dense = Tensor::from_f64(&dense, [size_out, size_in], x[0].device());
        let (outer, _, inner) = x[0].shape().around(self.axis);
        let y = dense.matmul(&x[0].reshape([outer, size_in, inner]));
        Some(y.reshape(x[0].shape().with(self.axis, size_out)))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].with(self.axis, self.taps.size_out())
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel() / y.around(self.axis).2
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], y, rows));
    }

    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        2 * y.numel() * self.taps.source.len() / self.taps.size_out()
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let taps = &self.taps;
        let indices = |list: &[usize]| {
            let list: Vec<i32> = list.iter().map(|&i| i as i32).collect();
            Tensor::from_indices(&list, [list.len()], y.device())
        };
        let weight: Vec<f32> = taps.weight.iter().map(|&w| w as f32).collect();
        let longest = taps.start.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
        let launch = Launch::new(kernel!("resample/taps"))
            .bind("x", x[0])
            .bind("start", &indices(&taps.start))
            .bind("source", &indices(&taps.source))
            .bind("weight", &Tensor::from_slice(&weight, [weight.len()], y.device()))
            .bind("y", y)
            .param("len", y.numel())
            .param("size_in", taps.size_in)
            .divisor("size_out", taps.size_out())
            .divisor("inner", y.shape().around(self.axis).2);
        vec![launch.rounds(longest).elements(y.numel(), 64)]
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut::planes(x))
    }

    fn vjp(&self, _x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let taps = Arc::new(self.taps.transposed());
        vec![Some(apply(Self { taps, ..*self }, &[g]))]
    }
}

impl Along {
    /// A row of y is one output at all the inner positions.
    fn lines<T: Float>(&self, x: Slice, y: &mut [T], rows: Range<usize>) {
        let (size_in, size_out) = (self.taps.size_in, self.taps.size_out());
        let (_, _, inner) = x.shape.around(self.axis);
        let x = T::of(&x);
        for (y, row) in y.chunks_exact_mut(inner).zip(rows) {
            let (outer, o) = (row / size_out, row % size_out);
            let x = &x[outer * size_in * inner..][..size_in * inner];
            for (b, y) in y.iter_mut().enumerate() {
                let products = self.taps.row(o).map(|(i, w)| w * x[i * inner + b].f64());
                *y = T::from_f64(products.sum());
            }
        }
    }
}
