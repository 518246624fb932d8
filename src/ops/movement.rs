//! Moving elements: permute, slice with steps, pad with zeros, flip, broadcast, all one operation.
//!
//! Each axis of y follows an axis of x through an affine map, `j = (i * step + start) / dilation`,
//! and reads zero where the division leaves a remainder or `j` lies outside. Solved for `i` this is
//! a map of the same form, so the transpose of a movement is a movement. An axis of y that follows
//! none repeats x, and its transpose is a sum.

mod axis;
mod run;

use std::ops::Range;

use self::axis::{Axis, Path};
use self::run::Run;

use rayon::prelude::*;

use super::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::device::Launch;
use crate::kernel;
use crate::tensor::{Shape, Tensor};

/// Axes that a movement may have.
pub const MAX_RANK: usize = 6;

/// Half-open range with a step along one axis, as in Python: negative steps run backwards from
/// `start`, and `end` is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceRange {
    /// First index.
    pub start: usize,
    /// One past the last index (one before it for a negative step, -1 to include index 0).
    pub end: isize,
    /// Distance between indices, not 0.
    pub step: isize,
}

impl SliceRange {
    /// `count` indices from `start` on, `step` apart.
    pub fn strided(start: usize, step: usize, count: usize) -> Self {
        let end = start + (count - 1) * step + 1;
        Self { start, end: end as isize, step: step as isize }
    }
}

impl From<Range<usize>> for SliceRange {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end as isize, step: 1 }
    }
}

impl Tensor {
    /// Axis k of y is axis `order[k]` of x. PyTorch: `Tensor.permute`.
    ///
    /// # Panics
    /// When `order` is not a permutation of the axes.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Self {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        let all = sorted.into_iter().eq(0..self.shape().len());
        assert!(all, "permute: order {order:?} of a tensor of shape {:?}", self.shape());
        if order.is_sorted() {
            return self.clone();
        }
        let axes = order.iter().map(|&k| Axis::whole(self.shape()[k], k)).collect();
        self.moved("permute", axes)
    }

    /// Two axes exchanged. PyTorch: `Tensor.transpose`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Self {
        let mut order: Vec<usize> = (0..self.shape().len()).collect();
        order.swap(self.shape().axis(a), self.shape().axis(b));
        self.permute(&order)
    }

    /// A range of every axis. PyTorch: `x[start:end:step, ...]`.
    ///
    /// # Panics
    /// When a range leaves its axis or runs against its step, or there is not one per axis.
    #[track_caller]
    pub fn slice(&self, ranges: &[SliceRange]) -> Self {
        let shape = self.shape();
        assert_eq!(ranges.len(), shape.len(), "slice: {ranges:?} of shape {shape:?}");
        let axis = |(k, r): (usize, &SliceRange)| {
            let span = r.end - r.start as isize;
            let size = (span + r.step - r.step.signum()) / r.step;
            let last = r.start as isize + (size - 1) * r.step;
            let inside = r.start < shape[k] && (0..shape[k] as isize).contains(&last);
            let fits = if size == 0 { r.start <= shape[k] } else { size > 0 && inside };
            assert!(fits, "slice: {r:?} on axis {k} of shape {shape:?}");
            let (start, step) = (r.start as i64, r.step as i64);
            Axis { size: size as usize, start, step, ..Axis::whole(0, k) }
        };
        self.moved("slice", ranges.iter().enumerate().map(axis).collect())
    }

    /// `length` entries of one axis from `start` on. PyTorch: `Tensor.narrow`.
    ///
    /// # Panics
    /// When the range leaves the axis.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Self {
        let axis = self.shape().axis(axis);
        let mut ranges: Vec<SliceRange> = self.shape().iter().map(|&n| (0..n).into()).collect();
        ranges[axis] = (start..start + length).into();
        self.slice(&ranges)
    }

    /// The axis in equal parts. PyTorch: `torch.chunk`.
    ///
    /// # Panics
    /// When the axis does not divide.
    #[track_caller]
    pub fn chunk<const N: usize>(&self, axis: isize) -> [Self; N] {
        let size = self.size(axis);
        assert_eq!(size % N, 0, "chunk: axis {axis} of shape {:?} in {N} parts", self.shape());
        std::array::from_fn(|k| self.narrow(axis, k * size / N, size / N))
    }

    /// Zeros before and behind each axis; negative counts crop. PyTorch: `F.pad` in constant mode.
    ///
    /// # Panics
    /// When there is not one pair per axis, or an axis would vanish.
    #[track_caller]
    pub fn pad(&self, before_behind: &[(isize, isize)]) -> Self {
        let shape = self.shape();
        assert_eq!(before_behind.len(), shape.len(), "pad: {before_behind:?} of shape {shape:?}");
        let axis = |(k, &(before, behind)): (usize, &(isize, isize))| {
            let size = shape[k] as isize + before + behind;
            assert!(size > 0, "pad: {before_behind:?} of shape {shape:?}");
            Axis { size: size as usize, start: -before as i64, ..Axis::whole(0, k) }
        };
        self.moved("pad", before_behind.iter().enumerate().map(axis).collect())
    }

    /// The given axes in reverse. PyTorch: `torch.flip`.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn flip(&self, axes: &[usize]) -> Self {
        let axis = |(k, &n): (usize, &usize)| match axes.contains(&k) {
            true => Axis { start: n as i64 - 1, step: -1, ..Axis::whole(n, k) },
            false => Axis::whole(n, k),
        };
        self.moved("flip", self.shape().iter().enumerate().map(axis).collect())
    }

    /// The whole tensor tiled along each axis. PyTorch: `Tensor.repeat`.
    ///
    /// # Panics
    /// When there is not one count per axis.
    #[track_caller]
    pub fn repeat(&self, repeats: &[usize]) -> Self {
        let shape = self.shape();
        assert_eq!(repeats.len(), shape.len(), "repeat: {repeats:?} of shape {shape:?}");
        let mut result = self.clone();
        for (k, &count) in repeats.iter().enumerate().filter(|(_, count)| **count != 1) {
            let (outer, size, inner) = result.shape().around(k);
            let tiled = result.shape().with(k, count * size);
            let axes = [Axis::whole(outer, 0), Axis::repeat(count), Axis::whole(size * inner, 1)];
            let rows = result.reshape([outer, size * inner]);
            result = rows.moved("repeat", axes.to_vec()).reshape(tiled);
        }
        result
    }

    /// y at i + shift is x at i, cyclic. PyTorch: `torch.roll`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn roll(&self, shift: isize, axis: isize) -> Self {
        let n = self.size(axis);
        let cut = shift.rem_euclid(n as isize) as usize;
        if cut == 0 {
            return self.clone();
        }
        let (back, front) = (self.narrow(axis, n - cut, cut), self.narrow(axis, 0, n - cut));
        Self::cat(&[&back, &front], axis)
    }

    #[track_caller]
    fn moved(&self, name: &'static str, axes: Vec<Axis>) -> Self {
        apply(Movement { name, axes }, &[self])
    }
}

