//! Latent to picture: StyleGAN2's skip generator with grouped layers.

use super::{
    Config, Form, Grouping, Normalization, PlaneMoments, Rule, similarity, target, threshold,
};
use crate::device::Device;
use crate::models::stylegan2::{self, EPS, ModulatedConv, StyledConv, ToRgb, noise_buffers};
use crate::nn::{Builder, EqualLinear, Init, Modulated, Param, Resample, resampled_conv2d};
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// Both halves of a style `[B, 2 S]`.
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

/// What a grouped layer makes of a style. The feature form has scales, then as many shifts.
#[derive(Clone, Debug)]
pub struct Codes {
    /// Of groups, `[B, g]` or `[B, 2 g]`.
    pub inter: Tensor,
    /// Of the input channels, `[B, I]` or `[B, 2 I]`.
    pub intra: Tensor,
}

impl Codes {
    /// These moved toward `other`, 0 not at all and 1 all the way, by a weight per group `[1, g]`
    /// and one per channel `[1, I]`. Scales and shifts of the feature form move together.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn lerp(&self, other: &Self, inter: &Tensor, intra: &Tensor) -> Self {
        let lerp = |own: &Tensor, other: &Tensor, weight: &Tensor| {
            let weight = weight.repeat(&[1, own.size(1) / weight.size(1)]);
            // Not own + t (other − own): this way both ends are exact.
            let [own_k, other_k, t] = Expr::inputs();
            let moved = (1.0 - t.clone()) * own_k + t * other_k;
            pointwise(&[own, other, &weight], &moved)
        };
        Self {
            inter: lerp(&self.inter, &other.inter, inter),
            intra: lerp(&self.intra, &other.intra, intra),
        }
    }
}

/// Half a style to `n` scales, which start at 1, and in the feature form `n` shifts, from 0.
fn code(b: &mut Builder, style_dim: usize, n: usize, form: Form) -> EqualLinear {
    match form {
        Form::Weight => EqualLinear::new(b, style_dim, n, Init::Constant(1.0)),
        Form::Feature => EqualLinear::new(b, style_dim, 2 * n, Init::Halves(1.0, 0.0)),
    }
}

/// What makes the codes of a grouped layer, and how its input channels fall into groups.
struct Coding {
    cluster: Param, // [g, I]
    gate: Param,    // [1]
    tmpr: Param,    // [1]
    bases: EqualLinear,
    modulation: EqualLinear,
}

impl Coding {
    fn new(b: &mut Builder, inputs: usize, groups: usize, config: &Config) -> Self {
        let code = |b: &mut Builder, n| code(b, config.style_dim, n, config.form);
        let cluster = b.param("cluster", [groups, inputs], Init::Normal(1.0));
        // The paper's threshold is not learned: it is stored.
        let (gate, tmpr) = match config.rule {
            Rule::Official => (
                b.param("gate", [1], Init::Constant(-1.0)),
                b.param("tmpr", [1], Init::Constant(-2.0)),
            ),
            Rule::Paper => (
                b.buffer("gate", [1], Init::Constant(0.0)),
                b.param("tmpr", [1], Init::Constant(0.0)),
            ),
        };
        let bases = b.at("modulation_bases", |b| code(b, groups));
        let modulation = b.at("modulation", |b| code(b, inputs));
        Self { cluster, gate, tmpr, bases, modulation }
    }
}

/// A styled convolution whose input channels are modulated by group.
pub struct GroupStyledConv {
    layer: StyledConv<Coding>,
    rule: Rule,
    form: Form,
}

impl GroupStyledConv {
    /// Layer k of `convs`: an even one doubles the resolution.
    pub fn new(b: &mut Builder, k: usize, config: &Config, device: &Device) -> Self {
        let at = |size: usize| config.channels[&size];
        let (size, rule, form) = (config.layer_size(k), config.rule, config.form);
        let (inputs, resample) = match k % 2 {
            0 => (at(size / 2), Resample::Up),
            _ => (at(size), Resample::Keep),
        };
        let (sizes, how) = ([inputs, at(size), 3], (resample, true));
        let conv = ModulatedConv::with(b, sizes, how, (&config.stylegan2(), device), |b| {
            Coding::new(b, inputs, config.layer_groups(k), config)
        });
        Self { layer: StyledConv::behind(b, at(size), conv), rule, form }
    }

    fn coding(&self) -> &Coding {
        &self.layer.conv.modulation
    }

    /// The groups of the input channels.
    pub fn grouping(&self) -> Grouping {
        let (rule, Coding { cluster, tmpr, .. }) = (self.rule, self.coding());
        let probs = cluster.derived("probs", |x| Grouping::shares(rule, x, &tmpr.get()));
        let assigned = cluster.derived("assigned", |x| Grouping::assignment(rule, x, &probs));
        Grouping { probs, assigned, rule }
    }

