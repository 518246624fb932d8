//! How runs stand, from their folders alone: nothing is loaded, nothing written.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::Value;

use super::folder::{OPTIONS, STATS, runs};
use super::lock::{Held, held};
use super::options::Options;
use crate::{Error, Result};

/// Bytes at the end of a file of lines that hold its last one.
const TAIL: u64 = 1 << 16;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// A process trains it now.
    Running,
    /// All of its pictures were shown.
    Finished,
    /// It ended in order before that.
    Stopped,
    /// Its process was killed or met an error.
    Crashed,
    /// It may run or not: the file system knows no locks.
    Unknown,
}

impl Activity {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::Unknown => "unknown",
        }
    }
}

/// A run at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// What it does.
    pub state: Activity,
    /// Kind of network.
    pub system: &'static str,
    /// Side of its pictures in pixels.
    pub res: usize,
    /// Thousands of pictures shown.
    pub kimg: f64,
    /// Thousands of pictures that it is to show.
    pub total_kimg: f64,
    /// Seconds per thousand pictures in the newest tick.
    pub sec_per_kimg: Option<f64>,
    /// Time of the newest tick in seconds since 1970; of its options before there is one.
    pub changed: f64,
    /// Newest pictures of the network.
    pub picture: Option<PathBuf>,
    /// Newest Fréchet inception distance in its `metric-fid*.jsonl`.
    pub fid: Option<f64>,
}

impl Status {
    /// That of the run in a folder.
    ///
    /// # Errors
    /// When its options cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(OPTIONS);
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        let options: Options = serde_json::from_slice(&text)
            .map_err(|e| Error::checkpoint(&path, format!("not the options of a run: {e}")))?;
        let newest = last_line(&folder.join(STATS)).unwrap_or_default();
        let value = |name: &str| newest[name]["mean"].as_f64();
        let kimg = value("Progress/kimg").unwrap_or(0.0);
        let is_done = (kimg * 1000.0).round() as u64 >= options.images();
        let state = match held(folder) {
            Held::Yes => Activity::Running,
            _ if is_done => Activity::Finished,
            Held::No => Activity::Stopped,
            Held::Abandoned => Activity::Crashed,
            Held::Unknown => Activity::Unknown,
        };
        Ok(Self {
            state,
            system: options.network.system().name(),
            res: options.network.resolution(),
            kimg,
            total_kimg: options.kimg,
            sec_per_kimg: value("Timing/sec_per_kimg"),
            changed: newest["timestamp"].as_f64().unwrap_or_else(|| modified(&path)),
            picture: newest_file(folder, "fakes", ".png"),
            fid: newest_file(folder, "metric-fid", ".jsonl").and_then(|path| fid(&path)),
        })
    }
}

/// The runs below a folder by number, each with its status or with what is wrong with it.
///
/// # Errors
/// When `outdir` cannot be read.
pub fn all(outdir: &Path) -> Result<Vec<(PathBuf, Result<Status>)>> {
    let with_status = |(_, folder): (u32, PathBuf)| {
        let status = Status::of(&folder);
        (folder, status)
    };
    Ok(runs(outdir)?.into_iter().map(with_status).collect())
}

/// The last whole line of a file of JSON lines.
fn last_line(path: &Path) -> Option<Value> {
    let mut file = File::open(path).ok()?;
    let start = file.metadata().ok()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let lines = bytes.rsplit(|&byte| byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).find(Value::is_object)
}

/// Seconds since 1970.
fn modified(path: &Path) -> f64 {
    let time = fs::metadata(path).and_then(|data| data.modified());
    let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs_f64()
}

fn newest_file(folder: &Path, start: &str, end: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(start) && name.ends_with(end)
    };
    let age = |a: &PathBuf, b: &PathBuf| modified(a).total_cmp(&modified(b)).then(a.cmp(b));
    entries.filter(is_wanted).max_by(age)
}

fn fid(path: &Path) -> Option<f64> {
    let line = last_line(path)?;
    let mut results = line["results"].as_object()?.iter();
    results.find(|(name, _)| name.starts_with("fid"))?.1.as_f64()
}