#[track_caller]
pub(super) fn expand(x: &Tensor, shape: Shape) -> Tensor {
    let fits = x.shape().broadcast(&shape).as_ref() == Some(&shape);
    assert!(fits, "expand: {:?} to {shape:?}", x.shape());
    if *x.shape() == shape {
        return x.clone();
    }
    if x.numel() == 1 && shape.len() > 1 {
        // One long axis, which falls into parts of any length.
        return expand(&x.reshape([1]), [shape.numel()].into()).reshape(shape);
    }
    let missing = shape.len() - x.shape().len();
    let axis = |(k, &size): (usize, &usize)| match k.checked_sub(missing) {
        Some(j) if x.shape()[j] == size => Axis::whole(size, j),
        _ => Axis::repeat(size),
    };
    let axes = shape.iter().enumerate().map(axis).collect();
    x.moved("expand", axes)
}

/// Images with `step - 1` zeros behind each sample; steps are (vertical, horizontal).
pub(super) fn zero_inserted(x: &Tensor, [sy, sx]: [usize; 2]) -> Tensor {
    let [n, c, h, w] = [0, 1, 2, 3].map(|k| x.size(k));
    let behind = [(0, 0), (0, 0), (0, sy as isize - 1), (0, 0), (0, sx as isize - 1)];
    x.reshape([n * c, h, 1, w, 1]).pad(&behind).reshape([n, c, h * sy, w * sx])
}

#[derive(Clone)]
struct Movement {
    name: &'static str,
    axes: Vec<Axis>,
}

