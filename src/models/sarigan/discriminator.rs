//! Picture to score and style estimate: StyleGAN2's residual critic with a second head.

use super::Config;
use crate::device::Device;
use crate::models::stylegan2::Features;
use crate::nn::{Builder, EqualLinear, Init};
use crate::tensor::Tensor;

/// What the discriminator says of pictures.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Score `[B]`, high for real.
    pub pred: Tensor,
    /// Estimate of the style `[B, 2 C]`, C the channels at 4x4.
    pub info: Tensor,
}

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

    /// `[B, 3, H, W]`.
    ///
    /// # Panics
    /// When the pictures have another size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Judgement {
        self.judge(x, self.features.group(x.size(0)))
    }

    /// Two batches of one size at once, each judged as if alone: half the kernels, twice as full.
    ///
    /// # Panics
    /// When the sizes differ.
    #[track_caller]
    pub fn forward_both(&self, a: &Tensor, b: &Tensor) -> [Judgement; 2] {
        let (shape, m) = (a.shape().clone(), self.features.group(a.size(0)));
        let n = shape[0];
        // Samples of equal remainder share their deviation: the remainders of the second batch are
        // put behind those of the first.
        let [a, b] = [a, b].map(|x| x.reshape([m, x.numel() / m]));
        let both = Tensor::cat(&[&a, &b], 1).reshape(shape.with(0, 2 * n));
        let both = self.judge(&both, m);
        let outputs = both.info.size(1);
        let preds = both.pred.reshape([m, 2 * n / m]).chunk::<2>(1).map(|x| x.reshape([n]));
        let infos = both.info.reshape([m, 2 * n / m * outputs]);
        let infos = infos.chunk::<2>(1).map(|x| x.reshape([n, outputs]));
        std::array::from_fn(|k| Judgement { pred: preds[k].clone(), info: infos[k].clone() })
    }

    /// Judges pictures of which `group` share a deviation.
    fn judge(&self, x: &Tensor, group: usize) -> Judgement {
        let x = self.features.forward(x, group);
        let y = self.final_info_linear.forward(&self.final_linear.forward(&x));
        let (n, outputs) = (y.size(0), y.size(1));
        Judgement { pred: y.narrow(1, 0, 1).reshape([n]), info: y.narrow(1, 1, outputs - 1) }
    }
}
