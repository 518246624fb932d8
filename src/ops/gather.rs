//! Gather along an axis and its transpose, scatter-add.

use std::ops::Range;

use super::{Float, Op, Slice, SliceMut, apply, twin};
use crate::device::Launch;
use crate::kernel;
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Entries picked along an axis; for axis 1 `y[i, j, k] = x[i, index[i, j, k], k]`. The other
    /// sizes of `index` are at most those of x. PyTorch: `torch.gather`.
    ///
    /// # Panics
    /// When the shapes do not fit. An index outside the axis reads 0.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Self) -> Self {
        let axis = self.shape().axis(axis);
        let (mut x, sizes) = (self.clone(), index.shape());
        let shared = sizes.len().min(x.shape().len());
        for k in (0..shared).filter(|&k| k != axis && sizes[k] < self.shape()[k]) {
            x = x.narrow(k as isize, 0, sizes[k]);
        }
        apply(Gather { axis }, &[&x, index])
    }

    /// Zeros of size `size` along the axis, with every entry of x added where its index says;
    /// indices may repeat. PyTorch: `torch.zeros(...).scatter_add`.
    ///
    /// # Panics
    /// When the shapes differ. An index outside the axis is dropped.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Self, size: usize) -> Self {
        apply(ScatterAdd { axis: self.shape().axis(axis), size }, &[self, index])
    }

    /// Whole slices picked along an axis; `index` has rank 1. PyTorch: `torch.index_select`.
    ///
    /// # Panics
    /// When the axis does not exist or `index` is not of rank 1.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Self) -> Self {
        let axis = self.shape().axis(axis);
        let n = index.numel();
        assert_eq!(index.shape().len(), 1, "index_select: index of shape {:?}", index.shape());
        let (outer, size, inner) = self.shape().around(axis);
        let y = apply(Gather { axis: 1 }, &[&self.reshape([outer, size, inner]), index]);
        y.reshape(self.shape().with(axis, n))
    }
}

/// Index of rank 1 serves every position; otherwise one index per output element.
fn checked(name: &str, axis: usize, x: &Shape, index: &Shape) -> Shape {
    if index.len() == 1 && x.len() != 1 {
        return x.with(axis, index[0]);
    }
    let fits = index.len() == x.len() && index.with(axis, 0) == x.with(axis, 0);
    assert!(fits, "{name}: index of shape {index:?} for axis {axis} of shape {x:?}");
    index.clone()
}

/// 1 where an index names an entry of an axis of size `size`, which becomes the last:
/// `[outer, picked, inner, size]`, with one inner position and one outer for an index that serves
/// all.
fn one_hot(index: &Tensor, axis: usize, rank: usize, size: usize) -> Tensor {
    let shared = index.shape().len() != rank;
    let (outer, picked, inner) =
        if shared { (1, index.numel(), 1) } else { index.shape().around(axis) };
    let places = index.to_indices().unwrap_or_else(|e| panic!("one_hot: {e}"));
    let row = |&i: &i32| (0..size as i32).map(move |k| f32::from(i == k));
    let hot: Vec<f32> = places.iter().flat_map(row).collect();
    Tensor::from_slice(&hot, [outer, picked, inner, size], index.device())
}

fn launch(op: Launch, x: &Tensor, index: &Tensor, y: &Tensor, axis: usize) -> Vec<Launch> {
    let (_, size, inner) = x.shape().around(axis);
    let shared = index.shape().len() != x.shape().len();
    let launch = op
        .bind("x", x)
        .bind("index", index)
        .bind("y", y)
        .param("len", y.numel())
        .param("size", size)
        .param("picked", y.shape()[axis])
        .param("inner", inner)
        .param("shared_index", usize::from(shared));
    vec![launch.elements(y.numel(), 256)]
}

struct Gather {
    axis: usize,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    /// A sum over the whole axis, of which the index leaves one entry.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let shape = self.shape(&[x[0].shape(), x[1].shape()]);
        let (outer, size, inner) = x[0].shape().around(self.axis);
        let hot = one_hot(&x[1], self.axis, shape.len(), size);
        let values = x[0].reshape([outer, size, inner]).transpose(1, 2);
        let products = hot * values.reshape([outer, 1, inner, size]);
        Some(products.sum(&[3], false).reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        checked("gather", self.axis, x[0], x[1])
    }

    fn flops(&self, _x: &[&Shape], _y: &Shape) -> usize {
        0
    }

    /// Of x only what is picked.
    fn traffic(&self, x: &[&Shape], y: &Shape) -> usize {
        2 * y.numel() + x[1].numel()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        launch(Launch::new(kernel!("gather")), x[0], x[1], y, self.axis)
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let size = x[0].shape()[self.axis];
        vec![Some(apply(ScatterAdd { axis: self.axis, size }, &[g, &x[1]])), None]
    }
}

impl Gather {
    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let shape = checked("gather", self.axis, x[0].shape, x[1].shape);
        let (_, picked, inner) = shape.around(self.axis);
        let (_, size, _) = x[0].shape.around(self.axis);
        let shared = x[1].shape.len() != shape.len();
        let (values, index) = (T::of(&x[0]), x[1].i32());
        for (y, at) in y.iter_mut().zip(rows) {
            let (outer, k, i) = (at / (picked * inner), at / inner % picked, at % inner);
            let source = index[if shared { k } else { at }];
            let inside = (0..size as i32).contains(&source);
            let from = (outer * size + source.max(0) as usize) * inner + i;
            *y = if inside { values[from] } else { T::default() };
        }
    }
}

struct ScatterAdd {
    axis: usize,
    size: usize,
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    /// A sum over the whole axis, of which each index leaves one entry for its target.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let shape = self.shape(&[x[0].shape(), x[1].shape()]);
        let (outer, size, inner) = x[0].shape().around(self.axis);
        let hot = one_hot(&x[1], self.axis, shape.len(), self.size);
        let products = hot * x[0].reshape([outer, size, inner, 1]);
        Some(products.sum(&[1], false).transpose(1, 2).reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let shared = x[1].len() == 1 && x[0].len() != 1 && x[1][0] == x[0][self.axis];
        assert!(shared || x[0] == x[1], "scatter_add: index {:?} for values {:?}", x[1], x[0]);
        x[0].with(self.axis, self.size)
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let kernel = Launch::new(kernel!("scatter_add")).rounds(x[0].shape()[self.axis]);
        launch(kernel, x[0], x[1], y, self.axis)
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![Some(apply(Gather { axis: self.axis }, &[g, &x[1]])), None]
    }
}

impl ScatterAdd {
    /// Written as a gather, so that the order of the additions is fixed.
    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let (_, size, inner) = x[0].shape.around(self.axis);
        let shared = x[1].shape.len() != x[0].shape.len();
        let (values, index) = (T::of(&x[0]), x[1].i32());
        for (y, at) in y.iter_mut().zip(rows) {
            let (outer, target, i) = (at / (self.size * inner), at / inner % self.size, at % inner);
            let hits = (0..size).filter_map(|k| {
                let from = (outer * size + k) * inner + i;
                (index[if shared { k } else { from }] == target as i32).then(|| values[from].f64())
            });
            *y = T::from_f64(hits.sum());
        }
    }
}