impl Op for Movement {
    fn name(&self) -> &'static str {
        self.name
    }

    /// Every element gathered by its place in the flat input.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (x, shape) = (&x[0], self.shape(&[x[0].shape()]));
        let strides = x.shape().strides();
        let place = |at| self.source(x.shape(), &strides, at).map_or(-1, |place| place as i32);
        let places: Vec<i32> = (0..shape.numel()).map(place).collect();
        let places = Tensor::from_indices(&places, [places.len()], x.device());
        Some(x.reshape([x.numel()]).gather(0, &places).reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let rank = self.axes.len().max(x[0].len());
        assert!(rank <= MAX_RANK, "{}: rank {rank}, {MAX_RANK} at most", self.name);
        self.axes.iter().map(|a| a.size).collect::<Vec<_>>().into()
    }

    fn flops(&self, _x: &[&Shape], _y: &Shape) -> usize {
        0
    }

    /// Each output takes one input at most.
    fn traffic(&self, x: &[&Shape], y: &Shape) -> usize {
        x[0].numel().min(y.numel()) + y.numel()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        match y {
            SliceMut::I32(_) => unreachable!("indices are not moved"),
            y => twin!(y, |y| self.elements(x[0], y, rows)),
        }
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let runs = Run::merged(&self.axes, x[0].shape);
        let Some((inner, outer)) = runs.split_last() else { return false };
        let (width, x) = (inner.axis.size, x[0].f32());
        let rows = (16 * 1024 / width).max(1);
        y.par_chunks_mut(rows * width).enumerate().for_each(|(k, y)| {
            for (row, y) in y.chunks_exact_mut(width).enumerate() {
                match Run::offset(outer, k * rows + row) {
                    Some(from) => inner.copy(&x[from..], y),
                    None => y.fill(0.0),
                }
            }
        });
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let paths = Path::merged(&self.axes, x[0].shape());
        let mut launch = Launch::new(kernel!("movement")).bind("x", x[0]).bind("y", y);
        for k in 0..MAX_RANK {
            // Leading axes of size 1 fill up to the kernel's rank.
            let path = (k + paths.len()).checked_sub(MAX_RANK).map(|k| paths[k]);
            let Path { axis, n, stride } = path.unwrap_or(Path::NOWHERE);
            if k < MAX_RANK - 1 {
                launch = launch.divisor(format!("size{k}"), axis.size);
            }
            launch = launch
                .param(format!("n{k}"), n)
                .param(format!("stride{k}"), stride)
                .param(format!("start{k}"), Axis::bounded(axis.start))
                .param(format!("step{k}"), Axis::bounded(axis.step))
                .divisor(format!("dilation{k}"), axis.dilation as usize);
        }
        let width = paths.last().map_or(1, |path| path.axis.size);
        let pieces = width.div_ceil(4);
        let items = y.numel() / width * pieces;
        launch = launch.param("rank", paths.len()).param("width", width).param("items", items);
        let is_dilated = paths.iter().any(|path| path.axis.dilation != 1);
        let launch = launch.constant("DILATED", is_dilated.into());
        vec![launch.divisor("pieces", pieces).elements(items, 64)]
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let output = y.leading()?;
        let axis = self.axes[output];
        let is_whole = |source| axis == Axis::whole(x[0][source], source);
        let is_possible = axis.source.is_none_or(is_whole);
        is_possible.then(|| Cut { inputs: vec![axis.source], output: Some(output) })
    }

    fn of_rows(&self, rows: Range<usize>) -> Option<Box<dyn Op>> {
        let mut part = self.clone();
        let axis = part.axes.iter_mut().find(|axis| axis.size != 1)?;
        axis.size = rows.len();
        Some(Box::new(part))
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        // Repeated axes are summed away; the rest is solved for the input's index.
        let repeated: Vec<usize> =
            (0..self.axes.len()).filter(|&k| self.axes[k].source.is_none()).collect();
        let g = g.sum(&repeated, false);
        let kept: Vec<&Axis> = self.axes.iter().filter(|a| a.source.is_some()).collect();
        let transposed = |(source, &size): (usize, &usize)| match kept
            .iter()
            .position(|a| a.source == Some(source))
        {
            None => Axis::repeat(size),
            Some(k) => {
                let sign = kept[k].step.signum();
                Axis {
                    size,
                    source: Some(k),
                    start: -sign * kept[k].start,
                    step: sign * kept[k].dilation,
                    dilation: sign * kept[k].step,
                }
            }
        };
        let axes: Vec<Axis> = x[0].shape().iter().enumerate().map(transposed).collect();
        let plain = |(k, a): (usize, &Axis)| *a == Axis::whole(g.shape()[k], k);
        let moved = axes.iter().filter(|a| a.source.is_some() || a.size != 1);
        if g.numel() == x[0].numel() && moved.enumerate().all(plain) {
            return vec![Some(g.reshape(x[0].shape()))];
        }
        vec![Some(g.moved(self.name, axes))]
    }
}

impl Movement {
    /// Where element `at` of the output comes from, or `None` for a zero.
    fn source(&self, x: &Shape, strides: &[usize], at: usize) -> Option<usize> {
        let (mut rest, mut from) = (at, 0);
        for axis in self.axes.iter().rev() {
            if let Some(s) = axis.source {
                from += axis.index(rest % axis.size, x[s])? * strides[s];
            }
            rest /= axis.size;
        }
        Some(from)
    }

    fn elements<T: Float>(&self, x: Slice, y: &mut [T], rows: Range<usize>) {
        let (values, strides) = (T::of(&x), x.shape.strides());
        for (y, at) in y.iter_mut().zip(rows) {
            *y = self.source(x.shape, &strides, at).map_or(T::default(), |from| values[from]);
        }
    }
}
