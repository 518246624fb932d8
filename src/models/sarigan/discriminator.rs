//! Picture to score and style estimate: StyleGAN2's residual critic with a second head.

use super::Config;
use crate::device::Device;
use crate::nn::conv::bias_act;
use crate::nn::{Builder, EqualLinear, Init, Param, Resample, blur_kernel, resampled_conv2d};
use crate::ops::norm::stddev_group;
use crate::tensor::Tensor;

/// A convolution of the discriminator, with the bias and the activation behind it where it has them.
struct ConvLayer {
    weight: Param, // [O, I, k, k]
    bias: Option<Param>,
    resample: Resample,
    kernel: Tensor,
    /// Of the convolution's output: 1 where the blur has the equalised scale.
    scale: f64,
    /// Behind the activation, or, where there is none, in the blur.
    gain: f64,
}

impl ConvLayer {
    /// Published keys count the parts of the layer: blur (where it halves), convolution, bias.
    fn new(
        b: &mut Builder,
        [inputs, outputs, k]: [usize; 3],
        (resample, activate, gain): (Resample, bool, f64),
        (config, device): (&Config, &Device),
    ) -> Self {
        let first = usize::from(resample == Resample::Down);
        let weight = b.at(&first.to_string(), |b| {
            b.param("weight", [outputs, inputs, k, k], Init::Normal(1.0))
        });
        let bias = activate.then(|| {
            b.at(&(first + 1).to_string(), |b| b.param("bias", [outputs], Init::Constant(0.0)))
        });
        let equalised = 1.0 / ((inputs * k * k) as f64).sqrt();
        let (blur, scale) = match resample {
            Resample::Down => (equalised * if activate { 1.0 } else { gain }, 1.0),
            _ => (1.0, equalised),
        };
        let kernel = blur_kernel(&config.blur_kernel, blur, device);
        Self { weight, bias, resample, kernel, scale, gain }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let y = resampled_conv2d(x, &self.weight.get(), self.resample, &self.kernel);
        match &self.bias {
            Some(bias) => bias_act(&y, self.scale, &bias.get(), 0.2, self.gain),
            None => y,
        }
    }
}

/// 3x3, 3x3 that halves, and a 1x1 skip; the sum divided by √2, which is no pass of its own: it is in
/// the last activation's gain, √2, and in the skip's blur.
struct ResBlock {
    conv1: ConvLayer,
    conv2: ConvLayer,
    skip: ConvLayer,
}

impl ResBlock {
    fn new(b: &mut Builder, (i, o): (usize, usize), built: (&Config, &Device)) -> Self {
        let layer = |b: &mut Builder, name: &str, sizes, form| {
            b.at(name, |b| ConvLayer::new(b, sizes, form, built))
        };
        Self {
            conv1: layer(b, "conv1", [i, i, 3], (Resample::Keep, true, 2f64.sqrt())),
            conv2: layer(b, "conv2", [i, o, 3], (Resample::Down, true, 1.0)),
            skip: layer(b, "skip", [i, o, 1], (Resample::Down, false, 0.5f64.sqrt())),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.conv2.forward(&self.conv1.forward(x)) + self.skip.forward(x)
    }
}

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
    config: Config,
    from_rgb: ConvLayer,
    blocks: Vec<ResBlock>,
    final_conv: ConvLayer,
    final_linear: EqualLinear,
    final_info_linear: EqualLinear,
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let mut levels = config.levels();
        levels.reverse();
        let channels = |r: &usize| config.channels[r];
        let (first, last) = (channels(&config.size), channels(&4));
        let (built, keep) = ((config, device), (Resample::Keep, true, 2f64.sqrt()));
        let from_rgb = b.at("convs.0", |b| ConvLayer::new(b, [3, first, 1], keep, built));
        let block = |b: &mut Builder, (k, pair): (usize, &[usize])| {
            let sizes = (channels(&pair[0]), channels(&pair[1]));
            b.at(&format!("convs.{}", k + 1), |b| ResBlock::new(b, sizes, built))
        };
        let blocks = levels.windows(2).enumerate().map(|level| block(b, level)).collect();
        let final_conv =
            b.at("final_conv", |b| ConvLayer::new(b, [last + 1, last, 3], keep, built));
        let final_linear =
            b.at("final_linear", |b| EqualLinear::activated(b, 16 * last, last, 1.0));
        let final_info_linear = b.at("final_info_linear", |b| {
            EqualLinear::new(b, last, 1 + 2 * last, Init::Constant(0.0))
        });
        let config = config.clone();
        Self { config, from_rgb, blocks, final_conv, final_linear, final_info_linear }
    }

    /// `[B, 3, size, size]`.
    ///
    /// # Panics
    /// When the pictures have another size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Judgement {
        self.judge(x, stddev_group(x.size(0), self.config.stddev_group))
    }

    /// Two batches of one size at once, each judged as if alone: half the kernels, twice as full.
    ///
    /// # Panics
    /// When the sizes differ.
    #[track_caller]
    pub fn forward_both(&self, a: &Tensor, b: &Tensor) -> [Judgement; 2] {
        let (n, m) = (a.size(0), stddev_group(a.size(0), self.config.stddev_group));
        // Samples of equal remainder share their deviation: the remainders of the second batch are
        // put behind those of the first.
        let [a, b] = [a, b].map(|x| x.reshape([m, x.numel() / m]));
        let size = self.config.size;
        let both = self.judge(&Tensor::cat(&[&a, &b], 1).reshape([2 * n, 3, size, size]), m);
        let outputs = both.info.size(1);
        let preds = both.pred.reshape([m, 2 * n / m]).chunk::<2>(1).map(|x| x.reshape([n]));
        let infos = both.info.reshape([m, 2 * n / m * outputs]);
        let infos = infos.chunk::<2>(1).map(|x| x.reshape([n, outputs]));
        std::array::from_fn(|k| Judgement { pred: preds[k].clone(), info: infos[k].clone() })
    }

    /// Judges pictures of which `group` share a deviation.
    fn judge(&self, x: &Tensor, group: usize) -> Judgement {
        let x = self.blocks.iter().fold(self.from_rgb.forward(x), |x, block| block.forward(&x));
        let x = x.minibatch_stddev(group, 1, 1e-8);
        let x = self.final_conv.forward(&x);
        let x = x.reshape([x.size(0), x.numel() / x.size(0)]);
        let y = self.final_info_linear.forward(&self.final_linear.forward(&x));
        let (n, outputs) = (y.size(0), y.size(1));
        Judgement { pred: y.narrow(1, 0, 1).reshape([n]), info: y.narrow(1, 1, outputs - 1) }
    }
}
