//! semgan: semantic GANs on any GPU.

pub mod autograd;
pub mod device;
pub mod error;
pub mod ops;
pub mod tensor;

pub use device::Device;
pub use error::{Error, Result};
pub use tensor::{Shape, Tensor};
