//! Any set as NVIDIA's tools lay it out, ready to train on at one resolution.
//!
//! `{index / 1000:05}/img{index:08}.png`, 8-bit RGB without compression, and `dataset.json` with
//! the classes. Where the source has label maps, the pictures lie in `images/` and their maps under
//! the same names in `labels/`, which our own reader takes for pairs.
//!
//! Pictures come in the order of the source whatever the number of threads: the same source gives
//! the same bytes.

mod sink;
mod transform;

use std::path::Path;

use image::{GrayImage, RgbImage};
use png::{ColorType, Compression, EncodingError};
use rayon::prelude::*;
use serde::Serialize;

use self::sink::Sink;
use self::transform::Geometry;
pub use self::transform::Transform;
use super::classes::{Label, Labels};
use super::source::{Entry, Source};
use super::{FaceClasses, Filter, LabelMaps, Skipped, Split, picture};
use crate::{Error, Result};

/// Pictures in one sub-folder.
const PER_FOLDER: usize = 1000;
/// Pictures that are held in memory at once.
const CHUNK: usize = 128;

/// Where the classes of the pictures come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelsFrom {
    /// The source's `dataset.json`, if it has one.
    #[default]
    List,
    /// The first folder of each picture's name.
    Folders,
    /// Nowhere.
    Nothing,
}

/// What is made of a set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conversion {
    /// How pictures get their shape; by default they must have it, or are stretched to the
    /// resolution.
    pub transform: Option<Transform>,
    /// Width and height; by default those of the first picture, which all others must have too.
    pub resolution: Option<(u32, u32)>,
    /// How pictures are resized.
    pub filter: Filter,
    /// Classes of CelebAMask-HQ's label maps.
    pub classes: FaceClasses,
    /// Which part of CelebAMask-HQ.
    pub split: Split,
    /// Where classes of whole pictures come from.
    pub labels_from: LabelsFrom,
    /// Only so many files, the first.
    pub max_images: Option<usize>,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// Number of pictures.
    pub pictures: usize,
    /// Number of label maps.
    pub maps: usize,
    /// Whether the pictures have classes.
    pub has_classes: bool,
    /// Width and height of every picture.
    pub size: (u32, u32),
    /// What could not be used: pictures, or the label maps of pictures.
    pub skipped: Vec<Skipped>,
}

/// What stands in `dataset.json`.
#[derive(Serialize)]
struct List {
    labels: Option<Vec<(String, Label)>>,
}

/// One picture, ready to be written.
struct Made {
    size: (u32, u32),
    png: Vec<u8>,
    map: Option<Result<Vec<u8>, String>>,
}

impl Conversion {
    /// Reads the set at `source` and writes it to `dest`: an archive where the name ends in `.zip`,
    /// else a folder. `progress` hears how many files are done, and of how many.
    ///
    /// # Errors
    /// When an option makes no sense, something is at `dest` already, the pictures differ in size
    /// and no option says what to do, none can be used, or the system refuses.
    pub fn run(
        &self,
        source: &Path,
        dest: &Path,
        progress: impl Fn(u64, u64),
    ) -> Result<Converted> {
        let geometry = Geometry::new(self.transform, self.resolution)?;
        let mut set = Source::open(source, self.resolution.map(|(w, h)| w.max(h) as usize))?;
        set.keep(self.split, self.classes)?;
        if let Some(count) = self.max_images {
            set.truncate(count);
        }
        let labels = self.labels(&set)?;
        let maps = match set.labels.len() {
            0 => None,
            _ => Some(LabelMaps::of(Source::open(source, None)?, self.classes)?),
        };
        let work = Work { set: &set, maps: maps.as_ref(), geometry, filter: self.filter };
        let mut writer = Writer {
            sink: Sink::create(dest)?,
            folder: if maps.is_some() { "images/" } else { "" },
            first: None,
            labels,
            listed: Vec::new(),
            done: Converted::default(),
        };
        let count = set.pictures.len();
        for first in (0..count).step_by(CHUNK) {
            let indices = first..count.min(first + CHUNK);
            let made: Vec<_> = indices.clone().into_par_iter().map(|k| work.make(k)).collect();
            for (index, made) in indices.zip(made) {
                writer.add(&set.pictures.get(index), made)?;
                progress(index as u64 + 1, count as u64);
            }
        }
        writer.finish(source)
    }

    fn labels(&self, set: &Source) -> Result<Option<Labels>> {
        match self.labels_from {
            LabelsFrom::Nothing => Ok(None),
            LabelsFrom::Folders => Labels::folders(set).map(Some),
            LabelsFrom::List => Labels::listed(set),
        }
    }
}

/// What a picture is made from.
struct Work<'a> {
    set: &'a Source,
    maps: Option<&'a LabelMaps>,
    geometry: Geometry,
    filter: Filter,
}

