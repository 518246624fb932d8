//! `semgan sample`: pictures of a trained network.

#![expect(clippy::disallowed_methods, reason = "a random seed is taken from the clock")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::profile::ProfileArgs;
use super::{DeviceArgs, Truncation};
use crate::sample::{Noise, Rgb, Sampler, grid, parse_grid, parse_seeds, save_png};
use crate::train::{folder, snapshot};
use crate::{Error, Result};

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
    #[command(flatten)]
    profile: ProfileArgs,
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
    let [height, width] = snapshot::network_config(&file)?.picture_size();
    let size = height.max(width);
    if columns.max(rows).saturating_mul(size) > MAX_SIDE {
        let reason = format!("{columns}x{rows} pictures of {size} pixels; {MAX_SIDE} at most");
        return Err(Error::config("--grid", reason).into());
    }
    passed_over.iter().for_each(|p| say!("passed over {p}"));
    let device = args.device.open()?;
    args.profile.start(&device);
    let (network, mean) = snapshot::generator(&file, &device)?;
    let dir = &args.outdir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let sampler = Sampler::new(&network.model, &mean);
    let noise = args.noise_mode.noise();
    let (psi_text, source) = (psi.to_string(), file.path.display().to_string());
    let save = |seed: u64, picture: &Rgb| {
        let number = seed.to_string();
        let text = [("seed", number.as_str()), ("psi", &psi_text), ("network", &source)];
        save_png(dir.join(format!("seed{seed:04}.png")), picture, &text)
    };
    let mut pictures = Vec::new();
    in_background(save, |write| {
        let made = sampler.pictures(seeds.iter().copied(), psi, noise);
        for (&seed, picture) in seeds.iter().zip(made) {
            let picture = picture?;
            if pictures.len() < columns * rows {
                pictures.push(picture.clone());
            }
            if !write(seed, picture) {
                break;
            }
        }
        Ok(())
    })?;
    let text = [("seeds", args.seeds.as_str()), ("psi", &psi_text), ("network", &source)];
    save_png(dir.join("grid.png"), &grid(&pictures, columns, rows), &text)?;
    args.profile.print(&device);
    say!("{} pictures and grid.png in {}", seeds.len(), dir.display());
    Ok(ExitCode::SUCCESS)
}

/// Pictures that may wait to be written: more would only hold memory.
const MAX_WAITING: usize = 32;

/// Runs `make` while threads of its own `save` what it hands over, so that a device never waits for
/// the disk. What `make` gets says whether saving still works.
fn in_background(
    save: impl Fn(u64, &Rgb) -> Result<()> + Sync,
    make: impl FnOnce(&dyn Fn(u64, Rgb) -> bool) -> Result<()>,
) -> Result<()> {
    let (sender, receiver) = mpsc::sync_channel::<(u64, Rgb)>(MAX_WAITING);
    let receiver = Mutex::new(Some(receiver));
    let next = || {
        let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.as_ref()?.recv().ok()
    };
    let saving = || {
        while let Some((seed, picture)) = next() {
            if let Err(error) = save(seed, &picture) {
                // Nobody takes any more: the maker notices.
                receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(saving)).collect();
        let made = make(&|seed, picture| sender.send((seed, picture)).is_ok());
        drop(sender);
        let saved = threads.into_iter().map(|t| t.join().expect("saving does not panic"));
        saved.collect::<Result<Vec<()>>>().and(made)
    })
}
