//! `semgan train`: from a folder of pictures to a network.

mod args;
mod resolve;

use std::process::ExitCode;

use super::dashboard::Dashboard;
use super::watch::{Show, Terminal};
use crate::Result;
use crate::data::Dataset;
use crate::device::Device;
use crate::train::folder::Resumed;
use crate::train::plan::{Plan, seconds_per_step};
use crate::train::stats::duration;
use crate::train::{Options, Outcome, Run, folder};

pub(super) use args::Args;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.tui {
        Dashboard::check()?;
    }
    let device = args.device.open()?;
    let mut resumed = args.resume.as_ref().map(|wanted| found(wanted, args)).transpose()?;
    let before = resumed.as_ref().map(|run| &run.options);
    let (mut options, dataset) = resolve::options(args, before, &device)?;
    if let Some(before) = before {
        options.check_resumed(before, args.override_arithmetic)?;
    }
    describe(&options, &dataset, &device);
    let plan = Plan::new(&options, &device);
    if args.batch_gpu.is_none()
        && let Some(fitting) = plan.fitting(&options).filter(|&n| n < options.batch_gpu)
    {
        say!("--batch-gpu {fitting}: more pictures at once do not fit; the result is the same");
        options.batch_gpu = fitting;
    }
    if args.dry_run {
        return Ok(dry_run(&options, &plan, &device)?);
    }
    plan.check(&options)?;
    let run = match &mut resumed {
        Some(from) => {
            if from.is_adopted() {
                from.folder = folder::create(&args.outdir, &description(args, &options))?;
            }
            if let Some(other) = from.other_kernels(&device) {
                say!("warning: {other}");
            }
            Run::resume(from, options, dataset, &device)?
        }
        None => {
            let description = description(args, &options);
            Run::create(&args.outdir, &description, options, dataset, &device)?
        }
    };
    let folder = run.folder.clone();
    say!("folder: {} at step {}", folder.display(), run.state.step);
    if run.state.images >= run.options.images() {
        let kimg = run.state.images as f64 / 1000.0;
        say!("{} has {kimg} kimg already; a larger --kimg goes on", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = show(args, &run)?;
    args.profile.start(&device);
    let outcome = run.train(&mut *watch);
    watch.clear();
    args.profile.print(&device);
    match outcome? {
        Outcome::Finished => {
            say!("done; pictures: semgan sample --network {} --outdir samples", folder.display())
        }
        Outcome::Stopped => {
            say!("stopped; go on: semgan train --resume {}", folder.display());
            return Ok(watch.signal().unwrap_or(ExitCode::SUCCESS));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The run to go on with.
fn found(wanted: &str, args: &Args) -> Result<Resumed> {
    let (resumed, passed_over) = folder::resume(wanted, &args.outdir)?;
    passed_over.iter().for_each(|p| say!("passed over {p}"));
    Ok(resumed)
}

fn show(args: &Args, run: &Run) -> Result<Box<dyn Show>> {
    Ok(match args.tui {
        true => Box::new(Dashboard::new(run)?),
        false => Box::new(Terminal::new(run.state.images, None)?),
    })
}

/// What was found and decided, before anything long begins.
fn describe(options: &Options, dataset: &Dataset, device: &Device) {
    for skipped in dataset.skipped() {
        say!("skipped {}: {}", skipped.name, skipped.reason);
    }
    dataset.notes().iter().for_each(|note| say!("{note}"));
    let (count, bad) = (dataset.len(), dataset.skipped().len());
    let res = options.network.resolution();
    say!("data: {count} pictures of {} at {res}x{res}, {bad} skipped", options.data.display());
    say!(
        "training: {}, recipe {}, batch {}, {} kimg = {} steps, seed {}, mirror {}, on {}",
        options.network.system().name(),
        options.recipe.name,
        options.batch,
        options.kimg,
        options.steps(),
        options.seed,
        options.mirror,
        device.describe()
    );
}

/// The options as they were understood, and what they cost.
fn dry_run(options: &Options, plan: &Plan, device: &Device) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(options).expect("options are plain data");
    say!("{text}");
    let [in_g, in_d] = plan.parameters;
    say!("parameters: generator {in_g}, discriminator {in_d}");
    say!("memory: {}", plan.memory(options.batch_gpu));
    plan.check(options)?;
    let seconds = seconds_per_step(options, device)?;
    let steps = options.steps();
    let all = duration(seconds * steps as f64);
    say!("time: about {seconds:.2} s a step, {all} in all, by the speed of convolutions here");
    Ok(ExitCode::SUCCESS)
}

/// What the name of a new run's folder says.
fn description(args: &Args, options: &Options) -> String {
    let name = options.data.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let (system, res) = (options.network.system().name(), options.network.resolution());
    let sizes = match options.origin["layout"].as_str() {
        Some(layout) => layout.to_owned(),
        None => format!("{:?}", resolve::preset(args)).to_lowercase(),
    };
    let batch = options.batch;
    let desc = args.desc.as_ref().map_or(String::new(), |desc| format!("-{desc}"));
    format!("{system}-{name}-{sizes}{res}-batch{batch}{desc}")
}
