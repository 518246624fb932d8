//! Latent codes: rows of the compact form, and the style of each layer that they stand for.
//!
//! Rows 0 to base − 1 are shared by all classes but the background. Class k then has row base + 2k
//! for its shape and base + 2k + 1 for its texture.

use super::Config;
use crate::device::Device;
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

impl Config {
    /// Rows of the compact form.
    pub fn n_latent(&self) -> usize {
        self.base_layers + 2 * self.seg_dim
    }

    /// Layers of all local generators.
    pub fn n_latent_expand(&self) -> usize {
        self.seg_dim * self.local_layers
    }

    /// The style of each layer of each local generator, class by class, from the rows of the compact
    /// form; what has as many rows as layers is passed through.
    ///
    /// # Panics
    /// When there are neither as many rows as in the compact form nor as layers.
    #[track_caller]
    pub fn expand(&self, rows: &[Tensor]) -> Vec<Tensor> {
        if rows.len() == self.n_latent_expand() {
            return rows.to_vec();
        }
        assert_eq!(rows.len(), self.n_latent(), "expand: rows of latents");
        let row = |class: usize, layer: usize| match layer {
            _ if layer < self.base_layers && class > 0 => layer,
            _ if layer < self.depth_layers => self.base_layers + 2 * class,
            _ => self.base_layers + 2 * class + 1,
        };
        let layers = (0..self.seg_dim).flat_map(|k| (0..self.local_layers).map(move |l| (k, l)));
        layers.map(|(class, layer)| rows[row(class, layer)].clone()).collect()
    }
}

/// Which rows of the compact form are a second code's, `[B, rows]`: for each class those of neither,
/// of its texture, or of its shape and texture, where `inject`, class by class and in it sample by
/// sample, is 0, 1 or 2. The `base` shared rows never are.
pub fn injected(base: usize, inject: &[i32], n: usize, device: &Device) -> Tensor {
    let classes = inject.len() / n.max(1);
    let row = |i: usize| {
        let own = (0..classes).flat_map(move |k| [2, 1].map(|least| inject[k * n + i] >= least));
        std::iter::repeat_n(false, base).chain(own)
    };
    let is_second: Vec<f32> = (0..n).flat_map(row).map(f32::from).collect();
    Tensor::from_slice(&is_second, [n, base + 2 * classes], device)
}

/// Styles `[B, D]` per layer or row, of the second ones where `is_second`, `[B, layers]`, is 1.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn mix([first, second]: [&[Tensor]; 2], is_second: &Tensor) -> Vec<Tensor> {
    let [first_k, second_k, is_second_k] = Expr::inputs();
    let mixed = is_second_k.select(second_k, first_k);
    let layer = |(k, (first, second)): (usize, (&Tensor, &Tensor))| {
        pointwise(&[first, second, &is_second.narrow(1, k, 1)], &mixed)
    };
    first.iter().zip(second).enumerate().map(layer).collect()
}
