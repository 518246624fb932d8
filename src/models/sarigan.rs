//! SariGAN: "Learning Semantic-aware Normalization for Generative Adversarial Networks"
//! (Zheng et al., NeurIPS 2020), in the form of its published code.
//!
//! | here | paper |
//! | --- | --- |
//! | [`similarity`] | equation 1: cosine similarity of a layer's kernels |
//! | [`Grouping`] | equation 2: channels in groups, and the losses that learn them |
//! | [`Grouping::style`] | equation 5: intra- and inter-group codes as one scale per channel |
//! | [`GroupStyledConv`] | equation 6: the convolution with scaled, demodulated weights |
//! | [`Generator`], [`Discriminator`] | figure 2, on StyleGAN2's skip generator and residual critic |
//!
//! A style has 2 S entries: the first half drives groups as wholes (inter), the second half the
//! channels inside them (intra), the ungrouped first layer and the RGB layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::nn::conv::{bias_act, resampled_conv2d};
use crate::nn::{Builder, EqualLinear, Init, Param, Resample, blur_kernel, modulated_conv2d};
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Sizes of the two networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Side of the picture, a power of two from 8.
    pub size: usize,
    /// Width S of the latent and of each half of the style.
    pub style_dim: usize,
    /// Mapping layers, the last of which doubles the width.
    pub n_mlp: usize,
    /// Channels at each resolution from 4 to `size`; `channels[4]` equals `style_dim`.
    pub channels: BTreeMap<usize, usize>,
    /// Channel groups per grouped layer.
    pub groups: usize,
    /// Learning-rate multiplier of the mapping network.
    pub lr_mlp: f64,
    /// Taps of the resampling filter.
    pub blur_kernel: Vec<f64>,
    /// Samples that share a minibatch deviation.
    #[serde(default = "Config::stddev_group")]
    pub stddev_group: usize,
}

impl Config {
    const fn stddev_group() -> usize {
        4
    }

    fn with_channels(size: usize, style_dim: usize, channels: impl Fn(usize) -> usize) -> Self {
        let levels = (2..=size.ilog2()).map(|k| 1 << k);
        Self {
            size,
            style_dim,
            n_mlp: 8,
            channels: levels.map(|r| (r, channels(r))).collect(),
            groups: 16,
            lr_mlp: 0.01,
            blur_kernel: vec![1.0, 3.0, 3.0, 1.0],
            stddev_group: Self::stddev_group(),
        }
    }

    /// The published table, with channel multiplier 1.
    pub fn published(size: usize) -> Self {
        Self::with_channels(size, 512, |r| if r <= 32 { 512 } else { 16_384 / r })
    }

    /// A network that learns on two CPU cores.
    pub fn tiny(size: usize) -> Self {
        Self::with_channels(size, 128, |r| if r <= 16 { 128 } else { (2048 / r).max(8) })
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        let refuse = |field: &str, reason: String| Err(Error::config(field, reason));
        let size = self.size;
        if !size.is_power_of_two() || !(8..=1024).contains(&size) {
            return refuse("size", format!("{size} is not a power of two from 8 to 1024"));
        }
        let sizes = [("style_dim", self.style_dim), ("n_mlp", self.n_mlp), ("groups", self.groups)];
        for (field, value) in sizes.into_iter().chain([("stddev_group", self.stddev_group)]) {
            if value == 0 {
                return refuse(field, "0 is not above 0".into());
            }
        }
        for level in (2..=size.ilog2()).map(|k| 1 << k) {
            if self.channels.get(&level).is_none_or(|&c| c == 0) {
                return refuse("channels", format!("there are none for {level}x{level}"));
            }
        }
        if self.channels[&4] != self.style_dim {
            return refuse("channels", "those at 4x4 are not as many as style_dim".into());
        }
        let sum: f64 = self.blur_kernel.iter().sum();
        if sum <= 0.0 || sum.is_nan() {
            return refuse("blur_kernel", "its sum is not above 0".into());
        }
        Ok(())
    }

