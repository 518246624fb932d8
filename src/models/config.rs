//! The two networks of one system: their sizes, and how they are built.

use serde::{Deserialize, Serialize};

use super::{
    Discriminator, Generator, Sizes, pggan, sarigan, semantic_stylegan, stylegan, stylegan2,
};
use crate::device::Device;
use crate::nn::Builder;
use crate::{Error, Result};

/// Most channels, classes or numbers of a latent or a style.
const MAX_WIDTH: usize = 1 << 16;
/// Most layers of a mapping.
const MAX_LAYERS: usize = 64;
/// Most taps of a filter.
const MAX_TAPS: usize = 64;

/// Which networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Semantic-aware normalisation (NeurIPS 2020).
    Sarigan,
    /// StyleGAN2 (CVPR 2020).
    StyleGan2,
    /// StyleGAN (CVPR 2019).
    StyleGan,
    /// Progressive growing (ICLR 2018).
    Pggan,
    /// SemanticStyleGAN (CVPR 2022).
    SemanticStyleGan,
}

impl System {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sarigan => "sarigan",
            Self::StyleGan2 => "stylegan2",
            Self::StyleGan => "stylegan",
            Self::Pggan => "pggan",
            Self::SemanticStyleGan => "semantic_stylegan",
        }
    }

    /// Networks of a size with `base / r` channels at resolution r, `most` at most.
    pub fn config(self, size: usize, [base, most]: [usize; 2]) -> Config {
        let channels = || (2..=size.ilog2()).map(|k| (1 << k, (base >> k).min(most).max(8)));
        match self {
            Self::Sarigan => {
                Config::Sarigan(sarigan::Config::with_channels(most, channels().collect()))
            }
            Self::StyleGan2 => Config::StyleGan2(stylegan2::Config {
                style_dim: most,
                channels: channels().collect(),
                ..stylegan2::Config::f(size)
            }),
            Self::StyleGan => Config::StyleGan(stylegan::Config {
                resolution: size,
                z_space_dim: most,
                w_space_dim: most,
                mapping_fmaps: most,
                fmaps_base: base,
                fmaps_max: most,
                ..stylegan::Config::default()
            }),
            Self::Pggan => Config::Pggan(pggan::Config {
                resolution: size,
                z_space_dim: most,
                fmaps_base: base,
                fmaps_max: most,
                ..pggan::Config::default()
            }),
            Self::SemanticStyleGan => Config::SemanticStyleGan(semantic_stylegan::Config {
                style_dim: most,
                channels: channels().collect(),
                d_channels: channels().collect(),
                coarse_size: (size / 4).clamp(4, 64),
                coarse_channel: most,
                min_feat_size: (size / 16).clamp(2, 16),
                local_channel: (most / 8).max(8),
                ..semantic_stylegan::Config::published(size)
            }),
        }
    }
}

/// Sizes and forms of the two networks of a system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Config {
    /// SariGAN's.
    Sarigan(sarigan::Config),
    /// StyleGAN2's.
    StyleGan2(stylegan2::Config),
    /// StyleGAN's.
    StyleGan(stylegan::Config),
    /// PGGAN's.
    Pggan(pggan::Config),
    /// SemanticStyleGAN's.
    #[serde(rename = "semantic_stylegan")]
    SemanticStyleGan(semantic_stylegan::Config),
}

impl From<sarigan::Config> for Config {
    fn from(config: sarigan::Config) -> Self {
        Self::Sarigan(config)
    }
}

impl Config {
    /// Which system it is.
    pub fn system(&self) -> System {
        match self {
            Self::Sarigan(_) => System::Sarigan,
            Self::StyleGan2(_) => System::StyleGan2,
            Self::StyleGan(_) => System::StyleGan,
            Self::Pggan(_) => System::Pggan,
            Self::SemanticStyleGan(_) => System::SemanticStyleGan,
        }
    }

    /// SariGAN's own part of it.
    pub fn sarigan(&self) -> Option<&sarigan::Config> {
        match self {
            Self::Sarigan(config) => Some(config),
            _ => None,
        }
    }

