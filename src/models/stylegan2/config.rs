//! Sizes and forms of the two networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::Sizes;
use crate::{Error, Result};

/// How pictures of several resolutions enter or leave a network. Figure 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Only at the full resolution.
    Origin,
    /// At every resolution: a generator sums the pictures up, a discriminator reads each.
    Skip,
    /// At the full resolution, with a second path around each block.
    #[serde(rename = "resnet")]
    Residual,
}

/// Sizes of the two networks. What a file leaves out is that of configuration f.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Side of the picture that starts from 4x4, a power of two from 8.
    pub size: usize,
    /// Height and width that the picture starts from, up to 16.
    pub base: [usize; 2],
    /// 3 for colours.
    pub image_channels: usize,
    /// Width S of a style.
    pub style_dim: usize,
    /// Width of a latent, where it is not S.
    pub latent_dim: Option<usize>,
    /// Mapping layers.
    pub n_mlp: usize,
    /// Width of the mapping's hidden layers, where it is not S.
    pub mlp_width: Option<usize>,
    /// Learning-rate multiplier of the mapping network.
    pub lr_mlp: f64,
    /// Whether the mapping makes a style for each layer; otherwise all share one.
    pub own_styles: bool,
    /// Classes; 0 without.
    pub classes: usize,
    /// Where classes enter as in StyleGAN2-ADA, layers of the mapping behind the discriminator's
    /// embedding, with which what it read is multiplied. Labels are then normalised apart from the
    /// latent. Without, as in GenForce: both are normalised together, and each class has a score.
    pub projection: Option<usize>,
    /// Channels at each resolution from 4 to `size`.
    pub channels: BTreeMap<usize, usize>,
    /// Whether styled convolutions normalise what the style scaled.
    pub demodulate: bool,
    /// Added to the scales that a style gives: 1 where the biases that make them leave it out, as
    /// GenForce's do.
    pub modulation_offset: f64,
    /// Taps of the resampling filter.
    pub blur_kernel: Vec<f64>,
    /// How the generator makes its picture; residual ones do not exist.
    pub generator: Architecture,
    /// Whether the picture goes through tanh.
    pub final_tanh: bool,
    /// How the discriminator reads its picture.
    pub discriminator: Architecture,
    /// Width of its hidden dense layer, where it is not the channels at 4.
    pub score_width: Option<usize>,
    /// Samples that share a minibatch deviation.
    pub stddev_group: usize,
    /// Maps of minibatch deviation; 0 for none.
    pub stddev_maps: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::f(1024)
    }
}

/// The published table of channels from 4 to `size`, where `multiplier` widens the layers from
/// 64x64 on.
pub fn channels(size: usize, multiplier: usize) -> BTreeMap<usize, usize> {
    let at = |r: usize| (r, (16_384 * multiplier / r).min(512));
    (2..=size.ilog2()).map(|k| at(1 << k)).collect()
}

impl Config {
    /// Configuration e: everything but the large networks.
    pub fn e(size: usize) -> Self {
        Self { channels: channels(size, 1), ..Self::f(size) }
    }

    /// Configuration f.
    pub fn f(size: usize) -> Self {
        Self {
            size,
            base: [4, 4],
            image_channels: 3,
            style_dim: 512,
            latent_dim: None,
            n_mlp: 8,
            mlp_width: None,
            lr_mlp: 0.01,
            own_styles: false,
            classes: 0,
            projection: None,
            channels: channels(size, 2),
            demodulate: true,
            modulation_offset: 0.0,
            blur_kernel: vec![1.0, 3.0, 3.0, 1.0],
            generator: Architecture::Skip,
            final_tanh: false,
            discriminator: Architecture::Residual,
            score_width: None,
            stddev_group: 4,
            stddev_maps: 1,
        }
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        let refuse = |field: &str, reason: &str| Err(Error::config(field, reason));
        let size = self.size;
        if !size.is_power_of_two() || !(8..=1024).contains(&size) {
            return refuse("size", &format!("{size} is not a power of two from 8 to 1024"));
        }
        let sizes = [
            ("style_dim", self.style_dim),
            ("image_channels", self.image_channels),
            ("stddev_group", self.stddev_group),
        ];
        let widths = [
            ("latent_dim", self.latent_dim),
            ("mlp_width", self.mlp_width),
            ("score_width", self.score_width),
        ];
        let widths = widths.into_iter().filter_map(|(field, width)| Some((field, width?)));
        for (field, value) in sizes.into_iter().chain(widths) {
            if value == 0 {
                return refuse(field, "0 is not above 0");
            }
        }
        if let Some(side) = self.base.iter().find(|side| !(1..=16).contains(*side)) {
            return refuse("base", &format!("{side} is not from 1 to 16"));
        }
        for level in (2..=size.ilog2()).map(|k| 1 << k) {
            if self.channels.get(&level).is_none_or(|&c| c == 0) {
                return refuse("channels", &format!("there are none for {level}x{level}"));
            }
        }
        if self.generator == Architecture::Residual {
            return refuse("generator", "no file of a residual one was ever published");
        }
        if !self.modulation_offset.is_finite() {
            return refuse("modulation_offset", "is not a finite number");
        }
        let sum: f64 = self.blur_kernel.iter().sum();
        if sum <= 0.0 || sum.is_nan() {
            return refuse("blur_kernel", "its sum is not above 0");
        }
        Ok(())
    }

    /// What goes into the generator, and what comes out.
    pub fn sizes(&self) -> Sizes {
        let noise = |k| {
            let [h, w] = self.noise_size(k);
            [1, h, w]
        };
        let own = if self.own_styles { self.n_latents() } else { 1 };
        Sizes {
            latent: self.latent_dim.unwrap_or(self.style_dim),
            style: Some(own * self.style_dim),
            layers: self.n_latents(),
            noise: (0..self.n_noises()).map(noise).collect(),
            picture: self.picture_size(),
            classes: self.classes,
            parts: 0,
        }
    }

    /// Styles that the generator takes: one per layer that has one.
    pub fn n_latents(&self) -> usize {
        2 * self.size.ilog2() as usize - 2
    }

    /// Layers that take noise: one at the base, then two per resolution.
    pub fn n_noises(&self) -> usize {
        2 * self.size.ilog2() as usize - 3
    }

    /// Height and width of the noise plane of layer k.
    pub fn noise_size(&self, k: usize) -> [usize; 2] {
        self.sides(1 << k.div_ceil(2))
    }

    /// Height and width of the picture.
    pub fn picture_size(&self) -> [usize; 2] {
        self.sides(self.size / 4)
    }

    /// Height and width after doubling the base up to `times`.
    fn sides(&self, times: usize) -> [usize; 2] {
        self.base.map(|side| side * times)
    }

    /// Numbers in a plane of the base.
    pub(crate) fn base_area(&self) -> usize {
        self.base.iter().product()
    }

    /// Resolutions from 4 on.
    pub(crate) fn levels(&self) -> Vec<usize> {
        self.channels.keys().copied().filter(|&r| r <= self.size).collect()
    }
}