    /// Styles that the generator takes: one per layer that has one.
    pub fn n_latents(&self) -> usize {
        2 * self.size.ilog2() as usize - 2
    }

    /// Side of the noise plane of layer k: one 4x4 layer, then two per resolution.
    pub fn noise_size(&self, k: usize) -> usize {
        1 << ((k + 5) / 2)
    }

    /// Layers that take noise.
    pub fn n_noises(&self) -> usize {
        2 * self.size.ilog2() as usize - 3
    }

    fn levels(&self) -> Vec<usize> {
        self.channels.keys().copied().filter(|&r| r <= self.size).collect()
    }
}

/// Cosine similarity of the kernels of a layer, weight `[1, O, I, k, k]`, as `[O, O]`; no gradient.
pub fn similarity(weight: &Tensor) -> Tensor {
    let outputs = weight.size(1);
    let kernels = weight.detach().reshape([outputs, weight.numel() / outputs]);
    let kernels = kernels.normalize(1, 1e-12);
    kernels.matmul_t(&kernels, false, true)
}

/// How the channels of one layer fall into groups.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// Soft membership `[g, C]`: softmax over the groups of 5 sigmoid(tmpr) · cluster.
    pub probs: Tensor,
    /// Which pairs of channels belong together `[C, C]`: sigmoid(50 (co − sigmoid(gate))).
    pub target: Tensor,
    /// Hard membership `[g, C]`, 1 or 0 plus 10⁻⁶; no gradient.
    pub assigned: Tensor,
}

impl Grouping {
    /// From the group logits `cluster [g, C]`, the learned temperature and threshold `tmpr [1]` and
    /// `gate [1]`, and the similarity `co [C, C]` of the kernels that made the channels.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn new(cluster: &Tensor, gate: &Tensor, tmpr: &Tensor, co: &Tensor) -> Self {
        let logits = cluster.zip(tmpr, |cluster, tmpr| 5.0 * tmpr.sigmoid() * cluster);
        let probs = logits.softmax(0);
        let target = co.zip(gate, |co, gate| (50.0 * (co - gate.sigmoid())).sigmoid());
        // Two equal groups give a half, which rounds to 0: that channel belongs to no group.
        let sharp = (probs.detach() * 500.0).softmax(0);
        Self { probs, target, assigned: sharp.map(|p| p.round() + 1e-6) }
    }

    /// Equation 2 as a sum: squared distance of the pairwise membership from the target.
    pub fn loss1(&self) -> Tensor {
        let together = self.probs.matmul_t(&self.probs, true, false);
        together.zip(&self.target.detach(), |p, s| (p - s).square()).sum_all()
    }

    /// Pulls the threshold to where each channel has C/g similar ones.
    pub fn loss2(&self) -> Tensor {
        let (groups, channels) = (self.probs.size(0), self.probs.size(1));
        let wanted = (channels * channels) as f64 / groups as f64;
        self.target.sum_all().map(|sum| (wanted - sum).square())
    }

    /// One scale per channel `[B, C]` from intra-group codes `[B, C]` and inter-group codes
    /// `[B, g]`: sum over groups i of h_i · u_i / max(‖u_i‖, eps) with u_i the codes of its channels.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn style(&self, intra: &Tensor, inter: &Tensor, eps: f64) -> Tensor {
        // ‖u_i‖² for all groups is one product, and so is the sum over groups: no [B, g, C] tensor.
        let power = intra.square().matmul_t(&self.assigned.square(), false, true);
        let weight = inter.zip(&power, |h, p| h * p.max(eps * eps).rsqrt());
        intra * weight.matmul(&self.assigned)
    }
}

/// What the layers of one style read: codes for whole groups, and for channels.
#[derive(Clone)]
struct Style {
    inter: Tensor,
    intra: Tensor,
}

impl Style {
    fn split(w: &Tensor) -> Self {
        let [inter, intra] = w.chunk(1);
        Self { inter, intra }
    }

