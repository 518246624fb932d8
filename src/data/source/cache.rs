//! Lists of large sets, kept in the user's cache folder: the second opening of a million pictures
//! reads one file.
//!
//! An entry counts only while the set looks as it did: the length and the time of change of an
//! archive, the times of change of all listed folders. Whatever is wrong with an entry, the set is
//! listed anew; that none can be written is no error.

#![expect(clippy::disallowed_methods, reason = "compares times of change with now")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Crc;
use serde::{Deserialize, Serialize};

use super::table::{Row, Table};
use super::{LMDB_FILE, Layout, Source, kind};
use crate::files::{hash, write_atomically};

/// Changes with the form of the entries.
const MAGIC: &[u8; 16] = b"semgan index 1\n\0";
/// Smaller sets are listed in no time.
const LEAST_PICTURES: usize = 10_000;
/// What changed so short ago may change again without another time of change.
const SETTLED: Duration = Duration::from_secs(3);
/// Entries that are kept.
const MAX_ENTRIES: usize = 32;

/// What the headers of all pictures of a set say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::data) struct Headers {
    /// Width and height of each picture; 0 of one that is broken.
    pub(in crate::data) sizes: Vec<[u16; 2]>,
    /// The broken ones, with the reason.
    pub(in crate::data) broken: Vec<(u32, String)>,
}

/// Where entries are kept, and for sets of which size.
pub(in crate::data) struct Cache {
    folder: Option<PathBuf>,
    least: usize,
}

/// How the files looked that were listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    path: PathBuf,
    len: u64,
    seconds: u64,
    nanoseconds: u32,
}

/// What stands before the rows, names and sizes.
#[derive(Serialize, Deserialize)]
struct Head {
    set: PathBuf,
    res: Option<usize>,
    stamps: Vec<Stamp>,
    problems: Vec<String>,
    broken: Vec<(u32, String)>,
    /// Rows and bytes of names, of pictures and of label maps.
    lengths: [[usize; 2]; 2],
}

impl Cache {
    /// The user's.
    pub(in crate::data) fn usual() -> Self {
        let folder = dirs::cache_dir().map(|cache| cache.join("semgan").join("index"));
        Self { folder, least: LEAST_PICTURES }
    }

    /// What was kept of the set at `path`, if that has not changed since.
    pub(in crate::data) fn load(
        &self,
        path: &Path,
        res: Option<usize>,
    ) -> Option<(Source, Headers)> {
        let layout = kind(path).ok()?;
        let res = chosen(layout, res);
        let set = path.canonicalize().ok()?;
        let bytes = fs::read(self.place(&set, res)?).ok()?;
        let (head, rest) = split(&bytes)?;
        let is_current = head.stamps.iter().all(|s| stamp(&s.path).as_ref() == Some(s));
        if head.set != set || head.res != res || !is_current {
            return None;
        }
        let mut source = Source::new(path, layout);
        let (headers, [pictures, labels]) = sections(&head, rest)?;
        source.file = match source.layout {
            Layout::Zip | Layout::Lmdb => {
                Some(fs::File::open(container(path, source.layout)).ok()?)
            }
            Layout::Folder | Layout::CelebAMask => None,
        };
        (source.pictures, source.labels, source.problems) = (pictures, labels, head.problems);
        Some((source, headers))
    }

    /// Keeps the list of a large set.
    pub(in crate::data) fn save(&self, source: &Source, res: Option<usize>, headers: &Headers) {
        if source.pictures.len() < self.least || !source.odd.is_empty() {
            return;
        }
        // A cache that cannot be written costs time and nothing else.
        let _ = self.try_save(source, res, headers);
    }

    fn try_save(&self, source: &Source, res: Option<usize>, headers: &Headers) -> Option<()> {
        let res = chosen(source.layout, res);
        let set = source.path.canonicalize().ok()?;
        let place = self.place(&set, res)?;
        let listed = match source.file {
            Some(_) => vec![container(&set, source.layout)],
            None => source.folders.iter().filter_map(|f| f.canonicalize().ok()).collect(),
        };
        let stamps: Vec<Stamp> = listed.iter().map(|path| stamp(path)).collect::<Option<_>>()?;
        let settled =
            SystemTime::now().checked_sub(SETTLED)?.duration_since(SystemTime::UNIX_EPOCH);
        if stamps.iter().any(|s| s.seconds >= settled.as_ref().map_or(0, Duration::as_secs)) {
            return None;
        }
        let tables = [&source.pictures, &source.labels];
        let head = Head {
            set,
            res,
            stamps,
            problems: source.problems.clone(),
            broken: headers.broken.clone(),
            lengths: tables.map(|table| [table.rows.len(), table.names.len()]),
        };
        fs::create_dir_all(place.parent()?).ok()?;
        self.thin_out();
        write_atomically(&place, &joined(&head, tables, headers)?).ok()
    }

    fn place(&self, set: &Path, res: Option<usize>) -> Option<PathBuf> {
        let key = format!("{}\0{res:?}", set.display());
        Some(self.folder.as_ref()?.join(format!("{:016x}", hash(key.bytes()))))
    }

