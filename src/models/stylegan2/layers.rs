//! Mapping network and the generator's layers.

use super::{Config, EPS};
use crate::device::Device;
use crate::models::stylegan::LatentInput;
use crate::nn::{Builder, EqualLinear, Filter, Init, Modulated, Param, Resample, blur_kernel};
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// Latent to style: pixel norm, then fully connected layers.
pub struct Mapping {
    input: Input,
    style: Vec<EqualLinear>,
}

/// What the first layer reads.
enum Input {
    /// Latent and embedded label, normalised together.
    Joint(LatentInput),
    /// Both, each normalised on its own.
    Apart(Embedding),
}

impl Mapping {
    /// Registers `style.1` and on, and where there are classes `label_weight` or `embed`.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let width = config.latent_dim.unwrap_or(config.style_dim);
        let hidden = config.mlp_width.unwrap_or(config.style_dim);
        let last = config.style_dim * if config.own_styles { config.n_latents() } else { 1 };
        let (input, first) = match config.projection.filter(|_| config.classes > 0) {
            Some(_) => {
                let embedding = Embedding::new(b, config.classes, config.style_dim);
                (Input::Apart(embedding), width + config.style_dim)
            }
            None => {
                let input = LatentInput::new(b, config.classes, width);
                let first = input.width();
                (Input::Joint(input), first)
            }
        };
        let layer = |k: usize| {
            let from = if k == 1 { first } else { hidden };
            let to = if k == config.n_mlp { last } else { hidden };
            b.at(&format!("style.{k}"), |b| EqualLinear::activated(b, from, to, config.lr_mlp))
        };
        let style = (1..=config.n_mlp).map(layer).collect();
        Self { input, style }
    }

    /// z `[B, Z]` and, where the network has classes, label `[B, classes]` to w `[B, S]`, or
    /// `[B, layers · S]` where every layer has a style of its own.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is missing.
    #[track_caller]
    pub fn forward(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        let x = match &self.input {
            Input::Joint(input) => input.forward(z, label),
            Input::Apart(embedding) => {
                Tensor::cat(&[&z.pixel_norm(1, EPS), &embedding.forward(label)], 1)
            }
        };
        self.style.iter().fold(x, |x, layer| layer.forward(&x))
    }
}

/// Label to a vector of mean square 1: StyleGAN2-ADA.
pub(super) struct Embedding(EqualLinear);

impl Embedding {
    /// Registers `embed`.
    pub(super) fn new(b: &mut Builder, classes: usize, width: usize) -> Self {
        Self(b.at("embed", |b| EqualLinear::new(b, classes, width, Init::Constant(0.0))))
    }

    /// Label `[B, classes]` to `[B, width]`.
    ///
    /// # Panics
    /// When it is missing or of another width.
    #[track_caller]
    pub(super) fn forward(&self, label: Option<&Tensor>) -> Tensor {
        self.0.forward(label.expect("a network with classes needs a label")).pixel_norm(1, EPS)
    }
}

/// A convolution whose weights are scaled per sample and input channel. `M` makes the scales.
pub struct ModulatedConv<M = EqualLinear> {
    weight: Param, // [1, O, I, k, k]
    /// What makes the scales.
    pub modulation: M,
    demodulate: bool,
    resample: Resample,
    kernel: Tensor,
}

impl<M> ModulatedConv<M> {
    /// Of a size `[I, O, k]`; what makes the scales registers its keys behind the weight.
    pub fn with(
        b: &mut Builder,
        [inputs, outputs, k]: [usize; 3],
        (resample, demodulate): (Resample, bool),
        (config, device): (&Config, &Device),
        modulation: impl FnOnce(&mut Builder) -> M,
    ) -> Self {
        b.at("conv", |b| Self {
            weight: b.param("weight", [1, outputs, inputs, k, k], Init::Normal(1.0)),
            modulation: modulation(b),
            demodulate,
            resample,
            kernel: blur_kernel(&config.blur_kernel, 4.0, device),
        })
    }

    /// The weight as it is stored, `[1, O, I, k, k]`.
    pub fn stored(&self) -> Tensor {
        self.weight.get()
    }

    /// The weight `[O, I, k, k]`.
    pub fn weight(&self) -> Tensor {
        plain(&self.stored())
    }

    /// What depends on the weight alone.
    fn filter(&self) -> Filter {
        let oriented = |w: &Tensor| self.resample.oriented(&plain(w));
        let power = || self.weight.derived("power", |w| Filter::power(&plain(w)));
        let power = self.demodulate.then(power);
        Filter { oriented: self.weight.derived("oriented", oriented), power }
    }

    /// What the convolution does to the resolution.
    pub(crate) fn resampling(&self) -> (Resample, &Tensor) {
        (self.resample, &self.kernel)
    }

    /// x `[B, I, H, W]`, scale `[B, I]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, scale: &Tensor) -> Modulated {
        self.filter().modulated_conv2d(x, scale, EPS, self.resample, &self.kernel)
    }
}

