//! `semgan demo`: from nothing to a trained network that can be looked into, in minutes.

#![expect(clippy::disallowed_methods, reason = "the page says how long training took")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::DeviceArgs;
use super::watch::{Show, Terminal};
use crate::data::Dataset;
use crate::data::faces::FaceSet;
use crate::device::Device;
use crate::edit::figures::{edit_sheet, groups_sheet};
use crate::edit::sarigan::{
    Edit, Editor, LayerGroups, Strip, Target, group_maps, interpolate, layer_groups,
};
use crate::files::write_atomically;
use crate::metrics::sliced_wasserstein;
use crate::models::sarigan::{Config, Rule};
use crate::sample::{Look, Noise, Rgb, Sampler, Seeding, grid, save_png};
use crate::train::stats::duration;
use crate::train::{Options, Phase, Recipe, Run, folder, snapshot};
use crate::{Error, Result};

/// Draws faces, trains on them for a few minutes, and shows the result; needs nothing
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// New folder for the data, the run and the pictures; open its index.html
    #[arg(long, value_name = "DIR", default_value = "demo")]
    outdir: PathBuf,
    /// Length of the training
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Seed of the faces and of the training
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    device: DeviceArgs,
}

const FACES: u64 = 2000;
const RES: usize = 32;
/// Many small steps learn faster than few large ones, at first.
const BATCH: usize = 4;
const LR: f64 = 0.005;
/// Of the gradient penalty: so small pictures need little of it.
const GAMMA: f64 = 1.0;
/// A fast GPU is done with these before time ends the run.
const KIMG: f64 = 100.0;
/// Truncation of everything that is shown.
const PSI: f64 = 0.7;
/// Noise would hide what few steps have learned.
const LOOK: Look = Look {
    psi: PSI,
    cutoff: None,
    noise: Noise::None,
    class: None,
    lod: 0.0,
    seeding: Seeding::Own,
};
/// Columns and rows of the grids.
const SIDE: usize = 8;
/// Pictures that are compared, and directions in which they are.
const COMPARED: usize = 256;
const SLICES: usize = 256;
/// Both layers whose groups are edited, at 16x16; the second one is shown.
const LAYERS: [usize; 2] = [2, 3];
/// The pictures that are edited, and whose codes they get.
const EDITED: [[u64; 2]; 2] = [[0, 1], [2, 3]];
/// An edit that changes less than this, of 255, cannot be seen.
const VISIBLE: f64 = 1.0;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !(args.minutes > 0.0 && args.minutes <= 1e6) {
        let reason = format!("{} is not above 0", args.minutes);
        return Err(Error::config("--minutes", reason).into());
    }
    let dir = &args.outdir;
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let reason = format!("{} is not empty; remove it or name another folder", dir.display());
        return Err(Error::config("--outdir", reason).into());
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let device = args.device.open()?;
    let data = dir.join("faces.zip");
    FaceSet { count: FACES, res: RES, seed: args.seed }.write(&data, |_| ())?;
    say!("drew {FACES} faces; training on them for {}", duration(args.minutes * 60.0));
    let dataset = Arc::new(Dataset::open(&data, RES)?);

    let options = options(args, data, &dataset);
    let run = Run::create(dir, "sarigan-faces-tiny32", options, dataset.clone(), &device)?;
    let run_folder = run.folder.clone();
    let (g, network) = (&*run.state.g_ema.model, &run.options.network);
    let mean = snapshot::mean_style(g, network, &device)?;
    let before = pictures(&Sampler::new(g, network.sizes(), mean.as_ref(), LOOK, &device))?;
    let start = Instant::now();
    let mut watch = Terminal::new(0, Some(Duration::from_secs_f64(args.minutes * 60.0)))?;
    let outcome = run.train(&mut watch);
    watch.clear();
    outcome?;
    if let Some(code) = watch.signal() {
        say!("stopped; go on: semgan train --resume {}", run_folder.display());
        return Ok(code);
    }
    let trained = Trained { folder: run_folder, seconds: start.elapsed().as_secs_f64(), before };
    let facts = show(args, &trained, &dataset, &device)?;
    let page = dir.join("index.html");
    write_atomically(&page, html(&facts).as_bytes())?;
    say!("done; open {}", page.display());
    Ok(ExitCode::SUCCESS)
}

