//! The loop around [`step`]: fetch, step, report, snapshot.

#![expect(clippy::disallowed_methods, reason = "a run reports times")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::events::Events;
use super::folder::{self, Resumed};
use super::growing::reduced;
use super::inputs::{Reals, StepInputs};
use super::lock::Lock;
use super::options::Options;
use super::report::Report;
use super::snapshot;
use super::state::State;
use super::stats::{Collector, duration, published_name};
use super::step::step;
use crate::data::{Dataset, EpochOrder, Loader};
use crate::device::Device;
use crate::files::write_atomically;
use crate::sample::{Look, Rgb, Sampler, grid, save_png};
use crate::tensor::Tensor;
use crate::{Error, Result, memory};

/// Who looks on while a run goes.
pub trait Watch {
    /// A line for people; it is in `log.txt` too.
    fn line(&mut self, text: &str);
    /// After every step: images shown, images in all, seconds so far.
    fn progress(&mut self, images: u64, total: u64, elapsed: Duration);
    /// Whether to stop after the step at hand.
    fn stops(&self) -> bool;
    /// The statistics of a tick, after its line.
    fn tick(&mut self, _: &Collector) {}
    /// Pictures of the network at hand were written.
    fn picture(&mut self, _: &Path) {}
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of `--kimg`.
    Finished,
    /// Asked to stop; a snapshot was written.
    Stopped,
}

/// The first file of a run's folder with a picture.
const REALS: &str = "reals.png";
/// Steps from one look at the probability of augmentations to the next.
const ADAPT_EVERY: u64 = 4;

/// A run that is ready to go.
pub struct Run {
    /// What was asked for.
    pub options: Options,
    /// Its folder.
    pub folder: PathBuf,
    /// The pictures.
    pub dataset: Arc<Dataset>,
    /// Networks, moments and counters.
    pub state: State,
    lock: Lock,
}

/// Times and counts between two ticks and two snapshots.
struct Clock {
    start: Instant,
    tick: u64,
    tick_start: Instant,
    tick_images: u64,
    last_snapshot: Instant,
    maintenance: Duration,
}

impl Clock {
    fn new(images: u64, options: &Options) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            tick: (images as f64 / (options.tick_kimg * 1000.0)) as u64,
            tick_start: now,
            tick_images: images,
            last_snapshot: now,
            maintenance: Duration::ZERO,
        }
    }

    fn snapshot_is_late(&self, options: &Options) -> bool {
        self.last_snapshot.elapsed().as_secs_f64() >= options.snap_minutes * 60.0
    }

    fn tick_is_due(&self, images: u64, options: &Options) -> bool {
        (images - self.tick_images) as f64 >= options.tick_kimg * 1000.0
    }
}

