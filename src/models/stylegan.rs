//! StyleGAN: "A Style-Based Generator Architecture for Generative Adversarial Networks" (Karras et
//! al., CVPR 2019), with the keys of GenForce's published files.
//!
//! | here | paper |
//! | --- | --- |
//! | [`Mapping`] | figure 1b, left: latent to style |
//! | [`StyledLayer`] | figure 1b, right: convolution, noise, bias, AdaIN (equation 1) |
//! | [`Generator`] | figure 1b, grown layer by layer as in PGGAN |
//!
//! Level of detail `lod` counts halvings: 0 is the full resolution, and between whole levels the
//! picture of the higher one fades in. N batch, C channels, D width of a style.

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::nn::{Builder, EqualLinear, Init, Param, blur_kernel, fused_scale_weight};
use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::resize::Resize;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// Added to squares before a root is taken.
const EPS: f64 = 1e-8;

/// Whether a layer that doubles the resolution does so in its convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FusedScale {
    /// In every such layer, or in none.
    All(bool),
    /// From 128x128 on.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// As published.
    Auto,
}

/// What the noise of a layer is shared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseType {
    /// One plane for all channels, with a strength per channel.
    Spatial,
    /// One number per channel, with a strength per pixel.
    Channel,
}

/// Sizes of a generator. What a file leaves out is as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Side of the pictures, a power of two from 8.
    pub resolution: usize,
    /// Width of a latent.
    pub z_space_dim: usize,
    /// Width of a style.
    pub w_space_dim: usize,
    /// Classes; 0 without.
    pub label_size: usize,
    /// Layers of the mapping.
    pub mapping_layers: usize,
    /// Width of the mapping's hidden layers.
    pub mapping_fmaps: usize,
    /// Learning-rate multiplier of the mapping.
    pub mapping_lr_mul: f64,
    /// Whether all layers share one style; otherwise the mapping makes one for each.
    pub repeat_w: bool,
    /// 3 for colours.
    pub image_channels: usize,
    /// Whether the picture goes through tanh.
    pub final_tanh: bool,
    /// Whether the first layer is a learned constant; otherwise a convolution of the style.
    pub const_input: bool,
    /// How the resolution is doubled.
    pub fused_scale: FusedScale,
    /// What noise is shared by.
    pub noise_type: NoiseType,
    /// Channels at resolution R: `fmaps_base / R`, at most `fmaps_max`.
    pub fmaps_base: usize,
    /// Most channels.
    pub fmaps_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resolution: 1024,
            z_space_dim: 512,
            w_space_dim: 512,
            label_size: 0,
            mapping_layers: 8,
            mapping_fmaps: 512,
            mapping_lr_mul: 0.01,
            repeat_w: true,
            image_channels: 3,
            final_tanh: false,
            const_input: true,
            fused_scale: FusedScale::Auto(Auto::Auto),
            noise_type: NoiseType::Spatial,
            fmaps_base: 16 << 10,
            fmaps_max: 512,
        }
    }
}

impl Config {
    /// Channels at a resolution.
    pub fn channels(&self, resolution: usize) -> usize {
        (self.fmaps_base / resolution).min(self.fmaps_max)
    }

    /// Resolutions from 4 on.
    fn blocks(&self) -> impl Iterator<Item = usize> {
        (2..=self.resolution.ilog2()).map(|k| 1 << k)
    }

    /// Styled layers: two per resolution.
    pub fn num_layers(&self) -> usize {
        2 * (self.resolution.ilog2() as usize - 1)
    }
}

/// Latent to style: pixel norm, then dense layers. A label is embedded and joins the latent.
pub struct Mapping {
    label_weight: Option<Param>, // [labels, Z]
    layers: Vec<EqualLinear>,
}

