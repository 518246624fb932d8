//! Latent to picture.

use super::{Config, NoiseType, filter};
use crate::device::Device;
use crate::models;
use crate::models::pggan::{EPS, blocks, doubled_conv2d, equalised, grow};
use crate::nn::{Builder, EqualLinear, Init, Param};
use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// What a mapping reads: the latent and, where there are classes, an embedded label, normalised.
pub struct LatentInput {
    label_weight: Option<Param>, // [labels, Z]
    width: usize,
}

impl LatentInput {
    /// Registers `label_weight` where there are classes; latents are `width` wide.
    pub fn new(b: &mut Builder, classes: usize, width: usize) -> Self {
        let weight = |b: &mut Builder| b.param("label_weight", [classes, width], Init::Normal(1.0));
        Self { label_weight: (classes > 0).then(|| weight(b)), width }
    }

    /// Width of what the mapping reads.
    pub fn width(&self) -> usize {
        self.width * (1 + usize::from(self.label_weight.is_some()))
    }

    /// z `[N, Z]` and, where there are classes, label `[N, labels]` to `[N, width]`.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is missing.
    #[track_caller]
    pub fn forward(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        let Some(weight) = &self.label_weight else { return z.pixel_norm(1, EPS) };
        let label = label.expect("a network with classes needs a label");
        Tensor::cat(&[z, &label.matmul(&weight.get())], 1).pixel_norm(1, EPS)
    }
}

/// Latent to style: pixel norm, then dense layers. A label is embedded and joins the latent.
pub struct Mapping {
    input: LatentInput,
    layers: Vec<EqualLinear>,
}

impl Mapping {
    /// Registers `dense0` and on, and `label_weight`.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let last = if config.repeat_w { 1 } else { config.num_layers() } * config.w_space_dim;
        let input = LatentInput::new(b, config.label_size, config.z_space_dim);
        let layer = |k: usize| {
            let from = if k == 0 { input.width() } else { config.mapping_fmaps };
            let to = if k + 1 == config.mapping_layers { last } else { config.mapping_fmaps };
            b.at(&format!("dense{k}"), |b| {
                EqualLinear::he_activated(b, from, to, config.mapping_lr_mul)
            })
        };
        let layers = (0..config.mapping_layers).map(layer).collect();
        Self { input, layers }
    }

    /// z `[N, Z]` and, where the network has classes, label `[N, labels]` to w `[N, D]`, or
    /// `[N, layers · D]` where every layer has a style of its own.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is missing.
    #[track_caller]
    pub fn forward(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        self.layers.iter().fold(self.input.forward(z, label), |x, layer| layer.forward(&x))
    }
}

/// One style `[N, width]` per layer from what a mapping gave, `[N, width]` or `[N, layers · width]`.
///
/// # Panics
/// When w has neither width.
#[track_caller]
pub fn per_layer(w: &Tensor, layers: usize, width: usize) -> Vec<Tensor> {
    if w.size(1) == width {
        return vec![w.clone(); layers];
    }
    assert_eq!(w.size(1), layers * width, "per_layer: w {:?}, {layers} layers", w.shape());
    (0..layers).map(|k| w.narrow(1, k * width, width)).collect()
}

/// mean + psi (w − mean).
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn toward(w: &Tensor, mean: &Tensor, psi: f64) -> Tensor {
    w.zip(mean, |w, mean| mean.clone() + psi * (w - mean))
}

/// The truncation trick: the first `layers` styles moved to `psi` of their distance from the means.
/// Section 4 and appendix B.
pub fn truncate(styles: &[Tensor], means: &[Tensor], psi: f64, layers: usize) -> Vec<Tensor> {
    let layer = |(k, (w, mean))| match k < layers && psi < 1.0 {
        true => toward(w, mean, psi),
        false => Tensor::clone(w),
    };
    styles.iter().zip(means).enumerate().map(layer).collect()
}

/// What a layer starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A learned constant `[1, C, h, w]`.
    Constant,
    /// A convolution of the style as one pixel, `[C, D, h, w]`.
    Style,
    /// A convolution of so many channels of the layer before, `[C, I, 3, 3]`.
    Before(usize),
    /// One that doubles the resolution, in the convolution itself if so.
    Doubled(usize, bool),
}

