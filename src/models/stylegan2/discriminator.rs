//! Picture to score.

use super::layers::Embedding;
use super::{Architecture, Config, EPS};
use crate::device::Device;
use crate::models::stylegan::of_class;
use crate::models::{self, Judgement};
use crate::nn::conv::{bias_act, bias_act_added};
use crate::nn::{Builder, EqualLinear, Init, Param, Resample, blur_kernel, resampled_conv2d};
use crate::ops::norm::stddev_group;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// A convolution of the discriminator, with the bias and the activation behind it where it has them.
pub struct ConvLayer {
    weight: Param, // [O, I, k, k]
    bias: Option<Param>,
    resample: Resample,
    kernel: Tensor,
    /// Of the convolution's output: 1 where the blur has the equalised scale.
    scale: f64,
    /// Behind the activation.
    gain: f64,
}

impl ConvLayer {
    /// Of a size `[I, O, k]`. Published keys count the parts of the layer: blur (where it halves),
    /// convolution, bias. `gain` is that of the output.
    pub fn new(
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
        let (ahead, gain) = if activate { (1.0, gain) } else { (gain, 1.0) };
        let scale = ahead / ((inputs * k * k) as f64).sqrt();
        let (blur, scale) = if resample == Resample::Down { (scale, 1.0) } else { (1.0, scale) };
        let kernel = blur_kernel(&config.blur_kernel, blur, device);
        Self { weight, bias, resample, kernel, scale, gain }
    }

    /// x `[B, I, H, W]` to `[B, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.convolved(x);
        match &self.bias {
            Some(bias) => bias_act(&y, self.scale, &bias.get(), 0.2, self.gain),
            None => y * self.scale,
        }
    }

    /// The same added to `other`, for a layer with an activation.
    #[track_caller]
    fn added_to(&self, other: &Tensor, x: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().expect("an activation");
        bias_act_added(&self.convolved(x), self.scale, &bias.get(), [0.2, self.gain], Some(other))
    }

    #[track_caller]
    fn convolved(&self, x: &Tensor) -> Tensor {
        resampled_conv2d(x, &self.weight.get(), self.resample, &self.kernel)
    }
}

/// What makes up for the activation.
pub const GAIN: f64 = std::f64::consts::SQRT_2;

/// 3x3, 3x3 that halves, and in a residual network a 1x1 skip; the sum divided by √2, which is no
/// pass of its own: it is in the last activation's gain and in the skip's blur.
pub(crate) struct Block {
    conv1: ConvLayer,
    conv2: ConvLayer,
    skip: Option<ConvLayer>,
}

impl Block {
    pub(crate) fn new(b: &mut Builder, (i, o): (usize, usize), built: (&Config, &Device)) -> Self {
        let layer = |b: &mut Builder, name: &str, sizes, form| {
            b.at(name, |b| ConvLayer::new(b, sizes, form, built))
        };
        let is_residual = built.0.discriminator == Architecture::Residual;
        let share = if is_residual { 0.5f64.sqrt() } else { 1.0 };
        Self {
            conv1: layer(b, "conv1", [i, i, 3], (Resample::Keep, true, GAIN)),
            conv2: layer(b, "conv2", [i, o, 3], (Resample::Down, true, GAIN * share)),
            skip: is_residual.then(|| layer(b, "skip", [i, o, 1], (Resample::Down, false, share))),
        }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.conv1.forward(x);
        match &self.skip {
            Some(skip) => self.conv2.added_to(&skip.forward(x), &y),
            None => self.conv2.forward(&y),
        }
    }
}

/// Picture to what the dense layers read: blocks, minibatch deviation and the last convolution.
pub struct Features {
    config: Config,
    from_rgb: ConvLayer,
    blocks: Vec<Block>,
    /// Where pictures are read at every resolution, behind each block.
    from_rgbs: Vec<ConvLayer>,
    final_conv: ConvLayer,
}

