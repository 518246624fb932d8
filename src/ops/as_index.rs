//! Real numbers as indices.

use std::ops::Range;

use super::{Cut, Op, Slice, SliceMut, apply};
use crate::device::{Device, Dtype, Launch};
use crate::kernel;
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// The nearest whole numbers as indices, off the tape. PyTorch: `Tensor.round().long()`.
    pub fn as_index(&self) -> Self {
        apply(AsIndex, &[&self.detach()])
    }
}

struct AsIndex;

impl Op for AsIndex {
    fn name(&self) -> &'static str {
        "as_index"
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }

    fn dtype(&self, _device: &Device) -> Dtype {
        Dtype::I32
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        let SliceMut::I32(y) = y else { unreachable!("indices were asked for") };
        y.iter_mut().zip(rows).for_each(|(y, at)| *y = x[0].at(at).round_ties_even() as i32);
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let launch = Launch::new(kernel!("as_index")).bind("x", x[0]).bind("y", y);
        vec![launch.param("len", y.numel()).elements(y.numel(), 64)]
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let axis = y.leading()?;
        Some(Cut { inputs: vec![Some(axis); x.len()], output: Some(axis) })
    }

    fn vjp(&self, _x: &[Tensor], _y: &Tensor, _g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        // Piecewise constant.
        vec![None]
    }
}
