//! Picture to score and style estimate: StyleGAN2's residual critic with a second head.

use super::Config;
use crate::device::Device;
use crate::models::stylegan2::Features;
use crate::models::{self, Judgement};
use crate::nn::{Builder, EqualLinear, Init};
use crate::tensor::Tensor;

/// Picture to score and style estimate.
pub struct Discriminator {
    features: Features,
    final_linear: EqualLinear,
    final_info_linear: EqualLinear,
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let base = config.stylegan2();
        let features = Features::new(&base, b, device);
        let last = config.channels[&4];
        let final_linear =
            b.at("final_linear", |b| EqualLinear::activated(b, base.base_area() * last, last, 1.0));
        let final_info_linear = b.at("final_info_linear", |b| {
            EqualLinear::new(b, last, 1 + 2 * last, Init::Constant(0.0))
        });
        Self { features, final_linear, final_info_linear }
    }
}

impl models::Discriminator for Discriminator {
    fn group(&self, n: usize) -> usize {
        self.features.group(n)
    }

    /// The style estimate has 2 C numbers, C the channels at 4x4.
    #[track_caller]
    fn judge_in_groups(
        &self,
        picture: &Tensor,
        _label: Option<&Tensor>,
        _lod: f64,
        group: usize,
    ) -> Judgement {
        let x = self.features.forward(picture, group);
        let y = self.final_info_linear.forward(&self.final_linear.forward(&x));
        let (n, outputs) = (y.size(0), y.size(1));
        Judgement {
            pred: y.narrow(1, 0, 1).reshape([n]),
            info: Some(y.narrow(1, 1, outputs - 1)),
            classes: None,
        }
    }
}
