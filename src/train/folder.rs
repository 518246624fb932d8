//! The run folder: names, snapshots, what a resumed run continues.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::{adopt, snapshot};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::files::{leftovers, write_atomically};
use crate::{Error, Result};

/// Statistics, one JSON object per line.
pub const STATS: &str = "stats.jsonl";
/// What the run was asked for, as JSON.
pub const OPTIONS: &str = "training_options.json";

/// A run to go on with.
pub struct Resumed {
    /// Its folder.
    pub folder: PathBuf,
    /// Its options so far.
    pub options: Options,
    /// Where it goes on; from its beginning where it ended before the first snapshot.
    pub snapshot: Option<Checkpoint>,
}

impl Resumed {
    /// Whether it is a file that another program's was made into, which goes on in a folder of its
    /// own.
    pub fn is_adopted(&self) -> bool {
        self.snapshot.as_ref().is_some_and(adopt::is_adopted)
    }

    /// What to say where the device runs other kernels than the run so far, or other forms of them.
    pub fn other_kernels(&self, device: &Device) -> Option<String> {
        let describe = |kernels: &str, tuning: Option<&str>| match tuning {
            Some(table) => format!("{kernels}, tuning {table}"),
            None => format!("{kernels}, no tuning"),
        };
        let before = &self.snapshot.as_ref()?.description;
        let before = describe(before["kernels"].as_str()?, before["tuning"].as_str());
        let now = describe(&device.kernels(), device.tuning().as_deref());
        (now != before).then(|| {
            format!("the run had other kernels ({before}) than this device has now ({now})")
        })
    }
}

/// A new folder `NNNNN-DESCRIPTION` below `outdir`, numbered one above the highest there is.
///
/// # Errors
/// When the system refuses.
pub fn create(outdir: &Path, description: &str) -> Result<PathBuf> {
    fs::create_dir_all(outdir).map_err(Error::io("create", outdir))?;
    let last = runs(outdir)?.into_iter().map(|(number, _)| number).max();
    let number = last.map_or(0, |n| n + 1);
    let folder = outdir.join(format!("{number:05}-{description}"));
    fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
    Ok(folder)
}

/// Numbered folders below `outdir`.
pub(super) fn runs(outdir: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let entries = fs::read_dir(outdir).map_err(Error::io("read", outdir))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", outdir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.split('-').next().and_then(|n| n.parse().ok());
        found.extend(number.filter(|_| path.is_dir()).map(|n| (n, path.clone())));
    }
    found.sort();
    Ok(found)
}

/// Files with the steps that they hold.
type Steps = Vec<(u64, PathBuf)>;

/// Snapshot files of a run with the steps that they hold, newest first. Files that cannot be read
/// are left out and named.
///
/// # Errors
/// When the folder cannot be read.
fn snapshots(folder: &Path) -> Result<(Steps, Vec<String>)> {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("network-snapshot-") || !name.ends_with(".safetensors") {
            continue;
        }
        match snapshot::counters(&path) {
            Ok(counters) => found.push((counters.step, path)),
            Err(error) => broken.push(error.to_string()),
        }
    }
    found.sort();
    found.reverse();
    Ok((found, broken))
}

/// The network that `path` means: a snapshot file, or a run folder's newest readable snapshot.
/// Also what was passed over.
///
/// # Errors
/// When there is none.
pub fn network(path: &Path) -> Result<(Checkpoint, Vec<String>)> {
    if !path.is_dir() {
        return Ok((Checkpoint::load(path)?, Vec::new()));
    }
    let (found, broken) = snapshots(path)?;
    let Some((_, newest)) = found.first() else {
        let why = broken.first().map_or(String::new(), |b| format!("; {b}"));
        let reason = format!("no readable network-snapshot-*.safetensors in this folder{why}");
        return Err(Error::checkpoint(path, reason));
    };
    Ok((Checkpoint::load(newest)?, broken))
}

/// What `--resume` means: `latest` is the newest run below `outdir`. Also what was passed over.
///
/// # Errors
/// When there is none, or it cannot be used.
pub fn resume(wanted: &str, outdir: &Path) -> Result<(Resumed, Vec<String>)> {
    if wanted != "latest" {
        return resume_from(Path::new(wanted));
    }
    let all = if outdir.is_dir() { runs(outdir)? } else { Vec::new() };
    for (_, folder) in all.into_iter().rev() {
        let (found, broken) = snapshots(&folder)?;
        if !found.is_empty() || !broken.is_empty() || folder.join(OPTIONS).exists() {
            return resume_from(&folder);
        }
    }
    Err(Error::config("--resume latest", format!("no run to resume in {}", outdir.display())))
}

fn resume_from(path: &Path) -> Result<(Resumed, Vec<String>)> {
    let options = path.join(OPTIONS);
    if options.exists() && snapshots(path)? == (Vec::new(), Vec::new()) {
        let text = fs::read(&options).map_err(Error::io("read", &options))?;
        let options = serde_json::from_slice(&text)
            .map_err(|e| Error::checkpoint(&options, format!("not the options of a run: {e}")))?;
        let resumed = Resumed { folder: path.to_owned(), options, snapshot: None };
        return Ok((resumed, Vec::new()));
    }
    let (file, passed_over) = network(path)?;
    let options = snapshot::options(&file)?;
    let folder = file.path.parent().filter(|f| !f.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_owned();
    Ok((Resumed { folder, options, snapshot: Some(file) }, passed_over))
}

/// Name of the snapshot after `images`; with the step where another one has taken the plain name.
pub fn snapshot_path(folder: &Path, images: u64, step: u64) -> PathBuf {
    let kimg = images / 1000;
    let plain = folder.join(format!("network-snapshot-{kimg:06}.safetensors"));
    let taken = plain.exists();
    if taken {
        folder.join(format!("network-snapshot-{kimg:06}-{step}.safetensors"))
    } else {
        plain
    }
}

/// Removes the oldest snapshots until `keep` are left, and leftovers of writes that were cut off.
///
/// # Errors
/// When the system refuses.
pub fn prune(folder: &Path, keep: usize) -> Result<()> {
    let (found, _) = snapshots(folder)?;
    let outdated = found.into_iter().skip(keep).map(|(_, path)| path);
    for path in outdated.chain(leftovers(folder)?) {
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// Cuts the lines of `stats.jsonl` that lie behind `step`: they will be written again.
///
/// # Errors
/// When the system refuses.
pub fn cut_stats(folder: &Path, step: u64) -> Result<()> {
    let path = folder.join(STATS);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let before = |line: &&str| {
        let line: Option<serde_json::Value> = serde_json::from_str(line).ok();
        line.and_then(|l| l["Progress/step"]["mean"].as_f64()).is_some_and(|s| s <= step as f64)
    };
    let kept: String = text.lines().filter(before).flat_map(|line| [line, "\n"]).collect();
    write_atomically(&path, kept.as_bytes())
}