    /// What goes into the generator, and what comes out.
    pub fn sizes(&self) -> Sizes {
        match self {
            Self::Sarigan(config) => {
                Sizes { style: Some(2 * config.style_dim), ..config.stylegan2().sizes() }
            }
            Self::StyleGan2(config) => config.sizes(),
            Self::StyleGan(config) => config.sizes(),
            Self::Pggan(config) => config.sizes(),
            Self::SemanticStyleGan(config) => config.sizes(),
        }
    }

    /// Side of the picture that starts from 4x4.
    pub fn resolution(&self) -> usize {
        match self {
            Self::Sarigan(config) => config.size,
            Self::StyleGan2(config) => config.size,
            Self::StyleGan(config) => config.resolution,
            Self::Pggan(config) => config.resolution,
            Self::SemanticStyleGan(config) => config.size,
        }
    }

    /// Height and width that the picture starts from.
    fn base(&self) -> [usize; 2] {
        match self {
            Self::Sarigan(config) => config.base,
            Self::StyleGan2(config) => config.base,
            Self::StyleGan(config) => config.base,
            Self::Pggan(config) => config.base,
            Self::SemanticStyleGan(_) => [4, 4],
        }
    }

    /// Resolutions and their channels, from 4 on.
    pub fn levels(&self) -> Vec<(usize, usize)> {
        let at = |channels: &dyn Fn(usize) -> usize| {
            pggan::blocks(self.resolution()).map(|r| (r, channels(r))).collect()
        };
        match self {
            Self::Sarigan(config) => at(&|r| config.channels[&r]),
            Self::StyleGan2(config) => at(&|r| config.channels[&r]),
            Self::StyleGan(config) => at(&|r| config.channels(r)),
            Self::Pggan(config) => at(&|r| config.channels(r)),
            Self::SemanticStyleGan(config) => at(&|r| config.d_channels[&r]),
        }
    }

    /// Samples that share a minibatch deviation, at most.
    pub fn stddev_group(&mut self) -> &mut usize {
        match self {
            Self::Sarigan(config) => &mut config.stddev_group,
            Self::StyleGan2(config) => &mut config.stddev_group,
            Self::StyleGan(config) => &mut config.minibatch_std_group_size,
            Self::Pggan(config) => &mut config.minibatch_std_group_size,
            Self::SemanticStyleGan(config) => &mut config.stddev_group,
        }
    }

    /// Gives the networks classes.
    ///
    /// # Errors
    /// When the system has none.
    pub fn set_classes(&mut self, classes: usize) -> Result<()> {
        match self {
            Self::Sarigan(_) | Self::SemanticStyleGan(_) if classes > 0 => {
                let name = self.system().name();
                let reason = format!("{name} has no classes; stylegan2, stylegan and pggan do");
                return Err(Error::config("--cond", reason));
            }
            Self::Sarigan(_) | Self::SemanticStyleGan(_) => {}
            Self::StyleGan2(config) => config.classes = classes,
            Self::StyleGan(config) => config.label_size = classes,
            Self::Pggan(config) => config.label_size = classes,
        }
        Ok(())
    }