    /// Which input channels belong together, from the similarity of the kernels that make them.
    pub fn target(&self, co: &Tensor) -> Tensor {
        target(self.rule, &self.coding().gate.get(), co)
    }

    /// Moves the paper's threshold to the quantile of the similarities as they are now.
    pub(super) fn refresh_threshold(&self, co: &Tensor) {
        self.coding().gate.assign(&threshold(co, self.coding().cluster.shape()[0]));
    }

    /// Similarity of this layer's own kernels.
    pub fn similarity(&self) -> Tensor {
        similarity(&self.layer.conv.stored())
    }

    /// The codes that this layer makes of a style w `[B, 2 S]`.
    ///
    /// # Panics
    /// When the style has another width.
    #[track_caller]
    pub fn codes(&self, w: &Tensor) -> Codes {
        self.codes_of(&Style::split(w))
    }

    fn codes_of(&self, style: &Style) -> Codes {
        let intra = self.coding().modulation.forward(&style.intra);
        Codes { inter: self.coding().bases.forward(&style.inter), intra }
    }

    /// The features were scaled: weights are only equalised, which the normalisation carries.
    fn normalized(&self, x: &Tensor, normalization: &Normalization) -> Modulated {
        let weight = self.layer.conv.weight();
        let fan_in = weight.numel() / weight.size(0);
        let x = normalization.times(1.0 / (fan_in as f64).sqrt()).apply(x);
        let (resample, kernel) = self.layer.conv.resampling();
        Modulated { y: resampled_conv2d(&x, &weight, resample, kernel), demodulation: None }
    }

    /// x `[B, I, H, W]`, noise `[B or 1, 1, H', W']` to `[B, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, codes: &Codes, noise: &Tensor, groups: &Grouping) -> Tensor {
        match self.form {
            Form::Weight => {
                // Equation 6: the style scales the weights.
                self.layer.scaled(x, &groups.style(&codes.intra, &codes.inter, 1e-12), noise)
            }
            Form::Feature => {
                let moments = PlaneMoments::of(x);
                let ([z_s, z_b], [h_s, h_b]) = (codes.intra.chunk(1), codes.inter.chunk(1));
                let inside = Normalization::group_adain(&moments, &z_s, &z_b, EPS);
                let left = inside.moments(&moments);
                let among = Normalization::ada_gn(&left, &groups.members(), &h_s, &h_b, EPS);
                self.layer.activate(&self.normalized(x, &inside.then(&among)), noise)
            }
        }
    }
}

/// Latent to style: StyleGAN2's mapping, and a last layer that doubles the width.
pub struct Mapping {
    style: stylegan2::Mapping,
    final_style: EqualLinear,
}

impl Mapping {
    /// Registers `style.1` and on, and `final_style`.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let s = config.style_dim;
        let style = stylegan2::Mapping::new(&config.stylegan2(), b);
        let last = |b: &mut Builder| EqualLinear::activated(b, s, 2 * s, config.lr_mlp);
        Self { style, final_style: b.at("final_style", last) }
    }

    /// z `[B, S]` to the hidden style `[B, S]` and the final style w `[B, 2 S]`.
    ///
    /// # Panics
    /// When z has another width.
    #[track_caller]
    pub fn forward(&self, z: &Tensor) -> (Tensor, Tensor) {
        let style = self.style.forward(z, None);
        let w = self.final_style.forward(&style);
        (style, w)
    }
}

/// What all layers of a generator read for a batch of pictures.
#[derive(Clone, Debug)]
pub struct LayerCodes {
    /// Second half of each layer's style, `[B, S]`: what the ungrouped layers are modulated with.
    pub intra: Vec<Tensor>,
    /// Codes of each layer of `convs`.
    pub grouped: Vec<Codes>,
}

