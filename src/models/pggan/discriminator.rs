//! Picture to scores.

use super::{Config, EPS, blocks, equalised, fused_conv};
use crate::models::{self, Judgement};
use crate::nn::conv::bias_act;
use crate::nn::{Builder, EqualLinear, Init, Param, fused_scale_weight};
use crate::ops::conv::Conv2d;
use crate::ops::norm::stddev_group;
use crate::ops::resample::pool::Pool2d;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// How a layer halves the resolution.
#[derive(Clone, Debug)]
pub struct Halving {
    /// In the convolution itself; otherwise by 2 x 2 means behind it.
    pub is_fused: bool,
    /// StyleGAN's filter before the convolution. It also activates behind the means, not before.
    pub blur: Option<Tensor>,
}

/// Convolution, bias, leaky ReLU.
pub struct CriticConv {
    weight: Param, // [O, I, k, k]
    bias: Param,   // [O]
    halving: Option<Halving>,
}

impl CriticConv {
    /// Of a size `[I, O, k]`.
    pub fn new(
        b: &mut Builder,
        [inputs, outputs, k]: [usize; 3],
        halving: Option<Halving>,
    ) -> Self {
        Self {
            weight: b.param("weight", [outputs, inputs, k, k], Init::Normal(1.0)),
            bias: b.param("bias", [outputs], Init::Constant(0.0)),
            halving,
        }
    }

    /// x `[N, I, H, W]` to `[N, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let weight = equalised(&self.weight, x.size(1), 2f64.sqrt());
        let keep = Conv2d::padded(weight.size(2) / 2);
        let activate = |y: &Tensor| bias_act(y, 1.0, &self.bias.get(), 0.2, 1.0);
        let Some(Halving { is_fused, blur }) = &self.halving else {
            return activate(&x.conv2d(&weight, &keep));
        };
        let filtered = blur.as_ref().map(|blur| x.upfirdn2d(blur, &Upfirdn2d::blur((1, 1))));
        let x = filtered.as_ref().unwrap_or(x);
        if *is_fused {
            return activate(&x.conv2d(&(fused_scale_weight(&weight) * 0.25), &fused_conv()));
        }
        let y = x.conv2d(&weight, &keep);
        match blur {
            Some(_) => activate(&halved(&y)),
            None => halved(&activate(&y)),
        }
    }
}

fn halved(x: &Tensor) -> Tensor {
    x.avg_pool2d(&Pool2d::tiles(2), true)
}

/// What a growing discriminator is made from.
pub struct CriticForm<'a> {
    /// Resolution of the pictures that end at 4x4.
    pub resolution: usize,
    /// Height and width of the last block.
    pub base: [usize; 2],
    /// 3 for colours.
    pub image_channels: usize,
    /// Channels at a resolution; at 2, the width of the hidden dense layer.
    pub channels: &'a dyn Fn(usize) -> usize,
    /// How the layer that leaves a resolution halves it.
    pub halving: &'a dyn Fn(usize) -> Halving,
    /// Samples that share a minibatch deviation, if above 1, and its maps.
    pub stddev: [usize; 2],
    /// Scores.
    pub outputs: usize,
}

/// Picture to scores, growing.
pub struct Critic {
    inputs: Vec<CriticConv>,
    /// Two per block; the last block has one.
    layers: Vec<CriticConv>,
    dense: [EqualLinear; 2],
    stddev: Option<[usize; 2]>,
}

