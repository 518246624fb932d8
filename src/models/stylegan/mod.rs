//! StyleGAN: "A Style-Based Generator Architecture for Generative Adversarial Networks" (Karras et
//! al., CVPR 2019), with the keys of GenForce's published files.
//!
//! | here | paper |
//! | --- | --- |
//! | [`Mapping`] | figure 1b, left: latent to style |
//! | [`StyledLayer`] | figure 1b, right: convolution, noise, bias, AdaIN (equation 1) |
//! | [`Generator`] | figure 1b, grown layer by layer as in PGGAN |
//! | [`Discriminator`] | PGGAN's, with filtered halvings (appendix C) |
//!
//! Level of detail `lod` counts halvings: 0 is the full resolution, and between whole levels the
//! picture of the higher one fades in. N batch, C channels, D width of a style.

mod config;
mod discriminator;
mod generator;

pub use config::{Config, NoiseType};
pub use discriminator::{Discriminator, of_class};
pub use generator::{
    Form, Generator, LatentInput, Mapping, StyledLayer, Synthesis, ToRgb, per_layer, styled,
    toward, truncate,
};

use crate::device::Device;
use crate::nn::blur_kernel;
use crate::tensor::Tensor;

/// The filter around a change of resolution, `[3, 3]`.
fn filter(device: &Device) -> Tensor {
    blur_kernel(&[1.0, 2.0, 1.0], 1.0, device)
}
