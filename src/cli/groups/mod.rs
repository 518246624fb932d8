//! `semgan groups`: the channel groups of a SariGAN, in numbers and pictures, and edits by group.

mod edit;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::DeviceArgs;
use super::pictures::{NoiseMode, Truncation};
use crate::Result;
use crate::models::sarigan::Generator;
use crate::sample::Look;
use crate::train::snapshot::Trained;
use crate::train::{folder, snapshot};

/// Shows the channel groups of a network; `groups edit` edits pictures by them
///
/// Prints a line per grouped layer:
///   size                      side of its output
///   channels                  of its input: those that are grouped
///   groups, used              how many there are, and how many hold channels
///   largest, median, smallest channels of those
///   none                      channels in no group
///   inside, between           mean cosine similarity of the kernels of two channels, in one group
///                             and in two
///   target, 1/g               part of the pairs of channels that the grouping loss wants together,
///                             and where training moves it
///
/// With --outdir, two pictures per layer:
///   groups-LAYER.png          a row per seed: the picture, then where each group is active: the mean
///                             of its channels, from its least (dark) to its largest value (bright).
///                             A column says the group and its channels (g3 n12); empty groups are
///                             left out
///   similarity-LAYER.png      cosine similarity of all channels, sorted by group
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Run folder (its newest snapshot) or snapshot file
    #[arg(long, value_name = "RUN_OR_FILE", required = true)]
    network: Option<PathBuf>,
    #[command(flatten)]
    show: show::Args,
}

#[derive(Subcommand, Debug)]
enum Command {
    Edit(edit::Args),
}

/// What both commands take.
#[derive(clap::Args, Debug)]
struct CommonArgs {
    #[command(flatten)]
    truncation: Truncation,
    /// Folder for the pictures; without it there are none
    #[arg(long, value_name = "DIR")]
    outdir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A network that was opened.
struct Opened {
    trained: Trained<Generator>,
    look: Look,
    /// The file.
    source: String,
}

impl CommonArgs {
    fn open(&self, network: &Path, noise: NoiseMode) -> Result<Opened> {
        let look = self.truncation.look(noise)?;
        let (file, passed_over) = folder::network(network)?;
        snapshot::network_config(&file)?.check_square().map_err(|e| file.blame(e))?;
        passed_over.iter().for_each(|p| say!("passed over {p}"));
        let trained = snapshot::sarigan(&file, &self.device.open()?)?;
        Ok(Opened { trained, look, source: file.path.display().to_string() })
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match (&args.command, &args.network) {
        (Some(Command::Edit(args)), _) => edit::run(args),
        (None, Some(network)) => show::run(network, &args.show),
        (None, None) => unreachable!("--network is required without a subcommand"),
    }
}
