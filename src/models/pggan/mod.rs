//! PGGAN: "Progressive Growing of GANs for Improved Quality, Stability, and Variation" (Karras et
//! al., ICLR 2018), with the keys of GenForce's published files.
//!
//! | here | paper |
//! | --- | --- |
//! | [`grow`], [`Critic::forward`] | figures 1 and 2: networks that grow, and fade what is new in |
//! | [`NormedConv`], [`Generator`] | table 2, left, and pixel norm (section 4.2) |
//! | [`CriticConv`], [`Critic`], [`Discriminator`] | table 2, right, and minibatch deviation (section 3) |
//!
//! Level of detail `lod` counts halvings: 0 is the full resolution, and between whole levels the
//! picture of the higher one fades in. N batch, C channels. Weights are scaled at run time
//! (section 4.1).

mod discriminator;
mod generator;

use serde::{Deserialize, Serialize};

pub use discriminator::{Critic, CriticConv, CriticForm, Discriminator, Halving};
pub use generator::{Generator, NormedConv, Sampling, Synthesis, grow};

use crate::models::Sizes;
use crate::nn::{Param, fused_scale_weight};
use crate::ops::conv::Conv2d;
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Added to squares before a root is taken.
pub(super) const EPS: f64 = 1e-8;

/// Whether a layer that changes the resolution does so in its convolution.
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

impl FusedScale {
    /// Whether it is so where the higher resolution is this one.
    pub fn is_at(self, resolution: usize) -> bool {
        match self {
            Self::All(is_fused) => is_fused,
            Self::Auto(_) => resolution >= 128,
        }
    }
}

/// Sizes of the two networks. What a file leaves out is as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Side of the picture that starts from 4x4, a power of two from 8.
    pub resolution: usize,
    /// Height and width that the picture starts from.
    pub base: [usize; 2],
    /// Width of a latent.
    pub z_space_dim: usize,
    /// Classes; 0 without.
    pub label_size: usize,
    /// 3 for colours.
    pub image_channels: usize,
    /// Whether the picture goes through tanh.
    pub final_tanh: bool,
    /// How the resolution is changed.
    pub fused_scale: FusedScale,
    /// Samples that share a minibatch deviation; up to 1 there is none.
    pub minibatch_std_group_size: usize,
    /// Channels at resolution R: `fmaps_base / R`, at most `fmaps_max`.
    pub fmaps_base: usize,
    /// Most channels.
    pub fmaps_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resolution: 1024,
            base: [4, 4],
            z_space_dim: 512,
            label_size: 0,
            image_channels: 3,
            final_tanh: false,
            fused_scale: FusedScale::All(false),
            minibatch_std_group_size: 16,
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

    /// What goes into the generator, and what comes out.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            latent: self.z_space_dim,
            style: None,
            layers: 1,
            noise: Vec::new(),
            picture: self.base.map(|side| side * self.resolution / 4),
            classes: self.label_size,
            parts: 0,
        }
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.z_space_dim, self.image_channels, self.fmaps_base, self.fmaps_max];
        check_sizes(self.resolution, self.base, sizes)
    }
}

/// Refuses sizes that no growing network can have; the last are widths of latent and picture,
/// `fmaps_base` and `fmaps_max`.
pub(super) fn check_sizes(
    resolution: usize,
    base: [usize; 2],
    [latent, image, fmaps_base, fmaps_max]: [usize; 4],
) -> Result<()> {
    let refuse = |field: &str, reason: String| Err(Error::config(field, reason));
    if !resolution.is_power_of_two() || !(8..=1024).contains(&resolution) {
        return refuse("resolution", format!("{resolution} is not a power of two from 8 to 1024"));
    }
    if let Some(side) = base.iter().find(|side| !(1..=16).contains(*side)) {
        return refuse("base", format!("{side} is not from 1 to 16"));
    }
    let widths = [("z_space_dim", latent), ("image_channels", image), ("fmaps_max", fmaps_max)];
    if let Some((field, _)) = widths.iter().find(|(_, width)| *width == 0) {
        return refuse(field, "0 is not above 0".into());
    }
    if fmaps_base < resolution {
        let reason = format!("{fmaps_base} leaves no channels at {resolution}x{resolution}");
        return refuse("fmaps_base", reason);
    }
    Ok(())
}

/// Resolutions from 4 on.
pub(crate) fn blocks(resolution: usize) -> impl DoubleEndedIterator<Item = usize> {
    (2..=resolution.ilog2()).map(|k| 1 << k)
}

/// A stored weight over `inputs` channels at run time: times gain / √(k² inputs).
pub(super) fn equalised(weight: &Param, inputs: usize, gain: f64) -> Tensor {
    let taps: usize = weight.shape()[2..].iter().product();
    weight.get() * (gain / ((inputs * taps) as f64).sqrt())
}

pub(super) fn doubled(x: &Tensor) -> Tensor {
    x.resize([2 * x.size(2), 2 * x.size(3)], Resize::Nearest)
}

/// Stride and padding of a convolution that changes the resolution.
pub(super) fn fused_conv() -> Conv2d {
    Conv2d { padding: [1, 1], ..Conv2d::strided(2) }
}

/// Convolution of the doubled x with a weight `[O, I, 3, 3]`; `is_fused` does both at once.
pub(super) fn doubled_conv2d(x: &Tensor, weight: &Tensor, is_fused: bool) -> Tensor {
    if is_fused {
        let weight = fused_scale_weight(weight).transpose(0, 1);
        return x.conv_transpose2d(&weight, &fused_conv(), [0, 0]);
    }
    doubled(x).conv2d(weight, &Conv2d::padded(weight.size(2) / 2))
}
