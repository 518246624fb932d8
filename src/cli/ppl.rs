//! `semgan ppl`: perceptual path length.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use super::networks::SpaceName;
use super::perceptual::PerceptualArgs;
use super::pictures::{FileArgs, Found};
use super::watch::{Signals, Steps};
use crate::metrics::{Inliers, PathLength, Space, inliers};
use crate::{Error, Result};

/// Perceptual path length: how fast pictures change along ways between latents; less is smoother
///
/// Prints the mean distance of pictures whose latents are a step of --epsilon apart, divided by its
/// square, without what lies below the 1st or above the 99th percentile (lo and hi).
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    perceptual: PerceptualArgs,
    /// Where the step is taken
    #[arg(long, value_enum, default_value_t = SpaceName::W)]
    space: SpaceName,
    /// Anywhere between two latents, or at the first of them
    #[arg(long, value_enum, default_value_t = Sampling::End)]
    sampling: Sampling,
    /// Length of the step, of 1 between the two
    #[arg(long, default_value_t = 1e-4)]
    epsilon: f64,
    /// Pairs of pictures
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Pairs that are computed at once, and share their noise
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Compare only where a face is: rows 3 to 7 and columns 2 to 6 of eight
    #[arg(long)]
    crop: bool,
    /// Seed of latents and noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sampling {
    /// Anywhere
    Full,
    /// At the first latent
    End,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let found = args.file.find()?;
    let compared = args.check(&found)?;
    let opened = found.open(&args.file.device)?;
    let distance = args.perceptual.open(compared, &opened.device)?.expect("weights are given");
    let trained = opened.trained();
    let sizes = trained.config.sizes();
    let space = if args.space == SpaceName::W { Space::W } else { Space::Z };
    let (is_full, class) = (args.sampling == Sampling::Full, args.file.class);
    let path = PathLength { space, is_full, epsilon: args.epsilon, crop: args.crop, class };
    let (samples, batch) = (args.samples as usize, args.batch as usize);
    let (signals, bar, mut values) = (Signals::listen()?, Steps::new(samples), Vec::new());
    let g = &*trained.network.model;
    for first in (0..samples).step_by(batch) {
        if let Some(code) = signals.exit_code() {
            return Ok(code);
        }
        let pairs = first..samples.min(first + batch);
        let lengths = path.lengths(g, &sizes, args.seed, pairs, &*distance, &opened.device);
        values.extend(lengths.to_vec()?.into_iter().map(f64::from));
        bar.at(values.len(), String::new());
    }
    drop(bar);
    let Inliers { lo, hi, mean } = inliers(&values, 1, 99);
    let mut out = std::io::stdout().lock();
    if args.json {
        let report = json!({
            "ppl": mean, "lo": lo, "hi": hi, "samples": samples,
            "space": if space == Space::W { "w" } else { "z" },
            "sampling": if is_full { "full" } else { "end" },
            "epsilon": args.epsilon, "crop": args.crop, "seed": args.seed, "class": class,
            "lpips": args.perceptual.lpips, "network": opened.source,
            "device": opened.device.describe(),
        });
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "ppl {mean:.4} (lo {lo:.4}, hi {hi:.4}, {samples} samples)")?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// Height and width of what is compared, after flags that cannot be met were refused.
    fn check(&self, found: &Found) -> Result<[usize; 2]> {
        if self.perceptual.lpips.is_none() {
            let reason = "is missing: the length is measured with LPIPS, whose weights (VGG16 for \
                          numbers that compare with published ones) are a safetensors file";
            return Err(Error::config("--lpips", reason));
        }
        if self.space == SpaceName::W && found.sizes.style.is_none() {
            let name = found.system.name();
            return Err(Error::config("--space", format!("{name} has no w; use --space z")));
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(Error::config("--epsilon", format!("{} is not above 0", self.epsilon)));
        }
        let [height, width] = found.sizes.picture;
        Ok(if self.crop { [height / 2, width / 2] } else { [height, width] })
    }
}
