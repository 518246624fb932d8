//! Everything that is wrong with a set, and what to do about it.

use std::collections::HashMap;
use std::path::Path;

use image::ImageFormat;
use rayon::prelude::*;

use super::super::classes::{LIST, Labels};
use super::super::picture;
use super::super::source::{Entry, Form, Layout, Source};
use super::super::{FaceClasses, LabelMaps};
use crate::Result;
use crate::files::hash;

/// Pictures that are held in memory at once.
const CHUNK: usize = 256;
/// Label maps have the indices of SemanticStyleGAN's or CelebAMask-HQ's classes.
const MAX_CLASSES: u8 = 19;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Training works with it as it is.
    Note,
    /// Training works, perhaps not as intended.
    Warning,
    /// A file cannot be used.
    Problem,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, or what else of the set.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub fix: &'static str,
}

/// What was found in a set.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order of the files; what concerns the whole set comes last.
    pub findings: Vec<Finding>,
    /// Number of pictures that were looked at.
    pub pictures: usize,
    /// Number of label maps that were looked at.
    pub maps: usize,
}

impl Report {
    /// Number of findings of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn add(
        &mut self,
        severity: Severity,
        name: &str,
        reason: impl Into<String>,
        fix: &'static str,
    ) {
        self.findings.push(Finding { severity, name: name.to_owned(), reason: reason.into(), fix });
    }
}

/// What one picture turned out to be.
struct Looked {
    size: (u32, u32),
    hash: u64,
    len: usize,
    /// The kind of its content, where it is not that of its name.
    content: Option<ImageFormat>,
}

/// Reads every file of the set at `path` anew. `progress` hears how many are done, and of how many.
///
/// # Errors
/// When the set cannot be listed at all.
pub fn check(path: &Path, progress: impl Fn(u64, u64)) -> Result<Report> {
    let source = Source::open(path, None)?;
    let mut report = Report { pictures: source.pictures.len(), ..Report::default() };
    let total = (source.pictures.len() + source.labels.len()) as u64;
    let mut sizes = Sizes::default();
    let mut contents: HashMap<(u64, usize), usize> = HashMap::new();
    for first in (0..source.pictures.len()).step_by(CHUNK) {
        let indices = first..source.pictures.len().min(first + CHUNK);
        let look = |index| look(&source, &source.pictures.get(index));
        let looked: Vec<_> = indices.clone().into_par_iter().map(look).collect();
        for (index, looked) in indices.zip(looked) {
            let name = source.pictures.get(index).name;
            match looked {
                Ok(looked) => {
                    sizes.add(looked.size);
                    let twin = *contents.entry((looked.hash, looked.len)).or_insert(index);
                    let twin = (twin != index).then(|| source.pictures.get(twin).name);
                    tell(&mut report, name, &looked, twin);
                }
                Err((reason, fix)) => report.add(Severity::Problem, name, reason, fix),
            }
            progress(index as u64 + 1, total);
        }
    }
    sizes.tell(&mut report);
    check_list(&source, &mut report);
    for problem in &source.problems {
        report.add(Severity::Problem, "the LMDB file", problem, "copy it again, or write it anew");
    }
    check_maps(source, &mut report, |done| progress(done, total))?;
    Ok(report)
}

/// What to do about a file that cannot be decoded.
fn fix(reason: &str) -> &'static str {
    match reason {
        r if r.contains("too large") => "make it smaller",
        r if r.contains("empty") || r.contains("cut short") => "copy it again, or delete it",
        _ => "replace or delete it",
    }
}

fn look(source: &Source, entry: &Entry) -> Result<Looked, (String, &'static str)> {
    let explained = |reason: String| {
        let fix = fix(&reason);
        (reason, fix)
    };
    let bytes = source.read_picture(entry).map_err(explained)?;
    let whole = picture::decode_whole(entry.name, &bytes).map_err(explained)?;
    let by_name = ImageFormat::from_path(entry.name).ok();
    let by_content = image::guess_format(&bytes).ok();
    let content = by_content.filter(|content| by_name.is_some_and(|name| name != *content));
    let len = bytes.len();
    Ok(Looked { size: whole.size, hash: hash(bytes), len, content })
}

fn tell(report: &mut Report, name: &str, looked: &Looked, twin: Option<&str>) {
    if let Some(content) = looked.content {
        let kind = content.extensions_str()[0];
        let reason = format!("its content is {kind}, and not what its name says");
        report.add(Severity::Warning, name, reason, "give it the extension of its content");
    }
    if let Some(twin) = twin {
        let reason = format!("has the same content as {twin}");
        report.add(Severity::Warning, name, reason, "delete one of them");
    }
}