    /// One per layer, split once for neighbours that share a style.
    fn split_all(latents: &[Tensor]) -> Vec<Self> {
        let mut styles: Vec<Self> = Vec::new();
        for (k, w) in latents.iter().enumerate() {
            let shared = k > 0 && w.is_same(&latents[k - 1]);
            styles.push(if shared { styles[k - 1].clone() } else { Self::split(w) });
        }
        styles
    }
}

/// What every styled layer has.
struct StyledConv {
    weight: Param, // [1, O, I, 3, 3]
    modulation: EqualLinear,
    noise: Param, // [1]
    bias: Param,  // [O]
    resample: Resample,
    kernel: Tensor,
}

impl StyledConv {
    /// Registers the keys in their published order; `grouping` stands between weight and style.
    fn new<T>(
        b: &mut Builder,
        (inputs, outputs): (usize, usize),
        config: &Config,
        (resample, device): (Resample, &Device),
        grouping: impl FnOnce(&mut Builder) -> T,
    ) -> (Self, T) {
        let (weight, grouping, modulation) = b.at("conv", |b| {
            let weight = b.param("weight", [1, outputs, inputs, 3, 3], Init::Normal(1.0));
            let grouping = grouping(b);
            let modulation =
                b.at("modulation", |b| EqualLinear::new(b, config.style_dim, inputs, 1.0));
            (weight, grouping, modulation)
        });
        let noise = b.at("noise", |b| b.param("weight", [1], Init::Constant(0.0)));
        let bias = b.at("activate", |b| b.param("bias", [outputs], Init::Constant(0.0)));
        let kernel = blur_kernel(&config.blur_kernel, 4.0, device);
        (Self { weight, modulation, noise, bias, resample, kernel }, grouping)
    }

    fn forward(&self, x: &Tensor, scale: &Tensor, noise: &Tensor) -> Tensor {
        let weight = self.weight.get();
        let weight = weight.reshape(&weight.shape()[1..]);
        modulated_conv2d(x, &weight, scale, Some(1e-8), self.resample, &self.kernel).noise_bias_act(
            noise,
            &self.noise.get(),
            &self.bias.get(),
        )
    }
}

/// A styled convolution whose input channels are modulated by group.
pub struct GroupStyledConv {
    conv: StyledConv,
    cluster: Param, // [g, I]
    gate: Param,    // [1]
    tmpr: Param,    // [1]
    bases: EqualLinear,
}

impl GroupStyledConv {
    /// Layer k of `convs`: an even one doubles the resolution.
    pub fn new(b: &mut Builder, k: usize, config: &Config, device: &Device) -> Self {
        let at = |level: usize| config.channels[&(4 << level)];
        let (channels, resample) = match k % 2 {
            0 => ((at(k / 2), at(k / 2 + 1)), Resample::Up),
            _ => ((at(k / 2 + 1), at(k / 2 + 1)), Resample::Keep),
        };
        let (groups, inputs) = (config.groups, channels.0);
        let (conv, (cluster, gate, tmpr, bases)) =
            StyledConv::new(b, channels, config, (resample, device), |b| {
                let cluster = b.param("cluster", [groups, inputs], Init::Normal(1.0));
                let gate = b.param("gate", [1], Init::Constant(-1.0));
                let tmpr = b.param("tmpr", [1], Init::Constant(-2.0));
                let bases = b
                    .at("modulation_bases", |b| EqualLinear::new(b, config.style_dim, groups, 1.0));
                (cluster, gate, tmpr, bases)
            });
        Self { conv, cluster, gate, tmpr, bases }
    }

    /// The groups of the input channels, from the similarity of the kernels that make them.
    pub fn grouping(&self, co: &Tensor) -> Grouping {
        Grouping::new(&self.cluster.get(), &self.gate.get(), &self.tmpr.get(), co)
    }

    /// Similarity of this layer's own kernels.
    pub fn similarity(&self) -> Tensor {
        similarity(&self.conv.weight.get())
    }

