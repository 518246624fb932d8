//! `semgan project`: the latent of a given picture.

mod film;
mod job;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use self::film::Video;
use self::job::{Job, Target};
use super::bench::at_least_one;
use super::perceptual::PerceptualArgs;
use super::pictures::{FileArgs, Found};
use super::watch::Signals;
use crate::sample::ProjectionOptions;
use crate::{Error, Result};

/// Finds the latent of a picture: what the network makes most like it
///
/// Writes target.png, proj.png, proj.gif (the target beside the search), projected_w.safetensors (w
/// [1, layers, S], and the noise with --noise), projected_w.npy (w alone) and project.json (the
/// losses). `semgan sample --projected-w` draws the picture again. Several targets get a folder each.
/// Ctrl-C ends the search early, and writes what was found.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    /// Pictures to look for; cropped and resized as training pictures are
    #[arg(long, num_args = 1.., required = true, value_name = "PICTURE")]
    target: Vec<PathBuf>,
    /// One style for all layers (w), or one for each (w+), which comes closer and edits worse
    #[arg(long, value_enum, default_value_t = SpaceName::W)]
    space: SpaceName,
    /// Look for the noise, too
    #[arg(long)]
    noise: bool,
    /// Steps
    #[arg(long, alias = "num-steps", default_value_t = 1000, value_parser = at_least_one())]
    steps: usize,
    /// Highest step size
    #[arg(long, default_value_t = 0.1)]
    lr: f64,
    /// Seed of what is drawn on the way
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Start at the mean latent, or at that of --seed
    #[arg(long, value_enum, default_value_t = Start::Mean)]
    start: Start,
    #[command(flatten)]
    perceptual: PerceptualArgs,
    /// Then tune the network to the picture, and write it as tuned.safetensors [default: 350 steps]
    #[arg(long, num_args = 0..=1, default_missing_value = "350", value_name = "STEPS",
          value_parser = at_least_one())]
    pti: Option<usize>,
    /// The search as a moving picture; mp4 asks for an installed ffmpeg
    #[arg(long, value_enum, default_value_t = Video::Gif)]
    video: Video,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    outdir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum SpaceName {
    /// One style for all layers
    W,
    /// One style for each layer
    #[value(name = "w+")]
    #[serde(rename = "w+")]
    WPlus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Start {
    /// The mean of 10,000 latents
    Mean,
    /// The latent of --seed
    Seed,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let found = args.file.find()?;
    let [side, _] = args.check(&found)?;
    let folders = args.folders()?;
    let load = |path: &PathBuf| Target::load(path, side);
    let targets = args.target.iter().map(load).collect::<Result<Vec<_>>>()?;
    let has_mapping = found.sizes.style.is_some();
    let system = found.system.name();
    let mut opened = found.open(&args.file.device)?;
    let distance = args.perceptual.open([side, side], &opened.device)?;
    match &args.perceptual.lpips {
        Some(path) => say!("loss: LPIPS of {} and squared error of pixels", path.display()),
        None => say!("loss: squared error of pixels at several sizes; --lpips FILE adds LPIPS"),
    }
    if !has_mapping {
        say!("{system} has no w: looks for z, from that of seed {}", args.seed);
    }
    let signals = Signals::listen()?;
    for (target, folder) in targets.iter().zip(&folders) {
        let distance = distance.as_deref();
        Job { args, opened: &mut opened, distance, signals: &signals, target, folder }.run()?;
        if signals.came() {
            break;
        }
    }
    Ok(signals.exit_code().unwrap_or(ExitCode::SUCCESS))
}

impl Args {
    /// Height and width of the pictures, after flags that do not fit the network were refused.
    fn check(&self, found: &Found) -> Result<[usize; 2]> {
        let (sizes, name) = (&found.sizes, found.system.name());
        let [height, width] = sizes.picture;
        if height != width {
            let reason = format!("pictures of {width}x{height} are not square; targets are");
            return Err(Error::config("--network", reason));
        }
        if self.space == SpaceName::WPlus && sizes.style.is_none() {
            return Err(Error::config("--space", format!("{name} has no styles; leave it out")));
        }
        if self.noise && sizes.noise.is_empty() {
            return Err(Error::config("--noise", format!("{name} takes no noise; leave it out")));
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return Err(Error::config("--lr", format!("{} is not above 0", self.lr)));
        }
        Ok(sizes.picture)
    }

    /// A folder for each target: `--outdir` itself for a single one.
    fn folders(&self) -> Result<Vec<PathBuf>> {
        if self.target.len() == 1 {
            return Ok(vec![self.outdir.clone()]);
        }
        let mut taken = BTreeSet::new();
        let folder = |path: &PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_owned();
            if !taken.insert(name.clone()) {
                let reason = format!("two pictures are named {}", name.display());
                return Err(Error::config("--target", reason));
            }
            Ok(self.outdir.join(name))
        };
        self.target.iter().map(folder).collect()
    }

    fn options(&self) -> ProjectionOptions {
        ProjectionOptions {
            steps: self.steps,
            per_layer: self.space == SpaceName::WPlus,
            with_noise: self.noise,
            lr: self.lr,
            seed: self.seed,
            start: (self.start == Start::Seed).then_some(self.seed),
            class: self.file.class,
        }
    }
}