/// Latent to picture.
pub struct Generator {
    config: Config,
    /// Latent to style.
    pub mapping: Mapping,
    input: Param,      // [1, C, h, w]
    conv1: StyledConv, // without groups
    to_rgb1: ToRgb,
    /// Two layers per resolution from 8 on, the first of which doubles it.
    pub convs: Vec<GroupStyledConv>,
    to_rgbs: Vec<ToRgb>,
    noises: Vec<Param>,
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let base = &config.stylegan2();
        let built = (base, device);
        let mapping = Mapping::new(config, b);
        let (first, [h, w]) = (config.channels[&4], config.base);
        let input = b.at("input", |b| b.param("input", [1, first, h, w], Init::Normal(1.0)));
        let conv1 = b.at("conv1", |b| StyledConv::new(b, 0, built));
        let to_rgb1 = b.at("to_rgb1", |b| ToRgb::new(b, first, built));
        let (mut convs, mut to_rgbs) = (Vec::new(), Vec::new());
        for (j, level) in base.levels().into_iter().skip(1).enumerate() {
            for k in [2 * j, 2 * j + 1] {
                convs.push(
                    b.at(&format!("convs.{k}"), |b| GroupStyledConv::new(b, k, config, device)),
                );
            }
            let channels = config.channels[&level];
            to_rgbs.push(b.at(&format!("to_rgbs.{j}"), |b| ToRgb::new(b, channels, built)));
        }
        let noises = noise_buffers(base, b);
        Self { config: config.clone(), mapping, input, conv1, to_rgb1, convs, to_rgbs, noises }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network's own noise planes, `[1, 1, r, r']` each.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.noises.iter().map(Param::get).collect()
    }

    /// The groups of every layer of `convs`; they depend on the weights alone.
    pub fn groupings(&self) -> Vec<Grouping> {
        self.convs.iter().map(GroupStyledConv::grouping).collect()
    }

    /// Which channels belong together in every layer of `convs`; they depend on the weights alone.
    pub fn targets(&self) -> Vec<Tensor> {
        self.each_similarity().map(|(layer, co)| layer.target(&co)).collect()
    }

    /// Similarity `[I, I]` of the channels that each layer of `convs` groups.
    pub fn similarities(&self) -> Vec<Tensor> {
        self.each_similarity().map(|(_, co)| co).collect()
    }

    /// Key of the layer whose output layer k of `convs` reads, and groups.
    pub fn input_key(k: usize) -> String {
        k.checked_sub(1).map_or("conv1".into(), |k| format!("convs.{k}"))
    }

    /// Every grouped layer with the similarity of the kernels that make its input.
    pub(super) fn each_similarity(&self) -> impl Iterator<Item = (&GroupStyledConv, Tensor)> {
        let first = std::iter::once(self.conv1.conv.stored());
        let makers = first.chain(self.convs.iter().map(|layer| layer.layer.conv.stored()));
        self.convs.iter().zip(makers).map(|(layer, weight)| (layer, similarity(&weight)))
    }

    /// What all layers make of one style each (`n_latents`, `[B, 2 S]`).
    ///
    /// # Panics
    /// When there are not as many.
    #[track_caller]
    pub fn codes(&self, latents: &[Tensor]) -> LayerCodes {
        assert_eq!(latents.len(), self.config.n_latents(), "codes: one style per layer");
        let styles = Style::split_all(latents);
        let grouped = self.convs.iter().zip(&styles[1..]).map(|(layer, s)| layer.codes_of(s));
        let grouped = grouped.collect();
        LayerCodes { intra: styles.into_iter().map(|s| s.intra).collect(), grouped }
    }

    /// One style per layer (`n_latents`, `[B, 2 S]` each) and one noise plane per layer
    /// (`n_noises`, `[B or 1, 1, r, r']`) to a picture `[B, 3, H, W]`.
    ///
    /// # Panics
    /// When there are not as many.
    #[track_caller]
    pub fn synthesis(&self, latents: &[Tensor], noise: &[Tensor], groups: &[Grouping]) -> Tensor {
        self.synthesis_with(&self.codes(latents), noise, groups, |_, _| ())
    }

    /// [`Generator::synthesis`] from codes, showing each layer's output under the layer's key.
    ///
    /// # Panics
    /// When there are not as many codes, noise planes or groupings as layers.
    #[track_caller]
    pub fn synthesis_with(
        &self,
        codes: &LayerCodes,
        noise: &[Tensor],
        groups: &[Grouping],
        mut seen: impl FnMut(&str, &Tensor),
    ) -> Tensor {
        let expected = (self.convs.len(), self.config.n_noises(), self.convs.len());
        let given = (codes.grouped.len(), noise.len(), groups.len());
        assert_eq!(given, expected, "synthesis: codes, noise planes, groupings");
        let input = self.input.get();
        let mut x = self.conv1.forward(&input, &codes.intra[0], &noise[0]);
        seen("conv1", &x);
        let mut rgb = self.to_rgb1.forward(&x, &codes.intra[1], None);
        seen("to_rgb1", &rgb);
        for (j, to_rgb) in self.to_rgbs.iter().enumerate() {
            for k in [2 * j, 2 * j + 1] {
                x = self.convs[k].forward(&x, &codes.grouped[k], &noise[k + 1], &groups[k]);
                seen(&format!("convs.{k}"), &x);
            }
            rgb = to_rgb.forward(&x, &codes.intra[2 * j + 3], Some(&rgb));
            seen(&format!("to_rgbs.{j}"), &rgb);
        }
        rgb
    }
}
