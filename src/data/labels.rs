//! Label maps that lie beside pictures: `labels/a/b.png` belongs to `images/a/b.jpg`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use image::GrayImage;

use super::dataset::list;
use super::picture;
use super::resample::Filter;
use super::source::{
    self, Entry, FaceClasses, Form, LABELS, MASKS, PHOTOGRAPHS, PICTURES, Source, compose,
    mask_files,
};
use crate::files::hash;
use crate::{Error, Result};

/// The colours in which SemanticStyleGAN shows labels, by index.
pub const LABEL_COLORS: [[u8; 3]; 17] = [
    [0, 0, 0],
    [239, 234, 90],
    [44, 105, 154],
    [4, 139, 168],
    [13, 179, 158],
    [131, 227, 119],
    [185, 231, 105],
    [107, 137, 198],
    [241, 196, 83],
    [242, 158, 76],
    [234, 114, 71],
    [215, 95, 155],
    [207, 113, 192],
    [159, 89, 165],
    [142, 82, 172],
    [158, 115, 200],
    [116, 95, 159],
];

/// The label maps of a set, not yet read.
pub struct LabelMaps {
    source: Source,
    classes: FaceClasses,
    /// Number of the map by the hash of what its name has in common with its picture's.
    by_key: HashMap<u64, u32>,
}

impl LabelMaps {
    /// Finds the label maps of the folder, zip archive or LMDB file at `path`. CelebAMask-HQ's are
    /// painted with SemanticStyleGAN's 13 classes.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::of(list(path.as_ref(), None)?, FaceClasses::default())
    }

    pub(super) fn of(source: Source, classes: FaceClasses) -> Result<Self> {
        if source.labels.len() == 0 {
            let reason =
                "has no label maps; they lie in labels/ beside images/, under the same names";
            return Err(Error::dataset(&source.path, reason));
        }
        let keys = source.labels.iter().map(|entry| hash(key(entry.name).bytes()));
        let by_key = keys.zip(0..).collect();
        Ok(Self { source, classes, by_key })
    }

    /// The labels of a picture of [`Dataset`](super::Dataset), cropped as it is: `[res, res]`.
    ///
    /// # Errors
    /// Says in words what is wrong with the map.
    pub fn read(&self, picture: &str, res: usize) -> Result<Vec<u8>, String> {
        Ok(picture::square(self.whole(picture)?, res as u32, Filter::Nearest).into_raw())
    }

    /// The labels of a picture as they are stored.
    ///
    /// # Errors
    /// Says in words what is wrong with the map.
    pub(super) fn whole(&self, picture: &str) -> Result<GrayImage, String> {
        let entry = self.find(picture).ok_or("has no label map")?;
        let named = |reason| format!("{}: {reason}", entry.name);
        match entry.form {
            Form::Painted => paint(&self.source.path, entry.at, self.classes),
            _ => {
                let bytes = self.source.read_picture(&entry).map_err(named)?;
                picture::decode_labels(entry.name, &bytes).map_err(named)
            }
        }
    }

    /// The map of a picture.
    pub(super) fn find(&self, picture: &str) -> Option<Entry<'_>> {
        let wanted = key(picture);
        let index = *self.by_key.get(&hash(wanted.bytes()))?;
        let entry = self.source.labels.get(index as usize);
        (key(entry.name) == wanted).then_some(entry)
    }
}

/// Paints CelebAMask-HQ's masks of one face over each other.
fn paint(path: &Path, number: u64, classes: FaceClasses) -> Result<GrayImage, String> {
    let mut map: Option<GrayImage> = None;
    for (file, class) in mask_files(path, number, classes) {
        let name = file.display().to_string();
        let named = |reason| format!("{name}: {reason}");
        let bytes = fs::read(&file).map_err(|e| named(e.to_string()))?;
        let mask = picture::decode_mask(&name, &bytes).map_err(named)?;
        let (width, height) = mask.dimensions();
        let map = map.get_or_insert_with(|| GrayImage::new(width, height));
        if map.dimensions() != mask.dimensions() {
            return Err(named("has another size than the face's other masks".into()));
        }
        compose(map, &mask, class, classes);
    }
    map.ok_or_else(|| "has no masks".into())
}

/// What a picture and its label map have in common: the name without the extension and without
/// which of the two folders it is in.
pub(super) fn key(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let in_folder =
        |folder: &str| source::parents(stem, folder).map(|p| (p.len(), folder.len())).next();
    if let Some((PHOTOGRAPHS | MASKS, number)) = stem.split_once('/') {
        return number.to_owned();
    }
    let first = [PICTURES, LABELS].into_iter().filter_map(in_folder).min();
    first.map_or(stem.to_owned(), |(at, length)| {
        format!("{}{}", &stem[..at], &stem[at + length - 1..])
    })
}
