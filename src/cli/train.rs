//! `semgan train`: from a folder of pictures to a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::DeviceArgs;
use super::bench::Preset;
use super::profile::ProfileArgs;
use super::watch::Terminal;
use crate::data::Dataset;
use crate::device::Device;
use crate::models::sarigan::{Config, Form, Rule};
use crate::train::options::check_res;
use crate::train::plan::{Plan, seconds_per_step};
use crate::train::stats::duration;
use crate::train::{Options, Outcome, Phase, Recipe, Run, folder};
use crate::{Error, Result};

/// Trains a network on a folder or a zip of pictures
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder (with everything below it) or zip of pictures
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    data: Option<PathBuf>,
    /// Kind of network
    #[arg(long, value_enum, default_value_t = System::Sarigan)]
    cfg: System,
    /// Folder in which the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    outdir: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
    /// Go on with the newest run of --outdir (latest), a run folder or a snapshot
    #[arg(long, value_name = "latest|PATH")]
    resume: Option<String>,
    /// Let flags change the arithmetic of a resumed run
    #[arg(long = "override", requires = "resume")]
    override_arithmetic: bool,
    /// Show what would be trained, and stop
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Added to the name of the run's folder
    #[arg(long, value_name = "TEXT")]
    desc: Option<String>,

    /// Side of the pictures, a power of two [default: what the pictures have, up to 32 on the CPU
    /// and 64 on a GPU]
    #[arg(long, value_name = "PIXELS", help_heading = "Model")]
    res: Option<usize>,
    /// Sizes of the network [default: tiny]
    #[arg(long, value_enum, help_heading = "Model")]
    preset: Option<Preset>,

    /// Where grouped layers apply their codes [default: weight]
    #[arg(long, value_enum, help_heading = "Model")]
    form: Option<FormName>,
    /// Channel groups of every grouped layer, or by resolution, like 16,32:8 (16 everywhere, 8 at
    /// 32x32) [default: 16]
    #[arg(long, value_name = "N", help_heading = "Model")]
    groups: Option<String>,
    /// Pictures that share a minibatch deviation [default: 4]
    #[arg(long, value_name = "N", help_heading = "Model")]
    mbstd_group: Option<usize>,

    /// Losses and schedule, and how channels fall into groups [default: official]
    #[arg(long, value_enum, help_heading = "Training")]
    recipe: Option<RecipeName>,
    /// Weight of the style estimate; 0 trains without it [default: 20 official, 10 paper]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training")]
    info_weight: Option<f64>,
    /// Pictures per step [default: 16]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<usize>,
    /// Pictures that are computed at once; fewer need less memory for the same result [default:
    /// --batch]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch_gpu: Option<usize>,
    /// Length in thousands of pictures shown; may be a fraction [default: 100]
    #[arg(long, value_name = "KIMG", help_heading = "Training")]
    kimg: Option<f64>,
    /// Seed of every random number [default: 0]
    #[arg(long, help_heading = "Training")]
    seed: Option<u64>,
    /// Mirror pictures at random
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          require_equals = true, help_heading = "Training")]
    mirror: Option<bool>,
    /// Weight of the gradient penalty [default: 10]
    #[arg(long, value_name = "GAMMA", help_heading = "Training")]
    r1_gamma: Option<f64>,
    /// Learning rate [default: 0.002]
    #[arg(long, help_heading = "Training")]
    lr: Option<f64>,

    /// Thousands of pictures between progress lines [default: 4, or a tenth of a short run]
    #[arg(long, value_name = "KIMG", help_heading = "Output")]
    tick: Option<f64>,
    /// Progress lines between snapshots [default: 50]
    #[arg(long, value_name = "TICKS", help_heading = "Output")]
    snap: Option<u64>,
    /// Minutes between snapshots at most [default: 10]
    #[arg(long, value_name = "MINUTES", help_heading = "Output")]
    snap_minutes: Option<f64>,
    /// Newest snapshots that are kept [default: 10]
    #[arg(long, value_name = "N", help_heading = "Output")]
    keep: Option<usize>,
    #[command(flatten, next_help_heading = "Output")]
    profile: ProfileArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum System {
    /// Semantic-aware normalisation (NeurIPS 2020)
    Sarigan,
}

/// Losses and schedules, with the rule of grouping that they train.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RecipeName {
    /// What the published code does
    Official,
    /// What the paper describes
    Paper,
}