    /// x `[B, I, H, W]`, w `[B, 2 S]`, noise `[B or 1, 1, H', W']` to `[B, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, w: &Tensor, noise: &Tensor, grouping: &Grouping) -> Tensor {
        self.styled(x, &Style::split(w), noise, grouping)
    }

    fn styled(&self, x: &Tensor, style: &Style, noise: &Tensor, grouping: &Grouping) -> Tensor {
        let intra = self.conv.modulation.forward(&style.intra);
        let inter = self.bases.forward(&style.inter);
        self.conv.forward(x, &grouping.style(&intra, &inter, 1e-12), noise)
    }
}

/// The first layer: no groups.
pub struct InitStyledConv(StyledConv);

impl InitStyledConv {
    /// The layer at 4x4.
    pub fn new(b: &mut Builder, channels: usize, config: &Config, device: &Device) -> Self {
        let keep = (Resample::Keep, device);
        Self(StyledConv::new(b, (channels, channels), config, keep, |_| ()).0)
    }

    /// Similarity of this layer's kernels.
    pub fn similarity(&self) -> Tensor {
        similarity(&self.0.weight.get())
    }

    /// As [`GroupStyledConv::forward`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, w: &Tensor, noise: &Tensor) -> Tensor {
        self.styled(x, &Style::split(w), noise)
    }

    fn styled(&self, x: &Tensor, style: &Style, noise: &Tensor) -> Tensor {
        self.0.forward(x, &self.0.modulation.forward(&style.intra), noise)
    }
}

/// 1x1 modulated convolution to RGB, plus bias, plus the smaller picture doubled.
pub struct ToRgb {
    bias: Param,   // [1, 3, 1, 1]
    weight: Param, // [1, 3, I, 1, 1]
    modulation: EqualLinear,
    kernel: Tensor,
}

impl ToRgb {
    /// On a layer of `inputs` channels.
    pub fn new(b: &mut Builder, inputs: usize, config: &Config, device: &Device) -> Self {
        let bias = b.param("bias", [1, 3, 1, 1], Init::Constant(0.0));
        b.at("conv", |b| Self {
            bias,
            weight: b.param("weight", [1, 3, inputs, 1, 1], Init::Normal(1.0)),
            modulation: b.at("modulation", |b| EqualLinear::new(b, config.style_dim, inputs, 1.0)),
            kernel: blur_kernel(&config.blur_kernel, 4.0, device),
        })
    }

    /// x `[B, I, H, W]`, w `[B, 2 S]`, skip `[B, 3, H/2, W/2]` to `[B, 3, H, W]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, w: &Tensor, skip: Option<&Tensor>) -> Tensor {
        self.styled(x, &Style::split(w), skip)
    }

    fn styled(&self, x: &Tensor, style: &Style, skip: Option<&Tensor>) -> Tensor {
        let (weight, scale) = (self.weight.get(), self.modulation.forward(&style.intra));
        let weight = weight.reshape(&weight.shape()[1..]);
        let rgb = modulated_conv2d(x, &weight, &scale, None, Resample::Keep, &self.kernel).y;
        let Some(skip) = skip else { return rgb + self.bias.get() };
        let taps = self.kernel.size(0) as isize;
        let pad = ((taps - 1).div_euclid(2) + 1, (taps - 2).div_euclid(2));
        let skip = skip.upfirdn2d(&self.kernel, &Upfirdn2d::doubled(pad));
        let [a, b, c] = Expr::inputs();
        pointwise(&[&rgb, &self.bias.get(), &skip], &(a + b + c))
    }
}

/// Latent to style: pixel norm, then fully connected layers, the last of which doubles the width.
pub struct Mapping {
    style: Vec<EqualLinear>,
    final_style: EqualLinear,
}

impl Mapping {
    /// Registers `style.1` and on, and `final_style`.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let s = config.style_dim;
        let linear = |b: &mut Builder, name: &str, outputs| {
            b.at(name, |b| EqualLinear::activated(b, s, outputs, config.lr_mlp))
        };
        let style = (1..config.n_mlp).map(|k| linear(b, &format!("style.{k}"), s)).collect();
        Self { style, final_style: linear(b, "final_style", 2 * s) }
    }

    /// z `[B, S]` to the hidden style `[B, S]` and the final style w `[B, 2 S]`.
    ///
    /// # Panics
    /// When z has another width.
    #[track_caller]
    pub fn forward(&self, z: &Tensor) -> (Tensor, Tensor) {
        let style = self.style.iter().fold(z.pixel_norm(1, 1e-8), |x, layer| layer.forward(&x));
        let w = self.final_style.forward(&style);
        (style, w)
    }
}