impl Run {
    /// A new run in a new folder `NNNNN-DESCRIPTION` below `outdir`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(
        outdir: &Path,
        description: &str,
        options: Options,
        dataset: Arc<Dataset>,
        device: &Device,
    ) -> Result<Self> {
        let state = first_state(&options, device)?;
        let folder = folder::create(outdir, description)?;
        let lock = Lock::acquire(&folder)?;
        Ok(Self { options, folder, dataset, state, lock })
    }

    /// A run that goes on, in its own folder and under `options`.
    ///
    /// # Errors
    /// When the snapshot does not fit, another process trains in the folder, or the system refuses.
    pub fn resume(
        from: &Resumed,
        options: Options,
        dataset: Arc<Dataset>,
        device: &Device,
    ) -> Result<Self> {
        let mut state = match &from.snapshot {
            Some(file) => snapshot::unpack(file, &options, device)?,
            None => first_state(&options, device)?,
        };
        state.freeze(options.freezed);
        let lock = Lock::acquire(&from.folder)?;
        folder::cut_stats(&from.folder, state.step)?;
        Ok(Self { options, folder: from.folder.clone(), dataset, state, lock })
    }

    /// Trains until `--kimg` or until asked to stop, and writes everything that belongs in the
    /// folder. Nothing is lost by an error: the newest snapshot stays.
    ///
    /// # Errors
    /// What the device, the disk or the pictures report, or numbers that are not finite.
    pub fn train(mut self, watch: &mut dyn Watch) -> Result<Outcome> {
        self.lock.hold();
        let outcome = self.go_on(watch)?;
        self.lock.release();
        Ok(outcome)
    }

    fn go_on(&mut self, watch: &mut dyn Watch) -> Result<Outcome> {
        let (options, total) = (self.options.clone(), self.options.images());
        let text = serde_json::to_string_pretty(&options).expect("options are plain data");
        write_atomically(&self.folder.join(folder::OPTIONS), text.as_bytes())?;
        if !self.folder.join(REALS).exists() {
            self.begin()?;
        }
        if self.state.step > 0 {
            self.log(watch, &format!("resumed at step {}", self.state.step))?;
        }
        let order =
            EpochOrder { len: self.dataset.len(), seed: options.seed, mirror: options.mirror };
        let (set, plan) = (self.dataset.clone(), options.clone());
        let loader = Loader::new(set, order, self.state.images, move |n| plan.stage(n).batch_size);
        let mut clock = Clock::new(self.state.images, &options);
        let mut events = Events::create(&self.folder, self.state.images)?;
        let mut stats = Collector::default();
        let mut pending: Option<Report> = None;
        while self.state.images < total {
            if let Some(augment) = options.recipe.augment
                && self.state.step.is_multiple_of(ADAPT_EVERY)
            {
                // The scores of all steps so far, wherever the run was stopped in between.
                if let Some(report) = pending.take() {
                    self.collect(report, &mut stats)?;
                }
                self.state.augment.adapt(&augment);
            }
            let report = self.step(&loader)?;
            // Read a step late, so that the device never waits for the host.
            if let Some(earlier) = pending.replace(report) {
                self.collect(earlier, &mut stats)?;
            }
            for warning in self.dataset.take_warnings() {
                self.log(watch, &warning)?;
            }
            watch.progress(self.state.images, total, clock.start.elapsed());
            // Asked once: the answer may change at any moment.
            let (is_done, stops) = (self.state.images >= total, watch.stops());
            let late = is_done || stops || clock.snapshot_is_late(&options);
            if late || clock.tick_is_due(self.state.images, &options) {
                // Whether the newest update was finite has to be known before it is written.
                if let Some(report) = pending.take() {
                    self.collect(report, &mut stats)?;
                }
                self.tick(&mut clock, &mut stats, watch)?;
                events.scalars(self.state.images, stats.means())?;
                watch.tick(&std::mem::take(&mut stats));
                if late || clock.tick.is_multiple_of(options.snap_ticks) {
                    let fakes = self.snapshot(&mut clock)?;
                    events.png(self.state.images, "fakes", &fakes)?;
                    watch.picture(&fakes);
                }
            }
            if stops && !is_done {
                return Ok(Outcome::Stopped);
            }
        }
        Ok(Outcome::Finished)
    }

    /// One step on the next batch.
    fn step(&mut self, loader: &Loader) -> Result<Report> {
        let Options { network, recipe, seed, .. } = &self.options;
        let (sizes, device) = (network.sizes(), self.state.device().clone());
        let stage = self.options.stage(self.state.images);
        let batch = loader.next_batch()?;
        let [h, w] = sizes.picture;
        let images = Tensor::from_slice(&batch.images, [stage.batch_size, 3, h, w], &device);
        let classes = batch.pictures.iter().map(|&k| self.dataset.class(k));
        let reals = Reals {
            images: reduced(&images, stage.lod),
            label: sizes.label(classes, &device),
            lod: stage.lod,
            augment: None,
        };
        let number = self.state.step;
        let mut inputs = StepInputs::draw(&sizes, recipe, *seed, number, reals);
        if let Some(augment) = &recipe.augment {
            inputs = inputs.augmented(augment.pipeline, self.state.augment.p, *seed, number);
        }
        inputs.lr_scale = stage.lr_scale;
        // Larger batches of lower resolutions take no more memory in as many parts.
        inputs.parts = self.options.parts()?;
        Ok(Report::new(number, &step(&mut self.state, &inputs, recipe)))
    }

    /// First pictures of a new run.
    fn begin(&self) -> Result<()> {
        let (columns, rows) = grid_size(self.options.network.resolution());
        let picture = |k: usize| Rgb::from_dataset(&self.dataset, k % self.dataset.len());
        let reals: Vec<Rgb> = (0..columns * rows).map(picture).collect::<Result<_>>()?;
        save_png(self.folder.join(REALS), &grid(&reals, columns, rows), &[])?;
        self.fakes(&self.folder.join("fakes_init.png"))
    }

    fn fakes(&self, path: &Path) -> Result<()> {
        let network = &self.options.network;
        let (columns, rows) = grid_size(network.resolution());
        let look = Look { lod: self.options.stage(self.state.images).lod, ..Look::default() };
        let g = &*self.state.g_ema.model;
        let sampler = Sampler::new(g, network.sizes(), None, look, self.state.device());
        let pictures = sampler.pictures(0..(columns * rows) as u64);
        let fakes: Vec<Rgb> = pictures.collect::<Result<_>>()?;
        let kimg = format!("{:.3}", self.state.images as f64 / 1000.0);
        let text = [("kimg", kimg.as_str()), ("psi", "1")];
        save_png(path, &grid(&fakes, columns, rows), &text)
    }

    /// Counts what a step reported.
    fn collect(&mut self, report: Report, stats: &mut Collector) -> Result<()> {
        let pictures = report.pictures;
        for (name, value) in report.wait(&self.state)? {
            if name == "real_sign" {
                self.state.augment.add(f64::from(value), pictures);
            }
            if let Some(name) = published_name(name) {
                stats.add(name, f64::from(value));
            }
        }
        Ok(())
    }

    /// The progress line, in the form that tools for StyleGAN3 read, and a line of statistics.
    fn tick(&self, clock: &mut Clock, stats: &mut Collector, watch: &mut dyn Watch) -> Result<()> {
        let state = &self.state;
        let seconds = clock.tick_start.elapsed().as_secs_f64();
        let images = (state.images - clock.tick_images).max(1);
        let kimg = state.images as f64 / 1000.0;
        let per_kimg = seconds / images as f64 * 1000.0;
        let elapsed = clock.start.elapsed().as_secs_f64();
        let counters = state.device().counters();
        let gigabytes = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
        let (cpu, gpu) = (gigabytes(memory::host_bytes()), gigabytes(counters.peak_bytes));
        let reserved = gigabytes(counters.bytes_allocated);
        let maintenance = clock.maintenance.as_secs_f64();
        let left = per_kimg * (self.options.kimg - kimg).max(0.0);
        self.log(
            watch,
            &format!(
                "tick {:<5} kimg {kimg:<8.1} time {:<12} sec/tick {seconds:<7.1} sec/kimg \
                 {per_kimg:<7.2} maintenance {maintenance:<6.1} cpumem {cpu:<6.2} gpumem \
                 {gpu:<6.2} reserved {reserved:<6.2} augment {:.3}   left {}",
                clock.tick,
                duration(elapsed),
                state.augment.p,
                duration(left)
            ),
        )?;
        let values = [
            ("Progress/tick", clock.tick as f64),
            ("Progress/kimg", kimg),
            ("Progress/step", state.step as f64),
            ("Progress/augment", state.augment.p),
            ("Timing/sec_per_tick", seconds),
            ("Timing/sec_per_kimg", per_kimg),
            ("Timing/total_sec", elapsed),
            ("Timing/maintenance_sec", maintenance),
            ("Resources/cpu_mem_gb", cpu),
            ("Resources/peak_gpu_mem_gb", gpu),
            ("Resources/reserved_gpu_mem_gb", reserved),
            ("Resources/pipelines", counters.pipelines as f64),
            ("Resources/bind_groups", counters.held_groups as f64),
        ];
        values.into_iter().for_each(|(name, value)| stats.add(name, value));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        append(&self.folder.join(folder::STATS), &stats.line(now.as_secs_f64()).to_string())?;
        clock.tick += 1;
        (clock.tick_start, clock.tick_images) = (Instant::now(), state.images);
        clock.maintenance = Duration::ZERO;
        Ok(())
    }

    /// Snapshot and pictures; then the oldest snapshots go. The pictures' path.
    fn snapshot(&self, clock: &mut Clock) -> Result<PathBuf> {
        let begun = Instant::now();
        let (images, step) = (self.state.images, self.state.step);
        let path = folder::snapshot_path(&self.folder, images, step);
        let file = snapshot::pack(&self.state, &self.options)?;
        // The gradients were finite; an update may still have left the range.
        if let Some(parameter) = file.nonfinite() {
            let (parameter, phase) = (parameter.to_owned(), "update".to_owned());
            return Err(Error::NonFinite { parameter, step: step - 1, phase });
        }
        file.save(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let fakes = format!("{}.png", name.replace("network-snapshot-", "fakes"));
        let fakes = self.folder.join(fakes);
        self.fakes(&fakes)?;
        folder::prune(&self.folder, self.options.keep)?;
        clock.last_snapshot = Instant::now();
        clock.maintenance = begun.elapsed();
        Ok(fakes)
    }

    fn log(&self, watch: &mut dyn Watch, line: &str) -> Result<()> {
        watch.line(line);
        append(&self.folder.join("log.txt"), line)
    }
}

/// The state before the first step: random networks, or those of another run.
fn first_state(options: &Options, device: &Device) -> Result<State> {
    let mut state = match &options.transfer {
        Some(path) => snapshot::transfer(&folder::network(path)?.0, options, device)?,
        None => State::new(&options.network, &options.recipe, options.seed, device),
    };
    state.freeze(options.freezed);
    Ok(state)
}

/// Columns and rows of the grids in a run folder.
fn grid_size(res: usize) -> (usize, usize) {
    let columns = (512 / res).clamp(4, 16);
    (columns, columns / 2)
}

fn append(path: &Path, line: &str) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).map_err(Error::io("write", path))
}
