//! `semgan separability`: linear separability of latents.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::networks::SpaceName;
use super::pictures::{FileArgs, Opened};
use super::watch::{Signals, Steps};
use crate::checkpoint::read_arrays;
use crate::metrics::{Entropies, Separation, score, separation};
use crate::{Error, Result};

/// Linear separability: what a linear classifier of latents leaves unknown of attributes that a
/// classifier sees in the pictures; 1 is best
///
/// Draw pictures with `semgan sample --seeds 0-N`, have any classifiers judge them, and give their
/// answers for seeds 0 to N in this order. The half that each is most certain of counts.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    /// Answers [attributes, N] as npy or safetensors: logits, above 0 for yes; or probabilities,
    /// where all are from 0 to 1
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// What is to be separated
    #[arg(long, value_enum, default_value_t = SpaceName::W)]
    space: SpaceName,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

/// Latents that are computed at once.
const AT_ONCE: usize = 1000;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let found = args.file.find()?;
    if args.space == SpaceName::W && found.sizes.style.is_none() {
        let name = found.system.name();
        return Err(Error::config("--space", format!("{name} has no w; use --space z")).into());
    }
    let (logits, answers) = labels(&args.labels)?;
    let samples = logits[0].len();
    let opened = found.open(&args.file.device)?;
    say!("{} attributes of {samples} pictures, as {answers}", logits.len());
    let (signals, bar) = (Signals::listen()?, Steps::new(samples + logits.len()));
    let (sampler, mut latents) = (opened.sampler()?, Vec::new());
    let seeds: Vec<u64> = (0..samples as u64).collect();
    for seeds in seeds.chunks(AT_ONCE) {
        let of = match args.space {
            SpaceName::W => sampler.all_w(seeds),
            SpaceName::Z => sampler.all_z(seeds),
        };
        latents.extend(of.to_vec()?);
        bar.at(latents.len() / of.size(1), "latents".into());
    }
    let mut attributes = Vec::new();
    for logits in &logits {
        if let Some(code) = signals.exit_code() {
            return Ok(code);
        }
        attributes.push(separation(&latents, logits));
        bar.at(samples + attributes.len(), "attributes".into());
    }
    drop(bar);
    report(args, &opened, &attributes, [samples, samples / 2])?;
    Ok(ExitCode::SUCCESS)
}

/// Logits of every attribute, and what the file holds. Whoever says yes to everything has nothing to
/// separate, so no logits are all from 0 to 1.
fn labels(path: &Path) -> Result<(Vec<Vec<f64>>, &'static str)> {
    let arrays = read_arrays(path)?;
    let broken = |reason: String| Error::checkpoint(path, reason);
    let mut arrays = arrays.into_iter();
    let (Some((_, (shape, values))), None) = (arrays.next(), arrays.next()) else {
        return Err(broken("holds other than one tensor".into()));
    };
    let &[attributes, samples] = &shape[..] else {
        return Err(broken(format!("has shape {shape:?}, not [attributes, N]")));
    };
    if attributes == 0 || samples < 4 {
        return Err(broken(format!("shape {shape:?}: at least 1 attribute of 4 pictures")));
    }
    let are_probabilities = values.iter().all(|v| (0.0..=1.0).contains(v));
    // The order by certainty is the same.
    let middle = if are_probabilities { 0.5 } else { 0.0 };
    let logits = |row: &[f32]| row.iter().map(|&v| f64::from(v) - middle).collect();
    let kind = if are_probabilities { "probabilities" } else { "logits" };
    Ok((values.chunks(samples).map(logits).collect(), kind))
}

fn report(
    args: &Args,
    opened: &Opened,
    attributes: &[Separation],
    [samples, kept]: [usize; 2],
) -> std::io::Result<()> {
    let entropies: Vec<Entropies> = attributes.iter().map(|a| a.entropies).collect();
    let score = score(&entropies);
    let mut out = std::io::stdout().lock();
    if args.json {
        let each = attributes.iter().map(
            |a| json!({"conditional_entropy": a.entropies.conditional, "accuracy": a.accuracy}),
        );
        let space = if args.space == SpaceName::W { "w" } else { "z" };
        let report = json!({
            "separability": score, "attributes": each.collect::<Vec<_>>(), "samples": samples,
            "kept": kept, "space": space, "labels": args.labels, "network": opened.source,
        });
        return writeln!(out, "{report}");
    }
    writeln!(out, "{:>9} {:>14} {:>9}", "attribute", "left unknown", "accuracy")?;
    for (k, a) in attributes.iter().enumerate() {
        let accuracy = 100.0 * a.accuracy;
        writeln!(out, "{k:>9} {:>9.4} bits {accuracy:>8.2}%", a.entropies.conditional)?;
    }
    writeln!(out, "separability {score:.4} ({kept} of {samples} pictures)")
}
