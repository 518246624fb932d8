//! Noise, and a rectangle that is cut out.

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// What is drawn for the corruptions of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Corruption {
    /// Strength of the noise.
    pub sigma: f64,
    /// Size of the rectangle that is cut out: a fraction of width and height.
    pub size: f64,
    /// Its centre: fractions of width and height.
    pub center: [f64; 2],
}

/// Pictures with noise of the same shape, and a rectangle set to zero.
///
/// # Panics
/// When the shapes differ or there is not one corruption per picture.
#[track_caller]
pub fn corrupt(x: &Tensor, noise: &Tensor, drawn: &[Corruption]) -> Tensor {
    let [n, _, h, w] = [0, 1, 2, 3].map(|k| x.size(k));
    let fits = drawn.len() == n && noise.shape() == x.shape();
    assert!(fits, "corrupt: {} drawn, {:?}, noise {:?}", drawn.len(), x.shape(), noise.shape());
    let covered = |k: usize, size: usize| -> Vec<f32> {
        let inside = |d: &Corruption, i: usize| {
            ((i as f64 + 0.5) / size as f64 - d.center[k]).abs() < d.size / 2.0
        };
        drawn.iter().flat_map(|d| (0..size).map(move |i| f32::from(inside(d, i)))).collect()
    };
    let columns = Tensor::from_slice(&covered(0, w), [n, 1, 1, w], x.device());
    let rows = Tensor::from_slice(&covered(1, h), [n, 1, h, 1], x.device());
    let sigmas: Vec<f32> = drawn.iter().map(|d| d.sigma as f32).collect();
    let sigma = Tensor::from_slice(&sigmas, [n, 1, 1, 1], x.device());
    let [x_k, noise_k, sigma_k, column, row] = Expr::inputs();
    let value = (x_k + noise_k * sigma_k) * (1.0 - column * row);
    pointwise(&[x, noise, &sigma, &columns, &rows], &value)
}
