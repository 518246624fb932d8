//! `semgan plot`: the curves of runs as one picture.
//!
//! - `curves.rs` reads them from `stats.jsonl`, and smooths them,
//! - `axis.rs` chooses ranges, ticks and their labels,
//! - `chart.rs` draws panels,
//! - `canvas.rs` draws lines and letters.

mod axis;
mod canvas;
mod chart;
mod curves;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;

use crate::sample::save_png;
use crate::{Error, Result};
pub(super) use axis::Axis as Range;
pub(super) use curves::Curves;

/// Draws the scores, losses, penalties, speed and memory of runs as one PNG
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Run folders, or files like their stats.jsonl (StyleGAN3's too)
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The picture
    #[arg(long, value_name = "FILE.png", default_value = "plot.png")]
    out: PathBuf,
    /// Its width in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1500, value_parser = pixels())]
    width: usize,
    /// Its height in pixels [default: 300 for each row of panels]
    #[arg(long, value_name = "PIXELS", value_parser = pixels())]
    height: Option<usize>,
}

fn pixels() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(400..=10_000)
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) {
        let reason = format!("{} does not end in .png", args.out.display());
        return Err(Error::config("--out", reason).into());
    }
    let runs = args.runs.iter().map(|path| Curves::read(path)).collect::<Result<Vec<_>>>()?;
    let picture = chart::draw(&runs, args.width, args.height)?;
    save_png(&args.out, &picture, &[("Title", &title(&args.runs))])?;
    say!("{}", args.out.display());
    Ok(ExitCode::SUCCESS)
}

fn title(runs: &[PathBuf]) -> String {
    runs.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ")
}

/// What a run is called: the name of its folder.
fn name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = if full.is_dir() { Some(full.as_path()) } else { full.parent() };
    let name = folder.and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().into_owned()
}
