//! Forms of heavy kernels by measurement. Where an operation can run in several forms, its table
//! (`ops::linear::tiling`, `ops::conv::subgroup`) says which; a measured [`Tuning`] wins over it.
//!
//! Tiles in workgroup memory leave the order of every sum as it is, so that results are equal to the
//! bit with and without a table. The two forms of a convolution for software drivers do not.

#![expect(clippy::disallowed_methods, reason = "`semgan tune` measures time")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{AdapterReport, Device, Gpu, Launch};
use crate::files::{hash, write_atomically};
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Layout of the file.
const VERSION: u64 = 1;
/// How much faster a form has to be than the usual one to replace it: more than chance.
const GAIN: f64 = 1.05;
/// Seconds that a form is measured for and that a round takes, and the least number of rounds.
const MEASURED: f64 = 0.03;
const ROUND: f64 = 0.002;
const ROUNDS: usize = 5;

/// The form in which a kernel runs for tensors of some sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The kernel's path.
    pub kernel: String,
    /// Sizes of the work.
    pub sizes: Vec<usize>,
    /// Name of the form.
    pub form: String,
    /// How many times as fast it was as the usual one.
    pub gain: f64,
}

/// What was measured on one adapter with one driver; a file of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    version: u64,
    adapter: String,
    driver: String,
    /// Kernels and sizes that were met.
    pub choices: Vec<Choice>,
}

impl Tuning {
    /// An empty table for an adapter.
    pub fn of(report: &AdapterReport) -> Self {
        let (adapter, driver) = (report.name.clone(), report.driver.clone());
        Self { version: VERSION, adapter, driver, choices: Vec::new() }
    }

    /// Reads the table of this adapter from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is broken, or is of another adapter or driver.
    pub fn load(path: &Path, report: &AdapterReport) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let refused = |reason: String| Error::Tuning { path: path.to_owned(), reason };
        let table: Self = serde_json::from_slice(&bytes)
            .map_err(|e| refused(format!("no table of kernel forms: {e}")))?;
        let ours = Self::of(report);
        if table.version != VERSION {
            let reason = format!("layout {}; this program reads {VERSION}", table.version);
            return Err(refused(reason));
        }
        if (&table.adapter, &table.driver) != (&ours.adapter, &ours.driver) {
            return Err(refused(format!(
                "measured on {} ({}), the device is {} ({})",
                table.adapter, table.driver, ours.adapter, ours.driver
            )));
        }
        Ok(table)
    }

    /// Writes the table.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let text = serde_json::to_string_pretty(self).expect("a table is plain data");
        write_atomically(path, text.as_bytes())
    }

    /// Where the table of an adapter is looked for: the user's configuration folder, if there is one.
    pub fn usual_path(report: &AdapterReport) -> Option<PathBuf> {
        let name = format!("{} {}", report.name, report.driver).to_lowercase();
        let words: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let file = format!("{}.json", words.join("-"));
        Some(dirs::config_dir()?.join("semgan").join("tuning").join(file))
    }
}

/// Tells tables apart: how many forms are chosen, and a hash of them.
impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = |c: &Choice| format!("{} {:?} {};", c.kernel, c.sizes, c.form);
        let text: String = self.choices.iter().map(chosen).collect();
        write!(f, "{} forms, {:08x}", self.choices.len(), hash(text.bytes()) as u32)
    }
}

/// A kernel and the sizes of its work.
type Place = (String, Vec<usize>);

/// The forms that a GPU runs, and those that it measures.
#[derive(Debug, Default)]
pub(super) struct Tuner {
    /// Whether there is anything to look up or to measure.
    is_used: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    name: Option<String>,
    measures: bool,
    choices: BTreeMap<Place, Choice>,
}

impl Tuner {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs by this table from now on, or by none.
    pub(super) fn set(&self, table: Option<&Tuning>) {
        let choices = table.into_iter().flat_map(|table| table.choices.iter().cloned());
        let choices = choices.map(|c| ((c.kernel.clone(), c.sizes.clone()), c)).collect();
        *self.table() = Table { name: table.map(Tuning::to_string), measures: false, choices };
        self.is_used.store(table.is_some(), Ordering::Relaxed);
    }

    pub(super) fn name(&self) -> Option<String> {
        self.table().name.clone()
    }

    /// Measures the forms of every kernel that runs from now on, once for each sizes.
    pub(super) fn measure(&self) {
        *self.table() = Table { measures: true, ..Table::default() };
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// What was measured, on this adapter.
    pub(super) fn measured(&self, report: &AdapterReport) -> Tuning {
        let choices = self.table().choices.values().cloned().collect();
        Tuning { choices, ..Tuning::of(report) }
    }
}

/// The form in which a kernel makes `y` for work of these sizes: the measured one, else the usual,
/// the first of `forms`.
pub(crate) fn choose<F: Copy>(
    y: &Tensor,
    kernel: &str,
    sizes: &[usize],
    forms: &[(&str, F)],
    launches: impl Fn(F) -> Vec<Launch>,
) -> F {
    let usual = forms[0].1;
    let Device::Gpu(gpu) = y.device() else { return usual };
    if forms.len() == 1 || !gpu.tuner.is_used.load(Ordering::Relaxed) {
        return usual;
    }
    let place = (kernel.to_owned(), sizes.to_vec());
    let (known, measures) = {
        let table = gpu.tuner.table();
        (table.choices.get(&place).map(|choice| choice.form.clone()), table.measures)
    };
    let form = match known {
        Some(form) => form,
        None if !measures => return usual,
        None => {
            let choice = fastest(gpu, place.clone(), forms, launches);
            let form = choice.form.clone();
            gpu.tuner.table().choices.insert(place, choice);
            form
        }
    };
    let found = forms.iter().find(|(name, _)| *name == form);
    found.map(|(_, form)| *form).unwrap_or_else(|| {
        gpu.faults.device(format!(
            "the tuning table has form {form:?} for {kernel} {sizes:?}, which does not exist: \
             measure again with `semgan tune`, or use --tuning off"
        ));
        usual
    })
}

fn fastest<F: Copy>(
    gpu: &Arc<Gpu>,
    (kernel, sizes): Place,
    forms: &[(&str, F)],
    launches: impl Fn(F) -> Vec<Launch>,
) -> Choice {
    let times = forms.iter().map(|(name, form)| (*name, seconds(gpu, &launches(*form))));
    let times: Vec<_> = times.collect();
    let (usual, first) = times[0];
    let least = times.iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("at least one form");
    let (form, gain) =
        if first > GAIN * least.1 { (least.0, first / least.1) } else { (usual, 1.0) };
    Choice { kernel, sizes, form: form.to_owned(), gain }
}

/// The least time of a few rounds, each of so many runs that the wait at its end does not count.
fn seconds(gpu: &Arc<Gpu>, launches: &[Launch]) -> f64 {
    let round = |runs: u32| {
        let start = Instant::now();
        (0..runs).flat_map(|_| launches).for_each(|launch| gpu.enqueue(launch));
        // A fault surfaces at the next read-back.
        let _ = gpu.sync();
        start.elapsed().as_secs_f64() / f64::from(runs)
    };
    // The first one compiles.
    round(1);
    let runs = (ROUND / round(1)).clamp(1.0, 50.0) as u32;
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    for done in 1.. {
        best = best.min(round(runs));
        if done >= ROUNDS && start.elapsed().as_secs_f64() > MEASURED {
            break;
        }
    }
    best
}
