//! One target: the search, the tuning, and their files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Args;
use super::film::Film;
use crate::cli::pictures::Opened;
use crate::cli::watch::{Signals, Steps};
use crate::data::load_picture;
use crate::files::write_atomically;
use crate::sample::{
    Distance, Latents, Likeness, Losses, PivotalTuning, Projection, Rgb, save_png,
};
use crate::tensor::Tensor;
use crate::train::snapshot::pack_generator;
use crate::{Error, Result};

/// Losses and frames that are kept of a search or a tuning.
const KEPT: usize = 100;
/// Perceptual distance at which tuning ends: Roich et al. 2021.
const NEAR: f32 = 0.06;

/// A picture to look for.
pub(super) struct Target {
    path: PathBuf,
    side: usize,
    /// `[3, side, side]` from -1 to 1.
    planes: Vec<f32>,
}

impl Target {
    /// Reads it, cropped and resized.
    pub(super) fn load(path: &Path, side: usize) -> Result<Self> {
        Ok(Self { path: path.to_owned(), side, planes: load_picture(path, side)? })
    }
}

pub(super) struct Job<'a> {
    pub(super) args: &'a Args,
    pub(super) opened: &'a mut Opened,
    pub(super) distance: Option<&'a Distance>,
    pub(super) signals: &'a Signals,
    pub(super) target: &'a Target,
    pub(super) folder: &'a Path,
}

/// What a search ended with.
struct Search {
    styles: Vec<Tensor>,
    noise: Vec<Tensor>,
    picture: Rgb,
    report: Value,
}

impl Job<'_> {
    /// Looks for the target and writes everything.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let Self { args, folder, target, .. } = self;
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let shown = Rgb::from_planes(&target.planes, target.side, target.side);
        let (source, name) = (self.opened.source.clone(), target.path.display().to_string());
        let text = [("target", name.as_str()), ("network", &source)];
        save_png(folder.join("target.png"), &shown, &text)?;
        let mut film = Film::create(folder, &shown, args.video)?;
        let found = self.search(&mut film)?;
        save_png(folder.join("proj.png"), &found.picture, &text)?;
        let latents = Latents::new(&found.styles, args.noise.then(|| found.noise.clone()));
        let mut report = json!({
            "network": source, "target": name, "space": args.space,
            "noise": args.noise, "seed": args.seed, "lr": args.lr, "lpips": args.perceptual.lpips,
            "device": self.opened.device.describe(), "projection": found.report,
        });
        latents.save(folder, report.clone())?;
        let mut last = found.picture.clone();
        if let Some(steps) = args.pti.filter(|_| !self.signals.came()) {
            (last, report["pti"]) = self.tune(steps, found, &mut film)?;
            save_png(folder.join("proj_tuned.png"), &last, &text)?;
        }
        film.finish(&last)?;
        let text = serde_json::to_string_pretty(&report)?;
        write_atomically(&folder.join("project.json"), text.as_bytes())?;
        say!("{name}: in {}", folder.display());
        Ok(())
    }

    fn target(&self) -> Tensor {
        let Target { side, planes, .. } = self.target;
        Tensor::from_slice(planes, [1, 3, *side, *side], &self.opened.device)
    }

    fn rgb(&self, picture: &Tensor) -> Result<Rgb> {
        Ok(Rgb::from_planes(&picture.to_vec()?, self.target.side, self.target.side))
    }

    fn search(&self, film: &mut Film) -> Result<Search> {
        let (trained, options) = (self.opened.trained(), self.args.options());
        let (g, sizes) = (&*trained.network.model, trained.config.sizes());
        let likeness = Likeness::new(&self.target(), self.distance);
        let mut projection = Projection::new(g, &sizes, likeness, options)?;
        let (bar, mut curve, mut done) = (Steps::new(options.steps), Vec::new(), 0);
        let first = numbers(0, &projection.losses())?;
        while done < options.steps && !self.signals.came() {
            let losses = projection.step();
            if done.is_multiple_of(options.steps.div_ceil(KEPT)) {
                let now = numbers(done, &losses)?;
                bar.at(done, message(&now));
                curve.push(now);
                if film.is_on() {
                    film.push(&self.rgb(&projection.picture())?)?;
                }
            }
            done += 1;
        }
        let last = numbers(done, &projection.losses())?;
        drop(bar);
        say!("from {} to {} in {done} steps", message(&first), message(&last));
        let report = json!({
            "steps": options.steps, "done": done, "first": first, "last": last, "losses": curve,
        });
        let (styles, noise) = (projection.styles(), projection.noise());
        let picture = self.rgb(&projection.picture())?;
        Ok(Search { styles, noise, picture, report })
    }

    /// Tunes the network, writes it, and puts it back as it was.
    fn tune(&mut self, steps: usize, found: Search, film: &mut Film) -> Result<(Rgb, Value)> {
        let (side, signals) = (self.target.side, self.signals);
        let before = self.opened.trained().network.params.slab().clone();
        let likeness = Likeness::at_full_size(&self.target(), self.distance);
        let network = &mut self.opened.trained_mut().network;
        let mut tuning = PivotalTuning::new(network, likeness, [found.styles, found.noise]);
        let (bar, mut curve, mut done) = (Steps::new(steps), Vec::new(), 0);
        while done < steps && !signals.came() {
            let losses = tuning.step();
            if let Some(perceptual) = &losses.perceptual
                && perceptual.item()? <= NEAR
            {
                break;
            }
            if done.is_multiple_of(steps.div_ceil(KEPT)) {
                let now = numbers(done, &losses)?;
                bar.at(done, message(&now));
                curve.push(now);
                if film.is_on() {
                    let picture = tuning.picture().to_vec()?;
                    film.push(&Rgb::from_planes(&picture, side, side))?;
                }
            }
            done += 1;
        }
        let last = numbers(done, &tuning.losses())?;
        let picture = Rgb::from_planes(&tuning.picture().to_vec()?, side, side);
        drop((bar, tuning));
        say!("tuned to {} in {done} steps", message(&last));
        let origin = json!({
            "network": self.opened.source, "tuned_to": self.target.path, "steps": done,
        });
        let file = pack_generator(self.opened.trained(), &origin)?;
        file.save(&self.folder.join("tuned.safetensors"))?;
        self.opened.trained_mut().network.params.set_slab(before);
        Ok((picture, json!({"steps": steps, "done": done, "last": last, "losses": curve})))
    }
}

/// Losses before a step, as they are reported.
fn numbers(step: usize, losses: &Losses) -> Result<Value> {
    let perceptual = losses.perceptual.as_ref().map(Tensor::item).transpose()?;
    Ok(json!({"step": step, "pixels": losses.pixels.item()?, "perceptual": perceptual}))
}

fn message(losses: &Value) -> String {
    let pixels = losses["pixels"].as_f64().unwrap_or(f64::NAN);
    match losses["perceptual"].as_f64() {
        Some(perceptual) => format!("pixels {pixels:.4}, LPIPS {perceptual:.4}"),
        None => format!("pixels {pixels:.4}"),
    }
}
