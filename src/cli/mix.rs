//! `semgan mix`: some layers' styles of one picture in another.

use std::path::PathBuf;
use std::process::ExitCode;

use super::pictures::NetworkArgs;
use crate::models::System;
use crate::sample::{Rgb, grid, parse_layers, parse_seeds, save_png};
use crate::{Error, Result};

/// Makes pictures of two seeds each: the styles of some layers come from a column's seed
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Seeds of the rows, whose pictures are changed
    #[arg(long, value_name = "SEEDS", alias = "row-seeds")]
    rows: String,
    /// Seeds of the columns, whose styles are taken
    #[arg(long, value_name = "SEEDS", alias = "col-seeds")]
    cols: String,
    /// Layers whose styles are taken, like 0-6; the first ones are the coarsest [default: the first
    /// half]
    #[arg(long, value_name = "LAYERS", alias = "col-styles")]
    styles: Option<String>,
    /// Folder for grid.png and one picture for each pair
    #[arg(long, value_name = "DIR")]
    outdir: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (rows, cols) = (parse_seeds(&args.rows)?, parse_seeds(&args.cols)?);
    let found = args.pictures.find()?;
    if found.sizes.style.is_none() {
        let reason = format!("{} has no styles that could be mixed", System::Pggan.name());
        return Err(Error::config("--network", reason).into());
    }
    let layers = match &args.styles {
        Some(text) => parse_layers(text, found.sizes.layers)?,
        None => (0..found.sizes.layers / 2).collect(),
    };
    let opened = found.open(&args.pictures.file.device)?;
    let sampler = opened.sampler()?;
    let dir = &args.outdir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let plain = |seed: u64| (sampler.styles(&sampler.w(seed)), sampler.noise(seed));
    // The first row and the first column show what is mixed.
    let mut wanted: Vec<_> = cols.iter().map(|&col| plain(col)).collect();
    for &row in &rows {
        let own = plain(row);
        wanted.push(own.clone());
        for col in 0..cols.len() {
            let (mut mixed, noise) = own.clone();
            layers.iter().for_each(|&k| mixed[k] = wanted[col].0[k].clone());
            wanted.push((mixed, noise));
        }
    }
    let pictures: Vec<Rgb> = sampler.pictures_of(wanted).collect::<Result<_>>()?;
    let (psi, source) = (opened.look().psi.to_string(), &opened.source);
    for (&row, line) in rows.iter().zip(pictures[cols.len()..].chunks(1 + cols.len())) {
        for (&col, picture) in cols.iter().zip(&line[1..]) {
            let (row, col) = (row.to_string(), col.to_string());
            let text = [("row", &*row), ("column", &col), ("psi", &psi), ("network", source)];
            save_png(dir.join(format!("{row}-{col}.png")), picture, &text)?;
        }
    }
    let corner = Rgb { pixels: vec![0; pictures[0].pixels.len()], ..pictures[0].clone() };
    let all: Vec<Rgb> = std::iter::once(corner).chain(pictures).collect();
    let text =
        [("rows", &*args.rows), ("columns", &*args.cols), ("psi", &psi), ("network", source)];
    save_png(dir.join("grid.png"), &grid(&all, cols.len() + 1, rows.len() + 1), &text)?;
    say!("{} pictures and grid.png in {}", rows.len() * cols.len(), dir.display());
    Ok(ExitCode::SUCCESS)
}
