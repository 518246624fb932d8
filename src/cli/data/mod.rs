//! `semgan data`: sets of pictures: drawing one, making one of another, and looking at one.

mod bar;
mod check;
mod make;
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use self::bar::Bar;
use crate::data::faces::FaceSet;
use crate::data::{Dataset, LabelMaps};
use crate::sample::{LabelMap, Rgb, grid, parse_grid, save_png};
use crate::{Error, Result};

/// Makes, checks and shows data sets
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Faces(FacesArgs),
    Make(make::Args),
    Check(check::Args),
    Stats(stats::Args),
    Grid(GridArgs),
}

/// Draws portraits with label maps of 13 classes: a set to train on that needs no download
///
/// Writes images/, labels/ (8-bit grey, index of the class) and dataset.json (classes, and what
/// each face looks like: pose, hair, smile, light and so on). The same seed gives the same faces at
/// every resolution.
#[derive(clap::Args, Debug)]
struct FacesArgs {
    /// Number of faces
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    count: u64,
    /// Side of the pictures, 8 to 1024
    #[arg(long, default_value_t = 64, value_name = "PIXELS")]
    res: usize,
    /// Which faces: two seeds have none in common
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// New or empty folder, or new file that ends in .zip
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

/// Shows the first pictures of a data set on one sheet
#[derive(clap::Args, Debug)]
struct GridArgs {
    /// Folder (with everything below it), zip or LMDB folder of pictures
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// PNG file for the sheet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of pictures; as many as the grid has cells, or 64, by default
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Side of a picture on the sheet; by default that of the first picture, or less where the
    /// sheet would be too large to look at
    #[arg(long, value_name = "PIXELS")]
    res: Option<usize>,
    /// Columns and rows; as square as it gets by default
    #[arg(long, value_name = "8x8")]
    grid: Option<String>,
    /// Put its label map to the right of each picture, in SemanticStyleGAN's colours; they lie in
    /// labels/ beside images/
    #[arg(long)]
    labels: bool,
}

/// Pictures on a sheet where nothing else is said.
const DEFAULT_COUNT: usize = 64;
/// Longest side of a sheet, in pixels.
const MAX_SIDE: usize = 16_384;
/// Longest side of a sheet whose resolution was not asked for.
const READABLE_SIDE: usize = 2048;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Faces(args) => faces(args)?,
        What::Make(args) => make::run(args)?,
        What::Check(args) => return check::run(args),
        What::Stats(args) => stats::run(args)?,
        What::Grid(args) => sheet(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn faces(args: &FacesArgs) -> Result<()> {
    let FacesArgs { count, res, seed, ref out } = *args;
    let bar = Bar::new();
    let written = FaceSet { count, res, seed }.write(out, |done| bar.set(done, count));
    bar.clear();
    written?;
    say!("{count} faces of {res}x{res} with label maps in {}, seed {seed}", out.display());
    Ok(())
}

fn sheet(args: &GridArgs) -> Result<()> {
    let (columns, rows) = cells(args)?;
    let count = args.count.unwrap_or(columns * rows).min(columns * rows);
    // With labels, a cell is two pictures wide.
    let pair = if args.labels { 2 } else { 1 };
    let wide = columns * pair;
    let res = match args.res {
        Some(res) => res,
        None => {
            let (width, height) = Dataset::first_size(&args.data)?;
            let readable = (READABLE_SIDE / wide.max(rows)).max(16);
            (width.min(height) as usize).min(readable)
        }
    };
    if res == 0 || wide.max(rows).saturating_mul(res) > MAX_SIDE {
        let reason = format!("{wide}x{rows} pictures of {res} pixels; 1 to {MAX_SIDE} in all");
        return Err(Error::config("--res", reason));
    }
    let maps = if args.labels { Some(LabelMaps::open(&args.data)?) } else { None };
    let dataset = Dataset::open_first(&args.data, res, count)?;
    for skipped in dataset.skipped() {
        say!("skipped {}: {}", skipped.name, skipped.reason);
    }
    let mut pictures = Vec::new();
    for index in 0..dataset.len() {
        pictures.push(Rgb::from_dataset(&dataset, index)?);
        if let Some(maps) = &maps {
            pictures.push(colored(maps, dataset.name(index), res));
        }
    }
    // There may be fewer pictures than there is room for.
    let (columns, rows) = if args.grid.is_some() { (columns, rows) } else { square(dataset.len()) };
    save_png(&args.out, &grid(&pictures, columns * pair, rows), &[])?;
    let what = if args.labels { "pictures with label maps" } else { "pictures" };
    say!("{} {what} of {res}x{res} in {}", dataset.len(), args.out.display());
    Ok(())
}

/// Columns and rows.
fn cells(args: &GridArgs) -> Result<(usize, usize)> {
    if args.count == Some(0) {
        return Err(Error::config("--count", "0 pictures; give 1 or more"));
    }
    if let Some(text) = &args.grid {
        return parse_grid(text);
    }
    Ok(square(args.count.unwrap_or(DEFAULT_COUNT)))
}

/// Columns and rows for so many pictures, as square as it gets.
fn square(count: usize) -> (usize, usize) {
    let columns = (count as f64).sqrt().ceil() as usize;
    (columns, count.div_ceil(columns))
}

/// A label map in colours; black where there is none, which is said.
fn colored(maps: &LabelMaps, picture: &str, res: usize) -> Rgb {
    let labels = maps.read(picture, res).unwrap_or_else(|reason| {
        say!("no labels of {picture}: {reason}");
        vec![0; res * res]
    });
    LabelMap { width: res, height: res, classes: labels }.colored()
}
