//! A checked set of pictures at one resolution.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

use rayon::prelude::*;

use super::classes::Classes;
use super::picture::{self, Decoded};
use super::source::{Cache, Entry, Headers, Source};
use crate::files::hash;
use crate::{Error, Result};

/// A set that takes no more than this at its resolution is decoded once and kept.
const MEMORY_LIMIT_BYTES: usize = 1 << 30;
/// Enough of most files to find their size; of more; and of those with long profiles.
const HEADER_BYTES: [u64; 3] = [4 << 10, 64 << 10, 16 << 20];
/// After so many broken pictures in a row the disk or the archive is at fault, not a picture.
const MAX_BROKEN_IN_A_ROW: usize = 100;

/// The usable pictures of a folder, a zip archive or an LMDB file, all at `res` x `res`.
///
/// A small set is decoded once when it is opened. Of a larger one only the headers are checked
/// then, and each picture is decoded when it is asked for. Index i is the same picture on every
/// machine: files are sorted by name, records by their number.
pub struct Dataset {
    pub(super) source: Source,
    res: usize,
    /// Which of the source's pictures are usable.
    used: Vec<u32>,
    /// Per entry `[res, res, 3]`; `None` for a set that is too large to keep.
    decoded: Option<Vec<Vec<u8>>>,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
    broken: Mutex<Broken>,
    pub(super) classes: Option<Classes>,
}

/// A picture file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path below the folder or inside the archive.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Pictures of a large set that passed the check of their header and failed later.
#[derive(Default)]
struct Broken {
    reported: HashSet<usize>,
    warnings: Vec<String>,
}

impl Dataset {
    /// Opens the folder, zip archive or LMDB file at `path`, with everything below it.
    ///
    /// Hidden files, files that are no pictures by their extension, and label maps (`labels/`
    /// beside `images/`) are ignored. Broken pictures are skipped and listed in
    /// [`skipped`](Self::skipped).
    ///
    /// # Errors
    /// When it cannot be read, or none of its pictures can.
    pub fn open(path: impl AsRef<Path>, res: usize) -> Result<Self> {
        Self::open_within(path.as_ref(), res, MEMORY_LIMIT_BYTES)
    }

