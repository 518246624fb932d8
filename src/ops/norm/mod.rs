//! Normalisations and the softmax family: the softmax, and compositions of reductions and pointwise
//! expressions, so that their derivatives of any order are compositions too.

mod softmax;

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

impl Tensor {
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
        let share = 1.0 / self.size(axis) as f64;
        let squares = self.dot(self, &axes, true);
        self.zip(&squares, |x, squares| x * (squares * share + eps).rsqrt())
    }

    /// (x − mean) / √(var + eps) with mean and biased variance over the given axes: instance norm
    /// with the two axes of an image, layer norm with the last ones.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn standardize(&self, axes: &[usize], eps: f64) -> Self {
        let centred = self - self.mean(axes, true);
        let var = centred.mean_square(axes, true);
        centred.zip(&var, |x, var| x * (var + eps).rsqrt())
    }

    /// x divided by max(‖x‖₂, eps) along an axis. PyTorch: `F.normalize`.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn normalize(&self, axis: isize, eps: f64) -> Self {
        let axes = [self.shape().axis(axis)];
        let squares = self.dot(self, &axes, true);
        // max(‖x‖, eps) = √max(‖x‖², eps²): its derivative at 0 is 0, not infinite.
        let [x, s] = Expr::inputs();
        pointwise(&[self, &squares], &(x * s.max(eps * eps).rsqrt()))
    }

    /// Deviation over groups of samples as further channels: with m the largest divisor of N up to
    /// `group`, `[m, N/m, feat, C/feat, H, W]`, √(biased variance over the first axis + eps), mean
    /// over the last three; sample n gets row n mod N/m. PGGAN, section 3; m as in StyleGAN2.
    ///
    /// # Panics
    /// When `feat` does not divide C.
    #[track_caller]
    pub fn minibatch_stddev(&self, group: usize, feat: usize, eps: f64) -> Self {
        let &[n, c, h, w] = &self.shape()[..] else {
            panic!("minibatch_stddev: x of shape {:?}, not [N, C, H, W]", self.shape());
        };
        assert_eq!(c % feat, 0, "minibatch_stddev: {c} channels in {feat} parts");
        let m = stddev_group(n, group);
        let grouped = self.reshape([m, n / m, feat, c / feat * h * w]);
        let deviation = grouped.var(&[0], true, false).map(|v| (v + eps).sqrt());
        let rows = deviation.mean(&[3], true); // [1, N/m, feat, 1]
        let maps = rows.expand([m, n / m, feat, h * w]).reshape([n, feat, h, w]);
        Self::cat(&[self, &maps], 1)
    }
}

/// How many of n samples share a minibatch deviation: the largest divisor of n up to `group`.
pub fn stddev_group(n: usize, group: usize) -> usize {
    (1..=group.min(n)).rev().find(|m| n.is_multiple_of(*m)).unwrap_or(1)
}
