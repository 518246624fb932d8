//! `semgan interpolate`: pictures that turn into each other.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::pictures::NetworkArgs;
use super::watch::bar_style;
use crate::sample::{Movie, MovieOptions, Path, Rgb, Way, grid, parse_grid, parse_seeds};
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Makes a moving picture from seed to seed: GIF, APNG, MP4 or single frames
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Seeds on the way; each cell of a grid takes as many, one after another
    #[arg(long, default_value = "0-3")]
    seeds: String,
    /// What is written: .gif, .apng, .mp4 (by an installed ffmpeg), or a folder for frames
    #[arg(long, value_name = "FILE_OR_DIR")]
    output: PathBuf,
    /// Columns and rows of pictures that move at once
    #[arg(long, value_name = "4x2", default_value = "1x1")]
    grid: String,
    /// Frames from one seed to the next
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    w_frames: u16,
    /// Frames per second
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=60))]
    fps: u16,
    /// The way from one seed to the next
    #[arg(long, value_enum, default_value_t = WayName::Spline)]
    interp: WayName,
    /// Where it leads: through styles or through latents [default: z for spherical ways and networks
    /// without styles, else w]
    #[arg(long, value_enum)]
    space: Option<Space>,
    /// Leave and reach every seed slowly
    #[arg(long)]
    ease: bool,
    /// End at the last seed instead of going back to the first
    #[arg(long)]
    no_loop: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WayName {
    /// Straight
    Linear,
    /// Along great circles, of latents
    Spherical,
    /// Along a cubic spline
    Spline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Space {
    /// Latents
    Z,
    /// Styles
    W,
}

/// Progress is shown only for what takes a while.
const QUICK: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (seeds, (columns, rows)) = (parse_seeds(&args.seeds)?, parse_grid(&args.grid)?);
    let cells = columns * rows;
    if !seeds.len().is_multiple_of(cells) || seeds.len() / cells < 2 {
        let reason = format!(
            "{} do not give each of {cells} cells two or more, as many to each",
            seeds.len()
        );
        return Err(Error::config("--seeds", reason).into());
    }
    let way = match args.interp {
        WayName::Linear => Way::Linear,
        WayName::Spherical => Way::Spherical,
        WayName::Spline => Way::Spline,
    };
    let found = args.pictures.find()?;
    let latents_only = way == Way::Spherical || found.sizes.style.is_none();
    let space = args.space.unwrap_or(if latents_only { Space::Z } else { Space::W });
    if space == Space::W && latents_only {
        let reason = "great circles and networks without styles need z";
        return Err(Error::config("--space", reason).into());
    }
    let [height, width] = found.sizes.picture;
    let opened = found.open(&args.pictures.file.device)?;
    let sampler = opened.sampler()?;
    let path = Path {
        way,
        frames: usize::from(args.w_frames),
        is_loop: !args.no_loop,
        is_eased: args.ease,
    };
    let way_of = |seeds: &[u64]| {
        if space == Space::W {
            return path.through(&sampler.all_w(seeds));
        }
        let latents: Vec<Tensor> = seeds.iter().map(|&seed| sampler.z(seed)).collect();
        let z = path.through(&Tensor::cat(&latents.iter().collect::<Vec<_>>(), 0));
        sampler.map(&z, sampler.labels(z.size(0)).as_ref())
    };
    let ways: Vec<Tensor> = seeds.chunks(seeds.len() / cells).map(way_of).collect();
    // What moves is the style alone.
    let noises: Vec<_> =
        seeds.iter().step_by(seeds.len() / cells).map(|&s| sampler.noise(s)).collect();
    let frames = ways[0].size(0);
    let options = MovieOptions { repeats: !args.no_loop };
    let size = [columns * width, rows * height];
    let mut movie = Movie::create(&args.output, size, args.fps, options)?;
    let styles = |way: &Tensor, k| sampler.styles(&way.narrow(0, k, 1));
    let wanted = (0..frames).flat_map(|k| ways.iter().zip(&noises).map(move |cell| (cell, k)));
    let wanted = wanted.map(|((way, noise), k)| (styles(way, k), noise.clone()));
    film(&mut movie, sampler.pictures_of(wanted), (columns, rows), frames)?;
    movie.finish()?;
    say!("{frames} frames in {}", args.output.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes frames of so many columns and rows of pictures each, and shows how far it is.
fn film(
    movie: &mut Movie,
    mut pictures: impl Iterator<Item = Result<Rgb>>,
    (columns, rows): (usize, usize),
    frames: usize,
) -> Result<()> {
    let bar = ProgressBar::hidden();
    bar.set_length(frames as u64);
    bar.set_style(bar_style("{wide_bar} {pos} of {len} frames  {elapsed_precise} < {eta_precise}"));
    for _ in 0..frames {
        let cells: Vec<Rgb> = pictures.by_ref().take(columns * rows).collect::<Result<_>>()?;
        movie.push(&grid(&cells, columns, rows))?;
        bar.inc(1);
        if bar.is_hidden() && bar.elapsed() > QUICK {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
    bar.finish_and_clear();
    Ok(())
}