impl Features {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let mut levels = config.levels();
        levels.reverse();
        let channels = |r: &usize| config.channels[r];
        let (built, keep) = ((config, device), (Resample::Keep, true, GAIN));
        let from_rgb = |b: &mut Builder, key: &str, r: &usize| {
            b.at(key, |b| ConvLayer::new(b, [config.image_channels, channels(r), 1], keep, built))
        };
        let first = from_rgb(b, "convs.0", &config.size);
        let (mut blocks, mut from_rgbs) = (Vec::new(), Vec::new());
        for (k, pair) in levels.windows(2).enumerate() {
            let sizes = (channels(&pair[0]), channels(&pair[1]));
            blocks.push(b.at(&format!("convs.{}", k + 1), |b| Block::new(b, sizes, built)));
            if config.discriminator == Architecture::Skip {
                from_rgbs.push(from_rgb(b, &format!("from_rgbs.{k}"), &pair[1]));
            }
        }
        let last = channels(&4);
        let sizes = [last + config.stddev_maps, last, 3];
        let final_conv = b.at("final_conv", |b| ConvLayer::new(b, sizes, keep, built));
        Self { config: config.clone(), from_rgb: first, blocks, from_rgbs, final_conv }
    }

    /// How many of n samples share a minibatch deviation.
    pub fn group(&self, n: usize) -> usize {
        stddev_group(n, self.config.stddev_group)
    }

    /// Pictures `[B, 3, H, W]`, of which `group` share a deviation, to `[B, C · h · w]`.
    ///
    /// # Panics
    /// When the pictures have another size.
    #[track_caller]
    pub fn forward(&self, picture: &Tensor, group: usize) -> Tensor {
        let (mut x, mut picture) = (self.from_rgb.forward(picture), picture.clone());
        for (k, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x);
            if let Some(from_rgb) = self.from_rgbs.get(k) {
                picture = halved(&picture, &from_rgb.kernel);
                x = x + from_rgb.forward(&picture);
            }
        }
        if self.config.stddev_maps > 0 {
            x = x.minibatch_stddev(group, self.config.stddev_maps, EPS);
        }
        let x = self.final_conv.forward(&x);
        x.reshape([x.size(0), x.numel() / x.size(0)])
    }
}

/// A picture at half its resolution; `kernel` is the filter, of sum 1.
fn halved(picture: &Tensor, kernel: &Tensor) -> Tensor {
    let p = kernel.size(0) as isize - 2;
    picture.upfirdn2d(kernel, &Upfirdn2d::halved(((p + 1).div_euclid(2), p.div_euclid(2))))
}

/// Picture to score.
pub struct Discriminator {
    features: Features,
    final_linear: [EqualLinear; 2],
    classes: usize,
    class_map: Option<ClassMap>,
}

/// What is read of a picture has to point to where its label is mapped: StyleGAN2-ADA.
struct ClassMap {
    embedding: Embedding,
    layers: Vec<EqualLinear>,
}

impl ClassMap {
    fn new(b: &mut Builder, config: &Config, layers: usize) -> Self {
        let width = config.channels[&4];
        let embedding = Embedding::new(b, config.classes, width);
        let layer = |k: usize| {
            let key = k.to_string();
            b.at(&key, |b| EqualLinear::activated(b, width, width, config.lr_mlp))
        };
        Self { embedding, layers: (0..layers).map(layer).collect() }
    }

    /// What was read `[B, C]` and label `[B, classes]` to a score `[B]`.
    fn score(&self, read: &Tensor, label: Option<&Tensor>) -> Tensor {
        let start = self.embedding.forward(label);
        let mapped = self.layers.iter().fold(start, |x, layer| layer.forward(&x));
        (read * mapped).sum(&[1], false) * (1.0 / (read.size(1) as f64).sqrt())
    }
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let features = Features::new(config, b, device);
        let (last, classes) = (config.channels[&4], config.classes);
        let width = config.score_width.unwrap_or(last);
        let hidden = b.at("final_linear.0", |b| {
            EqualLinear::activated(b, config.base_area() * last, width, 1.0)
        });
        let layers = config.projection.filter(|_| classes > 0);
        let outputs = if layers.is_some() { last } else { classes.max(1) };
        let score =
            b.at("final_linear.1", |b| EqualLinear::new(b, width, outputs, Init::Constant(0.0)));
        let map = |layers| b.at("class_map", |b| ClassMap::new(b, config, layers));
        let class_map = layers.map(map);
        Self { features, final_linear: [hidden, score], classes, class_map }
    }
}

impl models::Discriminator for Discriminator {
    fn group(&self, n: usize) -> usize {
        self.features.group(n)
    }

    #[track_caller]
    fn judge_in_groups(
        &self,
        picture: &Tensor,
        label: Option<&Tensor>,
        _lod: f64,
        group: usize,
    ) -> Judgement {
        let x = self.features.forward(picture, group);
        let scores = self.final_linear.iter().fold(x, |x, layer| layer.forward(&x));
        let pred = match &self.class_map {
            Some(map) => map.score(&scores, label),
            None => of_class(&scores, self.classes, label),
        };
        Judgement { pred, info: None, classes: None }
    }
}
