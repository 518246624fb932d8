//! Sizes and forms of the two networks.

use serde::{Deserialize, Serialize};

use crate::models::Sizes;
use crate::models::pggan::{Auto, FusedScale, check_sizes};
use crate::{Error, Result};

/// What the noise of a layer is shared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseType {
    /// One plane for all channels, with a strength per channel.
    Spatial,
    /// One number per channel, with a strength per pixel.
    Channel,
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
    /// How the resolution is changed.
    pub fused_scale: FusedScale,
    /// What noise is shared by.
    pub noise_type: NoiseType,
    /// Samples that share a minibatch deviation; up to 1 there is none.
    pub minibatch_std_group_size: usize,
    /// Maps of minibatch deviation.
    pub minibatch_std_channels: usize,
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
            minibatch_std_group_size: 4,
            minibatch_std_channels: 1,
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

    /// Styled layers: two per resolution.
    pub fn num_layers(&self) -> usize {
        2 * (self.resolution.ilog2() as usize - 1)
    }

    /// What goes into the generator, and what comes out.
    pub fn sizes(&self) -> Sizes {
        let noise = |k: usize| {
            let [h, w] = self.base.map(|side| side << (k / 2));
            match self.noise_type {
                NoiseType::Spatial => [1, h, w],
                NoiseType::Channel => [self.channels(4 << (k / 2)), 1, 1],
            }
        };
        Sizes {
            latent: self.z_space_dim,
            style: Some(if self.repeat_w { 1 } else { self.num_layers() } * self.w_space_dim),
            layers: self.num_layers(),
            noise: (0..self.num_layers()).map(noise).collect(),
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
        let widths = [
            ("w_space_dim", self.w_space_dim),
            ("mapping_layers", self.mapping_layers),
            ("mapping_fmaps", self.mapping_fmaps),
            ("minibatch_std_channels", self.minibatch_std_channels),
        ];
        if let Some((field, _)) = widths.iter().find(|(_, width)| *width == 0) {
            return Err(Error::config(*field, "0 is not above 0"));
        }
        let sizes = [self.z_space_dim, self.image_channels, self.fmaps_base, self.fmaps_max];
        check_sizes(self.resolution, self.base, sizes)
    }
}
