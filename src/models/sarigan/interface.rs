//! What training and sampling ask of the generator.

use super::{Generator, Grouping, grouping_losses};
use crate::models;
use crate::tensor::Tensor;

/// A generator with its groups.
struct Grouped<'a> {
    g: &'a Generator,
    groups: Vec<Grouping>,
}

impl models::Generator for Generator {
    fn map(&self, z: &Tensor, _label: Option<&Tensor>) -> Tensor {
        self.mapping.forward(z).1
    }

    fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        vec![w.clone(); self.config().n_latents()]
    }

    fn noise(&self) -> Vec<Tensor> {
        self.noise_buffers()
    }

    fn synthesizer(&self) -> Box<dyn models::Synthesizer + '_> {
        Box::new(Grouped { g: self, groups: self.groupings() })
    }

    /// Moves the paper's thresholds to the quantiles of the similarities as they are now.
    fn refresh(&self) {
        self.each_similarity().for_each(|(layer, co)| layer.refresh_threshold(&co));
    }
}

impl models::Synthesizer for Grouped<'_> {
    fn picture(&self, styles: &[Tensor], noise: &[Tensor], _lod: f64) -> Tensor {
        self.g.synthesis(styles, noise, &self.groups)
    }

    /// Of every layer but those that make pictures.
    fn features(&self, styles: &[Tensor], noise: &[Tensor]) -> Vec<Tensor> {
        let mut features = Vec::new();
        let seen = |key: &str, y: &Tensor| {
            if key.starts_with("conv") {
                features.push(y.clone());
            }
        };
        self.g.synthesis_with(&self.g.codes(styles), noise, &self.groups, seen);
        features
    }

    fn losses(&self, weights: [f64; 2]) -> Vec<(&'static str, Tensor)> {
        let [loss1, loss2] = grouping_losses(&self.groups, &self.g.targets(), weights);
        vec![("g1", loss1), ("g2", loss2)]
    }
}
