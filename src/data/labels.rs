//! Label maps that lie beside pictures: `labels/a/b.png` belongs to `images/a/b.jpg`.

use std::collections::HashMap;
use std::path::Path;

use super::picture;
use super::source::{self, Entry, LABELS, PICTURES};
use crate::{Error, Result};

/// Longest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 28;

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
    by_key: HashMap<String, Entry>,
}

impl LabelMaps {
    /// Finds the label maps of the folder or zip archive at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let found = source::list_labels(path)?;
        if found.is_empty() {
            let reason =
                "has no label maps; they lie in labels/ beside images/, under the same names";
            return Err(Error::dataset(path, reason));
        }
        let by_key = found.into_iter().map(|entry| (key(&entry.name), entry)).collect();
        Ok(Self { by_key })
    }

    /// The labels of a picture of [`Dataset`](super::Dataset), cropped as it is: `[res, res]`.
    ///
    /// # Errors
    /// Says in words what is wrong with the map.
    pub fn read(&self, picture: &str, res: usize) -> Result<Vec<u8>, String> {
        let entry = self.by_key.get(&key(picture)).ok_or("has no label map")?;
        let bytes = entry.read(MAX_FILE_BYTES).map_err(|e| e.to_string())?;
        picture::decode_labels(&entry.name, &bytes, res as u32)
            .map_err(|reason| format!("{}: {reason}", entry.name))
    }
}

/// What a picture and its label map have in common: the name without the extension and without
/// which of the two folders it is in.
fn key(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let in_folder =
        |folder: &str| source::parents(stem, folder).map(|p| (p.len(), folder.len())).next();
    let first = [PICTURES, LABELS].into_iter().filter_map(in_folder).min();
    first.map_or(stem.to_owned(), |(at, length)| {
        format!("{}{}", &stem[..at], &stem[at + length - 1..])
    })
}
