//! semgan: semantic GANs on any GPU.

pub mod autograd;
pub mod data;
pub mod device;
pub mod error;
pub mod ops;
pub mod sample;
pub mod tensor;
pub mod verify;

pub use device::Device;
pub use error::{Error, Result};
pub use tensor::{Shape, Tensor};
