//! Networks that other programs trained, as snapshots: to sample from, and where the optimisers are
//! there, to train on as their own trainer would.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::augment::Pipeline;
use super::growing::Growing;
use super::options::Options;
use super::recipe::{Augment, Average, Phase, Recipe};
use super::snapshot::{self, Counters, VERSION, mean_style};
use super::state::Signs;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::published::export::{self, Trainer};
use crate::checkpoint::published::{Layout, Networks, To};
use crate::device::Device;
use crate::models::System;
use crate::nn::{Adam, Builder, Network, Values};
use crate::tensor::Shape;
use crate::{Error, Result};

/// Pictures per step, where a file does not say.
const BATCH: u64 = 16;

/// A snapshot of the networks of another program's file.
///
/// # Errors
/// When the file has no generator, or its tensors do not make one.
pub fn snapshot(path: &Path, mut networks: Networks) -> Result<Checkpoint> {
    let progress = Progress::of(path, &networks);
    if !networks.values.contains_key("g_ema") {
        let g = networks.values.get("g").cloned();
        let g = g.ok_or_else(|| Error::checkpoint(path, "holds no generator"))?;
        networks.values.insert("g_ema", g);
    }
    let origin = json!({
        "file": path.file_name().unwrap_or_default().to_string_lossy(),
        "layout": networks.layout.name(),
        "args": networks.args,
    });
    let mut description = json!({
        "version": VERSION,
        "network": networks.config,
        "origin": origin,
        "counters": progress.counters(&networks),
    });
    let mean = mean(&networks, path)?;
    let is_whole = networks.moments.len() == 2 && networks.values.len() == 3;
    if is_whole {
        description["options"] = json!(options(&networks, &progress, origin));
    }
    let mut tensors = tensors(networks);
    if is_whole {
        tensors.insert("train.mean_path_length".into(), (Shape::default(), vec![0.0]));
    }
    tensors.extend(mean.map(|mean| ("w_avg".into(), ([1, mean.len()].into(), mean))));
    Ok(Checkpoint { path: path.to_owned(), description, tensors })
}

/// Under the names of a snapshot.
fn tensors(networks: Networks) -> Values {
    let mut tensors = Values::new();
    let mut insert = |prefix: String, values: Values, suffix: &str| {
        tensors.extend(values.into_iter().map(|(k, v)| (format!("{prefix}{k}{suffix}"), v)));
    };
    for (name, values) in networks.values {
        insert(format!("{name}."), values, "");
    }
    for (name, adam) in networks.moments {
        insert(format!("opt.{name}."), adam.m, ".m");
        insert(format!("opt.{name}."), adam.v, ".v");
    }
    // Each generator keeps its own mean, which is not always the one that truncation uses.
    for (name, mean) in networks.w_avg {
        let mean = Values::from([("truncation.w_avg".into(), ([mean.len()].into(), mean))]);
        insert(format!("{name}."), mean, "");
    }
    tensors
}

/// The mean w: the file's, or that of fixed latents.
fn mean(networks: &Networks, path: &Path) -> Result<Option<Vec<f32>>> {
    let config = &networks.config;
    let Some(width) = config.sizes().style else { return Ok(None) };
    let stored = networks.w_avg.get("g_ema").or(networks.w_avg.get("g"));
    if let Some(mean) = stored {
        return match mean.len() {
            n if n == width => Ok(Some(mean.clone())),
            n => Err(Error::checkpoint(path, format!("a mean w of {n} numbers, not {width}"))),
        };
    }
    let device = Device::cpu();
    let build = |b: &mut Builder| config.generator(b, &device);
    let network = Network::loaded(&networks.values["g_ema"], &device, build)?;
    let mean = mean_style(&*network.model, config, &device)?;
    mean.map(|mean| mean.to_vec()).transpose()
}

/// How far the other program's trainer was.
struct Progress {
    step: u64,
    images: u64,
    batch: u64,
}

