//! A checked set of pictures at one resolution.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

use super::classes::Classes;
use super::picture::{self, Decoded};
use super::source::{self, Entry};
use crate::files::hash;
use crate::{Error, Result};

/// A set that takes no more than this at its resolution is decoded once and kept.
const MEMORY_LIMIT_BYTES: usize = 1 << 30;
/// Enough of a file to find its size, except behind a long profile or thumbnail.
const HEADER_BYTES: u64 = 64 << 10;
/// Largest file that is read; a longer one, such as an archive member that unpacks without end,
/// is cut here and so refused.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// After so many broken pictures in a row the disk or the archive is at fault, not a picture.
const MAX_BROKEN_IN_A_ROW: usize = 100;

/// The usable pictures of a folder or a zip archive, all at `res` x `res`.
///
/// A small set is decoded once when it is opened. Of a larger one only the headers are checked
/// then, and each picture is decoded when it is asked for. Index i is the same picture on every
/// machine: files are sorted by name.
pub struct Dataset {
    pub(super) path: PathBuf,
    res: usize,
    pub(super) entries: Vec<Entry>,
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
    /// Opens the folder or zip archive at `path`, with everything below it.
    ///
    /// Hidden files, files that are no pictures by their extension, and label maps (`labels/`
    /// beside `images/`) are ignored. Broken pictures are skipped and listed in
    /// [`skipped`](Self::skipped); a set of nothing else is an error.
    pub fn open(path: impl AsRef<Path>, res: usize) -> Result<Self> {
        Self::open_within(path.as_ref(), res, MEMORY_LIMIT_BYTES)
    }

    /// As [`open`](Self::open), without looking beyond the first `count` files.
    pub fn open_first(path: impl AsRef<Path>, res: usize, count: usize) -> Result<Self> {
        let mut found = source::list(path.as_ref())?;
        found.truncate(count);
        Self::check(path.as_ref(), found, res, MEMORY_LIMIT_BYTES)
    }

    fn open_within(path: &Path, res: usize, limit_bytes: usize) -> Result<Self> {
        Self::check(path, source::list(path)?, res, limit_bytes)
    }

