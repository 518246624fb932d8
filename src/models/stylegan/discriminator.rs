//! Picture to score.

use super::{Config, filter};
use crate::device::Device;
use crate::models::pggan::{Critic, CriticForm, Halving};
use crate::models::{self, Judgement};
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
}

impl models::Discriminator for Discriminator {
    fn group(&self, n: usize) -> usize {
        self.critic.group(n)
    }

    #[track_caller]
    fn judge_in_groups(
        &self,
        picture: &Tensor,
        label: Option<&Tensor>,
        lod: f64,
        group: usize,
    ) -> Judgement {
        let scores = self.critic.forward(picture, lod, group);
        Judgement { pred: of_class(&scores, self.classes, label), info: None, classes: None }
    }
}

/// The score `[N]` of the class that label `[N, classes]` marks, or the only one of `[N, 1]`.
///
/// # Panics
/// When the shapes differ, or the label is missing.
#[track_caller]
pub fn of_class(scores: &Tensor, classes: usize, label: Option<&Tensor>) -> Tensor {
    if classes == 0 {
        return scores.reshape([scores.size(0)]);
    }
    let label = label.expect("a network with classes needs a label");
    (scores * label).sum(&[1], false)
}
