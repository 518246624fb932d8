//! What an optimisation over latents and noise maps needs: the rate, and the noise's regulariser
//! and normalisation. Karras et al. 2020, appendix D.

use std::f64::consts::PI;

use crate::ops::resample::pool::Pool2d;
use crate::tensor::Tensor;

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

/// Squared correlation of noise maps `[N, 1, S, S]` with themselves moved by one, across and down,
/// at every level of 2 x 2 means until the side is 8 or less: the sum over maps and levels.
///
/// # Panics
/// When there is no map.
#[track_caller]
pub fn noise_regularizer(noises: &[Tensor]) -> Tensor {
    let moved = |noise: &Tensor, axis: isize| (noise * noise.roll(1, axis)).mean_all().square();
    let mut terms = Vec::new();
    for noise in noises {
        let mut noise = noise.clone();
        loop {
            terms.extend([moved(&noise, 3), moved(&noise, 2)]);
            if noise.size(2) <= 8 {
                break;
            }
            noise = noise.avg_pool2d(&Pool2d::tiles(2), true);
        }
    }
    terms.into_iter().reduce(|a, b| a + b).expect("a noise map")
}

/// What a noise map is divided by after it is centred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseScale {
    /// Unbiased standard deviation: rosinality's port.
    Deviation,
    /// Root mean square: NVIDIA's code.
    RootMeanSquare,
}

/// A noise map, centred and rescaled as a whole.
pub fn normalize_noise(noise: &Tensor, scale: NoiseScale) -> Tensor {
    let axes: Vec<usize> = (0..noise.shape().len()).collect();
    let var = noise.var(&axes, true, scale == NoiseScale::Deviation);
    (noise - noise.mean(&axes, true)).zip(&var, |x, var| x * var.rsqrt())
}
