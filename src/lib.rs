//! semgan: semantic GANs on any GPU.

pub mod autograd;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod error;
pub mod files;
pub mod memory;
pub mod models;
pub mod nn;
pub mod ops;
pub mod sample;
pub mod tensor;
pub mod train;
pub mod verify;

pub use device::Device;
pub use error::{Error, Result};
pub use tensor::{Shape, Tensor};