    /// Deletes the oldest entries where there are many.
    fn thin_out(&self) {
        let Some(Ok(entries)) = self.folder.as_ref().map(fs::read_dir) else { return };
        let age = |e: fs::DirEntry| Some((e.metadata().ok()?.modified().ok()?, e.path()));
        let mut all: Vec<_> = entries.flatten().filter_map(age).collect();
        all.sort();
        let extra = all.len().saturating_sub(MAX_ENTRIES - 1);
        for (_, path) in &all[..extra] {
            // Another process may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// The resolution, where it decides which pictures are listed.
fn chosen(layout: Layout, res: Option<usize>) -> Option<usize> {
    res.filter(|_| layout == Layout::Lmdb)
}

/// The file that holds all pictures.
fn container(path: &Path, layout: Layout) -> PathBuf {
    if layout == Layout::Lmdb && path.is_dir() { path.join(LMDB_FILE) } else { path.to_owned() }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let len = if metadata.is_dir() { 0 } else { metadata.len() };
    let (seconds, nanoseconds) = (changed.as_secs(), changed.subsec_nanos());
    Some(Stamp { path: path.to_owned(), len, seconds, nanoseconds })
}

/// The entry as bytes: magic, checksum of the rest, length of the head, head, sections.
fn joined(head: &Head, tables: [&Table; 2], headers: &Headers) -> Option<Vec<u8>> {
    let head = serde_json::to_vec(head).ok()?;
    let mut body = (head.len() as u64).to_le_bytes().to_vec();
    body.extend(head);
    for table in tables {
        body.extend_from_slice(bytemuck::cast_slice(&table.rows));
        body.extend_from_slice(table.names.as_bytes());
    }
    body.extend_from_slice(bytemuck::cast_slice(&headers.sizes));
    let sum = u64::from(checksum(&body));
    Some([MAGIC, &sum.to_le_bytes()[..], &body].concat())
}

fn split(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (sum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    if u64::from_le_bytes(*sum) != u64::from(checksum(body)) {
        return None;
    }
    let (len, rest) = body.split_first_chunk()?;
    let (head, rest) = rest.split_at_checked(u64::from_le_bytes(*len).try_into().ok()?)?;
    Some((serde_json::from_slice(head).ok()?, rest))
}

fn sections(head: &Head, rest: &[u8]) -> Option<(Headers, [Table; 2])> {
    let mut rest = rest;
    let mut take = |len: usize| {
        let (part, after) = rest.split_at_checked(len)?;
        rest = after;
        Some(part)
    };
    let mut table = |[rows, names]: [usize; 2]| {
        let rows = bytemuck::pod_collect_to_vec(take(rows.checked_mul(size_of::<Row>())?)?);
        let names = String::from_utf8(take(names)?.to_vec()).ok()?;
        let table = Table { names, rows };
        table.is_sound().then_some(table)
    };
    let tables = [table(head.lengths[0])?, table(head.lengths[1])?];
    let pictures = tables[0].len();
    let sizes = bytemuck::pod_collect_to_vec(take(pictures.checked_mul(4)?)?);
    let broken = head.broken.clone();
    let is_sound = broken.iter().all(|(index, _)| (*index as usize) < pictures);
    is_sound.then_some((Headers { sizes, broken }, tables))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{archive, folder};
    use super::*;
    use std::fs::FileTimes;
    use zip::CompressionMethod::Stored;

    /// Makes a file or folder look as if it had changed so many seconds ago.
    fn age(path: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::open(path).unwrap().set_times(FileTimes::new().set_modified(then)).unwrap();
    }

    fn headers(source: &Source) -> Headers {
        let count = source.pictures.len() as u16;
        Headers { sizes: (0..count).map(|k| [k, 2]).collect(), broken: vec![(0, "cut".into())] }
    }

    #[test]
    fn what_was_kept_counts_until_the_set_changes() {
        let files = [("images/a.png", vec![1; 9]), ("labels/a.png", vec![2; 5])];
        let dir = folder(&[files[0].clone(), files[1].clone()]);
        let packed = folder(&[("set.zip", archive(&files, Stored))]);
        let kept = tempfile::tempdir().unwrap();
        let cache = Cache { folder: Some(kept.path().join("new")), least: 1 };
        for path in [dir.path().to_owned(), packed.path().join("set.zip")] {
            let source = Source::open(&path, None).unwrap();
            let headers = headers(&source);
            cache.save(&source, None, &headers);
            assert!(cache.load(&path, None).is_none(), "what is new may still change");

            [&path, &path.join("images"), &path.join("labels")]
                .into_iter()
                .filter(|p| p.exists())
                .for_each(|p| age(p, 100));
            cache.save(&source, None, &headers);
            assert!(cache.load(&path, Some(8)).is_some(), "whatever the resolution");
            let (again, same) = cache.load(&path, None).unwrap();
            assert_eq!((&again.pictures, &again.labels), (&source.pictures, &source.labels));
            assert_eq!(same, headers);
            let entry = again.pictures.get(0);
            assert_eq!(again.read(&entry, 100).unwrap(), [1; 9]);

            age(&path, 50);
            assert!(cache.load(&path, None).is_none(), "it has changed");
        }
    }

    #[test]
    fn damaged_entries_are_no_entries() {
        let dir = folder(&[("a.png", vec![1; 9]), ("b.png", vec![1; 9])]);
        let kept = tempfile::tempdir().unwrap();
        let cache = Cache { folder: Some(kept.path().to_owned()), least: 1 };
        age(dir.path(), 100);
        let source = Source::open(dir.path(), None).unwrap();
        cache.save(&source, None, &headers(&source));
        let place = fs::read_dir(kept.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&place).unwrap();
        assert!(cache.load(dir.path(), None).is_some());
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            fs::write(&place, bytes).unwrap();
            assert!(cache.load(dir.path(), None).is_none(), "byte {at}");
            fs::write(&place, &whole[..at]).unwrap();
            assert!(cache.load(dir.path(), None).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn small_sets_are_not_kept() {
        let dir = folder(&[("a.png", vec![1; 9])]);
        age(dir.path(), 100);
        let kept = tempfile::tempdir().unwrap();
        let cache = Cache { folder: Some(kept.path().to_owned()), least: 2 };
        let source = Source::open(dir.path(), None).unwrap();
        cache.save(&source, None, &headers(&source));
        assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 0);
    }
}
