//! Latent codes: rows of the compact form, and the style of each layer that they stand for.
//!
//! Rows 0 to base − 1 are shared by all classes but the background. Class k then has row base + 2k
//! for its shape and base + 2k + 1 for its texture.

use super::Config;
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

    /// Rows of two codes `[B, D]` mixed class by class: of the first one, of its shape with the
    /// second one's texture, or of the second one, where `inject`, class by class and in it sample
    /// by sample, is 0, 1 or 2. The shared rows are the first one's.
    ///
    /// # Panics
    /// When the shapes differ, or there is not one number per class and sample.
    #[track_caller]
    pub fn mix(&self, [first, second]: [&Tensor; 2], inject: &[i32]) -> Vec<Tensor> {
        let n = first.size(0);
        assert_eq!(inject.len(), self.seg_dim * n, "mix: numbers for {} classes", self.seg_dim);
        let row = |inject: &[i32], least: i32| {
            let is_second: Vec<f32> = inject.iter().map(|&j| f32::from(j >= least)).collect();
            let is_second = Tensor::from_slice(&is_second, [n, 1], first.device());
            let [first_k, second_k, is_second_k] = Expr::inputs();
            pointwise(&[first, second, &is_second], &is_second_k.select(second_k, first_k))
        };
        let shared = std::iter::repeat_n(first.clone(), self.base_layers);
        let own = inject.chunks_exact(n).flat_map(|inject| [row(inject, 2), row(inject, 1)]);
        shared.chain(own).collect()
    }
}
