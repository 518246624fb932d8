//! From what was typed to what it means: flags, else the resumed run's options, else defaults.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::args::{Args, AugName};
use crate::cli::networks::Preset;
use crate::data::Dataset;
use crate::device::Device;
use crate::models::sarigan::Form;
use crate::models::{Config, System};
use crate::train::augment::Pipeline;
use crate::train::options::check_res;
use crate::train::{Augment, Growing, Options, Phase, Recipe, folder, snapshot};
use crate::{Error, Result};

/// From what was typed to what it means: flags, else the resumed run's options, else defaults.
pub(super) fn options(
    args: &Args,
    before: Option<&Options>,
    device: &Device,
) -> Result<(Options, Arc<Dataset>)> {
    let data = match (&args.data, before) {
        (Some(data), _) => data.clone(),
        (None, Some(before)) if !before.data.as_os_str().is_empty() => before.data.clone(),
        _ => return Err(Error::config("--data", "is missing")),
    };
    let given = given(args, before)?;
    let res = match args.res.or(given.as_ref().map(Config::resolution)) {
        Some(res) => res,
        None => default_res(&data, device)?,
    };
    let mut network = network(args, given.as_ref(), res)?;
    let kimg = args.kimg.or(before.map(|b| b.kimg)).unwrap_or(100.0);
    let batch = args.batch.or(before.map(|b| b.batch)).unwrap_or(16);
    let batch_gpu = before.filter(|b| b.batch_gpu < b.batch).map(|b| b.batch_gpu);
    let recipe = recipe(args, before, &network, (kimg, batch))?;
    let mut dataset = None;
    if args.cond.unwrap_or(network.sizes().classes > 0) {
        let mut set = Dataset::open(&data, res)?;
        network.set_classes(set.read_classes()?)?;
        dataset = Some(set);
    } else {
        network.set_classes(0)?;
    }
    let mut options = Options {
        network,
        recipe,
        batch,
        batch_gpu: args.batch_gpu.or(batch_gpu).unwrap_or(batch),
        seed: args.seed.or(before.map(|b| b.seed)).unwrap_or(0),
        mirror: args.mirror.or(before.map(|b| b.mirror)).unwrap_or(false),
        freezed: args.freezed.or(before.map(|b| b.freezed)).unwrap_or(0),
        transfer: args.transfer.clone().or(before.and_then(|b| b.transfer.clone())),
        origin: before.map(|b| b.origin.clone()).unwrap_or_default(),
        fingerprint: String::new(),
        data,
        kimg,
        tick_kimg: args.tick.or(before.map(|b| b.tick_kimg)).unwrap_or((kimg / 10.0).min(4.0)),
        snap_ticks: args.snap.or(before.map(|b| b.snap_ticks)).unwrap_or(50),
        snap_minutes: args.snap_minutes.or(before.map(|b| b.snap_minutes)).unwrap_or(10.0),
        keep: args.keep.or(before.map(|b| b.keep)).unwrap_or(10),
    };
    options.check()?;
    let dataset = match dataset {
        Some(set) => set,
        None => Dataset::open(&options.data, res)?,
    };
    options.fingerprint = dataset.fingerprint();
    Ok((options, Arc::new(dataset)))
}

/// The preset's name for the sizes.
pub(super) fn preset(args: &Args) -> Preset {
    args.preset.unwrap_or(Preset::Tiny)
}

/// The networks of the resumed run, or those that a new one starts from.
fn given(args: &Args, before: Option<&Options>) -> Result<Option<Config>> {
    match (before, &args.transfer) {
        (Some(before), _) => Ok(Some(before.network.clone())),
        (None, Some(path)) => Ok(Some(snapshot::network_config(&folder::network(path)?.0)?)),
        (None, None) => Ok(None),
    }
}

/// The networks of a preset or those that are given, with what the flags say.
fn network(args: &Args, given: Option<&Config>, res: usize) -> Result<Config> {
    let asked = args.cfg.map(System::from);
    let system = asked.or(given.map(Config::system)).unwrap_or(System::Sarigan);
    let before = given.filter(|b| b.resolution() == res && b.system() == system);
    let mut network = match (args.preset, before) {
        (None, Some(before)) => before.clone(),
        _ => {
            check_res(res)?;
            preset(args).config(system, res)
        }
    };
    if let Some(group) = args.mbstd_group {
        *network.stddev_group() = group;
    }
    let Config::Sarigan(own) = &mut network else {
        let flags = [
            ("--form", args.form.is_some()),
            ("--groups", args.groups.is_some()),
            ("--recipe", args.recipe.is_some()),
            ("--info-weight", args.info_weight.is_some()),
        ];
        return match flags.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                let reason = format!("is for sarigan; leave it out with --cfg {}", system.name());
                Err(Error::config(*flag, reason))
            }
            None => Ok(network),
        };
    };
    own.rule = args.recipe.map_or(own.rule, |recipe| recipe.resolve().1);
    own.form = args.form.map_or(own.form, Form::from);
    if let Some(text) = &args.groups {
        (own.groups, own.groups_at) = parse_groups(text)?;
    }
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

