//! semgan: semantic GANs on any GPU.

pub mod data;
pub mod error;
pub mod sample;

pub use error::{Error, Result};