/// Latent to picture.
pub struct Generator {
    config: Config,
    /// Latent to style.
    pub mapping: Mapping,
    input: Param, // [1, C, 4, 4]
    conv1: InitStyledConv,
    to_rgb1: ToRgb,
    /// Two layers per resolution from 8 on, the first of which doubles it.
    pub convs: Vec<GroupStyledConv>,
    to_rgbs: Vec<ToRgb>,
    noises: Vec<Param>,
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let mapping = Mapping::new(config, b);
        let first = config.channels[&4];
        let input = b.at("input", |b| b.param("input", [1, first, 4, 4], Init::Normal(1.0)));
        let conv1 = b.at("conv1", |b| InitStyledConv::new(b, first, config, device));
        let to_rgb1 = b.at("to_rgb1", |b| ToRgb::new(b, first, config, device));
        let (mut convs, mut to_rgbs) = (Vec::new(), Vec::new());
        for (j, pair) in config.levels().windows(2).enumerate() {
            for k in [2 * j, 2 * j + 1] {
                convs.push(
                    b.at(&format!("convs.{k}"), |b| GroupStyledConv::new(b, k, config, device)),
                );
            }
            let channels = config.channels[&pair[1]];
            to_rgbs
                .push(b.at(&format!("to_rgbs.{j}"), |b| ToRgb::new(b, channels, config, device)));
        }
        let noise = |k| {
            let r = config.noise_size(k);
            b.buffer(&format!("noises.noise_{k}"), [1, 1, r, r], Init::Normal(1.0))
        };
        let noises = (0..config.n_noises()).map(noise).collect();
        Self { config: config.clone(), mapping, input, conv1, to_rgb1, convs, to_rgbs, noises }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network's own noise planes, `[1, 1, r, r]` each.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.noises.iter().map(Param::get).collect()
    }

    /// mean + psi (w − mean): the truncation trick, toward the mean final style `[1, 2 S]`.
    pub fn truncate(&self, w: &Tensor, mean: &Tensor, psi: f64) -> Tensor {
        w.zip(mean, |w, mean| mean.clone() + psi * (w - mean))
    }

    /// The groups of every layer of `convs`; they depend on the weights alone.
    pub fn groupings(&self) -> Vec<Grouping> {
        let mut co = self.conv1.similarity();
        let mut of = |layer: &GroupStyledConv| {
            let grouping = layer.grouping(&co);
            co = layer.similarity();
            grouping
        };
        self.convs.iter().map(&mut of).collect()
    }

    /// One style per layer (`n_latents`, `[B, 2 S]` each) and one noise plane per layer
    /// (`n_noises`, `[B or 1, 1, r, r]`) to a picture `[B, 3, size, size]`.
    ///
    /// # Panics
    /// When there are not as many.
    #[track_caller]
    pub fn synthesis(&self, latents: &[Tensor], noise: &[Tensor], groups: &[Grouping]) -> Tensor {
        self.synthesis_with(latents, noise, groups, |_, _| ())
    }

    /// [`Generator::synthesis`] that shows each layer's output under the layer's key.
    ///
    /// # Panics
    /// When there are not as many latents, noise planes or groupings as layers.
    #[track_caller]
    pub fn synthesis_with(
        &self,
        latents: &[Tensor],
        noise: &[Tensor],
        groups: &[Grouping],
        mut seen: impl FnMut(&str, &Tensor),
    ) -> Tensor {
        let expected = (self.config.n_latents(), self.config.n_noises(), self.convs.len());
        let given = (latents.len(), noise.len(), groups.len());
        assert_eq!(given, expected, "synthesis: latents, noise planes, groupings");
        let styles = Style::split_all(latents);
        let input = self.input.get();
        let batch = latents[0].size(0);
        let input = input.expand(input.shape().with(0, batch));
        let mut x = self.conv1.styled(&input, &styles[0], &noise[0]);
        seen("conv1", &x);
        let mut rgb = self.to_rgb1.styled(&x, &styles[1], None);
        seen("to_rgb1", &rgb);
        for (j, to_rgb) in self.to_rgbs.iter().enumerate() {
            for k in [2 * j, 2 * j + 1] {
                x = self.convs[k].styled(&x, &styles[k + 1], &noise[k + 1], &groups[k]);
                seen(&format!("convs.{k}"), &x);
            }
            rgb = to_rgb.styled(&x, &styles[2 * j + 3], Some(&rgb));
            seen(&format!("to_rgbs.{j}"), &rgb);
        }
        rgb
    }
}

