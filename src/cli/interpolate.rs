//! `semgan interpolate`: pictures that turn into each other.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::networks::SpaceName;
use super::pictures::NetworkArgs;
use super::watch::Steps;
use crate::sample::{
    Latents, Movie, MovieOptions, Path, Rgb, Sampler, Way, grid, parse_grid, parse_seeds,
};
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
    /// Files of latents that `project` wrote, on the way instead of seeds
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "seeds")]
    projected_w: Vec<PathBuf>,
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
    space: Option<SpaceName>,
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

/// One cell: the styles `[F, D]` of its frames, layer after layer where each has its own, and what
/// stays.
struct Cell {
    way: Tensor,
    noise: Vec<Tensor>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (seeds, (columns, rows)) = (parse_seeds(&args.seeds)?, parse_grid(&args.grid)?);
    let keys = if args.projected_w.is_empty() { seeds.len() } else { args.projected_w.len() };
    if !keys.is_multiple_of(columns * rows) || keys / (columns * rows) < 2 {
        let reason = format!("{keys} do not give each of {columns}x{rows} cells two or more alike");
        return Err(Error::config("--seeds, --projected-w", reason).into());
    }
    let found = args.pictures.find()?;
    let space = args.space(found.sizes.style.is_some())?;
    let [height, width] = found.sizes.picture;
    let opened = found.open(&args.pictures.file.device)?;
    let sampler = opened.sampler()?;
    let each = keys / (columns * rows);
    let cells: Vec<Cell> = match &args.projected_w[..] {
        [] => seeds.chunks(each).map(|seeds| args.of_seeds(&sampler, seeds, space)).collect(),
        files => {
            let cells = files.chunks(each).map(|files| args.of_files(&sampler, files));
            cells.collect::<Result<_>>()?
        }
    };
    let frames = cells[0].way.size(0);
    let options = MovieOptions { repeats: !args.no_loop };
    let size = [columns * width, rows * height];
    let mut movie = Movie::create(&args.output, size, args.fps, options)?;
    let of_layers = !args.projected_w.is_empty();
    let styles = |way: &Tensor, k| match (way.narrow(0, k, 1), of_layers) {
        (w, false) => sampler.styles(&w),
        (w, true) => {
            let layers = sampler.sizes().layers;
            let width = w.size(1) / layers;
            (0..layers).map(|layer| w.narrow(1, layer * width, width)).collect()
        }
    };
    let wanted = (0..frames).flat_map(|k| cells.iter().map(move |cell| (cell, k)));
    let wanted = wanted.map(|(cell, k)| (styles(&cell.way, k), cell.noise.clone()));
    film(&mut movie, sampler.pictures_of(wanted), (columns, rows), frames)?;
    movie.finish()?;
    say!("{frames} frames in {}", args.output.display());
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn path(&self) -> Path {
        let way = match self.interp {
            WayName::Linear => Way::Linear,
            WayName::Spherical => Way::Spherical,
            WayName::Spline => Way::Spline,
        };
        let frames = usize::from(self.w_frames);
        Path { way, frames, is_loop: !self.no_loop, is_eased: self.ease }
    }

    /// Where the way leads, in a network with styles or without.
    fn space(&self, has_styles: bool) -> Result<SpaceName> {
        let is_spherical = self.interp == WayName::Spherical;
        if !self.projected_w.is_empty() {
            return match is_spherical || self.space == Some(SpaceName::Z) {
                true => Err(Error::config("--projected-w", "has no z; leave out what needs it")),
                false => Ok(SpaceName::W),
            };
        }
        let needs_z = is_spherical || !has_styles;
        let space = self.space.unwrap_or(if needs_z { SpaceName::Z } else { SpaceName::W });
        if space == SpaceName::W && needs_z {
            let reason = "great circles and networks without styles need z";
            return Err(Error::config("--space", reason));
        }
        Ok(space)
    }

    fn of_seeds(&self, sampler: &Sampler<'_>, seeds: &[u64], space: SpaceName) -> Cell {
        let way = match space {
            SpaceName::W => self.path().through(&sampler.all_w(seeds)),
            SpaceName::Z => {
                let z = self.path().through(&sampler.all_z(seeds));
                sampler.map(&z, sampler.labels(z.size(0)).as_ref())
            }
        };
        // What moves is the style alone.
        Cell { way, noise: sampler.noise(seeds[0]) }
    }

    fn of_files(&self, sampler: &Sampler<'_>, files: &[PathBuf]) -> Result<Cell> {
        let some = sampler.styles(&sampler.w(0));
        let keys = files.iter().map(|file| {
            let w = Latents::load(file, &some, sampler.sizes())?.w;
            Ok(w.narrow(0, 0, 1).reshape([1, w.size(1) * w.size(2)]))
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let way = self.path().through(&Tensor::cat(&keys.iter().collect::<Vec<_>>(), 0));
        Ok(Cell { way, noise: sampler.own_noise() })
    }
}

/// Writes frames of so many columns and rows of pictures each, and shows how far it is.
fn film(
    movie: &mut Movie,
    mut pictures: impl Iterator<Item = Result<Rgb>>,
    (columns, rows): (usize, usize),
    frames: usize,
) -> Result<()> {
    let bar = Steps::new(frames);
    for frame in 0..frames {
        let cells: Vec<Rgb> = pictures.by_ref().take(columns * rows).collect::<Result<_>>()?;
        movie.push(&grid(&cells, columns, rows))?;
        bar.at(frame, String::new());
    }
    Ok(())
}
