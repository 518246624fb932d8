//! `semgan import`: networks that other programs published.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::DeviceArgs;
use super::export::check_new;
use crate::Result;
use crate::checkpoint::published::{self, Contents, Published};
use crate::checkpoint::{self, Checkpoint};
use crate::models::Config;
use crate::train::{adopt, snapshot};

mod verify;

/// Makes a snapshot of networks that another program published, without running code of the file
///
/// Reads .pt and .pth files of SariGAN, rosinality's StyleGAN2, SemanticStyleGAN, GenForce and
/// LinearGAN, in both of PyTorch's containers, and .pkl files of StyleGAN2-ADA. What a file is, is
/// told by its contents. Discriminator, average and optimisers come along where they are there;
/// `semgan train --resume` goes on with them.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// File of another program
    file: PathBuf,
    /// Snapshot to write [default: the file's name with .safetensors, in this folder]
    #[arg(long, value_name = "NAME.safetensors")]
    out: Option<PathBuf>,
    /// Replace --out where it exists
    #[arg(long)]
    overwrite: bool,
    /// Write every tensor under its path in the file and with its own type of number, as a plain
    /// safetensors file
    #[arg(long, conflicts_with = "verify")]
    raw: bool,
    /// Render four seeds beside --out, and say how far pictures are from those of a reference file
    /// (safetensors with z, image and perhaps noise0, noise1 ...), or without one from those that
    /// this program computes in double precision
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    verify: Option<Option<PathBuf>>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let out = args.out()?;
    if args.raw {
        write_raw(args, &out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Published { container, contents } = published::read(&args.file)?;
    match contents {
        Contents::Networks(networks) => {
            let layout = networks.layout.name();
            let file = adopt::snapshot(&args.file, *networks)?;
            file.save(&out)?;
            say!("{}: {container}, layout {layout}", args.file.display());
            said(&snapshot::network_config(&file)?, &file);
            say!("written: {}", out.display());
            if let Some(reference) = &args.verify {
                return Ok(verify::run(&out, reference.as_deref(), &args.device)?);
            }
            next_step(&out, &file);
        }
        Contents::Extractor(arch, values) => {
            let description = serde_json::json!({ "version": 2, "extractor": arch });
            let file = Checkpoint { path: out.clone(), description, tensors: values };
            file.save(&out)?;
            say!("{}: {container}, an extractor of classes from features", args.file.display());
            say!("written: {}", out.display());
        }
        Contents::Tensors(tensors) => {
            say!(
                "{}: {container} of no known layout; its {} tensors are written as they are",
                args.file.display(),
                tensors.len()
            );
            checkpoint::save_raw(&out, &tensors)?;
            say!("written: {}", out.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// Where to write, which must not be the file itself, nor exist unless that is asked for.
    fn out(&self) -> Result<PathBuf> {
        let usual = || {
            Path::new(self.file.file_stem().unwrap_or_default()).with_added_extension("safetensors")
        };
        let out = self.out.clone().unwrap_or_else(usual);
        check_new(&out, self.overwrite)?;
        Ok(out)
    }
}

fn write_raw(args: &Args, out: &Path) -> Result<()> {
    let tensors = published::read_tensors(&args.file)?;
    checkpoint::save_raw(out, &tensors)?;
    say!("{} tensors as they are in {}", tensors.len(), out.display());
    Ok(())
}

/// What was found.
fn said(config: &Config, file: &Checkpoint) {
    let [h, w] = config.sizes().picture;
    let count = |prefix: &str| {
        let own = file.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        own.map(|(_, (shape, _))| shape.numel()).sum::<usize>()
    };
    let parts = [("g.", "generator"), ("d.", "discriminator"), ("g_ema.", "average")];
    let there = parts.iter().map(|(prefix, name)| (name, count(prefix))).filter(|(_, n)| *n > 0);
    let there: Vec<String> = there.map(|(name, n)| format!("{name} {n}")).collect();
    let optimisers = if count("opt.") > 0 { ", optimisers" } else { "" };
    say!("{} at {w}x{h}: numbers in {}{optimisers}", config.system().name(), there.join(", "));
}

fn next_step(out: &Path, file: &Checkpoint) {
    let out = out.display();
    say!("pictures: semgan sample --network {out} --outdir samples");
    if snapshot::options(file).is_ok_and(|options| options.check().is_ok()) {
        say!("go on training: semgan train --resume {out} --data PATH");
    }
}
