//! `semgan sample`: pictures of a trained network.

#![expect(clippy::disallowed_methods, reason = "a random seed is taken from the clock")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::{DeviceArgs, Truncation};
use crate::Error;
use crate::sample::{Noise, Sampler, grid, parse_grid, parse_seeds, save_png};
use crate::train::{folder, snapshot};

/// Makes pictures from seeds: one PNG each, and a grid
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Run folder (its newest snapshot) or snapshot file
    #[arg(long, value_name = "RUN_OR_FILE")]
    network: PathBuf,
    /// Seeds, like 0-35,40
    #[arg(long, default_value = "0-35")]
    seeds: String,
    #[command(flatten)]
    truncation: Truncation,
    /// Where the noise of a picture comes from
    #[arg(long, value_enum, default_value_t = NoiseMode::Const)]
    noise_mode: NoiseMode,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR")]
    outdir: PathBuf,
    /// Columns and rows of grid.png; as square as it gets by default
    #[arg(long, value_name = "6x6")]
    grid: Option<String>,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NoiseMode {
    /// From the seed: the same picture every time
    Const,
    /// New at every call
    Random,
    /// None
    None,
}

impl NoiseMode {
    fn noise(self) -> Noise {
        match self {
            Self::Const => Noise::Const,
            Self::None => Noise::None,
            Self::Random => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Noise::Random(now.as_nanos() as u64)
            }
        }
    }
}

/// Longest side of a grid, in pixels.
const MAX_SIDE: usize = 16_384;
/// Columns and rows of a grid of many pictures, where `--grid` does not say; it shows the first.
const MAX_DEFAULT_COLUMNS: usize = 16;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seeds = parse_seeds(&args.seeds)?;
    let psi = args.truncation.psi()?;
    let (columns, rows) = match &args.grid {
        Some(text) => parse_grid(text)?,
        None => {
            let columns = ((seeds.len() as f64).sqrt().ceil() as usize).min(MAX_DEFAULT_COLUMNS);
            (columns, seeds.len().div_ceil(columns).min(MAX_DEFAULT_COLUMNS))
        }
    };
    let (file, passed_over) = folder::network(&args.network)?;
    let size = snapshot::network_config(&file)?.size;
    if columns.max(rows).saturating_mul(size) > MAX_SIDE {
        let reason = format!("{columns}x{rows} pictures of {size} pixels; {MAX_SIDE} at most");
        return Err(Error::config("--grid", reason).into());
    }
    passed_over.iter().for_each(|p| say!("passed over {p}"));
    let device = args.device.open()?;
    let (network, mean) = snapshot::generator(&file, &device)?;
    let dir = &args.outdir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let sampler = Sampler::new(&network.model, &mean);
    let noise = args.noise_mode.noise();
    let (psi_text, source) = (psi.to_string(), file.path.display().to_string());
    let mut pictures = Vec::new();
    for &seed in &seeds {
        let picture = sampler.picture(seed, psi, noise)?;
        let number = seed.to_string();
        let text = [("seed", number.as_str()), ("psi", &psi_text), ("network", &source)];
        save_png(dir.join(format!("seed{seed:04}.png")), &picture, &text)?;
        if pictures.len() < columns * rows {
            pictures.push(picture);
        }
    }
    let text = [("seeds", args.seeds.as_str()), ("psi", &psi_text), ("network", &source)];
    save_png(dir.join("grid.png"), &grid(&pictures, columns, rows), &text)?;
    say!("{} pictures and grid.png in {}", seeds.len(), dir.display());
    Ok(ExitCode::SUCCESS)
}