/// The paper's recipe at a pace for minutes.
fn options(args: &Args, data: PathBuf, dataset: &Dataset) -> Options {
    let mut recipe = Recipe { lr: LR, ..Recipe::paper() };
    for scheduled in &mut recipe.phases {
        if let Phase::R1 { gamma } = &mut scheduled.phase {
            *gamma = GAMMA;
        }
    }
    Options {
        network: Config { rule: Rule::Paper, ..Config::tiny(RES) }.into(),
        recipe,
        batch: BATCH,
        batch_gpu: BATCH,
        seed: args.seed,
        mirror: true,
        freezed: 0,
        transfer: None,
        origin: serde_json::Value::Null,
        fingerprint: dataset.fingerprint(),
        data,
        kimg: KIMG,
        tick_kimg: 1.0,
        snap_ticks: u64::MAX,
        snap_minutes: 10.0,
        keep: 2,
    }
}

struct Trained {
    folder: PathBuf,
    seconds: f64,
    /// Pictures of the first seeds before training.
    before: Vec<Rgb>,
}

/// What the page says, by the name in its text.
type Facts = BTreeMap<&'static str, String>;

/// Writes the pictures, and measures what the page says of them.
fn show(args: &Args, trained: &Trained, dataset: &Dataset, device: &Device) -> Result<Facts> {
    let (file, _) = folder::network(&trained.folder)?;
    let network = snapshot::sarigan(&file, device)?;
    let counters = snapshot::counters(&file.path)?;
    let editor = Editor::new(&network, LOOK);
    let after = pictures(editor.sampler())?;
    let reals = (0..2 * COMPARED).map(|k| Rgb::from_dataset(dataset, k));
    let reals: Vec<Rgb> = reals.collect::<Result<_>>()?;
    let (data, others) = reals.split_at(COMPARED);
    let save = |name: &str, picture: &Rgb| {
        let source = file.path.display().to_string();
        save_png(args.outdir.join(name), picture, &[("network", source.as_str())])
    };
    for (name, set) in
        [("reals.png", data), ("before.png", &trained.before), ("samples.png", &after)]
    {
        let shown: Vec<Rgb> = set[..SIDE * SIDE].iter().map(|p| p.resized(4 * RES)).collect();
        save(name, &grid(&shown, SIDE, SIDE))?;
    }
    let distance = |set: &[Rgb]| format!("{:.2}", sliced_wasserstein(set, data, SLICES, 0));
    let mut facts = Facts::from([
        ("minutes", duration(trained.seconds)),
        ("device", escape(&device.describe())),
        ("seed", args.seed.to_string()),
        ("images", counters.images.to_string()),
        ("steps", counters.step.to_string()),
        ("batch", BATCH.to_string()),
        ("lr", LR.to_string()),
        ("gamma", GAMMA.to_string()),
        ("per_second", format!("{:.0}", counters.images as f64 / trained.seconds)),
        ("faces", FACES.to_string()),
        ("res", RES.to_string()),
        ("psi", PSI.to_string()),
        ("slices", SLICES.to_string()),
        ("compared", COMPARED.to_string()),
        ("distance_before", distance(&trained.before)),
        ("distance_after", distance(&after)),
        ("distance_data", distance(others)),
        ("run", escape(&trained.folder.display().to_string())),
    ]);
    let layers = layer_groups(&editor)?;
    save("groups.png", &groups(&editor, &layers, &mut facts)?)?;
    save("edit.png", &best_edit(&editor, &layers, &mut facts)?)?;
    Ok(facts)
}

/// Pictures of the first seeds.
fn pictures(sampler: &Sampler<'_>) -> Result<Vec<Rgb>> {
    sampler.pictures(0..COMPARED as u64).collect()
}

