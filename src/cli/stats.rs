//! `semgan stats`: how the styles of a network are distributed.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::bench::at_least_one;
use super::pictures::NetworkArgs;
use crate::Error;
use crate::checkpoint::save_tensors;
use crate::metrics::Gaussian;

/// Says how the styles w of many seeds are distributed
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Seeds, from 0 on
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one())]
    samples: usize,
    /// File for the tensors `mean` [W] and `std` [W]
    #[arg(long, value_name = "FILE.safetensors")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Styles that are computed at once.
const AT_ONCE: usize = 1000;
/// Principal components whose share of the variance is told.
const COMPONENTS: [usize; 5] = [1, 2, 5, 10, 50];

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.samples < 2 {
        return Err(Error::config("--samples", "1 style has no deviation; give 2 or more").into());
    }
    let opened = args.pictures.open()?;
    let sampler = opened.sampler()?;
    let mut styles: Vec<f64> = Vec::new();
    let seeds: Vec<u64> = (0..args.samples as u64).collect();
    for seeds in seeds.chunks(AT_ONCE) {
        styles.extend(sampler.all_w(seeds).to_vec()?.into_iter().map(f64::from));
    }
    let width = styles.len() / args.samples;
    let w = Gaussian::of(&styles, width);
    let deviations: Vec<f64> = w.covariance.iter().step_by(width + 1).map(|v| v.sqrt()).collect();
    if let Some(path) = &args.out {
        let f32s = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let tensors = [("mean", f32s(&w.mean)), ("std", f32s(&deviations))];
        let tensors = tensors.map(|(name, values)| (name.to_owned(), ([width].into(), values)));
        save_tensors(path, &tensors.into())?;
        say!("{}", path.display());
    }
    let report = report(&styles, &w, &deviations);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", serde_json::Value::Object(report))?;
    } else {
        report.iter().try_for_each(|(name, value)| writeln!(out, "{name:32} {value}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is told, by name.
fn report(styles: &[f64], w: &Gaussian, deviations: &[f64]) -> Map<String, Value> {
    let width = deviations.len();
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut sorted = deviations.to_vec();
    sorted.sort_by(f64::total_cmp);
    let variances = w.variances();
    let total: f64 = variances.iter().sum();
    let squares: f64 = variances.iter().map(|v| v * v).sum();
    let norms = styles.chunks_exact(width).map(norm).sum::<f64>();
    let mut told = vec![
        ("samples".to_owned(), (styles.len() / width) as f64),
        ("width".into(), width as f64),
        ("norm_of_mean".into(), norm(&w.mean)),
        ("mean_norm".into(), norms / (styles.len() / width) as f64),
        ("distance_from_mean".into(), norm(deviations)),
        ("smallest_deviation".into(), sorted[0]),
        ("median_deviation".into(), sorted[width / 2]),
        ("largest_deviation".into(), sorted[width - 1]),
        ("effective_dimensions".into(), total * total / squares),
    ];
    for k in COMPONENTS.into_iter().filter(|&k| k <= width) {
        let share = variances[..k].iter().sum::<f64>() / total;
        told.push((format!("variance_of_first_{k}"), share));
    }
    told.into_iter().map(|(name, value)| (name, value.into())).collect()
}