impl Mapping {
    /// Registers `dense0` and on, and `label_weight`.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let labelled = config.label_size > 0;
        let last = if config.repeat_w { 1 } else { config.num_layers() } * config.w_space_dim;
        let inputs = config.z_space_dim * (1 + usize::from(labelled));
        let label_weight = labelled.then(|| {
            let shape = [config.label_size, config.z_space_dim];
            b.param("label_weight", shape, Init::Normal(1.0))
        });
        let layer = |k: usize| {
            let from = if k == 0 { inputs } else { config.mapping_fmaps };
            let to = if k + 1 == config.mapping_layers { last } else { config.mapping_fmaps };
            b.at(&format!("dense{k}"), |b| {
                EqualLinear::he_activated(b, from, to, config.mapping_lr_mul)
            })
        };
        Self { label_weight, layers: (0..config.mapping_layers).map(layer).collect() }
    }

    /// z `[N, Z]` and, where the network has classes, label `[N, labels]` to w `[N, D]`, or
    /// `[N, layers · D]` where every layer has a style of its own.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is missing.
    #[track_caller]
    pub fn forward(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        let z = match &self.label_weight {
            Some(weight) => {
                let label = label.expect("a network with classes needs a label");
                Tensor::cat(&[z, &label.matmul(&weight.get())], 1)
            }
            None => z.clone(),
        };
        self.layers.iter().fold(z.pixel_norm(1, EPS), |x, layer| layer.forward(&x))
    }
}

/// What a layer starts from.
enum Start {
    /// A learned constant `[1, C, 4, 4]`.
    Constant(Param),
    /// A convolution of the style as one pixel, `[C, D, 4, 4]`.
    Style(Param),
    /// A convolution of the layer before, `[O, I, 3, 3]`.
    Before(Param),
    /// One that doubles the resolution, in the convolution itself if `is_fused`.
    Doubled { weight: Param, is_fused: bool },
}

/// Convolution, noise, bias, leaky ReLU, instance norm, style.
pub struct StyledLayer {
    start: Start,
    strength: Param,    // [C], or [R, R] for noise per channel
    noise: Param,       // [1, 1, R, R], or [1, C, 1, 1]
    bias: Param,        // [C]
    style: EqualLinear, // D to 2 C
    blur: Tensor,
}

impl StyledLayer {
    /// Layer `k` of the synthesis: an even one doubles the resolution, except the first.
    pub fn new(b: &mut Builder, k: usize, config: &Config, device: &Device) -> Self {
        let resolution = 4 << (k / 2);
        let channels = config.channels(resolution);
        let before = if k.is_multiple_of(2) { config.channels(resolution / 2) } else { channels };
        let start = match k {
            0 if config.const_input => {
                Start::Constant(b.param("const", [1, channels, 4, 4], Init::Constant(1.0)))
            }
            0 => {
                let shape = [channels, config.w_space_dim, 4, 4];
                Start::Style(b.param("weight", shape, Init::Normal(1.0)))
            }
            _ => {
                let weight = b.param("weight", [channels, before, 3, 3], Init::Normal(1.0));
                let is_fused = match config.fused_scale {
                    FusedScale::All(is_fused) => is_fused,
                    FusedScale::Auto(_) => resolution >= 128,
                };
                match k % 2 {
                    0 => Start::Doubled { weight, is_fused },
                    _ => Start::Before(weight),
                }
            }
        };
        let (strength, noise) = match config.noise_type {
            NoiseType::Spatial => (vec![channels], [1, 1, resolution, resolution]),
            NoiseType::Channel => (vec![resolution; 2], [1, channels, 1, 1]),
        };
        let (strength, noise) = b.at("apply_noise", |b| {
            let strength = b.param("weight", strength, Init::Constant(0.0));
            (strength, b.buffer("noise", noise, Init::Normal(1.0)))
        });
        Self {
            start,
            strength,
            noise,
            bias: b.param("bias", [channels], Init::Constant(0.0)),
            style: b.at("style", |b| {
                EqualLinear::new(b, config.w_space_dim, 2 * channels, Init::Constant(0.0))
            }),
            blur: blur_kernel(&[1.0, 2.0, 1.0], 1.0, device),
        }
    }

    /// The layer's own noise.
    pub fn noise(&self) -> Tensor {
        self.noise.get()
    }

