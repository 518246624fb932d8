//! Normalisations and the softmax family: compositions of reductions and pointwise expressions, so
//! that their derivatives of any order are compositions too.

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

impl Tensor {
    /// e^x normalised to sum 1 along an axis. PyTorch: `F.softmax`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Self {
        let axes = [self.shape().axis(axis)];
        let powers = self.zip(&self.detach().max(&axes, true), |x, max| (x - max).exp());
        &powers / powers.sum(&axes, true)
    }

    /// Logarithm of the softmax, without overflow. PyTorch: `F.log_softmax`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Self {
        let axes = [self.shape().axis(axis)];
        let shifted = self - self.detach().max(&axes, true);
        &shifted - shifted.exp().sum(&axes, true).log()
    }

    /// x / √(mean of x² along an axis + eps). PGGAN, section 4.2.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn pixel_norm(&self, axis: isize, eps: f64) -> Self {
        let axes = [self.shape().axis(axis)];
        self.zip(&self.square().mean(&axes, true), |x, power| x * (power + eps).rsqrt())
    }

    /// (x − mean) / √(var + eps) with mean and biased variance over the given axes: instance norm
    /// with the two axes of an image, layer norm with the last ones.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn standardize(&self, axes: &[usize], eps: f64) -> Self {
        let centred = self - self.mean(axes, true);
        let var = centred.square().mean(axes, true);
        centred.zip(&var, |x, var| x * (var + eps).rsqrt())
    }

    /// x divided by max(‖x‖₂, eps) along an axis. PyTorch: `F.normalize`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn normalize(&self, axis: isize, eps: f64) -> Self {
        let axes = [self.shape().axis(axis)];
        let squares = self.square().sum(&axes, true);
        // max(‖x‖, eps) = √max(‖x‖², eps²): its derivative at 0 is 0, not infinite.
        let [x, s] = Expr::inputs();
        pointwise(&[self, &squares], &(x * s.max(eps * eps).rsqrt()))
    }
}
