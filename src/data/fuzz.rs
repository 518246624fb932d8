//! One door to each reader of foreign bytes, for fuzzing: whatever the bytes, none panics.

use std::io::Cursor;

use super::classes::Labels;
use super::source;

/// Walks the pages of an LMDB file; the number of pictures.
///
/// # Errors
/// In words: what is wrong with it.
pub fn lmdb(bytes: &[u8]) -> Result<usize, String> {
    source::lmdb_pictures(bytes)
}

/// Lists a zip archive; the number of members.
///
/// # Errors
/// In words: what is wrong with it.
pub fn zip(bytes: &[u8]) -> Result<usize, String> {
    source::zip_members(Cursor::new(bytes))
}

/// Reads a `dataset.json` for the pictures `a.png` and `b/c.png`.
///
/// # Errors
/// In words: what is wrong with it.
pub fn dataset_json(bytes: &[u8]) -> Result<(), String> {
    let labels = Labels::parse(bytes, ["a.png", "b/c.png"].into_iter())?;
    labels.map_or(Ok(()), |labels| labels.find("a.png").map(drop))
}
