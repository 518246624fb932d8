//! Training pictures: from a folder or a zip archive to batches of `[N, 3, res, res]`.
//!
//! - `source.rs` lists the picture files of a folder or an archive and reads their bytes,
//! - `picture.rs` turns the bytes of one file into square 8-bit RGB: one rule per kind of file,
//! - `dataset.rs` checks a whole set once, keeps small sets in memory and names what it skipped,
//! - `order.rs` says which picture is the n-th of a training run, by the seed and n alone,
//! - `classes.rs` knows the class of every picture,
//! - `loader.rs` prepares batches on a thread of its own, ahead of the device,
//! - `labels.rs` finds the label maps beside pictures,
//! - `faces` draws portraits with label maps.

mod classes;
mod dataset;
pub mod faces;
mod labels;
mod loader;
mod order;
mod picture;
mod source;

pub use classes::Classes;
pub use dataset::{Dataset, Skipped};
pub use labels::{LABEL_COLORS, LabelMaps};
pub use loader::{Batch, Loader};
pub use order::EpochOrder;
pub use picture::load_picture;
