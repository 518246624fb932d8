//! Sizes and forms of the two networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

    fn with_channels(size: usize, style_dim: usize, channels: impl Fn(usize) -> usize) -> Self {
        let levels = (2..=size.ilog2()).map(|k| 1 << k);
        Self {
            size,
            style_dim,
            n_mlp: 8,
            channels: levels.map(|r| (r, channels(r))).collect(),
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
        Self::with_channels(size, 512, |r| if r <= 32 { 512 } else { 16_384 / r })
    }

    /// The published table with channel multiplier 2, which widens the layers from 64x64 on.
    pub fn wide(size: usize) -> Self {
        Self::with_channels(size, 512, |r| if r <= 32 { 512 } else { (32_768 / r).min(512) })
    }

    /// Half the published channels.
    pub fn small(size: usize) -> Self {
        Self::with_channels(size, 256, |r| if r <= 32 { 256 } else { 8192 / r })
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
        for (&level, &groups) in &self.groups_at {
            if groups == 0 || level < 8 || !self.channels.contains_key(&level) || level > size {
                let reason = format!("{groups} groups at {level}x{level}: no grouped layers there");
                return refuse("groups_at", reason);
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

    /// Resolution at which layer k of `convs` works: two layers each, from 8 on.
    pub fn layer_size(&self, k: usize) -> usize {
        8 << (k / 2)
    }

    /// Groups of layer k of `convs`.
    pub fn layer_groups(&self, k: usize) -> usize {
        self.groups_at.get(&self.layer_size(k)).copied().unwrap_or(self.groups)
    }

    pub(super) fn levels(&self) -> Vec<usize> {
        self.channels.keys().copied().filter(|&r| r <= self.size).collect()
    }
}
