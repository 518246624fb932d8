//! `semgan tune`: measures which forms of the heavy kernels are fastest on a GPU.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::bench::at_least_one;
use super::networks::Preset;
use crate::device::tuning::{Choice, Tuning};
use crate::models::System;
use crate::ops::random::{Draw, Stream};
use crate::sample::{Look, Sampler};
use crate::train::options::check_res;
use crate::train::step::step;
use crate::train::{Recipe, State, StepInputs};
use crate::{Device, Error, Result};

/// Measures the forms of matrix products and convolutions on a GPU, for the sizes of a network
///
/// The table is kept for this adapter and driver, and every command uses it from then on; see
/// `semgan devices`. Matrix products and tiled convolutions give the same bits in every form,
/// convolutions on software drivers differ in their last.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// gpu, gpu:N, gpu:NAME or auto; `semgan devices` lists what is there
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
    /// Sizes of the network
    #[arg(long, value_enum, default_value_t = Preset::Tiny)]
    preset: Preset,
    /// Side of the pictures
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    res: usize,
    /// Pictures per step
    #[arg(long, default_value_t = 16, value_parser = at_least_one())]
    batch: usize,
    /// File for the table [default: one in the user's configuration folder, by adapter and driver]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    check_res(args.res)?;
    let (device, why) = Device::select(&args.device)?;
    say!("{why}");
    let Device::Gpu(gpu) = &device else {
        let reason = format!("{} has one form of every kernel: give a GPU", device.kind());
        return Err(Error::config("--device", reason).into());
    };
    let path = args.out.clone().or_else(|| Tuning::usual_path(gpu.report()));
    let path = path.ok_or_else(|| {
        Error::config("--out", "give a file: this system has no folder for configurations")
    })?;
    let (done, table) = device.tune(|| work(args, &device));
    done?;
    let table = table.expect("a GPU has a table");
    table.save(&path)?;
    let mut out = std::io::stdout().lock();
    for choice in table.choices.iter().filter(|choice| choice.gain > 1.0) {
        let Choice { kernel, sizes, form, gain } = choice;
        writeln!(out, "{kernel} {sizes:?}: {form}, {gain:.2} times as fast")?;
    }
    say!("{} ({table})", path.display());
    Ok(ExitCode::SUCCESS)
}

/// One step with all its phases, and a picture: what meets every size.
fn work(args: &Args, device: &Device) -> Result<()> {
    let system = System::Sarigan;
    let (config, recipe) = (args.preset.config(system, args.res), Recipe::of(system));
    let mut state = State::new(&config, &recipe, 0, device);
    let draw = Draw { seed: 0, stream: Stream::TrainLatent.of(9), step: 0 };
    let real = draw.uniforms([args.batch, 3, args.res, args.res], device) * 2.0 - 1.0;
    let inputs = StepInputs::draw(&config.sizes(), &recipe, 0, 0, real);
    step(&mut state, &inputs, &recipe);
    let g = &*state.g_ema.model;
    Sampler::new(g, config.sizes(), None, Look::default(), device).picture(0)?;
    device.sync()
}