/// The recipe of a system, of a name or of the resumed run, with what the flags say.
fn recipe(
    args: &Args,
    before: Option<&Options>,
    network: &Config,
    (kimg, batch): (f64, usize),
) -> Result<Recipe> {
    let system = network.system();
    let mut recipe = match (args.recipe, before) {
        (Some(name), _) => name.resolve().0,
        (None, Some(before)) if before.network.system() == system => before.recipe.clone(),
        _ => Recipe::of(system),
    };
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::R1 { gamma } => *gamma = args.r1_gamma.unwrap_or(*gamma),
            Phase::Discriminator { info_weight, gamma } => {
                *info_weight = args.info_weight.unwrap_or(*info_weight);
                if *gamma > 0.0 {
                    *gamma = args.r1_gamma.unwrap_or(*gamma);
                }
            }
            Phase::Generator { info_weight, .. } => {
                *info_weight = args.info_weight.unwrap_or(*info_weight);
            }
            _ => {}
        }
    }
    if system == System::SemanticStyleGan {
        // Pictures alone say nothing of masks: networks are adapted to them.
        recipe.labels.mask = 0.0;
    }
    recipe.augment = augment(args, recipe.augment)?;
    let is_asked = args.init_res.is_some() || args.grow.is_some();
    if recipe.growing.is_none() || is_asked {
        recipe.growing = growing(args, network, (kimg, batch))?;
    }
    Ok(recipe)
}

/// The augmentations of the resumed run, with what the flags say.
fn augment(args: &Args, before: Option<Augment>) -> Result<Option<Augment>> {
    let flags = [
        ("--p", args.p.is_some()),
        ("--target", args.target.is_some()),
        ("--augpipe", args.augpipe.is_some()),
        ("--ada-kimg", args.ada_kimg.is_some()),
    ];
    let first = Augment { pipeline: Pipeline::Bgc, p: 0.0, target: Some(0.6), kimg: 500.0 };
    let mut augment = match (args.aug, before) {
        (None | Some(AugName::Noaug), None) | (Some(AugName::Noaug), _) => {
            return match flags.iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => Err(Error::config(*flag, "needs --aug ada or --aug fixed")),
                None => Ok(None),
            };
        }
        (None, Some(before)) => before,
        (Some(AugName::Fixed), _) => Augment { target: None, ..before.unwrap_or(first) },
        (Some(_), before) => Augment { target: Some(0.6), ..before.unwrap_or(first) },
    };
    augment.p = args.p.unwrap_or(augment.p);
    if let Some(target) = args.target {
        if augment.target.is_none() {
            return Err(Error::config("--target", "is for --aug ada; give --p with --aug fixed"));
        }
        augment.target = Some(target);
    }
    augment.kimg = args.ada_kimg.unwrap_or(augment.kimg);
    if let Some(word) = &args.augpipe {
        augment.pipeline = word.parse()?;
    }
    if !(0.0..=1.0).contains(&augment.p) {
        return Err(Error::config("--p", format!("{} is not from 0 to 1", augment.p)));
    }
    if args.aug == Some(AugName::Fixed) && augment.p == 0.0 {
        return Err(Error::config("--p", "is missing: --aug fixed needs a probability above 0"));
    }
    if augment.target.is_some_and(|t| !(-1.0..=1.0).contains(&t)) {
        return Err(Error::config("--target", "is not from -1 to 1"));
    }
    if augment.kimg <= 0.0 || !augment.kimg.is_finite() {
        return Err(Error::config("--ada-kimg", format!("{} is not above 0", augment.kimg)));
    }
    Ok(Some(augment))
}

/// When which resolution is trained, of networks that grow.
fn growing(args: &Args, network: &Config, (kimg, batch): (f64, usize)) -> Result<Option<Growing>> {
    let first = match network.system() {
        System::StyleGan => 8,
        System::Pggan => 4,
        other => {
            let flags = [("--init-res", args.init_res.is_some()), ("--grow", args.grow.is_some())];
            return match flags.iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => {
                    Err(Error::config(*flag, format!("{} does not grow", other.name())))
                }
                None => Ok(None),
            };
        }
    };
    let (first, last) = (args.init_res.unwrap_or(first), network.resolution());
    if !first.is_power_of_two() || !(4..=last).contains(&first) {
        let reason = format!("{first} is not a power of two from 4 to {last}");
        return Err(Error::config("--init-res", reason));
    }
    // What is published takes a third of 25,000 kimg to reach 1024 from 8.
    let levels = (last / first).ilog2().max(1);
    let images = match args.grow {
        Some(kimg) if kimg > 0.0 && kimg.is_finite() => (kimg * 1000.0).ceil(),
        Some(kimg) => return Err(Error::config("--grow", format!("{kimg} is not above 0"))),
        None => (kimg * 1000.0 / 3.0 / f64::from(2 * levels)).ceil().clamp(1.0, 600_000.0),
    };
    Ok(Some(Growing::doubling(first, last, images as u64, batch)))
}

/// The largest power of two that the first picture fills, up to what the device trains in hours.
fn default_res(data: &Path, device: &Device) -> Result<usize> {
    let (width, height) = Dataset::first_size(data)?;
    let side = (width.min(height) as usize).max(8);
    let most = if device.kind() == "gpu" { 64 } else { 32 };
    Ok((1 << side.ilog2()).min(most))
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