impl Form {
    /// Of layer `k`: an even one doubles the resolution, except the first.
    fn of(k: usize, config: &Config) -> Self {
        let resolution = 4 << (k / 2);
        match k {
            0 if config.const_input => Self::Constant,
            0 => Self::Style,
            _ if k % 2 == 1 => Self::Before(config.channels(resolution)),
            _ => {
                let is_fused = config.fused_scale.is_at(resolution);
                Self::Doubled(config.channels(resolution / 2), is_fused)
            }
        }
    }

    fn param(self, b: &mut Builder, [channels, h, w]: [usize; 3], style_dim: usize) -> Param {
        let mut weight = |shape: [usize; 4]| b.param("weight", shape, Init::Normal(1.0));
        match self {
            Self::Constant => b.param("const", [1, channels, h, w], Init::Constant(1.0)),
            Self::Style => weight([channels, style_dim, h, w]),
            Self::Before(inputs) | Self::Doubled(inputs, _) => weight([channels, inputs, 3, 3]),
        }
    }
}

/// Convolution, noise, bias, leaky ReLU, instance norm, style.
pub struct StyledLayer {
    form: Form,
    start: Param,
    strength: Param,    // [C], or [R, R'] for noise per channel
    noise: Param,       // [1, 1, R, R'], or [1, C, 1, 1]
    bias: Param,        // [C]
    style: EqualLinear, // D to 2 C
    blur: Tensor,
}

impl StyledLayer {
    /// Layer `k` of the synthesis.
    pub fn new(b: &mut Builder, k: usize, config: &Config, device: &Device) -> Self {
        let [h, w] = config.base.map(|side| side << (k / 2));
        let sizes = [config.channels(4 << (k / 2)), h, w];
        let form = Form::of(k, config);
        Self::with(b, form, sizes, (config.w_space_dim, config.noise_type), device)
    }

    /// A layer of a form whose output is `[C, R, R']`.
    pub fn with(
        b: &mut Builder,
        form: Form,
        size: [usize; 3],
        (style_dim, noise_type): (usize, NoiseType),
        device: &Device,
    ) -> Self {
        let start = form.param(b, size, style_dim);
        let [channels, h, w] = size;
        let (strength, noise) = match noise_type {
            NoiseType::Spatial => (vec![channels], [1, 1, h, w]),
            NoiseType::Channel => (vec![h, w], [1, channels, 1, 1]),
        };
        let (strength, noise) = b.at("apply_noise", |b| {
            let strength = b.param("weight", strength, Init::Constant(0.0));
            (strength, b.buffer("noise", noise, Init::Normal(1.0)))
        });
        Self {
            form,
            start,
            strength,
            noise,
            bias: b.param("bias", [channels], Init::Constant(0.0)),
            style: b
                .at("style", |b| EqualLinear::new(b, style_dim, 2 * channels, Init::Constant(0.0))),
            blur: filter(device),
        }
    }

    /// The layer's own noise.
    pub fn noise(&self) -> Tensor {
        self.noise.get()
    }

    /// x `[N, I, H, W]` (none for the first layer), w `[N, D]` and noise (`[N or 1, 1, R, R']`, or
    /// `[N or 1, C, 1, 1]`) to the features `[N, C, R, R']` and the style `[N, 2 C]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: Option<&Tensor>, w: &Tensor, noise: &Tensor) -> (Tensor, Tensor) {
        let y = self.convolved(x, w);
        let [value, noise_k, strength, bias] = Expr::inputs();
        let value = (value + noise_k * strength + bias).leaky_relu(0.2);
        let (strength, bias) = (column(&self.strength.get()), column(&self.bias.get()));
        let y = pointwise(&[&y, noise, &strength, &bias], &value).standardize(&[2, 3], EPS);
        let style = self.style.forward(w);
        (styled(&y, &style), style)
    }

    fn convolved(&self, x: Option<&Tensor>, w: &Tensor) -> Tensor {
        let before = || x.expect("a layer before");
        let weight = |inputs: usize| equalised(&self.start, inputs, 2f64.sqrt());
        let (start, n, width) = (self.start.shape(), w.size(0), w.size(1));
        match self.form {
            Form::Constant => self.start.get().expand(start.with(0, n)),
            Form::Style => {
                let padding = [start[2] - 1, start[3] - 1];
                let conv = Conv2d { padding, ..Conv2d::default() };
                w.reshape([n, width, 1, 1]).conv2d(&weight(width), &conv)
            }
            Form::Before(inputs) => before().conv2d(&weight(inputs), &Conv2d::padded(1)),
            Form::Doubled(inputs, is_fused) => {
                let y = doubled_conv2d(before(), &weight(inputs), is_fused);
                y.upfirdn2d(&self.blur, &Upfirdn2d::blur((1, 1)))
            }
        }
    }
}