/// Where the groups of a layer are active in the first pictures.
fn groups(editor: &Editor<'_>, layers: &[LayerGroups], facts: &mut Facts) -> Result<Rgb> {
    let shown = LAYERS[1];
    let layer = &layers[shown];
    let seeds: Vec<u64> = (0..4).collect();
    let maps = seeds.iter().map(|&seed| group_maps(editor, seed, &[shown]));
    let maps = maps.collect::<Result<Vec<_>>>()?;
    let rows: Vec<_> = maps.iter().map(|(picture, maps)| (picture, &maps[0][..])).collect();
    let similarity = |v: Option<f64>| v.map_or("no".into(), |v| format!("{v:.3}"));
    facts.extend([
        ("layer", layer.layer.clone()),
        ("non_empty", layer.non_empty().len().to_string()),
        ("groups", layer.sizes.len().to_string()),
        ("inside", similarity(layer.similarity_inside)),
        ("between", similarity(layer.similarity_between)),
    ]);
    Ok(groups_sheet(layer, &seeds, &rows))
}

/// An edit of one group, and how much of its change lies outside its region.
struct Tried {
    edit: Edit,
    seeds: [u64; 2],
    change: f64,
    share: f64,
    area: f64,
}

impl Tried {
    fn new(edit: Edit, seeds: [u64; 2], strip: &Strip) -> Option<Self> {
        let last = strip.steps.last()?;
        let (share, area) = (last.share_outside(&strip.region)?, strip.area_outside());
        Some(Self { edit, seeds, change: last.change.mean(), share, area })
    }
}

/// Edits of every group of the edited layers, of their inter and of their intra codes.
fn try_edits(editor: &Editor<'_>, layers: &[LayerGroups]) -> Result<Vec<Tried>> {
    let mut tried = Vec::new();
    for layer in LAYERS {
        for group in layers[layer].non_empty() {
            for (inter, seeds) in [true, false].iter().flat_map(|&i| EDITED.map(|s| (i, s))) {
                let targets = vec![Target { layer, groups: vec![group] }];
                let edit = Edit { targets, inter, intra: !inter };
                let strip = interpolate(editor, &edit, seeds, 2)?;
                tried.extend(Tried::new(edit, seeds, &strip));
            }
        }
    }
    Ok(tried)
}

/// The visible edit that stays inside its region best, or the most visible one.
fn best_edit(editor: &Editor<'_>, layers: &[LayerGroups], facts: &mut Facts) -> Result<Rgb> {
    let tried = try_edits(editor, layers)?;
    let stays = |t: &&Tried| t.share / t.area;
    let best = tried.iter().filter(|t| t.change >= VISIBLE);
    let best = best.min_by(|a, b| stays(a).total_cmp(&stays(b)));
    let best = best.or_else(|| tried.iter().max_by(|a, b| a.change.total_cmp(&b.change)));
    let best = best.ok_or_else(|| Error::config("--minutes", "no edit changes anything yet"))?;
    let strip = interpolate(editor, &best.edit, best.seeds, 5)?;
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let mean = |of: fn(&Tried) -> f64| tried.iter().map(of).sum::<f64>() / tried.len() as f64;
    let target = &best.edit.targets[0];
    facts.extend([
        ("codes", if best.edit.inter { "inter-group" } else { "intra-group" }.to_owned()),
        ("group", target.groups[0].to_string()),
        ("edited", target.key()),
        ("own", best.seeds[0].to_string()),
        ("from", best.seeds[1].to_string()),
        ("share", percent(best.share)),
        ("area", percent(best.area)),
        ("tried", tried.len().to_string()),
        ("mean_share", percent(mean(|t| t.share))),
        ("mean_area", percent(mean(|t| t.area))),
    ]);
    let other = editor.sampler().picture(best.seeds[1])?;
    Ok(edit_sheet(best.seeds, &strip, &other))
}

/// The page with its facts filled in.
fn html(facts: &Facts) -> String {
    let mut page = include_str!("demo.html").to_owned();
    for (name, value) in facts {
        page = page.replace(&format!("{{{{{name}}}}}"), value);
    }
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
