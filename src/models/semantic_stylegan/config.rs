//! Sizes and forms of the two networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LocalConfig;
use crate::models::{Sizes, stylegan2};
use crate::{Error, Result};

/// Sizes of the two networks, under the names of the published arguments. What a file leaves out is
/// that of the published models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Side of the picture, a power of two.
    pub size: usize,
    /// Width D of a latent and of a style. Published argument: `latent`.
    #[serde(alias = "latent")]
    pub style_dim: usize,
    /// Mapping layers.
    pub n_mlp: usize,
    /// Learning-rate multiplier of the mapping network.
    pub lr_mlp: f64,
    /// Channels of the render net at each resolution above `min_feat_size`.
    pub channels: BTreeMap<usize, usize>,
    /// Channels of the discriminator at each resolution from 4 on.
    pub d_channels: BTreeMap<usize, usize>,
    /// Classes K, and local generators.
    pub seg_dim: usize,
    /// Layers of a local generator.
    pub local_layers: usize,
    /// Channels of its layers.
    pub local_channel: usize,
    /// Its first layers, which the shared codes drive; the background has none of those.
    pub base_layers: usize,
    /// The layers that shape and depth come from; texture alone drives the others.
    pub depth_layers: usize,
    /// Side c of the feature maps that are fused, and of the coarse mask.
    pub coarse_size: usize,
    /// Channels of those feature maps.
    pub coarse_channel: usize,
    /// Side of the smallest map of the render net, a power of two.
    pub min_feat_size: usize,
    /// Whether the label map refines the coarse mask, instead of standing for itself.
    pub residual_refine: bool,
    /// Whether texture leaves shape alone: no gradient from the former's layers to the latter's.
    pub detach_texture: bool,
    /// Classes that others may be seen through.
    pub transparent_dims: Vec<usize>,
    /// Taps of the resampling filter.
    pub blur_kernel: Vec<f64>,
    /// Samples that share a minibatch deviation.
    pub stddev_group: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::published(512)
    }
}

impl Config {
    /// The published models of faces.
    pub fn published(size: usize) -> Self {
        Self {
            size,
            style_dim: 512,
            n_mlp: 8,
            lr_mlp: 0.01,
            channels: stylegan2::channels(size, 2),
            d_channels: stylegan2::channels(size, 2),
            seg_dim: 13,
            local_layers: 10,
            local_channel: 64,
            base_layers: 2,
            depth_layers: 6,
            coarse_size: 64,
            coarse_channel: 512,
            min_feat_size: 16,
            residual_refine: true,
            detach_texture: false,
            transparent_dims: vec![10, 12],
            blur_kernel: vec![1.0, 3.0, 3.0, 1.0],
            stddev_group: 4,
        }
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        self.stylegan2(&self.d_channels).check().map_err(|error| match error {
            Error::Config { field, reason } if field == "channels" => {
                Error::config("d_channels", reason)
            }
            other => other,
        })?;
        let counts = [
            ("seg_dim", self.seg_dim),
            ("local_layers", self.local_layers),
            ("local_channel", self.local_channel),
            ("coarse_channel", self.coarse_channel),
        ];
        if let Some((field, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(Error::config(*field, "0 is not above 0"));
        }
        self.check_layers()?;
        self.check_resolutions()
    }

    fn check_layers(&self) -> Result<()> {
        let refuse = |field: &str, reason: String| Err(Error::config(field, reason));
        let Self { base_layers, depth_layers, local_layers, seg_dim, .. } = *self;
        if !(1..=local_layers).contains(&depth_layers) {
            return refuse("depth_layers", format!("{depth_layers} is not from 1 to local_layers"));
        }
        if base_layers > depth_layers {
            return refuse("base_layers", format!("{base_layers} are more than depth_layers"));
        }
        if seg_dim > MAX_CLASSES || local_layers > MAX_LAYERS {
            let reason = format!("{seg_dim} classes of {local_layers} layers are too many");
            return refuse("seg_dim", reason);
        }
        match self.transparent_dims.iter().find(|&&k| k >= seg_dim) {
            Some(k) => refuse("transparent_dims", format!("{k} is no class of {seg_dim}")),
            None => Ok(()),
        }
    }

    fn check_resolutions(&self) -> Result<()> {
        let refuse = |field: &str, reason: String| Err(Error::config(field, reason));
        let Self { size, coarse_size, min_feat_size, .. } = *self;
        if !min_feat_size.is_power_of_two() || min_feat_size >= coarse_size {
            let reason = format!("{min_feat_size} is not a power of two below coarse_size");
            return refuse("min_feat_size", reason);
        }
        if coarse_size >= size || !coarse_size.is_multiple_of(min_feat_size) {
            let reason =
                format!("{coarse_size} is not a multiple of min_feat_size and below {size}");
            return refuse("coarse_size", reason);
        }
        match self.levels().find(|r| self.channels.get(r).is_none_or(|&c| c == 0)) {
            Some(r) => refuse("channels", format!("there are none for {r}x{r}")),
            None => Ok(()),
        }
    }

    /// The StyleGAN2 whose mapping and critic are the same.
    pub(super) fn stylegan2(&self, channels: &BTreeMap<usize, usize>) -> stylegan2::Config {
        stylegan2::Config {
            size: self.size,
            style_dim: self.style_dim,
            n_mlp: self.n_mlp,
            lr_mlp: self.lr_mlp,
            channels: channels.clone(),
            blur_kernel: self.blur_kernel.clone(),
            stddev_group: self.stddev_group,
            ..stylegan2::Config::default()
        }
    }

    /// Resolutions of the render net: each doubles the one before.
    pub(super) fn levels(&self) -> impl Iterator<Item = usize> + use<> {
        (self.min_feat_size.ilog2() + 1..=self.size.ilog2()).map(|k| 1 << k)
    }

    /// The local generator of a class.
    pub(super) fn local(&self, class: usize) -> LocalConfig {
        LocalConfig {
            in_channel: self.local_channel,
            hidden_channel: self.local_channel,
            out_channel: self.coarse_channel,
            style_dim: self.style_dim,
            n_layers: self.local_layers,
            depth_layers: self.depth_layers,
            use_depth: class > 0,
            detach_texture: self.detach_texture,
        }
    }

    /// What goes into the generator, and what comes out.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            latent: self.style_dim,
            style: Some(self.style_dim),
            layers: self.n_latent(),
            noise: self.levels().flat_map(|r| [[1, r, r]; 2]).collect(),
            picture: [self.size; 2],
            classes: 0,
            parts: self.seg_dim,
        }
    }
}

/// Most classes that a network may have: labels have 8 bits.
const MAX_CLASSES: usize = 256;
/// Most layers of a local generator.
const MAX_LAYERS: usize = 256;
