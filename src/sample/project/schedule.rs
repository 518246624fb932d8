//! How fast an optimisation over latents goes. Karras et al. 2020, appendix D.

use std::f64::consts::PI;

/// The learning rate at `t` in 0 .. 1 of a projection: up during the first `rampup` of it, down
/// along a half cosine during the last `rampdown`.
#[derive(Clone, Copy, Debug)]
pub struct Ramp {
    /// Rate between the two.
    pub initial_lr: f64,
    /// Share of the steps at the end.
    pub rampdown: f64,
    /// Share of the steps at the beginning.
    pub rampup: f64,
}

impl Ramp {
    /// Rate at `t`.
    pub fn lr(&self, t: f64) -> f64 {
        let down = ((1.0 - t) / self.rampdown).min(1.0);
        let down = 0.5 - 0.5 * (PI * down).cos();
        self.initial_lr * down * (t / self.rampup).min(1.0)
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self { initial_lr: 0.1, rampdown: 0.25, rampup: 0.05 }
    }
}

/// What the deviation of normal numbers that are added to the latent is multiplied with at `t` in
/// 0 .. 1: it ends at three quarters.
pub(super) fn wandering(t: f64) -> f64 {
    0.05 * (1.0 - t / 0.75).max(0.0).powi(2)
}