/// A stored weight `[1, O, I, k, k]` as `[O, I, k, k]`.
fn plain(weight: &Tensor) -> Tensor {
    weight.reshape(&weight.shape()[1..])
}

impl ModulatedConv {
    /// Of a size `[I, O, k]`, with one scale per input channel that starts at 1.
    pub fn new(
        b: &mut Builder,
        size: [usize; 3],
        form: (Resample, bool),
        built: (&Config, &Device),
    ) -> Self {
        Self::with(b, size, form, built, |b| {
            let (width, offset) = (built.0.style_dim, built.0.modulation_offset);
            let first = Init::Constant(1.0 - offset);
            b.at("modulation", |b| EqualLinear::new(b, width, size[0], first).shifted(offset))
        })
    }
}

/// Modulated convolution, noise, bias, activation.
pub struct StyledConv<M = EqualLinear> {
    /// The convolution.
    pub conv: ModulatedConv<M>,
    noise: Param, // [1]
    bias: Param,  // [O]
}

impl<M> StyledConv<M> {
    /// Registers what stands behind the convolution.
    pub fn behind(b: &mut Builder, outputs: usize, conv: ModulatedConv<M>) -> Self {
        let noise = b.at("noise", |b| b.param("weight", [1], Init::Constant(0.0)));
        let bias = b.at("activate", |b| b.param("bias", [outputs], Init::Constant(0.0)));
        Self { conv, noise, bias }
    }

    /// Noise `[B or 1, 1, H, W]`, bias and leaky ReLU on the convolution's output.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn activate(&self, y: &Modulated, noise: &Tensor) -> Tensor {
        y.noise_bias_act(noise, &self.noise.get(), &self.bias.get())
    }

    /// x `[B, I, H, W]`, scale `[B, I]`, noise `[B or 1, 1, H', W']` to `[B, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn scaled(&self, x: &Tensor, scale: &Tensor, noise: &Tensor) -> Tensor {
        self.activate(&self.conv.forward(x, scale), noise)
    }
}

impl StyledConv {
    /// Layer k of the generator: 0 is that at the base, odd ones double the resolution.
    pub fn new(b: &mut Builder, k: usize, built: (&Config, &Device)) -> Self {
        let at = |k: usize| built.0.channels[&(4 << k.div_ceil(2))];
        let (inputs, outputs) = (at(k.saturating_sub(1)), at(k));
        let resample = if k % 2 == 1 { Resample::Up } else { Resample::Keep };
        let form = (resample, built.0.demodulate);
        let conv = ModulatedConv::new(b, [inputs, outputs, 3], form, built);
        Self::behind(b, outputs, conv)
    }

    /// [`StyledConv::scaled`] with what the layer makes of a style w `[B, S]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, w: &Tensor, noise: &Tensor) -> Tensor {
        self.scaled(x, &self.conv.modulation.forward(w), noise)
    }
}

/// 1x1 modulated convolution to a picture, plus bias, plus the smaller picture doubled.
pub struct ToRgb {
    bias: Param, // [1, 3, 1, 1]
    /// The convolution.
    pub conv: ModulatedConv,
}

impl ToRgb {
    /// On a layer of `inputs` channels.
    pub fn new(b: &mut Builder, inputs: usize, built: (&Config, &Device)) -> Self {
        let channels = built.0.image_channels;
        let bias = b.param("bias", [1, channels, 1, 1], Init::Constant(0.0));
        let form = (Resample::Keep, false);
        Self { bias, conv: ModulatedConv::new(b, [inputs, channels, 1], form, built) }
    }

    /// x `[B, I, H, W]`, w `[B, S]`, skip `[B, 3, H/2, W/2]` to `[B, 3, H, W]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, w: &Tensor, skip: Option<&Tensor>) -> Tensor {
        self.scaled(x, &self.conv.modulation.forward(w), skip)
    }

    /// The same with scales `[B, I]` in the style's place.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn scaled(&self, x: &Tensor, scale: &Tensor, skip: Option<&Tensor>) -> Tensor {
        let rgb = self.conv.forward(x, scale).y;
        add_doubled(&rgb, &self.bias.get(), skip, &self.conv.kernel)
    }
}

/// y plus bias, plus the smaller picture doubled; `kernel` is the filter, of sum 4.
#[track_caller]
pub(crate) fn add_doubled(
    y: &Tensor,
    bias: &Tensor,
    skip: Option<&Tensor>,
    kernel: &Tensor,
) -> Tensor {
    let Some(skip) = skip else { return y + bias };
    let taps = kernel.size(0) as isize;
    let pad = ((taps - 1).div_euclid(2) + 1, (taps - 2).div_euclid(2));
    let skip = skip.upfirdn2d(kernel, &Upfirdn2d::doubled(pad));
    let [a, b, c] = Expr::inputs();
    pointwise(&[y, bias, &skip], &(a + b + c))
}
