//! Golden cases: numbers that an independent program computed, and the runner that compares.
//!
//! A case is a safetensors file; the folder that holds it is its system. A [`Row`] says what to run
//! for a (system, op); everything else is the runner's: it differentiates what the row returns
//! against the stored cotangents, to second order where the case asks, and compares every stored
//! `out`, `grad`, `gg` and `after`. One that the row did not produce is a failure, and so is an op
//! without a row. Rows of one system live in one file.

mod case;
mod compare;
mod jobs;
pub mod judge;
mod linear_semantics;
mod metrics;
mod ops;
mod pggan;
mod resample;
mod run;
mod sarigan;
mod semantic_stylegan;
mod stylegan;
mod stylegan2;
mod stylegan2_genforce;
mod training;

use std::fmt;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

pub use case::{Case, Context, Outputs};
pub use compare::Mismatch;
pub use judge::Judge;

use crate::device::Device;
use crate::{Error, Result};

/// What to run for the cases of one operator of one system.
pub struct Row {
    /// Name of the folder that holds the cases.
    pub system: &'static str,
    /// The cases' `op`.
    pub op: &'static str,
    /// Computes the outputs from the inputs.
    pub run: fn(&Context) -> Result<Outputs>,
}

/// Every row.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [
        linear_semantics::ROWS,
        metrics::ROWS,
        ops::ROWS,
        resample::ROWS,
        jobs::ROWS,
        pggan::ROWS,
        sarigan::ROWS,
        semantic_stylegan::ROWS,
        stylegan::ROWS,
        stylegan2::ROWS,
        stylegan2_genforce::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Why a case did not pass.
#[derive(Debug)]
pub struct Failure {
    /// Which case, with the op and the device.
    pub case: String,
    /// What was wrong: one line each.
    pub reasons: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A compiler's message has many lines; a failure has one.
        let reasons = self.reasons.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "FAIL {}: {reasons}", self.case)
    }
}

/// The golden file that is given, or those below a folder whose name contains `filter`, sorted.
///
/// # Errors
/// When the folder cannot be read or holds none.
pub fn cases(folder: &Path, filter: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    // The folder's own name says which system it holds, also for `.`.
    let whole = folder.canonicalize().map_err(Error::io("read", folder))?;
    if whole.is_file() {
        return Ok(vec![whole]);
    }
    let mut pending = vec![whole];
    while let Some(folder) = pending.pop() {
        let entries = std::fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
        for entry in entries {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.is_dir() {
                pending.push(path);
            } else if is_case(&path) {
                found.push(path);
            }
        }
    }
    let wanted = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        filter.is_none_or(|filter| stem.contains(filter))
    };
    found.retain(wanted);
    found.sort();
    if found.is_empty() {
        let which = filter.map_or(String::new(), |f| format!(" whose name contains {f:?}"));
        return Err(Error::dataset(folder, format!("no golden cases (*.safetensors){which}")));
    }
    Ok(found)
}

/// Whether a file is a case, not what a reader of other files should make of the one beside it.
fn is_case(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".safetensors") && !name.ends_with(".expected.safetensors")
}

/// The cases of single operators that the program carries, with their bytes.
pub fn built_in() -> impl Iterator<Item = (&'static Path, &'static [u8])> {
    static OPS: Dir = include_dir!("$CARGO_MANIFEST_DIR/tests/golden/ops");
    OPS.files().map(|file| (file.path(), file.contents()))
}

/// Runs one golden file.
///
/// # Errors
/// The failure, naming everything that differs.
pub fn check(path: &Path, device: &Device) -> Result<(), Failure> {
    check_case(path, Case::load(path), device)
}

/// Runs one of the cases that the program carries.
///
/// # Errors
/// As [`check`].
pub fn check_built_in(name: &Path, bytes: &[u8], device: &Device) -> Result<(), Failure> {
    let path = Path::new("ops").join(name);
    check_case(&path, Case::parse(&path, bytes), device)
}

fn check_case(path: &Path, case: Result<Case>, device: &Device) -> Result<(), Failure> {
    let system = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let named = |op: &str| format!("{system} {op} {stem} on {}", device.kind());
    let failure = |op: &str, reason: String| Failure { case: named(op), reasons: vec![reason] };
    let case = case.map_err(|e| failure("?", e.to_string()))?;
    let row = rows().find(|row| row.system == system && row.op == case.op);
    let row = row.ok_or_else(|| failure(&case.op, "no such op is known here".into()))?;
    let reasons = run::run(&case, row, device).map_err(|e| failure(&case.op, e.to_string()))?;
    if reasons.is_empty() { Ok(()) } else { Err(Failure { case: named(&case.op), reasons }) }
}
