//! Equations 3 and 4: normalisation of features inside channels, and of groups of channels.

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// Mean and biased variance of each channel of each sample over its pixels, `[B, C]`.
#[derive(Clone, Debug)]
pub struct PlaneMoments {
    /// Mean.
    pub mean: Tensor,
    /// Mean squared distance from it.
    pub var: Tensor,
}

impl PlaneMoments {
    /// Of x `[B, C, H, W]`.
    pub fn of(x: &Tensor) -> Self {
        let mean = x.mean(&[2, 3], true);
        let var = (x - &mean).square().mean(&[2, 3], false);
        Self { mean: mean.reshape(var.shape()), var }
    }
}

/// y = (x − centre) · scale + shift, a number each per sample and channel, `[B, C]`. The moments of
/// its result follow from those of x, so two of them in a row cost one pass over x.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// Subtracted first, so that a mean far from zero costs no precision.
    pub centre: Tensor,
    /// Multiplied then.
    pub scale: Tensor,
    /// Added last.
    pub shift: Tensor,
}

impl Normalization {
    /// Equation 3, Group AdaIN: each channel gets deviation `z_s` and mean `z_b`, `[B, C]`.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn group_adain(x: &PlaneMoments, z_s: &Tensor, z_b: &Tensor, eps: f64) -> Self {
        let scale = z_s.zip(&x.var, |z, var| z * (var + eps).rsqrt());
        Self { centre: x.mean.clone(), scale, shift: z_b.clone() }
    }

    /// Equation 4, AdaGN: the channels of a group together get deviation `h_s` and mean `h_b`,
    /// `[B, g]`; `assigned [g, C]` is 1 where a channel belongs to a group. Empty groups do nothing.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn ada_gn(
        x: &PlaneMoments,
        assigned: &Tensor,
        h_s: &Tensor,
        h_b: &Tensor,
        eps: f64,
    ) -> Self {
        let size = assigned.sum(&[1], false).map(|n| n.max(1.0));
        let of_groups = |v: &Tensor| v.matmul_t(assigned, false, true).zip(&size, |sum, n| sum / n);
        let of_channels = |v: &Tensor| v.matmul(assigned);
        let centre = of_channels(&of_groups(&x.mean));
        // Within the channels, and between them: no difference of large numbers.
        let [var, mean, middle] = Expr::inputs();
        let spread = var + (mean - middle).square();
        let var = of_groups(&pointwise(&[&x.var, &x.mean, &centre], &spread));
        let scale = of_channels(&h_s.zip(&var, |h, var| h * (var + eps).rsqrt()));
        Self { centre, scale, shift: of_channels(h_b) }
    }

    /// Moments of the result.
    pub fn moments(&self, x: &PlaneMoments) -> PlaneMoments {
        let [mean, centre, scale, shift] = Expr::inputs();
        let moved = (mean - centre) * scale + shift;
        PlaneMoments {
            mean: pointwise(&[&x.mean, &self.centre, &self.scale, &self.shift], &moved),
            var: x.var.zip(&self.scale, |var, scale| var * scale.square()),
        }
    }

    /// This one, then `next`.
    pub fn then(&self, next: &Self) -> Self {
        let [shift, centre, scale, next_shift] = Expr::inputs();
        let moved = (shift - centre) * scale + next_shift;
        Self {
            centre: self.centre.clone(),
            scale: &self.scale * &next.scale,
            shift: pointwise(&[&self.shift, &next.centre, &next.scale, &next.shift], &moved),
        }
    }

    /// On x `[B, C, H, W]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn apply(&self, x: &Tensor) -> Tensor {
        let planes = |v: &Tensor| v.reshape([v.size(0), v.size(1), 1, 1]);
        let [x_k, centre, scale, shift] = Expr::inputs();
        let y = (x_k - centre) * scale + shift;
        pointwise(&[x, &planes(&self.centre), &planes(&self.scale), &planes(&self.shift)], &y)
    }

    /// The result times a number.
    pub fn times(&self, gain: f64) -> Self {
        Self { centre: self.centre.clone(), scale: &self.scale * gain, shift: &self.shift * gain }
    }
}
