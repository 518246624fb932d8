//! Concatenation along an axis.

use std::ops::Range;

use super::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::device::Launch;
use crate::kernel;
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// The tensors one after another along an axis. PyTorch: `torch.cat`.
    ///
    /// # Panics
    /// When the other axes differ.
    #[track_caller]
    pub fn cat(x: &[&Self], axis: isize) -> Self {
        if let [only] = x {
            return (*only).clone();
        }
        apply(Cat { axis: x[0].shape().axis(axis) }, x)
    }

    /// The tensors along a new axis. PyTorch: `torch.stack`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn stack(x: &[&Self], axis: usize) -> Self {
        let mut shape = x[0].shape().to_vec();
        shape.insert(axis, 1);
        let parts: Vec<Self> = x.iter().map(|x| x.reshape(shape.clone())).collect();
        Self::cat(&parts.iter().collect::<Vec<_>>(), axis as isize)
    }
}

/// Parts that one launch copies: with y they fill the portable limit of eight storage buffers.
const PARTS: usize = 7;

struct Cat {
    axis: usize,
}

impl Op for Cat {
    fn name(&self) -> &'static str {
        "concat"
    }

    /// The sum of the parts, each with zeros in the others' places.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let whole: usize = x.iter().map(|x| x.shape()[self.axis]).sum();
        let mut start = 0;
        let placed = |x: &Tensor| {
            let size = x.shape()[self.axis];
            let mut sides = vec![(0, 0); x.shape().len()];
            sides[self.axis] = (start as isize, (whole - start - size) as isize);
            start += size;
            x.pad(&sides)
        };
        x.iter().map(placed).reduce(|a, b| a + b)
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let fits =
            |s: &&Shape| s.len() == x[0].len() && s.with(self.axis, 0) == x[0].with(self.axis, 0);
        assert!(x.iter().all(fits), "concat along axis {} of shapes {x:?}", self.axis);
        x[0].with(self.axis, x.iter().map(|s| s[self.axis]).sum())
    }

    fn flops(&self, _x: &[&Shape], _y: &Shape) -> usize {
        0
    }

    fn rows(&self, y: &Shape) -> usize {
        y.around(self.axis).0
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.copy(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let (outer, size, inner) = y.shape().around(self.axis);
        let parts: Vec<&Tensor> = x.iter().filter(|x| x.numel() > 0).copied().collect();
        let mut start = 0;
        let mut some = |parts: &[&Tensor]| {
            let mut launch = Launch::new(kernel!("cat"));
            let mut width = 0;
            for k in 0..PARTS {
                // The last one stands in for those that are missing, with no elements.
                let part = parts[k.min(parts.len() - 1)];
                width += if k < parts.len() { part.shape()[self.axis] * inner } else { 0 };
                launch = launch.bind(format!("x{k}"), part).param(format!("end{k}"), width);
            }
            let launch = launch
                .bind("y", y)
                .param("len", outer * width)
                .divisor("width", width)
                .param("pitch", size * inner)
                .param("start", start)
                .moving(2 * 4 * (outer * width) as u64)
                .elements(outer * width, 256);
            start += width;
            launch
        };
        parts.chunks(PARTS).map(&mut some).collect()
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let axis = y.leading().filter(|&axis| axis < self.axis)?;
        Some(Cut { inputs: vec![Some(axis); x.len()], output: Some(axis) })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let mut start = 0;
        let mut part = |(x, &needed): (&Tensor, &bool)| {
            let size = x.shape()[self.axis];
            start += size;
            needed.then(|| g.narrow(self.axis as isize, start - size, size))
        };
        x.iter().zip(needs).map(&mut part).collect()
    }
}

impl Cat {
    fn copy<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let width = |x: &Slice| x.shape[self.axis..].iter().product::<usize>();
        let pitch: usize = x.iter().map(width).sum();
        for (y, row) in y.chunks_exact_mut(pitch).zip(rows) {
            let mut start = 0;
            for x in x {
                let n = width(x);
                y[start..start + n].copy_from_slice(&T::of(x)[row * n..(row + 1) * n]);
                start += n;
            }
        }
    }
}
