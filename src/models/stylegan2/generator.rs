//! Latent to picture.

use super::{Architecture, Config, Mapping, StyledConv, ToRgb};
use crate::device::Device;
use crate::models;
use crate::models::stylegan::per_layer;
use crate::nn::{Builder, Init, Param};
use crate::tensor::Tensor;

/// What a generator makes of one style per layer.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// `[B, 3, H, W]`
    pub image: Tensor,
    /// Output of each styled layer, `[B, C, r, r']`.
    pub features: Vec<Tensor>,
    /// Scales of each styled layer's input channels, `[B, I]`.
    pub styles: Vec<Tensor>,
    /// The sum of pictures at each resolution that has one.
    pub pictures: Vec<Tensor>,
    /// Scales of the input channels of each layer that makes a picture.
    pub picture_styles: Vec<Tensor>,
}

/// Latent to picture.
pub struct Generator {
    config: Config,
    /// Latent to style.
    pub mapping: Mapping,
    input: Param, // [1, C, h, w]
    /// One layer at the base, then two per resolution, the first of which doubles it.
    layers: Vec<StyledConv>,
    /// One per resolution, where the architecture has one there.
    to_rgbs: Vec<Option<ToRgb>>,
    noises: Vec<Param>,
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let built = (config, device);
        let mapping = Mapping::new(config, b);
        let (first, [h, w]) = (config.channels[&4], config.base);
        let input = b.at("input", |b| b.param("input", [1, first, h, w], Init::Normal(1.0)));
        let (mut layers, mut to_rgbs) = (Vec::new(), Vec::new());
        for (block, level) in config.levels().into_iter().enumerate() {
            for k in layers_of(block) {
                let key = k.checked_sub(1).map_or("conv1".into(), |k| format!("convs.{k}"));
                layers.push(b.at(&key, |b| StyledConv::new(b, k, built)));
            }
            let channels = config.channels[&level];
            let key = block.checked_sub(1).map_or("to_rgb1".into(), |j| format!("to_rgbs.{j}"));
            let has_picture = config.generator != Architecture::Origin || level == config.size;
            to_rgbs.push(has_picture.then(|| b.at(&key, |b| ToRgb::new(b, channels, built))));
        }
        let noises = noise_buffers(config, b);
        Self { config: config.clone(), mapping, input, layers, to_rgbs, noises }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network's own noise planes, `[1, 1, r, r']` each.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.noises.iter().map(Param::get).collect()
    }

    /// One style `[B, S]` per layer from what the mapping gave.
    pub fn broadcast(&self, w: &Tensor) -> Vec<Tensor> {
        per_layer(w, self.config.n_latents(), self.config.style_dim)
    }

    /// One style `[B, S]` per layer and one noise plane `[B or 1, 1, r, r']` per styled layer to a
    /// picture.
    ///
    /// # Panics
    /// When there are not as many as layers.
    #[track_caller]
    pub fn synthesis(&self, styles: &[Tensor], noise: &[Tensor]) -> Synthesis {
        let wanted = [self.config.n_latents(), self.layers.len()];
        assert_eq!([styles.len(), noise.len()], wanted, "synthesis: styles, noise planes");
        let mut x = self.input.get();
        let (mut features, mut scales) = (Vec::new(), Vec::new());
        let (mut pictures, mut picture_styles) = (Vec::new(), Vec::new());
        for (block, to_rgb) in self.to_rgbs.iter().enumerate() {
            for k in layers_of(block) {
                let scale = self.layers[k].conv.modulation.forward(&styles[k]);
                x = self.layers[k].scaled(&x, &scale, &noise[k]);
                features.push(x.clone());
                scales.push(scale);
            }
            if let Some(to_rgb) = to_rgb {
                let scale = to_rgb.conv.modulation.forward(&styles[2 * block + 1]);
                pictures.push(to_rgb.scaled(&x, &scale, pictures.last()));
                picture_styles.push(scale);
            }
        }
        let image = pictures.last().expect("a picture at the full resolution");
        let image = if self.config.final_tanh { image.tanh() } else { image.clone() };
        Synthesis { image, features, styles: scales, pictures, picture_styles }
    }
}

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
}

impl models::Synthesizer for &Generator {
    fn picture(&self, styles: &[Tensor], noise: &[Tensor], _lod: f64) -> Tensor {
        self.synthesis(styles, noise).image
    }

    fn features(&self, styles: &[Tensor], noise: &[Tensor]) -> Vec<Tensor> {
        self.synthesis(styles, noise).features
    }
}

/// Styled layers at the base and at each doubling of it.
fn layers_of(block: usize) -> std::ops::Range<usize> {
    (2 * block).saturating_sub(1)..2 * block + 1
}

/// A noise plane per styled layer, stored but not trained.
pub(crate) fn noise_buffers(config: &Config, b: &mut Builder) -> Vec<Param> {
    let plane = |k| {
        let [h, w] = config.noise_size(k);
        b.buffer(&format!("noises.noise_{k}"), [1, 1, h, w], Init::Normal(1.0))
    };
    (0..config.n_noises()).map(plane).collect()
}
