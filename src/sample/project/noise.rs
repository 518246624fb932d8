//! What keeps optimised noise maps noise. Karras et al. 2020, appendix D.

use crate::ops::resample::pool::Pool2d;
use crate::tensor::Tensor;

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
