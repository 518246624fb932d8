//! A set of faces on the disk: a folder, or a zip archive without compression.
//!
//! Pictures are `images/00000/img00000000.png`, their label maps the same below `labels/` (8-bit
//! grey, index of the class); a sub-folder holds a thousand. `dataset.json` has the classes and,
//! under `attributes`, each picture's name with its [`Attributes`]. It is written last: a set
//! without it is not complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use png::{ColorType, EncodingError};
use rayon::prelude::*;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Attributes, CLASSES, Face, Portrait};
use crate::files::create_atomically;
use crate::{Error, Result};

/// Changes whenever the same (seed, index) gives another face.
const VERSION: u32 = 1;
/// Faces in one sub-folder.
const PER_FOLDER: u64 = 1000;
/// Faces that are held in memory at once.
const CHUNK: u64 = 256;
const MAX_COUNT: u64 = 10_000_000;
const RES: std::ops::RangeInclusive<usize> = 8..=1024;

/// Which faces, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaceSet {
    /// Number of faces.
    pub count: u64,
    /// Width and height.
    pub res: usize,
    /// Tells one set from another.
    pub seed: u64,
}

/// What `dataset.json` says.
#[derive(Serialize)]
struct Index<'a> {
    /// Classes of whole pictures, for tools that read StyleGAN2-ADA's sets: there are none.
    labels: (),
    generator: &'a str,
    version: u32,
    seed: u64,
    count: u64,
    res: usize,
    classes: [&'a str; 13],
    #[serde(serialize_with = "attributes_by_file")]
    attributes: FaceSet,
}

/// Maps each picture's name to its attributes, which are drawn again: a set may be larger than the
/// memory.
fn attributes_by_file<S: Serializer>(set: &FaceSet, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(set.count as usize))?;
    for index in 0..set.count {
        map.serialize_entry(&name("images", index), &Attributes::draw(set.seed, index))?;
    }
    map.end()
}

fn name(folder: &str, index: u64) -> String {
    format!("{folder}/{:05}/img{index:08}.png", index / PER_FOLDER)
}

impl FaceSet {
    /// Writes the set to `path`: an archive where the name ends in `.zip`, else a folder.
    /// `progress` hears how many faces are written.
    ///
    /// # Errors
    /// When a number makes no sense, something is there already, or the system refuses.
    pub fn write(&self, path: &Path, progress: impl Fn(u64)) -> Result<()> {
        self.check()?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
            if path.exists() {
                return Err(taken(path, "exists already; delete it or give another name"));
            }
            create_atomically(path, |file| self.pack(file, &progress))
        } else {
            self.unpack(path, &progress)
        }
    }

    fn check(&self) -> Result<()> {
        if !(1..=MAX_COUNT).contains(&self.count) {
            let reason = format!("{} faces; give 1 to {MAX_COUNT}", self.count);
            return Err(Error::config("--count", reason));
        }
        if !RES.contains(&self.res) {
            let (least, most) = (RES.start(), RES.end());
            let reason = format!("{} pixels; give {least} to {most}", self.res);
            return Err(Error::config("--res", reason));
        }
        Ok(())
    }

    fn pack(&self, file: &mut File, progress: &impl Fn(u64)) -> io::Result<()> {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut zip = ZipWriter::new(BufWriter::new(file));
        self.each(progress, |name, bytes| {
            zip.start_file(name, stored)?;
            zip.write_all(bytes)
        })?;
        zip.start_file("dataset.json", stored)?;
        serde_json::to_writer(&mut zip, &self.index())?;
        zip.finish()?.flush()
    }

    fn unpack(&self, path: &Path, progress: &impl Fn(u64)) -> Result<()> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        if fs::read_dir(path).map_err(Error::io("list", path))?.next().is_some() {
            return Err(taken(path, "holds files already; empty it or give another folder"));
        }
        for first in (0..self.count).step_by(PER_FOLDER as usize) {
            for folder in ["images", "labels"] {
                let folder = path.join(format!("{folder}/{:05}", first / PER_FOLDER));
                fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            }
        }
        let mut failed = path.to_owned();
        let written = self.each(progress, |name, bytes| {
            let file = path.join(name);
            fs::write(&file, bytes).inspect_err(|_| failed = file)
        });
        written.map_err(Error::io("write", failed))?;
        let index = path.join("dataset.json");
        create_atomically(&index, |file| {
            let mut file = BufWriter::new(file);
            serde_json::to_writer(&mut file, &self.index())?;
            file.flush()
        })
    }

    fn index(&self) -> Index<'_> {
        let Self { count, res, seed } = *self;
        let (generator, version) = ("semgan data faces", VERSION);
        Index {
            labels: (),
            generator,
            version,
            seed,
            count,
            res,
            classes: CLASSES,
            attributes: *self,
        }
    }

    /// Paints the faces on all threads and hands their files over in order.
    fn each(
        &self,
        progress: &impl Fn(u64),
        mut take: impl FnMut(&str, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for first in (0..self.count).step_by(CHUNK as usize) {
            let indices = first..self.count.min(first + CHUNK);
            let paint = |index| self.files(&Face::draw(self.seed, index).render(self.res));
            let painted: Vec<_> = indices.clone().into_par_iter().map(paint).collect();
            for (index, files) in indices.zip(painted) {
                let [picture, labels] = files?;
                take(&name("images", index), &picture)?;
                take(&name("labels", index), &labels)?;
                progress(index + 1);
            }
        }
        Ok(())
    }

    /// The picture and the label map as PNG.
    fn files(&self, portrait: &Portrait) -> Result<[Vec<u8>; 2], EncodingError> {
        Ok([
            encode(&portrait.rgb, self.res, ColorType::Rgb)?,
            encode(&portrait.labels, self.res, ColorType::Grayscale)?,
        ])
    }
}

fn taken(path: &Path, reason: &str) -> Error {
    Error::config("--out", format!("{} {reason}", path.display()))
}

fn encode(pixels: &[u8], res: usize, color: ColorType) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, res as u32, res as u32);
    encoder.set_color(color);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