impl Critic {
    /// Registers the parameters under the published keys.
    pub fn new(form: &CriticForm, b: &mut Builder) -> Self {
        let (mut inputs, mut layers) = (Vec::new(), Vec::new());
        let stddev = (form.stddev[0] > 1).then_some(form.stddev);
        for (block, resolution) in blocks(form.resolution).rev().enumerate() {
            let [channels, next] = [resolution, resolution / 2].map(form.channels);
            let mut conv = |key: &str, k: usize, sizes, halving| {
                b.at(&format!("{key}{k}"), |b| CriticConv::new(b, sizes, halving))
            };
            inputs.push(conv("input", block, [form.image_channels, channels, 1], None));
            if resolution > 4 {
                let halving = Some((form.halving)(resolution));
                layers.push(conv("layer", 2 * block, [channels, channels, 3], None));
                layers.push(conv("layer", 2 * block + 1, [channels, next, 3], halving));
            } else {
                let maps = stddev.map_or(0, |[_, maps]| maps);
                layers.push(conv("layer", 2 * block, [channels + maps, channels, 3], None));
            }
        }
        let [last, hidden] = [4, 2].map(form.channels);
        let flat = last * form.base[0] * form.base[1];
        let key = |k: usize| format!("layer{}", layers.len() + k);
        let dense = [
            b.at(&key(0), |b| EqualLinear::he_activated(b, flat, hidden, 1.0)),
            b.at(&key(1), |b| EqualLinear::new(b, hidden, form.outputs, Init::Constant(0.0))),
        ];
        Self { inputs, layers, dense, stddev }
    }

    /// How many of n samples share a minibatch deviation.
    pub fn group(&self, n: usize) -> usize {
        self.stddev.map_or(1, |[group, _]| stddev_group(n, group))
    }

    /// Pictures `[N, 3, H, W]`, of which `group` share a deviation, at a level of detail to scores
    /// `[N, outputs]`.
    ///
    /// # Panics
    /// When the pictures have another size, or the level is not from 0 to that of the last block.
    #[track_caller]
    pub fn forward(&self, picture: &Tensor, lod: f64, group: usize) -> Tensor {
        let last = self.inputs.len() - 1;
        assert!((0.0..=last as f64).contains(&lod), "level of detail {lod}, not from 0 to {last}");
        let (mut picture, mut x): (Tensor, Option<Tensor>) = (picture.clone(), None);
        for (block, input) in self.inputs.iter().enumerate() {
            let level = block as f64;
            if block > 0 && lod > level - 1.0 {
                picture = halved(&picture);
            }
            if lod >= level + 1.0 {
                continue;
            }
            let read = match x {
                None => input.forward(&picture),
                // What the higher resolution was read as fades in.
                Some(x) if lod > level - 1.0 => {
                    let share = lod - lod.floor();
                    input.forward(&picture).zip(&x, |low, x| low * share + x * (1.0 - share))
                }
                Some(x) => x,
            };
            x = Some(match block < last {
                true => self.halve(block, &read),
                false => self.deviate(&read, group),
            });
        }
        let x = self.layers[2 * last].forward(&x.expect("the last block ran"));
        let x = x.reshape([x.size(0), x.numel() / x.size(0)]);
        self.dense.iter().fold(x, |x, layer| layer.forward(&x))
    }

    fn halve(&self, block: usize, x: &Tensor) -> Tensor {
        self.layers[2 * block + 1].forward(&self.layers[2 * block].forward(x))
    }

    fn deviate(&self, x: &Tensor, group: usize) -> Tensor {
        match self.stddev {
            Some([_, maps]) => x.minibatch_stddev(group, maps, EPS),
            None => x.clone(),
        }
    }
}

/// Picture to a score and what each class is worth.
pub struct Discriminator {
    critic: Critic,
    classes: usize,
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let is_fused = |r| config.fused_scale.is_at(r);
        let form = CriticForm {
            resolution: config.resolution,
            base: config.base,
            image_channels: config.image_channels,
            channels: &|r| config.channels(r),
            halving: &|r| Halving { is_fused: is_fused(r), blur: None },
            stddev: [config.minibatch_std_group_size, 1],
            outputs: 1 + config.label_size,
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
        _label: Option<&Tensor>,
        lod: f64,
        group: usize,
    ) -> Judgement {
        let scores = self.critic.forward(picture, lod, group);
        let pred = scores.narrow(1, 0, 1).reshape([scores.size(0)]);
        let classes = (self.classes > 0).then(|| scores.narrow(1, 1, self.classes));
        Judgement { pred, info: None, classes }
    }
}