/// A convolution of the discriminator, with the bias and the activation behind it where it has them.
struct ConvLayer {
    weight: Param, // [O, I, k, k]
    bias: Option<Param>,
    resample: Resample,
    kernel: Tensor,
}

impl ConvLayer {
    /// Published keys count the parts of the layer: blur (where it halves), convolution, bias.
    fn new(
        b: &mut Builder,
        [inputs, outputs, k]: [usize; 3],
        (resample, activate): (Resample, bool),
        (config, device): (&Config, &Device),
    ) -> Self {
        let first = usize::from(resample == Resample::Down);
        let weight = b.at(&first.to_string(), |b| {
            b.param("weight", [outputs, inputs, k, k], Init::Normal(1.0))
        });
        let bias = activate.then(|| {
            b.at(&(first + 1).to_string(), |b| b.param("bias", [outputs], Init::Constant(0.0)))
        });
        Self { weight, bias, resample, kernel: blur_kernel(&config.blur_kernel, 1.0, device) }
    }

    /// The convolution alone, without the equalised scale.
    fn convolve(&self, x: &Tensor) -> Tensor {
        resampled_conv2d(x, &self.weight.get(), self.resample, &self.kernel)
    }

    fn scale(&self) -> f64 {
        let inputs: usize = self.weight.shape()[1..].iter().product();
        1.0 / (inputs as f64).sqrt()
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().expect("an activated layer").get();
        bias_act(&self.convolve(x), self.scale(), &bias, 0.2, 2f64.sqrt())
    }
}

/// 3x3, 3x3 that halves, and a 1x1 skip; the sum divided by √2.
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
            conv1: layer(b, "conv1", [i, i, 3], (Resample::Keep, true)),
            conv2: layer(b, "conv2", [i, o, 3], (Resample::Down, true)),
            skip: layer(b, "skip", [i, o, 1], (Resample::Down, false)),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.conv2.forward(&self.conv1.forward(x));
        let scale = self.skip.scale();
        y.zip(&self.skip.convolve(x), |y, skip| (y + skip * scale) * 0.5f64.sqrt())
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
        let (built, keep) = ((config, device), (Resample::Keep, true));
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
        let final_info_linear =
            b.at("final_info_linear", |b| EqualLinear::new(b, last, 1 + 2 * last, 0.0));
        let config = config.clone();
        Self { config, from_rgb, blocks, final_conv, final_linear, final_info_linear }
    }

    /// `[B, 3, size, size]`.
    ///
    /// # Panics
    /// When the pictures have another size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Judgement {
        let x = self.blocks.iter().fold(self.from_rgb.forward(x), |x, block| block.forward(&x));
        let x = x.minibatch_stddev(self.config.stddev_group, 1, 1e-8);
        let x = self.final_conv.forward(&x);
        let x = x.reshape([x.size(0), x.numel() / x.size(0)]);
        let y = self.final_info_linear.forward(&self.final_linear.forward(&x));
        let (n, outputs) = (y.size(0), y.size(1));
        Judgement { pred: y.narrow(1, 0, 1).reshape([n]), info: y.narrow(1, 1, outputs - 1) }
    }
}