impl RecipeName {
    pub(super) fn resolve(self) -> (Recipe, Rule) {
        match self {
            Self::Official => (Recipe::official(), Rule::Official),
            Self::Paper => (Recipe::paper(), Rule::Paper),
        }
    }
}

/// Where grouped layers apply their codes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormName {
    /// On the weights, which are demodulated: equations 5 and 6
    Weight,
    /// On the features, with scale and shift: Group AdaIN and AdaGN, equations 3 and 4
    Feature,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Weight => Self::Weight,
            FormName::Feature => Self::Feature,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let device = args.device.open()?;
    let resumed = match &args.resume {
        Some(wanted) => {
            let (resumed, passed_over) = folder::resume(wanted, &args.outdir)?;
            passed_over.iter().for_each(|p| say!("passed over {p}"));
            Some(resumed)
        }
        None => None,
    };
    let before = resumed.as_ref().map(|run| &run.options);
    let (options, dataset) = resolve(args, before, &device)?;
    if let Some(before) = before {
        options.check_resumed(before, args.override_arithmetic)?;
    }
    describe(&options, &dataset, &device);
    let plan = Plan::new(&options, &device);
    if args.dry_run {
        return Ok(dry_run(&options, &plan, &device)?);
    }
    plan.check(&options)?;
    let run = match &resumed {
        Some(from) => {
            if let Some(other) = from.other_kernels(&device) {
                say!("warning: {other}");
            }
            Run::resume(from, options, dataset, &device)?
        }
        None => create(args, options, dataset, &device)?,
    };
    let folder = run.folder.clone();
    say!("folder: {} at step {}", folder.display(), run.state.step);
    if run.state.images >= run.options.images() {
        let kimg = run.state.images as f64 / 1000.0;
        say!("{} has {kimg} kimg already; a larger --kimg goes on", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = Terminal::new(run.state.images, None)?;
    args.profile.start(&device);
    let outcome = run.train(&mut watch);
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

/// From what was typed to what it means: flags, else the resumed run's options, else defaults.
fn resolve(
    args: &Args,
    before: Option<&Options>,
    device: &Device,
) -> Result<(Options, Arc<Dataset>)> {
    let data = match (&args.data, before) {
        (Some(data), _) => data.clone(),
        (None, Some(before)) => before.data.clone(),
        (None, None) => return Err(Error::config("--data", "is missing")),
    };
    let size = before.map(|b| b.network.size);
    let res = match args.res.or(size) {
        Some(res) => res,
        None => default_res(&data, device)?,
    };
    let network = network(args, before, res)?;
    let recipe = recipe(args, before);
    let kimg = args.kimg.or(before.map(|b| b.kimg)).unwrap_or(100.0);
    let batch = args.batch.or(before.map(|b| b.batch)).unwrap_or(16);
    let batch_gpu = before.filter(|b| b.batch_gpu < b.batch).map(|b| b.batch_gpu);
    let mut options = Options {
        network,
        recipe,
        batch,
        batch_gpu: args.batch_gpu.or(batch_gpu).unwrap_or(batch),
        seed: args.seed.or(before.map(|b| b.seed)).unwrap_or(0),
        mirror: args.mirror.or(before.map(|b| b.mirror)).unwrap_or(false),
        fingerprint: String::new(),
        data,
        kimg,
        tick_kimg: args.tick.or(before.map(|b| b.tick_kimg)).unwrap_or((kimg / 10.0).min(4.0)),
        snap_ticks: args.snap.or(before.map(|b| b.snap_ticks)).unwrap_or(50),
        snap_minutes: args.snap_minutes.or(before.map(|b| b.snap_minutes)).unwrap_or(10.0),
        keep: args.keep.or(before.map(|b| b.keep)).unwrap_or(10),
    };
    options.check()?;
    let dataset = Arc::new(Dataset::open(&options.data, options.network.size)?);
    options.fingerprint = dataset.fingerprint();
    Ok((options, dataset))
}

/// The network of a preset or of the resumed run, with what the flags say.
fn network(args: &Args, before: Option<&Options>, res: usize) -> Result<Config> {
    let mut network = match (args.preset, before) {
        (None, Some(before)) if before.network.size == res => before.network.clone(),
        (preset, _) => {
            check_res(res)?;
            preset.unwrap_or(Preset::Tiny).config(res)
        }
    };
    network.rule = args.recipe.map_or(network.rule, |recipe| recipe.resolve().1);
    network.form = args.form.map_or(network.form, Form::from);
    if let Some(text) = &args.groups {
        (network.groups, network.groups_at) = parse_groups(text)?;
    }
    network.stddev_group = args.mbstd_group.unwrap_or(network.stddev_group);
    Ok(network)
}

/// `16`, or with resolutions of their own: `16,32:8`.
fn parse_groups(text: &str) -> Result<(usize, BTreeMap<usize, usize>)> {
    let refuse = || {
        let reason = format!("{text:?}: give a number, and others by resolution, like 16,32:8");
        Error::config("--groups", reason)
    };
    let number = |text: &str| text.trim().parse().ok().filter(|&n: &usize| n > 0);
    let (mut groups, mut at) = (16, BTreeMap::new());
    for part in text.split(',') {
        match part.split_once(':') {
            None => groups = number(part).ok_or_else(refuse)?,
            Some((size, n)) => {
                let pair = number(size).zip(number(n));
                let (size, n) = pair.ok_or_else(refuse)?;
                at.insert(size, n);
            }
        }
    }
    Ok((groups, at))
}

/// The recipe of a name or of the resumed run, with what the flags say.
fn recipe(args: &Args, before: Option<&Options>) -> Recipe {
    let mut recipe = match (args.recipe, before) {
        (None, Some(before)) => before.recipe.clone(),
        (name, _) => name.unwrap_or(RecipeName::Official).resolve().0,
    };
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::R1 { gamma } => *gamma = args.r1_gamma.unwrap_or(*gamma),
            Phase::Discriminator { info_weight } | Phase::Generator { info_weight, .. } => {
                *info_weight = args.info_weight.unwrap_or(*info_weight);
            }
            _ => {}
        }
    }
    recipe
}

