//! Latent to picture.

use super::{Config, EPS, blocks, doubled, doubled_conv2d, equalised};
use crate::models;
use crate::nn::conv::bias_act;
use crate::nn::{Builder, Init, Param};
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;

/// What a layer does to the resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Zeros above and below, left and right.
    Padded([usize; 2]),
    /// Doubles it, in the convolution itself if so.
    Doubled(bool),
}

/// Pixel norm, convolution, bias, and leaky ReLU where it is activated.
pub struct NormedConv {
    weight: Param, // [O, I, k, k'], and [I, O, 3, 3] where the doubling is fused
    bias: Param,   // [O]
    sampling: Sampling,
    is_activated: bool,
}

impl NormedConv {
    /// From `inputs` to `outputs` channels with kernels of a height and width.
    pub fn new(
        b: &mut Builder,
        [inputs, outputs]: [usize; 2],
        [height, width]: [usize; 2],
        sampling: Sampling,
        is_activated: bool,
    ) -> Self {
        let channels = match sampling {
            Sampling::Doubled(true) => [inputs, outputs],
            _ => [outputs, inputs],
        };
        let shape = [channels[0], channels[1], height, width];
        let weight = b.param("weight", shape, Init::Normal(1.0));
        let bias = b.param("bias", [outputs], Init::Constant(0.0));
        Self { weight, bias, sampling, is_activated }
    }

    /// x `[N, I, H, W]` to `[N, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (gain, slope) = if self.is_activated { (2f64.sqrt(), 0.2) } else { (1.0, 1.0) };
        let (weight, x) = (equalised(&self.weight, x.size(1), gain), x.pixel_norm(1, EPS));
        let y = match self.sampling {
            Sampling::Padded(padding) => {
                x.conv2d(&weight, &Conv2d { padding, ..Conv2d::default() })
            }
            Sampling::Doubled(false) => doubled_conv2d(&x, &weight, false),
            Sampling::Doubled(true) => doubled_conv2d(&x, &weight.transpose(0, 1), true),
        };
        bias_act(&y, 1.0, &self.bias.get(), slope, 1.0)
    }
}

/// The first blocks of a generator, down to a level of detail: the picture at the full resolution
/// and the output of each block that ran. `features` runs a block on what the one before made,
/// `picture` makes a picture of it.
///
/// # Panics
/// When the level is not from 0 to that of the first block.
#[track_caller]
pub fn grow(
    blocks: usize,
    lod: f64,
    mut features: impl FnMut(usize, Option<&Tensor>) -> Tensor,
    picture: impl Fn(usize, &Tensor) -> Tensor,
) -> (Tensor, Vec<Tensor>) {
    let first = (blocks - 1) as f64;
    assert!((0.0..=first).contains(&lod), "level of detail {lod}, not from 0 to {first}");
    let (mut image, mut all): (Option<Tensor>, Vec<Tensor>) = (None, Vec::new());
    for block in 0..blocks {
        // Halvings that lie between this block's resolution and the full one.
        let level = (blocks - 1 - block) as f64;
        let below = image.as_ref().map(doubled);
        if lod >= level + 1.0 {
            image = below;
            continue;
        }
        let y = features(block, all.last());
        image = match below {
            // The picture of lower resolution fades out.
            Some(below) if lod > level => {
                let share = lod.ceil() - lod;
                let fade =
                    picture(block, &y).zip(&below, |y, below| y * share + below * (1.0 - share));
                Some(fade)
            }
            below if lod <= level - 1.0 => below,
            _ => Some(picture(block, &y)),
        };
        all.push(y);
    }
    (image.expect("a block makes a picture"), all)
}

/// What a generator makes of latents.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[N, 3, H, W]`
    pub image: Tensor,
    /// Output of each block that ran, `[N, C, r, r']`.
    pub features: Vec<Tensor>,
}

/// Latent to picture.
pub struct Generator {
    config: Config,
    layers: Vec<NormedConv>,
    outputs: Vec<NormedConv>,
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let (mut layers, mut outputs) = (Vec::new(), Vec::new());
        let mut before = config.z_space_dim + config.label_size;
        for (block, resolution) in blocks(config.resolution).enumerate() {
            let channels = config.channels(resolution);
            let (kernel, sampling) = match block {
                0 => (config.base, Sampling::Padded(config.base.map(|side| side - 1))),
                _ => ([3, 3], Sampling::Doubled(config.fused_scale.is_at(resolution))),
            };
            let mut layer = |k: usize, inputs, kernel, sampling| {
                let sizes = [inputs, channels];
                b.at(&format!("layer{k}"), |b| NormedConv::new(b, sizes, kernel, sampling, true))
            };
            layers.push(layer(2 * block, before, kernel, sampling));
            layers.push(layer(2 * block + 1, channels, [3, 3], Sampling::Padded([1, 1])));
            let sizes = [channels, config.image_channels];
            outputs.push(b.at(&format!("output{block}"), |b| {
                NormedConv::new(b, sizes, [1, 1], Sampling::Padded([0, 0]), false)
            }));
            before = channels;
        }
        Self { config: config.clone(), layers, outputs }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What [`models::Generator::map`] prepares, `[N, Z + labels]`, to a picture at a level of
    /// detail.
    ///
    /// # Panics
    /// When the shape does not fit, or the level is beyond the first block.
    #[track_caller]
    pub fn synthesis(&self, start: &Tensor, lod: f64) -> Synthesis {
        let start = start.reshape([start.size(0), start.size(1), 1, 1]);
        let block = |block: usize, x: Option<&Tensor>| {
            let x = self.layers[2 * block].forward(x.unwrap_or(&start));
            self.layers[2 * block + 1].forward(&x)
        };
        let picture = |block: usize, x: &Tensor| self.outputs[block].forward(x);
        let (image, features) = grow(self.outputs.len(), lod, block, picture);
        let image = if self.config.final_tanh { image.tanh() } else { image };
        Synthesis { image, features }
    }
}

impl models::Generator for Generator {
    /// The normalised latent, and behind it the label.
    #[track_caller]
    fn map(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        let z = z.pixel_norm(1, EPS);
        if self.config.label_size == 0 {
            return z;
        }
        Tensor::cat(&[&z, label.expect("a network with classes needs a label")], 1)
    }

    fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        vec![w.clone()]
    }

    fn noise(&self) -> Vec<Tensor> {
        Vec::new()
    }

    fn synthesizer(&self) -> Box<dyn models::Synthesizer + '_> {
        Box::new(self)
    }
}

impl models::Synthesizer for &Generator {
    fn picture(&self, styles: &[Tensor], _noise: &[Tensor], lod: f64) -> Tensor {
        self.synthesis(&styles[0], lod).image
    }

    fn features(&self, styles: &[Tensor], _noise: &[Tensor]) -> Vec<Tensor> {
        self.synthesis(&styles[0], 0.0).features
    }
}
