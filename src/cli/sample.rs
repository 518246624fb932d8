//! `semgan sample`: pictures of a trained network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use super::pictures::NetworkArgs;
use super::profile::ProfileArgs;
use super::watch::Steps;
use crate::sample::{
    LabelMap, Latents, Noise, Rgb, grid, parse_grid, parse_seeds, save_labels_png, save_png,
};
use crate::{Error, Result};

/// Makes pictures from seeds: one PNG each, and a grid
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Seeds, like 0-35,40
    #[arg(long, default_value = "0-35")]
    seeds: String,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR")]
    outdir: PathBuf,
    /// Columns and rows of grid.png; as square as it gets by default
    #[arg(long, value_name = "6x6")]
    grid: Option<String>,
    /// Write the class of each pixel too, as the grey values of seedNNNN-labels.png, and show it in
    /// SemanticStyleGAN's colours to the right of each picture of grid.png
    #[arg(long)]
    labels: bool,
    /// Pictures of latents that `semgan project` found, in place of seeds: safetensors, or npy of
    /// [N, layers, S]
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["seeds", "grid", "labels", "psi", "cutoff"]
    )]
    projected_w: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileArgs,
}

/// A picture and, where they are asked for, the classes of its pixels.
type Made = (Rgb, Option<LabelMap>);

/// Longest side of a grid, in pixels.
const MAX_SIDE: usize = 16_384;
/// Columns and rows of a grid of many pictures, where `--grid` does not say; it shows the first.
const MAX_DEFAULT_COLUMNS: usize = 16;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.projected_w {
        return projected(args, path);
    }
    let seeds = parse_seeds(&args.seeds)?;
    let found = args.pictures.find()?;
    if args.labels && found.sizes.parts == 0 {
        let reason = format!("{} makes pictures without labels; leave it out", found.system.name());
        return Err(Error::config("--labels", reason).into());
    }
    let [wide, rows] = cells(args, seeds.len(), found.sizes.picture)?;
    let opened = found.open(&args.pictures.file.device)?;
    args.profile.start(&opened.device);
    let dir = &args.outdir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let sampler = opened.sampler()?;
    let (psi, source) = (opened.look().psi.to_string(), &opened.source);
    let save = |seed: u64, (picture, labels): &Made| {
        let number = seed.to_string();
        let text = [("seed", number.as_str()), ("psi", &psi), ("network", source)];
        if let Some(labels) = labels {
            save_labels_png(&dir.join(format!("seed{seed:04}-labels.png")), labels, &text)?;
        }
        save_png(dir.join(format!("seed{seed:04}.png")), picture, &text)
    };
    let mut pictures = Vec::new();
    let bar = Steps::new(seeds.len());
    in_background(save, |write| {
        let each = seeds.iter().copied();
        let made: Box<dyn Iterator<Item = Result<Made>>> = match args.labels {
            true => Box::new(sampler.labelled(each).map(|made| made.map(|(x, l)| (x, Some(l))))),
            false => Box::new(sampler.pictures(each).map(|made| made.map(|x| (x, None)))),
        };
        for (k, (&seed, made)) in seeds.iter().zip(made).enumerate() {
            let made = made?;
            bar.at(k, String::new());
            if pictures.len() < wide * rows {
                pictures.push(made.0.clone());
                pictures.extend(made.1.as_ref().map(LabelMap::colored));
            }
            if !write(seed, made) {
                break;
            }
        }
        Ok(())
    })?;
    drop(bar);
    let text = [("seeds", args.seeds.as_str()), ("psi", &psi), ("network", source)];
    save_png(dir.join("grid.png"), &grid(&pictures, wide, rows), &text)?;
    args.profile.print(&opened.device);
    let what = if args.labels { "pictures, their labels" } else { "pictures" };
    say!("{} {what} and grid.png in {}", seeds.len(), dir.display());
    Ok(ExitCode::SUCCESS)
}

/// Pictures in a row of the grid, label maps counted too, and rows.
fn cells(args: &Args, seeds: usize, picture: [usize; 2]) -> Result<[usize; 2]> {
    let (columns, rows) = match &args.grid {
        Some(text) => parse_grid(text)?,
        None => {
            let columns = ((seeds as f64).sqrt().ceil() as usize).min(MAX_DEFAULT_COLUMNS);
            (columns, seeds.div_ceil(columns).min(MAX_DEFAULT_COLUMNS))
        }
    };
    let wide = columns.saturating_mul(if args.labels { 2 } else { 1 });
    let size = picture[0].max(picture[1]);
    if wide.max(rows).saturating_mul(size) > MAX_SIDE {
        let reason = format!("{wide}x{rows} pictures of {size} pixels; {MAX_SIDE} at most");
        return Err(Error::config("--grid", reason));
    }
    Ok([wide, rows])
}

/// Pictures of latents in a file, with its noise, or else the network's own.
fn projected(args: &Args, path: &Path) -> anyhow::Result<ExitCode> {
    let opened = args.pictures.find()?.open(&args.pictures.file.device)?;
    args.profile.start(&opened.device);
    let sampler = opened.sampler()?;
    let latents = Latents::load(path, &sampler.styles(&sampler.w(0)), sampler.sizes())?;
    let of_file = latents.noise.as_ref().filter(|_| opened.look().noise == Noise::Const);
    let noise = of_file.cloned().unwrap_or_else(|| sampler.own_noise());
    let dir = &args.outdir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let source = path.display().to_string();
    let text = [("projected_w", source.as_str()), ("network", &opened.source)];
    let all = latents.pictures().map(|styles| (styles, noise.clone()));
    let mut count = 0;
    for (k, picture) in sampler.pictures_of(all).enumerate() {
        save_png(dir.join(format!("proj{k:02}.png")), &picture?, &text)?;
        count = k + 1;
    }
    args.profile.print(&opened.device);
    say!("{count} pictures in {}", dir.display());
    Ok(ExitCode::SUCCESS)
}

/// Pictures that may wait to be written: more would only hold memory.
const MAX_WAITING: usize = 32;

/// Runs `make` while threads of its own `save` what it hands over, so that a device never waits for
/// the disk. What `make` gets says whether saving still works.
fn in_background<T: Send>(
    save: impl Fn(u64, &T) -> Result<()> + Sync,
    make: impl FnOnce(&dyn Fn(u64, T) -> bool) -> Result<()>,
) -> Result<()> {
    let (sender, receiver) = mpsc::sync_channel::<(u64, T)>(MAX_WAITING);
    let receiver = Mutex::new(Some(receiver));
    let next = || {
        let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.as_ref()?.recv().ok()
    };
    let saving = || {
        while let Some((seed, made)) = next() {
            if let Err(error) = save(seed, &made) {
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
        let made = make(&|seed, made| sender.send((seed, made)).is_ok());
        drop(sender);
        let saved = threads.into_iter().map(|t| t.join().expect("saving does not panic"));
        saved.collect::<Result<Vec<()>>>().and(made)
    })
}
