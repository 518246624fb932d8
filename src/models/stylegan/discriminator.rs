//! Picture to score.

use super::{Config, filter};
use crate::device::Device;
use crate::models::pggan::{Critic, CriticForm, Halving};
use crate::nn::Builder;
use crate::tensor::Tensor;

/// Picture to score.
pub struct Discriminator {
    critic: Critic,
    classes: usize,
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let is_fused = |r| config.fused_scale.is_at(r);
        let form = CriticForm {
            resolution: config.resolution,
            base: config.base,
            image_channels: config.image_channels,
            channels: &|r| config.channels(r),
            halving: &|r| Halving { is_fused: is_fused(r), blur: Some(filter(device)) },
            stddev: [config.minibatch_std_group_size, config.minibatch_std_channels],
            outputs: config.label_size.max(1),
        };
        Self { critic: Critic::new(&form, b), classes: config.label_size }
    }

    /// Pictures `[N, 3, H, W]` at a level of detail and, where the network has classes, label
    /// `[N, labels]` to scores `[N, 1]`, high for real.
    ///
    /// # Panics
    /// When the pictures have another size, a label is missing, or the level is not from 0 to that
    /// of the last block.
    #[track_caller]
    pub fn forward(&self, picture: &Tensor, label: Option<&Tensor>, lod: f64) -> Tensor {
        let scores = self.critic.forward(picture, lod);
        if self.classes == 0 { scores } else { of_class(&scores, label) }
    }
}

/// The score `[N, 1]` of the class that label `[N, classes]` marks, of one per class.
///
/// # Panics
/// When the shapes differ, or the label is missing.
#[track_caller]
pub fn of_class(scores: &Tensor, label: Option<&Tensor>) -> Tensor {
    let label = label.expect("a network with classes needs a label");
    (scores * label).sum(&[1], true)
}
