//! Sizes and forms of the two networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::stylegan2;
use crate::{Error, Result};

/// How channels fall into groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// As the published code does: learned threshold and soft step, summed loss; an empty group's
    /// codes reach every channel.
    #[default]
    Official,
    /// As the paper says: the threshold is a quantile, the step hard, the loss a mean; empty groups
    /// contribute nothing.
    Paper,
}

/// Where a grouped layer applies its codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Scales the weights and demodulates (equations 5 and 6).
    #[default]
    Weight,
    /// Normalises the features, with scale and shift (equations 3 and 4).
    Feature,
}

/// Sizes of the two networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Side of the picture that starts from 4x4, a power of two from 8.
    pub size: usize,
    /// Height and width that the picture starts from.
    #[serde(default = "Config::square")]
    pub base: [usize; 2],
    /// Width S of the latent and of each half of the style.
    pub style_dim: usize,
    /// Mapping layers, the last of which doubles the width.
    pub n_mlp: usize,
    /// Channels at each resolution from 4 to `size`; `channels[4]` equals `style_dim`.
    pub channels: BTreeMap<usize, usize>,
    /// Channel groups per grouped layer.
    pub groups: usize,
    /// Resolutions whose layers have another number of groups.
    #[serde(default)]
    pub groups_at: BTreeMap<usize, usize>,
    /// How channels fall into groups.
    #[serde(default)]
    pub rule: Rule,
    /// Where the codes are applied.
    #[serde(default)]
    pub form: Form,
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

    const fn square() -> [usize; 2] {
        [4, 4]
    }

    /// Everything else as published; the size is that of the last channels.
    pub fn with_channels(style_dim: usize, channels: BTreeMap<usize, usize>) -> Self {
        Self {
            size: channels.keys().max().copied().unwrap_or(0),
            base: Self::square(),
            style_dim,
            n_mlp: 8,
            channels,
            groups: 16,
            groups_at: BTreeMap::new(),
            rule: Rule::Official,
            form: Form::Weight,
            lr_mlp: 0.01,
            blur_kernel: vec![1.0, 3.0, 3.0, 1.0],
            stddev_group: Self::stddev_group(),
        }
    }

    /// The published table, with channel multiplier 1.
    pub fn published(size: usize) -> Self {
        Self::with_channels(512, stylegan2::channels(size, 1))
    }

    /// The published table with channel multiplier 2, which widens the layers from 64x64 on.
    pub fn wide(size: usize) -> Self {
        Self::with_channels(512, stylegan2::channels(size, 2))
    }

    /// Half the published channels.
    pub fn small(size: usize) -> Self {
        let mut channels = stylegan2::channels(size, 1);
        channels.values_mut().for_each(|c| *c /= 2);
        Self::with_channels(256, channels)
    }

    /// A network that learns on two CPU cores.
    pub fn tiny(size: usize) -> Self {
        let at = |r: usize| if r <= 16 { 128 } else { (2048 / r).max(8) };
        let levels = (2..=size.ilog2()).map(|k| 1 << k);
        Self::with_channels(128, levels.map(|r| (r, at(r))).collect())
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        self.stylegan2().check()?;
        let refuse = |field: &str, reason: String| Err(Error::config(field, reason));
        for (field, value) in [("n_mlp", self.n_mlp), ("groups", self.groups)] {
            if value == 0 {
                return refuse(field, "0 is not above 0".into());
            }
        }
        for (&level, &groups) in &self.groups_at {
            if groups == 0 || level < 8 || !self.channels.contains_key(&level) || level > self.size
            {
                let reason = format!("{groups} groups at {level}x{level}: no grouped layers there");
                return refuse("groups_at", reason);
            }
        }
        if self.channels[&4] != self.style_dim {
            return refuse("channels", "those at 4x4 are not as many as style_dim".into());
        }
        Ok(())
    }

    /// The StyleGAN2 that this network extends: all but its last mapping layer is the same.
    pub fn stylegan2(&self) -> stylegan2::Config {
        stylegan2::Config {
            base: self.base,
            style_dim: self.style_dim,
            n_mlp: self.n_mlp.saturating_sub(1),
            channels: self.channels.clone(),
            lr_mlp: self.lr_mlp,
            blur_kernel: self.blur_kernel.clone(),
            stddev_group: self.stddev_group,
            size: self.size,
            ..stylegan2::Config::default()
        }
    }

    /// Styles that the generator takes: one per layer that has one.
    pub fn n_latents(&self) -> usize {
        self.stylegan2().n_latents()
    }

    /// Height and width of the noise plane of layer k.
    pub fn noise_size(&self, k: usize) -> [usize; 2] {
        self.stylegan2().noise_size(k)
    }

    /// Layers that take noise.
    pub fn n_noises(&self) -> usize {
        self.stylegan2().n_noises()
    }

    /// Height and width of the picture.
    pub fn picture_size(&self) -> [usize; 2] {
        self.stylegan2().picture_size()
    }

    /// Resolution at which layer k of `convs` works: two layers each, from 8 on.
    pub fn layer_size(&self, k: usize) -> usize {
        8 << (k / 2)
    }

    /// Groups of layer k of `convs`.
    pub fn layer_groups(&self, k: usize) -> usize {
        self.groups_at.get(&self.layer_size(k)).copied().unwrap_or(self.groups)
    }
}
