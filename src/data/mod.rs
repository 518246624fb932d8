//! Training pictures: from a folder, an archive or an LMDB file to batches of `[N, 3, res, res]`.
//!
//! - `source` lists the picture files of a set, however it lies on the disk, and reads their bytes,
//! - `picture.rs` turns the bytes of one file into square 8-bit RGB: one rule per kind of file,
//! - `resample.rs` resizes as Pillow does, bit for bit,
//! - `dataset.rs` checks a whole set once, keeps small sets in memory and names what it skipped,
//! - `order.rs` says which picture is the n-th of a training run, by the seed and n alone,
//! - `classes.rs` knows the class of every picture,
//! - `convert` writes any set as NVIDIA's tools lay it out,
//! - `fuzz.rs` opens the readers of foreign bytes to fuzzing,
//! - `inspect` names what is wrong with a set and counts what is in it,
//! - `loader.rs` prepares batches on a thread of its own, ahead of the device,
//! - `labels.rs` finds the label maps beside pictures,
//! - `faces` draws portraits with label maps.

mod classes;
mod convert;
mod dataset;
pub mod faces;
#[doc(hidden)]
pub mod fuzz;
mod inspect;
mod labels;
mod loader;
mod order;
mod picture;
mod resample;
mod source;

pub use classes::Classes;
pub use convert::{Conversion, Converted, LabelsFrom, Transform};
pub use dataset::{Dataset, Skipped};
pub use inspect::{Finding, Report, Severity, Statistics, check};
pub use labels::{LABEL_COLORS, LabelMaps};
pub use loader::{Batch, Loader};
pub use order::EpochOrder;
pub use picture::load_picture;
pub use resample::Filter;
pub use source::{FaceClasses, Layout, Split};
