//! Networks, one file or folder per paper, in the paper's order and with the published checkpoints' keys.
//! Nothing here knows about devices, files or flags: tensors are made only on the device that a
//! network was built for.
//!
//! [`Generator`] and [`Discriminator`] are what training and sampling ask of any of them, and
//! [`Config`] describes and builds the two networks of one system.

pub mod linear_semantics;
pub mod lpips;
pub mod pggan;
pub mod sarigan;
pub mod semantic_stylegan;
pub mod stylegan;
pub mod stylegan2;

mod config;
mod interface;

pub use config::{Config, System};
pub use interface::{Discriminator, Generator, Judgement, Segmented, Sizes, Synthesizer};