    /// x `[N, I, H, W]` (none for the first layer), w `[N, D]` and noise (`[N or 1, 1, R, R]`, or
    /// `[N or 1, C, 1, 1]`) to the features `[N, C, R, R]` and the style `[N, 2 C]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: Option<&Tensor>, w: &Tensor, noise: &Tensor) -> (Tensor, Tensor) {
        let y = self.convolved(x, w);
        let column = |t: Tensor| match t.shape().len() {
            1 => t.reshape([t.numel(), 1, 1]),
            _ => t,
        };
        let [value, noise_k, strength, bias] = Expr::inputs();
        let value = (value + noise_k * strength + bias).leaky_relu(0.2);
        let (strength, bias) = (column(self.strength.get()), column(self.bias.get()));
        let y = pointwise(&[&y, noise, &strength, &bias], &value).standardize(&[2, 3], EPS);
        let style = self.style.forward(w);
        (styled(&y, &style), style)
    }

    fn convolved(&self, x: Option<&Tensor>, w: &Tensor) -> Tensor {
        let before = || x.expect("a layer before");
        match &self.start {
            Start::Constant(start) => start.get().expand(start.shape().with(0, w.size(0))),
            Start::Style(weight) => {
                let pixel = w.reshape([w.size(0), w.size(1), 1, 1]);
                pixel.conv2d(&equalised(weight), &Conv2d::padded(3))
            }
            Start::Before(weight) => before().conv2d(&equalised(weight), &Conv2d::padded(1)),
            Start::Doubled { weight, is_fused } => {
                let (x, weight) = (before(), equalised(weight));
                let y = if *is_fused {
                    let conv = Conv2d { padding: [1, 1], ..Conv2d::strided(2) };
                    x.conv_transpose2d(&fused_scale_weight(&weight).transpose(0, 1), &conv, [0, 0])
                } else {
                    doubled(x).conv2d(&weight, &Conv2d::padded(1))
                };
                y.upfirdn2d(&self.blur, &Upfirdn2d::blur((1, 1)))
            }
        }
    }
}

/// Equation 1 behind the instance norm: y `[N, C, H, W]` times 1 + the first half of the style
/// `[N, 2 C]`, plus the second.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn styled(y: &Tensor, style: &Tensor) -> Tensor {
    let [scale, shift] = style.chunk(1).map(|part| part.reshape([y.size(0), y.size(1), 1, 1]));
    let [value, scale_k, shift_k] = Expr::inputs();
    pointwise(&[y, &scale, &shift], &(value * (scale_k + 1.0) + shift_k))
}

/// A stored weight `[O, I, k, k]` at run time: times √2 / √(k² I).
fn equalised(weight: &Param) -> Tensor {
    let fan_in: usize = weight.shape()[1..].iter().product();
    weight.get() * (2.0 / fan_in as f64).sqrt()
}

fn doubled(x: &Tensor) -> Tensor {
    x.resize([2 * x.size(2), 2 * x.size(3)], Resize::Nearest)
}

/// 1x1 convolution to a picture, with gain 1.
struct ToRgb {
    weight: Param, // [3, I, 1, 1]
    bias: Param,   // [3]
}

impl ToRgb {
    fn forward(&self, x: &Tensor) -> Tensor {
        let scale = 1.0 / (x.size(1) as f64).sqrt();
        let y = x.conv2d(&self.weight.get(), &Conv2d::default());
        let bias = self.bias.get();
        y.zip(&bias.reshape([bias.numel(), 1, 1]), |y, bias| y * scale + bias)
    }
}

/// What a generator makes of one style per layer.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[N, 3, R, R]`
    pub image: Tensor,
    /// Output of each block that ran, `[N, C, r, r]`.
    pub features: Vec<Tensor>,
    /// Scales and shifts of each layer that ran, `[N, 2 C]`.
    pub styles: Vec<Tensor>,
}