/// A number per channel, or per pixel as it is.
fn column(t: &Tensor) -> Tensor {
    match t.shape().len() {
        1 => t.reshape([t.numel(), 1, 1]),
        _ => t.clone(),
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

/// 1x1 convolution to a picture, with gain 1.
pub struct ToRgb {
    weight: Param, // [3, I, 1, 1]
    bias: Param,   // [3]
}

impl ToRgb {
    /// From `inputs` channels to those of the picture.
    pub fn new(b: &mut Builder, [inputs, channels]: [usize; 2]) -> Self {
        Self {
            weight: b.param("weight", [channels, inputs, 1, 1], Init::Normal(1.0)),
            bias: b.param("bias", [channels], Init::Constant(0.0)),
        }
    }

    /// x `[N, I, H, W]` to `[N, 3, H, W]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let scale = 1.0 / (x.size(1) as f64).sqrt();
        let y = x.conv2d(&self.weight.get(), &Conv2d::default());
        let bias = self.bias.get();
        y.zip(&bias.reshape([bias.numel(), 1, 1]), |y, bias| y * scale + bias)
    }
}

/// What a generator makes of one style per layer.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[N, 3, R, R']`
    pub image: Tensor,
    /// Output of each block that ran, `[N, C, r, r']`.
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
                let sizes = [config.channels(r), config.image_channels];
                b.at(&format!("output{k}"), |b| ToRgb::new(b, sizes))
            };
            (layers, blocks(config.resolution).enumerate().map(output).collect())
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
        per_layer(w, self.config.num_layers(), self.config.w_space_dim)
    }

    /// The running mean of what the mapping gives.
    pub fn w_avg(&self) -> Tensor {
        self.w_avg.get()
    }

    /// One style `[N, D]` and one noise per layer to a picture at a level of detail.
    ///
    /// # Panics
    /// When there are not as many as layers, or the level is beyond 4x4.
    #[track_caller]
    pub fn synthesis(&self, styles: &[Tensor], noise: &[Tensor], lod: f64) -> Synthesis {
        let wanted = self.layers.len();
        assert_eq!([styles.len(), noise.len()], [wanted; 2], "synthesis: styles, noise planes");
        let mut modulation = Vec::new();
        let block = |block: usize, x: Option<&Tensor>| {
            let mut run = |k: usize, x: Option<&Tensor>| {
                let (y, style) = self.layers[k].forward(x, &styles[k], &noise[k]);
                modulation.push(style);
                y
            };
            let y = run(2 * block, x);
            run(2 * block + 1, Some(&y))
        };
        let picture = |block: usize, x: &Tensor| self.outputs[block].forward(x);
        let (image, features) = grow(self.outputs.len(), lod, block, picture);
        let image = if self.config.final_tanh { image.tanh() } else { image };
        Synthesis { image, features, styles: modulation }
    }
}

/// Part of the running mean style that stays at each update.
const W_AVG_DECAY: f64 = 0.995;

impl models::Generator for Generator {
    fn map(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        self.mapping.forward(z, label)
    }

    fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        self.broadcast(w)
    }

    fn noise(&self) -> Vec<Tensor> {
        self.noise_buffers()
    }

    fn synthesizer(&self) -> Box<dyn models::Synthesizer + '_> {
        Box::new(self)
    }

    /// Moves the running mean style.
    fn observe(&self, w: &[Tensor]) {
        let mean = Tensor::cat(&w.iter().collect::<Vec<_>>(), 0).mean(&[0], false);
        self.w_avg.assign(&toward(&self.w_avg.get(), &mean, W_AVG_DECAY));
    }
}

impl models::Synthesizer for &Generator {
    fn picture(&self, styles: &[Tensor], noise: &[Tensor], lod: f64) -> Tensor {
        self.synthesis(styles, noise, lod).image
    }

    fn features(&self, styles: &[Tensor], noise: &[Tensor]) -> Vec<Tensor> {
        self.synthesis(styles, noise, 0.0).features
    }
}