    /// As [`open`](Self::open), without looking beyond the first `count` files.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_first(path: impl AsRef<Path>, res: usize, count: usize) -> Result<Self> {
        let mut source = list(path.as_ref(), Some(res))?;
        source.truncate(count);
        match source.pictures.len() * 3 * res * res <= MEMORY_LIMIT_BYTES {
            true => Self::decoded(source, res),
            false => {
                let headers = read_headers(&source);
                Self::on_demand(source, res, headers)
            }
        }
    }

    fn open_within(path: &Path, res: usize, limit_bytes: usize) -> Result<Self> {
        let cache = Cache::usual();
        let (source, headers) = match cache.load(path, Some(res)) {
            Some((source, headers)) => (source, Some(headers)),
            None => (Source::open(path, Some(res))?, None),
        };
        if source.pictures.len() * 3 * res * res <= limit_bytes {
            return Self::decoded(source, res);
        }
        let headers = headers.unwrap_or_else(|| {
            let headers = read_headers(&source);
            cache.save(&source, Some(res), &headers);
            headers
        });
        Self::on_demand(source, res, headers)
    }

    /// A set of which all pictures are kept in memory.
    fn decoded(source: Source, res: usize) -> Result<Self> {
        let check = |index| decode(&source, &source.pictures.get(index), res);
        let checked: Vec<_> = (0..source.pictures.len()).into_par_iter().map(check).collect();
        let mut headers = Headers::default();
        let mut decoded = Vec::new();
        for (index, result) in checked.into_iter().enumerate() {
            let size = result.map(|picture| {
                decoded.push(picture.rgb);
                picture.size
            });
            headers.push(index, size);
        }
        Ok(Self { decoded: Some(decoded), ..Self::on_demand(source, res, headers)? })
    }

    fn on_demand(source: Source, res: usize, headers: Headers) -> Result<Self> {
        let name = |index: u32| source.pictures.get(index as usize).name.to_owned();
        let broken = headers.broken.into_iter();
        let skipped: Vec<_> =
            broken.map(|(index, reason)| Skipped { name: name(index), reason }).collect();
        let sizes = headers.sizes.iter().zip(0..);
        let used: Vec<u32> = sizes.filter(|(s, _)| **s != [0; 2]).map(|(_, index)| index).collect();
        if used.is_empty() {
            return Err(none_usable(&source, &skipped));
        }
        let count = used.len();
        let is_other = |size: &&[u16; 2]| size.map(usize::from) != [res; 2] && **size != [0; 2];
        let n_resized = headers.sizes.iter().filter(is_other).count();
        let mut notes = source.problems.clone();
        if n_resized > 0 {
            notes.push(format!(
                "{n_resized} of {count} pictures were centre-cropped and resized to {res}x{res}"
            ));
        }
        Ok(Self {
            source,
            res,
            used,
            decoded: None,
            skipped,
            notes,
            broken: Mutex::default(),
            classes: None,
        })
    }

    /// Width and height of the first picture whose header can be read.
    ///
    /// # Errors
    /// When there is none.
    pub fn first_size(path: impl AsRef<Path>) -> Result<(u32, u32)> {
        let path = path.as_ref();
        let source = list(path, None)?;
        let size = |entry: Entry| header(&source, &entry).ok();
        let none = || Error::dataset(path, "none of the pictures can be read");
        source.pictures.iter().find_map(size).ok_or_else(none)
    }

    /// Number of usable pictures, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "an empty set cannot be opened")]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Path of picture `index` below the folder or inside the archive.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn name(&self, index: usize) -> &str {
        self.entry(index).name
    }

    pub(super) fn entry(&self, index: usize) -> Entry<'_> {
        self.source.pictures.get(self.used[index] as usize)
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// Height and width of every picture.
    pub fn res(&self) -> usize {
        self.res
    }

    /// The pictures that opening found broken, sorted by name.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What opening did to the pictures that the user may want to know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What went wrong since the last call, each thing once. Only large sets, which are not
    /// decoded when they are opened, have such warnings.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.broken.lock().expect("no holder panics").warnings)
    }

    /// A hash over the names and sizes of the usable files: tells a resumed run whether it sees the
    /// same data. Equal on all machines, and for a folder and the archive made of it.
    pub fn fingerprint(&self) -> String {
        // The 0 ends the name, which cannot contain it.
        let bytes = (0..self.len()).flat_map(|index| {
            let entry = self.entry(index);
            let name = entry.name.bytes().chain([0]);
            name.chain(entry.size_bytes.to_le_bytes())
        });
        let hash = hash(bytes);
        format!("{}-{hash:016x}", self.len())
    }

    /// Writes picture `index` to `out`, `[3, res, res]`, as x / 127.5 - 1, mirrored left to right
    /// if `flip`.
    ///
    /// A picture of a large set that turns out to be broken is replaced by the next good one and
    /// reported once in [`take_warnings`](Self::take_warnings).
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len), or `out` has another length.
    pub fn write(&self, index: usize, flip: bool, out: &mut [f32]) -> Result<()> {
        match &self.decoded {
            Some(decoded) => planes_from_rgb(&decoded[index], self.res, flip, out),
            None => planes_from_rgb(&self.decode_near(index)?, self.res, flip, out),
        }
        Ok(())
    }

    /// Picture `index` as it is in its file: width, height and `[height, width, 3]`.
    ///
    /// # Errors
    /// When it cannot be read.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn whole(&self, index: usize) -> Result<(u32, u32, Vec<u8>)> {
        let entry = self.entry(index);
        let bytes = self.source.read_picture(&entry);
        let whole = bytes.and_then(|bytes| picture::decode_whole(entry.name, &bytes));
        let rgb = whole.map_err(|reason| Error::dataset(self.path().join(entry.name), reason))?.rgb;
        Ok((rgb.width(), rgb.height(), rgb.into_raw()))
    }

    /// Picture `index`, or the next one that can be decoded.
    fn decode_near(&self, index: usize) -> Result<Vec<u8>> {
        for i in (index..self.len()).chain(0..index).take(MAX_BROKEN_IN_A_ROW) {
            match decode(&self.source, &self.entry(i), self.res) {
                Ok(picture) => return Ok(picture.rgb),
                Err(reason) => self.report_broken(i, &reason),
            }
        }
        Err(Error::dataset(
            self.path(),
            "no picture can be decoded any more; check the disk, then resume from the newest \
             snapshot",
        ))
    }

    fn report_broken(&self, index: usize, reason: &str) {
        let mut broken = self.broken.lock().expect("no holder panics");
        if broken.reported.insert(index) {
            let name = self.name(index);
            broken.warnings.push(format!("{name} is replaced by the next picture: {reason}"));
        }
    }
}