impl Progress {
    /// By what the trainer wrote down; else by the file's name, which trainers make of the
    /// iteration; else by the updates of the discriminator, of which every 17th was the penalty's.
    fn of(path: &Path, networks: &Networks) -> Self {
        let number = |name: &str| networks.args[name].as_u64();
        let devices = number("n_gpu").unwrap_or(1).max(1);
        let batch = number("batch").unwrap_or(BATCH).saturating_mul(devices);
        if let Some([step, images]) = networks.progress {
            return Self { step, images, batch: (images / step.max(1)).max(1) };
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let updates = networks.moments.get("d").map_or(0, |adam| adam.step);
        let step = stem.parse().unwrap_or(updates - updates / 17);
        Self { step, images: step.saturating_mul(batch), batch }
    }

    fn counters(&self, networks: &Networks) -> Counters {
        let updates = |name: &str| networks.moments.get(name).map_or(0, |adam| adam.step);
        Counters {
            step: self.step,
            images: self.images,
            updates_g: updates("g"),
            updates_d: updates("d"),
            lod: networks.lod,
            augment: Signs { p: networks.augment.unwrap_or(0.0), ..Signs::default() },
        }
    }
}

/// What the other trainer was asked for, as far as the file says; the data have to be given.
fn options(networks: &Networks, progress: &Progress, origin: Value) -> Options {
    let batch = progress.batch as usize;
    let mut recipe = recipe(networks);
    if matches!(networks.config.system(), System::StyleGan | System::Pggan) {
        let last = networks.config.resolution();
        recipe.growing = Some(Growing::doubling(8.min(last), last, 600_000, batch));
    }
    Options {
        network: networks.config.clone(),
        recipe,
        batch,
        batch_gpu: batch,
        seed: 0,
        mirror: false,
        freezed: 0,
        transfer: None,
        origin,
        fingerprint: String::new(),
        data: PathBuf::new(),
        kimg: progress.images as f64 / 1000.0 + 100.0,
        tick_kimg: 4.0,
        snap_ticks: 50,
        snap_minutes: 10.0,
        keep: 10,
    }
}

/// The system's recipe with the other trainer's numbers.
fn recipe(networks: &Networks) -> Recipe {
    let args = &networks.args;
    let number = |name: &str| args[name].as_f64();
    let mut recipe = Recipe::of(networks.config.system());
    recipe.lr = number("lr").unwrap_or(recipe.lr);
    recipe.style_mixing = number("mixing").unwrap_or(recipe.style_mixing);
    for scheduled in &mut recipe.phases {
        let interval = match &mut scheduled.phase {
            Phase::R1 { gamma } => {
                *gamma = number("r1").or(number("r1_img")).unwrap_or(*gamma);
                "d_reg_every"
            }
            Phase::PathLength { weight, .. } => {
                *weight = number("path_regularize").unwrap_or(*weight);
                "g_reg_every"
            }
            Phase::Ema { average } if networks.layout == Layout::Rosinality => {
                *average = Average::PerStep(0.5f64.powf(32.0 / 10_000.0));
                continue;
            }
            _ => continue,
        };
        scheduled.every = args[interval].as_u64().filter(|&n| n > 0).unwrap_or(scheduled.every);
    }
    recipe.labels.r1 = number("r1_seg").unwrap_or(recipe.labels.r1);
    recipe.labels.mask = number("lambda_mask").unwrap_or(recipe.labels.mask);
    if args["augment"] == Value::Bool(true) {
        recipe.augment = Some(Augment {
            pipeline: Pipeline::Bgc,
            p: networks.augment.unwrap_or(0.0),
            target: number("ada_target").or(Some(0.6)),
            kimg: number("ada_length").map_or(500.0, |images| images / 1000.0),
        });
    }
    recipe
}

/// Whether a snapshot was made of another program's file and not trained here since.
pub fn is_adopted(file: &Checkpoint) -> bool {
    layout(file).is_some()
}

/// Whose layout an adopted snapshot had.
pub fn layout(file: &Checkpoint) -> Option<&str> {
    file.description.get("origin")?.get("layout")?.as_str()
}

/// Writes the networks of a snapshot as another program's file.
///
/// # Errors
/// As [`export::export`].
pub fn export(path: &Path, to: To, file: &Checkpoint) -> Result<()> {
    let config = snapshot::network_config(file)?;
    let counters = file.field::<Counters>("counters").ok();
    let options = file.field::<Options>("options").ok();
    let recipe = options.as_ref().map_or_else(|| Recipe::of(config.system()), |o| o.recipe.clone());
    let adam = |network| {
        let Adam { lr, beta2, eps, .. } = recipe.adam(network);
        [lr, beta2, eps]
    };
    let trainer = Trainer {
        progress: counters.map_or([0; 2], |c| [c.step, c.images]),
        updates: counters.map_or([0; 2], |c| [c.updates_g, c.updates_d]),
        adam: [adam("g"), adam("d")],
        lod: snapshot::lod(file),
        augment: counters.map_or(0.0, |c| c.augment.p),
    };
    let of_file = &file.description["origin"]["args"];
    let args = options.map_or(of_file.clone(), |options| options.origin["args"].clone());
    export::export(path, to, file, (&config, &trainer, &args))
}