/// Latent to picture.
pub struct Generator {
    config: Config,
    /// Latent to style.
    pub mapping: Mapping,
    layers: Vec<StyledLayer>,
    outputs: Vec<ToRgb>,
    w_avg: Param, // [D] or [layers · D]
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let mapping = b.at("mapping", |b| Mapping::new(config, b));
        let (layers, outputs) = b.at("synthesis", |b| {
            let layer = |k| b.at(&format!("layer{k}"), |b| StyledLayer::new(b, k, config, device));
            let layers = (0..config.num_layers()).map(layer).collect();
            let output = |(k, r): (usize, usize)| {
                b.at(&format!("output{k}"), |b| ToRgb {
                    weight: b.param(
                        "weight",
                        [config.image_channels, config.channels(r), 1, 1],
                        Init::Normal(1.0),
                    ),
                    bias: b.param("bias", [config.image_channels], Init::Constant(0.0)),
                })
            };
            (layers, config.blocks().enumerate().map(output).collect())
        });
        let width = if config.repeat_w { 1 } else { config.num_layers() } * config.w_space_dim;
        let w_avg = b.buffer("truncation.w_avg", [width], Init::Constant(0.0));
        Self { config: config.clone(), mapping, layers, outputs, w_avg }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every layer's own noise.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.layers.iter().map(StyledLayer::noise).collect()
    }

    /// One style `[N, D]` per layer from what the mapping gave.
    pub fn broadcast(&self, w: &Tensor) -> Vec<Tensor> {
        let width = self.config.w_space_dim as isize;
        let layer = |k: usize| match self.config.repeat_w {
            true => w.clone(),
            false => w.narrow(1, k * width as usize, width as usize),
        };
        (0..self.config.num_layers()).map(layer).collect()
    }

    /// The truncation trick: the first `layers` styles moved to `psi` of their distance from the
    /// mean style. Section 4 and appendix B.
    pub fn truncate(&self, styles: &[Tensor], psi: f64, layers: usize) -> Vec<Tensor> {
        let average = self.w_avg.get();
        let average = self.broadcast(&average.reshape([1, average.numel()]));
        let moved =
            |w: &Tensor, mean: &Tensor| w.zip(mean, |w, mean| mean.clone() + (w - mean) * psi);
        let layer = |(k, (w, mean)): (usize, (&Tensor, &Tensor))| match k < layers && psi < 1.0 {
            true => moved(w, mean),
            false => w.clone(),
        };
        styles.iter().zip(&average).enumerate().map(layer).collect()
    }

    /// One style `[N, D]` and one noise per layer to a picture at a level of detail.
    ///
    /// # Panics
    /// When there are not as many as layers, or the level is beyond 4x4.
    #[track_caller]
    pub fn synthesis(&self, styles: &[Tensor], noise: &[Tensor], lod: f64) -> Synthesis {
        let wanted = self.layers.len();
        assert_eq!([styles.len(), noise.len()], [wanted; 2], "synthesis: styles, noise planes");
        let (mut image, mut x): (Option<Tensor>, Option<Tensor>) = (None, None);
        let (mut features, mut modulation) = (Vec::new(), Vec::new());
        for (block, to_rgb) in self.outputs.iter().enumerate() {
            // Halvings that lie between this block's resolution and the full one.
            let level = (self.outputs.len() - 1 - block) as f64;
            let below = image.as_ref().map(doubled);
            if lod >= level + 1.0 {
                image = below;
                continue;
            }
            for k in [2 * block, 2 * block + 1] {
                let (y, style) = self.layers[k].forward(x.as_ref(), &styles[k], &noise[k]);
                modulation.push(style);
                x = Some(y);
            }
            let y = x.as_ref().expect("just made");
            features.push(y.clone());
            image = match below {
                // The picture of lower resolution fades out.
                Some(below) if lod > level => {
                    let share = lod.ceil() - lod;
                    Some(
                        to_rgb
                            .forward(y)
                            .zip(&below, |own, below| own * share + below * (1.0 - share)),
                    )
                }
                below if lod <= level - 1.0 => below,
                _ => Some(to_rgb.forward(y)),
            };
        }
        let image = image.expect("a level of detail up to 4x4");
        let image = if self.config.final_tanh { image.tanh() } else { image };
        Synthesis { image, features, styles: modulation }
    }
}
