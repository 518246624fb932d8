//! `semgan bench step`: how long a training iteration takes.

use std::time::Instant;

use serde_json::json;

use super::{at_least_one, print_report};
use crate::cli::DeviceArgs;
use crate::cli::networks::{FormName, Preset, RecipeName, SystemName};
use crate::cli::profile::ProfileArgs;
use crate::device::{Counters, Device};
use crate::models::{Config, Sizes};
use crate::ops::random::{Draw, Stream};
use crate::tensor::Tensor;
use crate::train::options::check_res;
use crate::train::step::run_phase;
use crate::train::{Recipe, Report, Scheduled, State, StepInputs, StepOutputs};

/// One SariGAN training iteration on random pictures, lazy phases averaged in
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Kind of network
    #[arg(long, value_enum, default_value_t = SystemName::Sarigan)]
    cfg: SystemName,
    /// Sizes of the network
    #[arg(long, value_enum, default_value_t = Preset::Tiny)]
    preset: Preset,
    /// Losses and schedule, and how channels fall into groups
    #[arg(long, value_enum, default_value_t = RecipeName::Official)]
    recipe: RecipeName,
    /// Where grouped layers apply their codes
    #[arg(long, value_enum, default_value_t = FormName::Weight)]
    form: FormName,
    /// Side of the pictures
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    res: usize,
    /// Pictures per step
    #[arg(long, default_value_t = 16, value_parser = at_least_one())]
    batch: usize,
    /// Times each phase is measured; the median counts
    #[arg(long, default_value_t = 5, value_parser = at_least_one())]
    rounds: usize,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Seconds of each round, and what the device did in one.
struct Measured {
    name: &'static str,
    every: u64,
    seconds: f64,
    cost: Counters,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    check_res(args.res)?;
    let device = args.device.open()?;
    let mut config = args.preset.config(args.cfg.into(), args.res);
    let mut recipe = Recipe::of(config.system());
    if let Config::Sarigan(config) = &mut config {
        (recipe, config.rule) = args.recipe.resolve();
        config.form = args.form.into();
    }
    let sizes = config.sizes();
    let mut state = State::new(&config, &recipe, 0, &device);
    let size = [args.batch, 3, args.res, args.res];
    let real = Draw { seed: 0, stream: Stream::TrainLatent.of(9), step: 0 };
    let real = real.uniforms(size, &device) * 2.0 - 1.0;
    let mut parts = Vec::new();
    args.profile.start(&device);
    for &scheduled in &recipe.phases {
        parts.push(phase(&mut state, (&sizes, &recipe), scheduled, &real, args.rounds)?);
    }
    parts.push(draws(&sizes, &recipe, &real, args.rounds)?);
    let per_step =
        |f: fn(&Measured) -> f64| parts.iter().map(|p| f(p) / p.every as f64).sum::<f64>();
    let seconds = per_step(|p| p.seconds);
    let find = |name: &str| parts.iter().find(|p| p.name == name).map_or(0.0, |p| p.seconds);
    let total = device.counters();
    let report = json!({
        "device": device.describe(),
        "cfg": config.system().name(),
        "preset": format!("{:?}", args.preset).to_lowercase(),
        "res": args.res,
        "batch": args.batch,
        "seconds_per_iteration": seconds,
        "images_per_second": args.batch as f64 / seconds,
        "parts": {
            "d": find("Dmain"), "g": find("Gmain"), "r1": find("Dr1"), "path": find("Gpl"),
        },
        "dispatches": per_step(|p| p.cost.dispatches as f64),
        "submits": per_step(|p| p.cost.submits as f64),
        "pipelines": total.pipelines,
        "bytes_read_back": per_step(|p| p.cost.bytes_read_back as f64),
        "peak_host_bytes": crate::memory::peak_host_bytes(),
        "peak_device_bytes": total.peak_bytes,
    });
    args.profile.print(&device);
    print_report(&report, args.json)
}

/// One phase, on inputs that are there already.
fn phase(
    state: &mut State,
    (sizes, recipe): (&Sizes, &Recipe),
    scheduled: Scheduled,
    real: &Tensor,
    rounds: usize,
) -> anyhow::Result<Measured> {
    let device = real.device().clone();
    measure(scheduled.phase.name(), scheduled.every, &device, rounds, |round| {
        // Every phase fires at these steps, so that all inputs are drawn.
        let step = 16 * round;
        let inputs = StepInputs::draw(sizes, recipe, 0, step, real.clone());
        let start = Start::new(&device)?;
        let mut out = StepOutputs::default();
        run_phase(state, &inputs, recipe, scheduled, &mut out);
        if out.flags.is_empty() {
            device.sync()?;
        } else {
            Report::new(step, &out).wait(state)?;
        }
        Ok(start)
    })
}

/// The random inputs of four steps, one of which has those of the path-length phase.
fn draws(sizes: &Sizes, recipe: &Recipe, real: &Tensor, rounds: usize) -> anyhow::Result<Measured> {
    measure("draws", 4, real.device(), rounds, |round| {
        let start = Start::new(real.device())?;
        for step in 4 * round..4 * round + 4 {
            StepInputs::draw(sizes, recipe, 0, step, real.clone());
        }
        real.device().sync()?;
        Ok(start)
    })
}

/// When work began, on an idle device, and what the device had done before.
struct Start {
    at: Instant,
    counters: Counters,
}

impl Start {
    fn new(device: &Device) -> anyhow::Result<Self> {
        device.sync()?;
        Ok(Self { at: Instant::now(), counters: device.counters() })
    }
}

/// One round to warm up, then the median of the others; `work` says when it began.
fn measure(
    name: &'static str,
    every: u64,
    device: &Device,
    rounds: usize,
    mut work: impl FnMut(u64) -> anyhow::Result<Start>,
) -> anyhow::Result<Measured> {
    let mut seconds = Vec::new();
    let mut cost = Counters::default();
    for round in 0..=rounds as u64 {
        let start = work(round)?;
        seconds.push(start.at.elapsed().as_secs_f64());
        cost = device.counters().since(&start.counters);
    }
    let mut measured = seconds.split_off(1);
    measured.sort_by(f64::total_cmp);
    Ok(Measured { name, every, seconds: measured[measured.len() / 2], cost })
}