    fn check(path: &Path, found: Vec<Entry>, res: usize, limit_bytes: usize) -> Result<Self> {
        let keep = found.len() * 3 * res * res <= limit_bytes;
        let check = if keep { decode } else { check_header };
        let checked: Vec<_> = found.par_iter().map(|entry| check(entry, res)).collect();

        let (mut entries, mut decoded, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_resized = 0;
        for (entry, result) in found.into_iter().zip(checked) {
            match result {
                Ok(picture) => {
                    n_resized += usize::from(picture.size != (res as u32, res as u32));
                    decoded.push(picture.rgb);
                    entries.push(entry);
                }
                Err(reason) => skipped.push(Skipped { name: entry.name, reason }),
            }
        }
        if entries.is_empty() {
            let Skipped { name, reason } = &skipped[0];
            let count = skipped.len();
            return Err(Error::dataset(
                path,
                format!("none of the {count} pictures can be used; the first, {name}: {reason}"),
            ));
        }
        let mut notes = Vec::new();
        if n_resized > 0 {
            let count = entries.len();
            notes.push(format!(
                "{n_resized} of {count} pictures were centre-cropped and resized to {res}x{res}"
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            res,
            entries,
            decoded: keep.then_some(decoded),
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
        let size = |entry: &Entry| check_header(entry, 0).ok().map(|picture| picture.size);
        let none = || Error::dataset(path, "none of the pictures can be read");
        source::list(path)?.iter().find_map(size).ok_or_else(none)
    }

    /// Number of usable pictures, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "an empty set cannot be opened")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Path of picture `index` below the folder or inside the archive.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn name(&self, index: usize) -> &str {
        &self.entries[index].name
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
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
        let bytes = self.entries.iter().flat_map(|entry| {
            let name = entry.name.bytes().chain([0]);
            name.chain(entry.size_bytes.to_le_bytes())
        });
        let hash = hash(bytes);
        format!("{}-{hash:016x}", self.entries.len())
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

    /// Picture `index`, or the next one that can be decoded.
    fn decode_near(&self, index: usize) -> Result<Vec<u8>> {
        for i in (index..self.len()).chain(0..index).take(MAX_BROKEN_IN_A_ROW) {
            match decode(&self.entries[i], self.res) {
                Ok(picture) => return Ok(picture.rgb),
                Err(reason) => self.report_broken(i, &reason),
            }
        }
        Err(Error::dataset(
            &self.path,
            "no picture can be decoded any more; check the disk, then resume from the newest \
             snapshot",
        ))
    }

    fn report_broken(&self, index: usize, reason: &str) {
        let mut broken = self.broken.lock().expect("no holder panics");
        if broken.reported.insert(index) {
            let name = &self.entries[index].name;
            broken.warnings.push(format!("{name} is replaced by the next picture: {reason}"));
        }
    }
}

fn decode(entry: &Entry, res: usize) -> Result<Decoded, String> {
    let bytes = entry.read(MAX_FILE_BYTES).map_err(|e| e.to_string())?;
    picture::decode(&entry.name, &bytes, res as u32)
}

/// As [`decode`], without the pixels.
fn check_header(entry: &Entry, _res: usize) -> Result<Decoded, String> {
    let size = |limit_bytes| {
        let bytes = entry.read(limit_bytes).map_err(|e| e.to_string())?;
        picture::size(&entry.name, &bytes)
    };
    let size = size(HEADER_BYTES).or_else(|_| size(MAX_FILE_BYTES))?;
    Ok(Decoded { rgb: Vec::new(), size })
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
mod tests {
    use super::*;
    use crate::data::picture::tests::encoded;
    use crate::data::source::tests::{archive, folder};
    use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
    use zip::CompressionMethod::{Deflated, Stored};

    const LAZY: usize = 0;

    fn png(level: u8, side: u32) -> Vec<u8> {
        let pixel = |x: u32, y: u32| Rgb([level, x as u8, y as u8]);
        let picture = DynamicImage::from(RgbImage::from_fn(side, side, pixel));
        encoded(&picture, ImageFormat::Png)
    }

    /// The red value of each picture: its level in [`png`].
    fn levels(set: &Dataset) -> Vec<u8> {
        let mut out = vec![0.0; 3 * set.res() * set.res()];
        let level = |i| {
            set.write(i, false, &mut out).unwrap();
            ((out[0] + 1.0) * 127.5).round() as u8
        };
        (0..set.len()).map(level).collect()
    }

    #[test]
    fn folders_and_archives_give_the_same_set() {
        let files = [
            ("b.png", png(2, 4)),
            ("a/z.PNG", png(1, 4)),
            ("c.png", png(3, 4)),
            (".hidden.png", png(9, 4)),
            ("__MACOSX/._b.png", b"resource fork".to_vec()),
            (".cache/x.png", png(9, 4)),
            ("dataset.json", b"{}".to_vec()),
            ("readme", b"text".to_vec()),
        ];
        let dir = folder(&files);
        let set = Dataset::open(dir.path(), 4).unwrap();
        assert_eq!(levels(&set), [1, 2, 3]);
        assert!(set.skipped().is_empty() && set.notes().is_empty());
        for method in [Stored, Deflated] {
            let packed = folder(&[("set.zip", archive(&files, method))]);
            let path = packed.path().join("set.zip");
            for limit in [MEMORY_LIMIT_BYTES, LAZY] {
                let same = Dataset::open_within(&path, 4, limit).unwrap();
                assert_eq!(levels(&same), [1, 2, 3]);
                assert_eq!(same.fingerprint(), set.fingerprint());
            }
        }
    }

    #[test]
    fn fingerprint_follows_names_and_sizes() {
        let of = |files: &[(&str, Vec<u8>)]| {
            Dataset::open(folder(files).path(), 4).unwrap().fingerprint()
        };
        // An uncompressed format, whose size no encoder can change.
        let ppm = || [b"P6 4 4 255\n".as_slice(), &[0; 48]].concat();
        let original = of(&[("a.ppm", ppm())]);
        assert_eq!(original, "1-8180f07940cda068", "snapshots store it: it must never change");
        assert_ne!(original, of(&[("b.ppm", ppm())]));
        assert_ne!(original, of(&[("a.ppm", [ppm(), vec![0]].concat())]));
        assert_ne!(original, of(&[("a.ppm", ppm()), ("b.ppm", ppm())]));
    }

    #[test]
    fn pictures_are_planes_from_minus_one_to_one() {
        let dir = folder(&[("a.png", png(255, 4))]);
        let set = Dataset::open(dir.path(), 4).unwrap();
        let (mut plain, mut mirrored) = ([0.0; 48], [0.0; 48]);
        set.write(0, false, &mut plain).unwrap();
        set.write(0, true, &mut mirrored).unwrap();
        let steps = [0.0, 1.0, 2.0, 3.0].map(|v: f32| v / 127.5 - 1.0);
        assert_eq!(plain[..16], [1.0; 16]);
        assert_eq!(plain[16..20], steps);
        assert_eq!(plain[32..48], steps.map(|v| [v; 4]).concat());
        assert_eq!(mirrored[16..20], [steps[3], steps[2], steps[1], steps[0]]);
    }

    #[test]
    fn broken_pictures_are_named_and_skipped() {
        let whole = png(2, 64);
        let dir = folder(&[
            ("a.png", png(1, 4)),
            ("cut.png", whole[..whole.len() / 2].to_vec()),
            ("empty.jpg", Vec::new()),
            ("text.jpg", b"not a picture at all".to_vec()),
            ("z.png", png(3, 4)),
        ]);
        let set = Dataset::open(dir.path(), 4).unwrap();
        assert_eq!(levels(&set), [1, 3]);
        let names: Vec<_> = set.skipped().iter().map(|s| &s.name).collect();
        assert_eq!(names, ["cut.png", "empty.jpg", "text.jpg"]);
        assert_eq!(set.skipped()[1].reason, "the file is empty");
    }

    #[test]
    fn a_set_of_broken_pictures_is_an_error() {
        let dir = folder(&[("a.png", b"text".to_vec()), ("b.png", Vec::new())]);
        let error = Dataset::open(dir.path(), 4).err().unwrap().to_string();
        assert!(
            error.contains("none of the 2 pictures can be used; the first, a.png: "),
            "{error}"
        );
    }

    #[test]
    fn a_large_set_replaces_a_picture_that_breaks_late() {
        let whole = png(2, 64);
        let dir = folder(&[
            ("a.png", png(1, 4)),
            ("cut.png", whole[..whole.len() / 2].to_vec()),
            ("empty.png", Vec::new()),
            ("z.png", png(3, 4)),
        ]);
        let set = Dataset::open_within(dir.path(), 4, LAZY).unwrap();
        assert_eq!(set.skipped().len(), 1, "an empty file has no header");
        for _ in 0..2 {
            assert_eq!(levels(&set), [1, 3, 3]);
        }
        let warnings = set.take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("cut.png is replaced by the next picture: "));
        assert!(set.take_warnings().is_empty());

        drop(dir);
        let error = set.write(0, false, &mut [0.0; 48]).unwrap_err().to_string();
        assert!(error.contains("no picture can be decoded any more"), "{error}");
    }

    #[test]
    fn resized_pictures_are_noted_once() {
        let dir = folder(&[("a.png", png(1, 4)), ("b.png", png(2, 8)), ("c.png", png(3, 5))]);
        for limit in [MEMORY_LIMIT_BYTES, LAZY] {
            let set = Dataset::open_within(dir.path(), 4, limit).unwrap();
            assert_eq!(levels(&set), [1, 2, 3]);
            assert_eq!(set.notes(), ["2 of 3 pictures were centre-cropped and resized to 4x4"]);
        }
    }

    #[test]
    fn damage_inside_an_archive_costs_one_picture() {
        let files = [("a.png", png(1, 4)), ("b.png", png(2, 4))];
        let mut bytes = archive(&files, Stored);
        let at = bytes.windows(4).position(|w| w == b"IDAT").unwrap();
        bytes[at + 8] ^= 0x55;
        let dir = folder(&[("set.zip", bytes)]);
        let set = Dataset::open(dir.path().join("set.zip"), 4).unwrap();
        assert_eq!(levels(&set), [2]);
        assert_eq!(set.skipped()[0].name, "a.png");
    }
}