/// The largest power of two that the first picture fills, up to what the device trains in hours.
fn default_res(data: &Path, device: &Device) -> Result<usize> {
    let (width, height) = Dataset::first_size(data)?;
    let side = (width.min(height) as usize).max(8);
    let most = if device.kind() == "gpu" { 64 } else { 32 };
    Ok((1 << side.ilog2()).min(most))
}

/// What was found and decided, before anything long begins.
fn describe(options: &Options, dataset: &Dataset, device: &Device) {
    for skipped in dataset.skipped() {
        say!("skipped {}: {}", skipped.name, skipped.reason);
    }
    dataset.notes().iter().for_each(|note| say!("{note}"));
    let (count, bad) = (dataset.len(), dataset.skipped().len());
    let res = options.network.size;
    say!("data: {count} pictures of {} at {res}x{res}, {bad} skipped", options.data.display());
    say!(
        "training: sarigan, recipe {}, batch {}, {} kimg = {} steps, seed {}, mirror {}, on {}",
        options.recipe.name,
        options.batch,
        options.kimg,
        options.images().div_ceil(options.batch as u64),
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
    let steps = options.images().div_ceil(options.batch as u64);
    let all = duration(seconds * steps as f64);
    say!("time: about {seconds:.2} s a step, {all} in all, by the speed of convolutions here");
    Ok(ExitCode::SUCCESS)
}

/// A new run; its folder's name says what is trained.
fn create(args: &Args, options: Options, dataset: Arc<Dataset>, device: &Device) -> Result<Run> {
    let name = options.data.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let preset = format!("{:?}", args.preset.unwrap_or(Preset::Tiny)).to_lowercase();
    let (res, batch) = (options.network.size, options.batch);
    let desc = args.desc.as_ref().map_or(String::new(), |desc| format!("-{desc}"));
    let description = format!("sarigan-{name}-{preset}{res}-batch{batch}{desc}");
    Run::create(&args.outdir, &description, options, dataset, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_a_number_and_others_by_resolution() {
        let parsed = |text: &str| parse_groups(text).expect("groups");
        assert_eq!(parsed("8"), (8, BTreeMap::new()));
        assert_eq!(parsed("8, 32:4,16:2"), (8, BTreeMap::from([(16, 2), (32, 4)])));
        assert_eq!(parsed("64:8"), (16, BTreeMap::from([(64, 8)])));
        for text in ["", "0", "-1", "8,", "x", "16:0", ":3", "3:", "8:4:2"] {
            let error = parse_groups(text).expect_err("no groups").to_string();
            assert!(error.starts_with(&format!("--groups: {text:?}: ")), "{error}");
        }
    }
}
