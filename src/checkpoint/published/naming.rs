//! Where a parameter of ours comes from in a file of another program, and back.

use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// A tensor of another program's file that holds a parameter of ours, perhaps with its axes in
/// another order or turned; leading and trailing axes of size 1 may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The other program's key.
    pub key: String,
    /// The stored axes in our order.
    axes: Option<[usize; 4]>,
    /// Whether kernels `[O, I, k, k]` are turned by 180 degrees.
    is_turned: bool,
}

impl Source {
    /// The same numbers under another key.
    pub(super) fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), axes: None, is_turned: false }
    }

    /// Under another key.
    pub(super) fn renamed(self, key: String) -> Self {
        Self { key, ..self }
    }

    /// With kernels turned by 180 degrees.
    pub(super) fn turned(self) -> Self {
        Self { is_turned: true, ..self }
    }

    /// With the stored axes in this order.
    pub(super) fn permuted(self, axes: [usize; 4]) -> Self {
        Self { axes: Some(axes), ..self }
    }

    /// Whether the stored numbers are ours in their order.
    pub(super) fn is_plain(&self) -> bool {
        self.axes.is_none() && !self.is_turned
    }

    /// The sizes of a stored tensor in our order of the axes.
    pub(super) fn shape(&self, stored: Vec<usize>) -> Option<Vec<usize>> {
        match self.axes {
            Some(axes) => axes.iter().map(|&axis| stored.get(axis).copied()).collect(),
            None => Some(stored),
        }
    }

    /// Our parameter, of a shape, from the stored tensor. Differentiable.
    ///
    /// # Errors
    /// When the sizes differ.
    pub fn convert(&self, stored: &Tensor, shape: &Shape) -> Result<Tensor> {
        let is_kernel = stored.shape().len() == 4;
        if stored.numel() != shape.numel()
            || (!is_kernel && (self.is_turned || self.axes.is_some()))
        {
            return Err(self.misfit(stored.shape(), shape));
        }
        let mut changed = stored.clone();
        if let Some(axes) = self.axes {
            changed = changed.permute(&axes);
        }
        if self.is_turned {
            changed = changed.flip(&[2, 3]);
        }
        match is_same(changed.shape(), shape) {
            true => Ok(changed.reshape(shape)),
            false => Err(self.misfit(stored.shape(), shape)),
        }
    }

    /// The stored tensor, of a shape, from our parameter: what [`Source::convert`] undoes.
    ///
    /// # Errors
    /// When the sizes differ.
    pub fn restore(&self, ours: &Tensor, shape: &Shape) -> Result<Tensor> {
        if ours.numel() != shape.numel() {
            return Err(self.misfit(ours.shape(), shape));
        }
        let Some(axes) = self.axes else {
            let reshaped = ours.reshape(shape);
            return Ok(if self.is_turned { reshaped.flip(&[2, 3]) } else { reshaped });
        };
        let plain = ours.reshape(axes.map(|axis| shape[axis]));
        let turned = if self.is_turned { plain.flip(&[2, 3]) } else { plain };
        let mut inverse = [0; 4];
        axes.iter().enumerate().for_each(|(k, &axis)| inverse[axis] = k);
        Ok(turned.permute(&inverse))
    }

    /// Of sizes that do not fit.
    pub(super) fn misfit(&self, found: &[usize], shape: &Shape) -> Error {
        Error::config(&self.key, format!("of shape {found:?}, for one of {shape:?}"))
    }
}

/// Whether sizes are the same but for axes of size 1.
pub(super) fn is_same(a: &[usize], b: &[usize]) -> bool {
    a.iter().filter(|&&n| n != 1).eq(b.iter().filter(|&&n| n != 1))
}
