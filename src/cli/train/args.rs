//! The flags of `semgan train`.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::DeviceArgs;
use crate::cli::networks::{FormName, Preset, RecipeName, SystemName};
use crate::cli::profile::ProfileArgs;

/// Trains a network on a folder or a zip of pictures
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Folder (with everything below it) or zip of pictures
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    pub(super) data: Option<PathBuf>,
    /// Kind of network [default: sarigan]
    #[arg(long, value_enum)]
    pub(super) cfg: Option<SystemName>,
    /// Folder in which the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(super) outdir: PathBuf,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    /// Go on with the newest run of --outdir (latest), a run folder or a snapshot
    #[arg(long, value_name = "latest|PATH")]
    pub(super) resume: Option<String>,
    /// Let flags change the arithmetic of a resumed run
    #[arg(long = "override", requires = "resume")]
    pub(super) override_arithmetic: bool,
    /// Show what would be trained, and stop
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Added to the name of the run's folder
    #[arg(long, value_name = "TEXT")]
    pub(super) desc: Option<String>,

    /// Side of the pictures, a power of two [default: what the pictures have, up to 32 on the CPU
    /// and 64 on a GPU]
    #[arg(long, value_name = "PIXELS", help_heading = "Model")]
    pub(super) res: Option<usize>,
    /// Sizes of the network [default: tiny]
    #[arg(long, value_enum, help_heading = "Model")]
    pub(super) preset: Option<Preset>,

    /// Train with classes: from dataset.json, else each sub-folder is one
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          require_equals = true, help_heading = "Model")]
    pub(super) cond: Option<bool>,
    /// Where sarigan's grouped layers apply their codes [default: weight]
    #[arg(long, value_enum, help_heading = "Model")]
    pub(super) form: Option<FormName>,
    /// Channel groups of sarigan's grouped layers, or by resolution, like 16,32:8 (16 everywhere, 8 at
    /// 32x32) [default: 16]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub(super) groups: Option<String>,
    /// Pictures that share a minibatch deviation [default: 4]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub(super) mbstd_group: Option<usize>,

    /// Losses and schedule of sarigan, and how channels fall into groups [default: official]
    #[arg(long, value_enum, help_heading = "Training")]
    pub(super) recipe: Option<RecipeName>,
    /// Weight of the style estimate; 0 trains without it [default: 20 official, 10 paper]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training")]
    pub(super) info_weight: Option<f64>,
    /// Pictures per step; where networks grow, at the full resolution [default: 16]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) batch: Option<usize>,
    /// Pictures that are computed at once; fewer need less memory for the same result [default: as
    /// many of --batch as fit]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) batch_gpu: Option<usize>,
    /// Length in thousands of pictures shown; may be a fraction [default: 100]
    #[arg(long, value_name = "KIMG", help_heading = "Training")]
    pub(super) kimg: Option<f64>,
    /// Seed of every random number [default: 0]
    #[arg(long, help_heading = "Training")]
    pub(super) seed: Option<u64>,
    /// Mirror pictures at random
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          require_equals = true, help_heading = "Training")]
    pub(super) mirror: Option<bool>,
    /// Weight of the gradient penalty [default: 10]
    #[arg(long, alias = "gamma", value_name = "GAMMA", help_heading = "Training")]
    pub(super) r1_gamma: Option<f64>,
    /// First resolution of networks that grow [default: 8 stylegan, 4 pggan]
    #[arg(long, value_name = "PIXELS", help_heading = "Training")]
    pub(super) init_res: Option<usize>,
    /// Thousands of pictures at one resolution, and as many while the next is blended in [default:
    /// so that growing ends after a third of the run, 600 at most]
    #[arg(long, value_name = "KIMG", help_heading = "Training")]
    pub(super) grow: Option<f64>,
    /// Augment what the discriminator sees [default: noaug]
    #[arg(long, value_enum, help_heading = "Augmentation")]
    pub(super) aug: Option<AugName>,
    /// Probability of each transformation: that of fixed, or the first one of ada [default: 0]
    #[arg(long, value_name = "P", help_heading = "Augmentation")]
    pub(super) p: Option<f64>,
    /// Mean sign of the scores of real pictures that ada aims at [default: 0.6]
    #[arg(long, help_heading = "Augmentation", allow_negative_numbers = true)]
    pub(super) target: Option<f64>,
    /// Transformations: blit, geom, color, filter, noise, cutout, bg, bgc, bgcf, bgcfn or bgcfnc
    /// [default: bgc]
    #[arg(long, value_name = "WORD", help_heading = "Augmentation")]
    pub(super) augpipe: Option<String>,
    /// Thousands of pictures in which ada takes the probability from 0 to 1 [default: 500]
    #[arg(long, value_name = "KIMG", help_heading = "Augmentation")]
    pub(super) ada_kimg: Option<f64>,
    /// Start from the networks of this run folder or snapshot instead of random ones
    #[arg(long, value_name = "RUN_OR_FILE", conflicts_with = "resume", help_heading = "Training")]
    pub(super) transfer: Option<PathBuf>,
    /// Layers of the discriminator, from the picture on, that stay as they are [default: 0]
    #[arg(long, value_name = "LAYERS", help_heading = "Training")]
    pub(super) freezed: Option<usize>,
    /// Learning rate [default: 0.002; 0.001 for networks that grow]
    #[arg(long, help_heading = "Training")]
    pub(super) lr: Option<f64>,

    /// Thousands of pictures between progress lines [default: 4, or a tenth of a short run]
    #[arg(long, value_name = "KIMG", help_heading = "Output")]
    pub(super) tick: Option<f64>,
    /// Progress lines between snapshots [default: 50]
    #[arg(long, value_name = "TICKS", help_heading = "Output")]
    pub(super) snap: Option<u64>,
    /// Minutes between snapshots at most [default: 10]
    #[arg(long, value_name = "MINUTES", help_heading = "Output")]
    pub(super) snap_minutes: Option<f64>,
    /// Newest snapshots that are kept [default: 10]
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) keep: Option<usize>,
    /// Show the run on the whole terminal: curves, numbers, log; q saves and stops, q again exits at
    /// once
    #[arg(long, help_heading = "Output")]
    pub(super) tui: bool,
    #[command(flatten, next_help_heading = "Output")]
    pub(super) profile: ProfileArgs,
}

/// Who decides the probability of augmentations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AugName {
    /// Nobody: there are none
    Noaug,
    /// The discriminator: it rises while reals are known too well (StyleGAN2-ADA)
    Ada,
    /// --p
    Fixed,
}
