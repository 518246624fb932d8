//! Where a pixel is, as features: sines and cosines of its coordinates at doubling frequencies.
//!
//! Tancik et al., NeurIPS 2020, without the factor of π. Arguments reach the picture's size, which
//! is what the reduction in the kernels' sine and cosine is for.

use crate::device::Device;
use crate::nn::{Builder, Init, Param};
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;

/// Coordinates (x to the right, y down) of a square of `side` pixels whose outer ones lie at −1 and
/// 1, `[1, 2, side, side]`.
pub fn grid(side: usize, device: &Device) -> Tensor {
    let at = |k: usize| (2.0 * k as f64 / (side.max(2) - 1) as f64 - 1.0) as f32;
    let x = (0..side * side).map(|k| at(k % side));
    let y = (0..side * side).map(|k| at(k / side));
    let all: Vec<f32> = x.chain(y).collect();
    Tensor::from_slice(&all, [1, 2, side, side], device)
}

/// Coordinates to features, and those through a 1x1 convolution with equalised learning rate.
pub struct PositionEmbedding {
    weights: Param, // [O, 2 (2 F + 1), 1, 1]
    n_freqs: usize,
}

impl PositionEmbedding {
    /// To `outputs` channels from frequencies 1, 2, .. 2^(F − 1).
    pub fn new(b: &mut Builder, n_freqs: usize, outputs: usize) -> Self {
        let shape = [outputs, 2 * (2 * n_freqs + 1), 1, 1];
        Self { weights: b.param("weights", shape, Init::Normal(1.0)), n_freqs }
    }

    /// Coordinates `[N, 2, H, W]` to `[N, O, H, W]`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[track_caller]
    pub fn forward(&self, coords: &Tensor) -> Tensor {
        self.embedded(coords, &self.weights.get())
    }

    /// The same of coordinates that never change, computed once per weight.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[track_caller]
    pub fn of_fixed(&self, coords: &Tensor) -> Tensor {
        self.weights.derived("embedding", |weights| self.embedded(coords, weights))
    }

    #[track_caller]
    fn embedded(&self, coords: &Tensor, weights: &Tensor) -> Tensor {
        let scale = 1.0 / (weights.size(1) as f64).sqrt();
        self.features(coords).conv2d(&(weights * scale), &Conv2d::default())
    }

    /// x and y, then for each frequency f: sin fx, sin fy, cos fx, cos fy.
    #[track_caller]
    fn features(&self, coords: &Tensor) -> Tensor {
        let [n, h, w] = [0, 2, 3].map(|k| coords.size(k));
        let frequencies: Vec<f32> = (0..self.n_freqs as i32).map(|k| 2f32.powi(k)).collect();
        let shape = [self.n_freqs, 1, 1, 1];
        let frequencies = Tensor::from_slice(&frequencies, shape, coords.device());
        let coords_k = coords.reshape([n, 1, 2, h, w]);
        let sines = coords_k.zip(&frequencies, |x, f| (x * f).sin());
        let cosines = coords_k.zip(&frequencies, |x, f| (x * f).cos());
        let waves = Tensor::stack(&[&sines, &cosines], 2); // [N, F, 2, 2, H, W]
        Tensor::cat(&[coords, &waves.reshape([n, 4 * self.n_freqs, h, w])], 1)
    }
}
