//! Networks by the names that people type.

use clap::ValueEnum;

use crate::models::sarigan::{Form, Rule};
use crate::models::{Config, System};
use crate::train::Recipe;

/// Kinds of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SystemName {
    /// Semantic-aware normalisation (NeurIPS 2020)
    Sarigan,
    /// StyleGAN2 (CVPR 2020)
    #[value(name = "stylegan2")]
    StyleGan2,
    /// StyleGAN, which grows (CVPR 2019)
    #[value(name = "stylegan")]
    StyleGan,
    /// Progressive growing (ICLR 2018)
    Pggan,
}

impl From<SystemName> for System {
    fn from(name: SystemName) -> Self {
        match name {
            SystemName::Sarigan => Self::Sarigan,
            SystemName::StyleGan2 => Self::StyleGan2,
            SystemName::StyleGan => Self::StyleGan,
            SystemName::Pggan => Self::Pggan,
        }
    }
}

/// Losses and schedules, with the rule of grouping that they train.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RecipeName {
    /// What the published code does
    Official,
    /// What the paper describes
    Paper,
}

impl RecipeName {
    pub(super) fn resolve(self) -> (Recipe, Rule) {
        match self {
            Self::Official => (Recipe::official(), Rule::Official),
            Self::Paper => (Recipe::paper(), Rule::Paper),
        }
    }
}

/// Where grouped layers apply their codes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormName {
    /// On the weights, which are demodulated: equations 5 and 6
    Weight,
    /// On the features, with scale and shift: Group AdaIN and AdaGN, equations 3 and 4
    Feature,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Weight => Self::Weight,
            FormName::Feature => Self::Feature,
        }
    }
}

/// Named network sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// Learns on two CPU cores
    Tiny,
    /// Half the published channels
    Small,
    /// The table of the papers: StyleGAN2's config e, channel multiplier 1
    Published,
    /// Twice as wide from 64x64 on: config f, channel multiplier 2
    Wide,
}

impl Preset {
    /// The networks of a system.
    pub(super) fn config(self, system: System, res: usize) -> Config {
        // Channels at resolution r are the first divided by r, at most the second.
        let channels = match self {
            Self::Tiny => [2 << 10, 128],
            Self::Small => [8 << 10, 256],
            Self::Published => [16 << 10, 512],
            Self::Wide => [32 << 10, 512],
        };
        system.config(res, channels)
    }
}

/// Where ways between pictures lead, and what is measured of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SpaceName {
    /// Styles
    W,
    /// Latents
    Z,
}