/// The files of a set, by what was kept of it where that still counts.
pub(super) fn list(path: &Path, res: Option<usize>) -> Result<Source> {
    let kept = Cache::usual().load(path, res);
    kept.map_or_else(|| Source::open(path, res), |(source, _)| Ok(source))
}

fn none_usable(source: &Source, skipped: &[Skipped]) -> Error {
    let Some(Skipped { name, reason }) = skipped.first() else {
        return Error::dataset(&source.path, "holds no pictures");
    };
    let count = skipped.len();
    let reason = format!("none of the {count} pictures can be used; the first, {name}: {reason}");
    Error::dataset(&source.path, reason)
}

fn decode(source: &Source, entry: &Entry, res: usize) -> Result<Decoded, String> {
    let bytes = source.read_picture(entry)?;
    picture::decode(entry.name, &bytes, res as u32)
}

/// Width and height of a picture by as little of its file as possible.
pub(super) fn header(source: &Source, entry: &Entry) -> Result<(u32, u32), String> {
    let mut result = Err(String::new());
    for limit in HEADER_BYTES {
        let bytes = source.read(entry, limit).map_err(|e| e.to_string())?;
        result = picture::size(entry.name, &bytes);
        if result.is_ok() || (bytes.len() as u64) < limit {
            break;
        }
    }
    result
}

/// Looks at the headers of all pictures.
fn read_headers(source: &Source) -> Headers {
    let size = |index| header(source, &source.pictures.get(index));
    let sizes: Vec<_> = (0..source.pictures.len()).into_par_iter().map(size).collect();
    let mut headers = Headers::default();
    sizes.into_iter().enumerate().for_each(|(index, size)| headers.push(index, size));
    headers
}

impl Headers {
    fn push(&mut self, index: usize, size: Result<(u32, u32), String>) {
        let size = size.and_then(|(width, height)| match width.min(height) {
            0 => Err("the picture has no pixels".to_owned()),
            _ => Ok([width as u16, height as u16]),
        });
        self.sizes.push(size.unwrap_or_else(|reason| {
            self.broken.push((index as u32, reason));
            [0; 2]
        }));
    }
}

/// `[res, res, 3]` of 0..=255 to `[3, res, res]` of -1..=1.
fn planes_from_rgb(rgb: &[u8], res: usize, flip: bool, out: &mut [f32]) {
    assert_eq!(out.len(), 3 * res * res, "a picture is [3, {res}, {res}]");
    for (c, plane) in out.chunks_exact_mut(res * res).enumerate() {
        for (row, pixels) in plane.chunks_exact_mut(res).zip(rgb.chunks_exact(3 * res)) {
            for (value, pixel) in row.iter_mut().zip(pixels.chunks_exact(3)) {
                *value = f32::from(pixel[c]) / 127.5 - 1.0;
            }
            if flip {
                row.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests;
