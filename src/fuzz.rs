//! One function for each reader of files that others wrote: it takes any bytes and must come back
//! without a panic. The tests call them on mutated files, `fuzz/` on whatever it finds.

use std::io::Cursor;
use std::path::Path;

pub use crate::data::fuzz::{dataset_json, lmdb, zip};

use crate::Device;
use crate::checkpoint::{Checkpoint, published};
use crate::sample;
use crate::train::{adopt, snapshot};

/// What messages name.
const NAME: &str = "input";

/// Networks of other programs: pickles, PyTorch's zip and legacy containers, every layout.
pub fn foreign(bytes: &[u8]) {
    let path = Path::new(NAME);
    let Ok(published) = published::parse(path, bytes) else { return };
    if let published::Contents::Networks(networks) = published.contents {
        let _ = adopt::snapshot(path, *networks);
    }
}

/// Snapshots: safetensors with a description.
pub fn safetensors(bytes: &[u8]) {
    if let Ok(file) = Checkpoint::parse(Path::new(NAME), bytes) {
        let _ = snapshot::options(&file).and_then(|options| options.check());
        let _ = snapshot::generator(&file, &Device::cpu());
    }
}

/// The text chunks of a picture.
pub fn png_text(bytes: &[u8]) {
    let _ = sample::decode_text(Cursor::new(bytes));
}
