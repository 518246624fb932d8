//! `semgan export`: snapshots as files of other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::checkpoint::published::To;
use crate::train::{adopt, folder};
use crate::{Error, Result};

/// Writes a network as a file of another program: its names, its layout, torch.save's container
///
/// Parameters, buffers, filters and optimisers are there under the names that the program gives
/// them; `semgan import` makes the same snapshot of the file again.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Run folder (its newest snapshot) or snapshot file
    network: PathBuf,
    /// Whose layout
    #[arg(long, value_enum)]
    to: Name,
    /// File to write [default: the snapshot's name with .pt or .pth, in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace --out where it exists
    #[arg(long)]
    overwrite: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// rosinality's StyleGAN2, SariGAN and SemanticStyleGAN
    Rosinality,
    /// GenForce's PGGAN, StyleGAN and StyleGAN2
    Genforce,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (file, passed_over) = folder::network(&args.network)?;
    passed_over.iter().for_each(|p| say!("passed over {p}"));
    let (to, ending) = match args.to {
        Name::Rosinality => (To::Rosinality, "pt"),
        Name::Genforce => (To::GenForce, "pth"),
    };
    let stem = PathBuf::from(file.path.file_stem().unwrap_or_default());
    let out = args.out.clone().unwrap_or_else(|| stem.with_added_extension(ending));
    check_new(&out, args.overwrite)?;
    adopt::export(&out, to, &file)?;
    say!("written: {}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// Refuses a file that exists, unless it is to be replaced.
pub(super) fn check_new(out: &std::path::Path, is_replaced: bool) -> Result<()> {
    if out.exists() && !is_replaced {
        let reason = format!("{} exists; add --overwrite, or give another name", out.display());
        return Err(Error::config("--out", reason));
    }
    Ok(())
}
