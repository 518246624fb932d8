//! The same numbers under another shape, or under another name. Free: the buffer is shared.

use std::ops::Range;

use super::{Op, Slice, SliceMut, apply};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// The same numbers in the same order under another shape. PyTorch: `Tensor.reshape`.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if shape == *self.shape() {
            return self.clone();
        }
        apply(Reshape { shape }, &[self])
    }

    /// The same tensor as a new variable: a gradient with respect to the alias counts only what was
    /// computed from the alias.
    #[must_use]
    pub fn alias(&self) -> Self {
        apply(Reshape { shape: self.shape().clone() }, &[self])
    }
}

struct Reshape {
    shape: Shape,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let fits = x[0].numel() == self.shape.numel();
        assert!(fits, "reshape: {:?} has not as many elements as {:?}", x[0], self.shape);
        self.shape.clone()
    }

    fn is_view(&self) -> bool {
        true
    }

    fn twin(&self, _x: &[Slice], _y: SliceMut, _rows: Range<usize>) {
        unreachable!("a view is never computed");
    }

    fn takes_broadcast(&self) -> bool {
        true
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let shape = x[0].shape();
        // One number for all stays one; what differs along some axes is written out.
        vec![Some(match g.numel() {
            1 => g.reshape(vec![1; shape.len()]),
            _ => g.expand(y.shape()).reshape(shape),
        })]
    }
}