    /// Refuses sizes that no network can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Sarigan(config) => config.check(),
            Self::StyleGan2(config) => config.check(),
            Self::StyleGan(config) => config.check(),
            Self::Pggan(config) => config.check(),
            Self::SemanticStyleGan(config) => config.check(),
        }?;
        let (widths, layers, taps) = self.counts();
        let bounds = [("a width", widths, MAX_WIDTH), ("a number of layers", layers, MAX_LAYERS)];
        for (what, counts, most) in bounds.into_iter().chain([("taps", vec![taps], MAX_TAPS)]) {
            if let Some(n) = counts.into_iter().find(|n| *n > most) {
                return Err(Error::config("network", format!("{what} of {n}; {most} at most")));
            }
        }
        Ok(())
    }

    /// Taps of the resampling filter.
    pub fn blur_kernel(&self) -> Vec<f64> {
        match self {
            Self::Sarigan(config) => config.blur_kernel.clone(),
            Self::StyleGan2(config) => config.blur_kernel.clone(),
            Self::SemanticStyleGan(config) => config.blur_kernel.clone(),
            Self::StyleGan(_) | Self::Pggan(_) => vec![1.0, 2.0, 1.0],
        }
    }

    /// Channels of the picture.
    pub fn image_channels(&self) -> usize {
        match self {
            Self::Sarigan(_) | Self::SemanticStyleGan(_) => 3,
            Self::StyleGan2(config) => config.image_channels,
            Self::StyleGan(config) => config.image_channels,
            Self::Pggan(config) => config.image_channels,
        }
    }

    /// Widths, numbers of layers, and taps of the filter: what memory is taken by.
    fn counts(&self) -> (Vec<usize>, Vec<usize>, usize) {
        let taps = self.blur_kernel().len();
        match self {
            Self::Sarigan(c) => {
                let groups = c.groups_at.values().chain([&c.groups, &c.style_dim]);
                (groups.chain(c.channels.values()).copied().collect(), vec![c.n_mlp], taps)
            }
            Self::StyleGan2(c) => {
                let optional = [c.latent_dim, c.mlp_width, c.score_width].into_iter().flatten();
                let widths = [c.style_dim, c.image_channels, c.classes, c.stddev_maps];
                let widths = widths.into_iter().chain(optional);
                let widths = widths.chain(c.channels.values().copied()).collect();
                (widths, vec![c.n_mlp, c.projection.unwrap_or(0)], taps)
            }
            Self::StyleGan(c) => {
                let widths = [c.z_space_dim, c.w_space_dim, c.mapping_fmaps, c.label_size];
                let others = [c.image_channels, c.minibatch_std_channels, c.fmaps_max];
                ([&widths[..], &others].concat(), vec![c.mapping_layers], taps)
            }
            Self::Pggan(c) => {
                let widths = [c.z_space_dim, c.label_size, c.image_channels, c.fmaps_max];
                (widths.to_vec(), Vec::new(), taps)
            }
            Self::SemanticStyleGan(c) => {
                let widths = [c.style_dim, c.local_channel, c.coarse_channel, c.seg_dim];
                let channels = c.channels.values().chain(c.d_channels.values()).copied();
                (widths.into_iter().chain(channels).collect(), vec![c.n_mlp], taps)
            }
        }
    }

    /// Refuses a network whose pictures are not square, for what can only work on square ones.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check_square(&self) -> Result<()> {
        match self.base() {
            [4, 4] => Ok(()),
            base => Err(Error::config("base", format!("{base:?}: pictures here start from 4x4"))),
        }
    }

    /// Registers the generator's parameters under the published keys.
    pub fn generator(&self, b: &mut Builder, device: &Device) -> Box<dyn Generator> {
        match self {
            Self::Sarigan(config) => Box::new(sarigan::Generator::new(config, b, device)),
            Self::StyleGan2(config) => Box::new(stylegan2::Generator::new(config, b, device)),
            Self::StyleGan(config) => Box::new(stylegan::Generator::new(config, b, device)),
            Self::Pggan(config) => Box::new(pggan::Generator::new(config, b)),
            Self::SemanticStyleGan(config) => {
                Box::new(semantic_stylegan::Generator::new(config, b, device))
            }
        }
    }

    /// Registers the discriminator's parameters under the published keys.
    pub fn discriminator(&self, b: &mut Builder, device: &Device) -> Box<dyn Discriminator> {
        match self {
            Self::Sarigan(config) => Box::new(sarigan::Discriminator::new(config, b, device)),
            Self::StyleGan2(config) => Box::new(stylegan2::Discriminator::new(config, b, device)),
            Self::StyleGan(config) => Box::new(stylegan::Discriminator::new(config, b, device)),
            Self::Pggan(config) => Box::new(pggan::Discriminator::new(config, b)),
            Self::SemanticStyleGan(config) => {
                Box::new(semantic_stylegan::Discriminator::new(config, b, device))
            }
        }
    }
}
