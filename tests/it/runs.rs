//! Training runs small enough for tests: 8x8 pictures, networks of a few layers, four groups.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use safetensors::SafeTensors;
use semgan::checkpoint::Checkpoint;
use semgan::data::Dataset;
use semgan::models::sarigan::Config;
use semgan::sample::{Rgb, save_png};
use semgan::train::{Options, Outcome, Recipe, Run, Watch, folder, snapshot};
use semgan::{Device, Result};
use tempfile::TempDir;

use crate::common::values;

/// Pictures per step.
pub(crate) const BATCH: usize = 4;
/// Pictures of the set: no multiple of the batch.
pub(crate) const PICTURES: usize = 50;

/// Wide enough at 8x8 that the CPU splits its work among threads.
pub(crate) fn network() -> Config {
    let channels = BTreeMap::from([(4, 16), (8, 64)]);
    Config { style_dim: 16, n_mlp: 2, groups: 4, channels, ..Config::tiny(8) }
}

/// `[8, 8]` of colours without order.
pub(crate) fn picture(seed: u32) -> Rgb {
    let pixels = values(3 * 64, seed).iter().map(|v| (v * 127.5 + 127.5) as u8).collect();
    Rgb { width: 8, height: 8, pixels }
}

/// A folder with pictures and room for runs.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(place.path("data")).expect("a new folder");
        for k in 0..PICTURES {
            let path = place.path(&format!("data/{k:02}.png"));
            save_png(path, &picture(k as u32 + 1), &[]).expect("written");
        }
        place
    }

    /// A run of four steps on the CPU that all tests may read.
    pub(crate) fn trained() -> &'static Self {
        static PLACE: OnceLock<Place> = OnceLock::new();
        PLACE.get_or_init(|| {
            let place = Self::new();
            place.train(place.options(4));
            place
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text, for command lines.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// The first run's folder.
    pub(crate) fn run(&self) -> PathBuf {
        self.path("runs/00000-test")
    }

    fn dataset(&self) -> Arc<Dataset> {
        Arc::new(Dataset::open(self.path("data"), 8).expect("good pictures"))
    }

    /// A line of statistics at every step, snapshots at the end only.
    pub(crate) fn options(&self, steps: usize) -> Options {
        Options {
            network: network().into(),
            recipe: Recipe::official(),
            batch: BATCH,
            batch_gpu: BATCH,
            seed: 1,
            mirror: true,
            freezed: 0,
            transfer: None,
            origin: serde_json::Value::Null,
            fingerprint: self.dataset().fingerprint(),
            data: self.path("data"),
            kimg: (steps * BATCH) as f64 / 1000.0,
            tick_kimg: BATCH as f64 / 1000.0,
            snap_ticks: 1_000_000,
            snap_minutes: 1e6,
            keep: 10,
        }
    }

    pub(crate) fn create(&self, options: Options, device: &Device) -> Run {
        Run::create(&self.path("runs"), "test", options, self.dataset(), device).expect("a new run")
    }

    /// The newest run, under options that `change` may change.
    pub(crate) fn resume(&self, change: impl FnOnce(&mut Options), device: &Device) -> Result<Run> {
        let (from, _) = folder::resume("latest", &self.path("runs"))?;
        let mut options = from.options.clone();
        change(&mut options);
        Run::resume(&from, options, self.dataset(), device)
    }

    /// A whole run on the CPU.
    pub(crate) fn train(&self, options: Options) {
        let run = self.create(options, &Device::cpu());
        assert_eq!(run.train(&mut Until::end()).expect("trained"), Outcome::Finished);
    }

    /// A run that was ended before its first step, for the program to go on with.
    pub(crate) fn begin(&self, options: &Options) {
        fs::create_dir_all(self.run()).expect("a new folder");
        let text = serde_json::to_string(options).expect("plain data");
        fs::write(self.run().join(folder::OPTIONS), text).expect("written");
    }

    /// The newest snapshot of the first run.
    pub(crate) fn newest(&self) -> Checkpoint {
        folder::network(&self.run()).expect("a good snapshot").0
    }

    /// Snapshots of the first run by name, with the steps that they hold.
    pub(crate) fn snapshots(&self) -> BTreeMap<String, u64> {
        let names = fs::read_dir(self.run()).expect("a run").map(|e| e.expect("an entry").path());
        let snapshots = names.filter(|p| p.extension().is_some_and(|e| e == "safetensors"));
        let named = |p: PathBuf| {
            let name = p.file_name().expect("a file").to_str().expect("UTF-8").to_owned();
            (name, snapshot::counters(&p).map_or(0, |c| c.step))
        };
        snapshots.map(named).collect()
    }
}

/// Stops when so many images have been shown.
pub(crate) struct Until {
    images: u64,
    shown: u64,
}

impl Until {
    pub(crate) fn end() -> Self {
        Self { images: u64::MAX, shown: 0 }
    }

    pub(crate) fn step(step: u64) -> Self {
        Self { images: step * BATCH as u64, shown: 0 }
    }
}

impl Watch for Until {
    fn line(&mut self, _: &str) {}

    fn progress(&mut self, images: u64, _: u64, _: Duration) {
        self.shown = images;
    }

    fn stops(&self) -> bool {
        self.shown >= self.images
    }
}

/// Overwrites an element of a tensor in a safetensors file.
pub(crate) fn poke(path: &Path, tensor: &str, element: usize, value: &[u8]) {
    let mut bytes = fs::read(path).expect("readable");
    let start = {
        let file = SafeTensors::deserialize(&bytes).expect("a whole file");
        let data = file.tensor(tensor).expect("a tensor of this name").data();
        data.as_ptr() as usize - bytes.as_ptr() as usize
    };
    bytes[start + element * value.len()..][..value.len()].copy_from_slice(value);
    fs::write(path, bytes).expect("written");
}