impl Work<'_> {
    fn make(&self, index: usize) -> Result<Made, String> {
        let entry = self.set.pictures.get(index);
        let bytes = self.set.read_picture(&entry)?;
        let picture = picture::decode_whole(entry.name, &bytes)?.rgb;
        if let Some(reason) = self.geometry.refusal(picture.dimensions()) {
            return Err(reason);
        }
        let picture = self.geometry.apply(picture, self.filter);
        let size = picture.dimensions();
        let map = self.maps.and_then(|maps| maps.find(entry.name).map(|_| maps));
        let map = map.map(|maps| {
            let map = self.geometry.apply(maps.whole(entry.name)?, Filter::Nearest);
            let fitting = match map.dimensions() == size {
                true => map,
                false => super::resample::resize(&map, size, Filter::Nearest),
            };
            png_of_map(&fitting).map_err(|e| e.to_string())
        });
        Ok(Made { size, png: png_of_picture(&picture).map_err(|e| e.to_string())?, map })
    }
}

/// Writes pictures one after the other.
struct Writer {
    sink: Sink,
    folder: &'static str,
    /// Name and size of the first picture.
    first: Option<(String, (u32, u32))>,
    labels: Option<Labels>,
    listed: Vec<(String, Label)>,
    done: Converted,
}

impl Writer {
    fn add(&mut self, entry: &Entry, made: Result<Made, String>) -> Result<()> {
        let made = match made {
            Ok(made) => made,
            Err(reason) => {
                self.skip(entry.name, reason);
                return Ok(());
            }
        };
        self.check_size(entry.name, made.size)?;
        let number = self.done.pictures;
        let file = format!("{:05}/img{number:08}.png", number / PER_FOLDER);
        let name = format!("{}{file}", self.folder);
        self.sink.put(&name, &made.png)?;
        match made.map {
            Some(Ok(map)) => {
                self.sink.put(&format!("labels/{file}"), &map)?;
                self.done.maps += 1;
            }
            Some(Err(reason)) => self.skip(entry.name, format!("its label map: {reason}")),
            None if self.folder.is_empty() => {}
            None => self.skip(entry.name, "has no label map; the picture alone is written".into()),
        }
        if let Some(labels) = &self.labels {
            self.listed.push((name, labels.get(entry.name)?));
        }
        self.done.pictures += 1;
        Ok(())
    }

    fn skip(&mut self, name: &str, reason: String) {
        self.done.skipped.push(Skipped { name: name.to_owned(), reason });
    }

    /// All pictures have the size of the first, which is square.
    fn check_size(&mut self, name: &str, (width, height): (u32, u32)) -> Result<()> {
        let crop = "give --transform center-crop --resolution";
        let side = width.min(height);
        let Some((first, size)) = &self.first else {
            if width != height {
                let reason = format!(
                    "is {width}x{height}, not square; {crop} {side}x{side}, or --transform pad"
                );
                return Err(Error::dataset(name, reason));
            }
            self.done.size = (width, height);
            self.first = Some((name.to_owned(), (width, height)));
            return Ok(());
        };
        if *size != (width, height) {
            let (w, h) = size;
            let reason = format!(
                "is {width}x{height}, but the first picture, {first}, is {w}x{h}; {crop} {w}x{h}"
            );
            return Err(Error::dataset(name, reason));
        }
        Ok(())
    }

    fn finish(mut self, source: &Path) -> Result<Converted> {
        if self.done.pictures == 0 {
            let count = self.done.skipped.len();
            let first = self.done.skipped.first();
            let first = first.map_or(String::new(), |s| format!("{}: {}", s.name, s.reason));
            let reason = format!("none of the {count} pictures can be used; the first, {first}");
            return Err(Error::dataset(source, reason));
        }
        self.done.has_classes = self.labels.is_some();
        let list = List { labels: self.done.has_classes.then_some(self.listed) };
        let json = serde_json::to_vec(&list).map_err(std::io::Error::from);
        let json = json.map_err(Error::io("write", "dataset.json"))?;
        self.sink.put("dataset.json", &json)?;
        self.sink.finish()?;
        Ok(self.done)
    }
}

/// Without compression, as NVIDIA's tools write it: trainers read such files fastest.
fn png_of_picture(picture: &RgbImage) -> Result<Vec<u8>, EncodingError> {
    let size = picture.dimensions();
    encode(picture.as_raw(), size, ColorType::Rgb, Compression::NoCompression)
}

fn png_of_map(map: &GrayImage) -> Result<Vec<u8>, EncodingError> {
    encode(map.as_raw(), map.dimensions(), ColorType::Grayscale, Compression::Fast)
}

fn encode(
    pixels: &[u8],
    (width, height): (u32, u32),
    color: ColorType,
    compression: Compression,
) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_compression(compression);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