/// How often each size occurs.
#[derive(Default)]
struct Sizes(HashMap<(u32, u32), usize>);

impl Sizes {
    fn add(&mut self, size: (u32, u32)) {
        *self.0.entry(size).or_default() += 1;
    }

    fn tell(&self, report: &mut Report) {
        let fix = "nothing, or `semgan data make --transform ... --resolution ...`";
        let common = self.0.iter().max_by_key(|(size, count)| (**count, **size));
        let Some((&(width, height), _)) = common else { return };
        let others: usize =
            self.0.iter().filter(|(s, _)| **s != (width, height)).map(|s| s.1).sum();
        if others > 0 {
            let reason = format!(
                "{others} pictures are not {width}x{height} as the rest; training crops and \
                 resizes them"
            );
            report.add(Severity::Note, "the set", reason, fix);
        }
        let oblong: usize = self.0.iter().filter(|((w, h), _)| w != h).map(|s| s.1).sum();
        if oblong > 0 {
            let reason = format!("{oblong} pictures are not square; training crops them");
            report.add(Severity::Note, "the set", reason, fix);
        }
    }
}

/// Compares the list of classes with the pictures.
fn check_list(source: &Source, report: &mut Report) {
    let labels = match Labels::listed(source) {
        Ok(None) => return,
        Ok(Some(labels)) => labels,
        Err(error) => {
            return report.add(Severity::Problem, LIST, error.to_string(), "correct or delete it");
        }
    };
    if let (count, Some(first)) = &labels.unknown {
        let reason = format!("names {count} files that are not there, the first is {first}");
        report.add(Severity::Problem, LIST, reason, "add the files, or write the list anew");
    }
    for entry in source.pictures.iter() {
        if let Err(reason) = labels.find(entry.name) {
            report.add(Severity::Problem, entry.name, reason, "correct the list");
        }
    }
}

/// Compares the label maps with the pictures.
fn check_maps(source: Source, report: &mut Report, progress: impl Fn(u64)) -> Result<()> {
    if source.labels.len() == 0 {
        return Ok(());
    }
    report.maps = source.labels.len();
    let is_painted = source.layout == Layout::CelebAMask;
    let path = source.path.clone();
    let done = source.pictures.len() as u64;
    let names: Vec<String> = source.pictures.iter().map(|e| e.name.to_owned()).collect();
    let orphans = orphans(&source);
    let maps = LabelMaps::of(Source::open(&path, None)?, FaceClasses::default())?;
    drop(source);
    for (at, names) in names.chunks(CHUNK).enumerate() {
        let look = |name: &String| {
            maps.find(name).map(|entry| (map_name(&entry, is_painted), maps.whole(name)))
        };
        let looked: Vec<_> = names.par_iter().map(look).collect();
        for (name, looked) in names.iter().zip(looked) {
            let Some((map_name, map)) = looked else {
                let fix = "add one under the same name in labels/, or move the picture away";
                report.add(Severity::Warning, name, "has no label map", fix);
                continue;
            };
            match map {
                Err(reason) => {
                    let own = reason.strip_prefix(&format!("{map_name}: ")).unwrap_or(&reason);
                    report.add(Severity::Problem, &map_name, own, "replace it");
                }
                Ok(map) => {
                    let most = map.iter().copied().max().unwrap_or(0);
                    if most >= MAX_CLASSES {
                        let reason = format!("has the class {most}; indices are 0 to 18");
                        let fix = "write the index of the class, not a colour";
                        report.add(Severity::Problem, &map_name, reason, fix);
                    }
                }
            }
        }
        progress(done + ((at + 1) * CHUNK).min(report.maps) as u64);
    }
    for orphan in orphans {
        let fix = "add the picture, or delete the map";
        report.add(Severity::Warning, &orphan, "is the label map of no picture", fix);
    }
    Ok(())
}

fn map_name(entry: &Entry, is_painted: bool) -> String {
    let what = if is_painted { "masks of " } else { "" };
    format!("{what}{}", entry.name)
}

/// Label maps without a picture.
fn orphans(source: &Source) -> Vec<String> {
    use super::super::labels::key;
    let pictures: std::collections::HashSet<u64> =
        source.pictures.iter().map(|e| hash(key(e.name).bytes())).collect();
    let is_orphan =
        |e: &Entry| e.form != Form::Painted && !pictures.contains(&hash(key(e.name).bytes()));
    source.labels.iter().filter(is_orphan).map(|e| e.name.to_owned()).collect()
}
