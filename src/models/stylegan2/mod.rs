//! StyleGAN2: "Analyzing and Improving the Image Quality of StyleGAN" (Karras et al., CVPR 2020),
//! with the keys of the PyTorch files that most projects exchange.
//!
//! | here | paper |
//! | --- | --- |
//! | [`ModulatedConv`] | figure 2d, equations 1 to 3: the style scales the weights |
//! | [`StyledConv`] | figure 2c: modulated convolution, noise, bias, activation |
//! | [`ToRgb`], [`Generator`] | figure 7b: a picture at each resolution, summed up |
//! | [`Discriminator`] | figure 7c: residual blocks; 7b and 7a where asked for |
//!
//! Configurations e and f differ in their channels ([`Config::e`], [`Config::f`]). B batch, S width
//! of a style.

mod config;
mod discriminator;
mod generator;
mod layers;

pub use config::{Architecture, Config, channels};
pub(crate) use discriminator::Block;
pub use discriminator::{ConvLayer, Discriminator, Features, GAIN};
pub(crate) use generator::noise_buffers;
pub use generator::{Generator, Synthesis};
pub(crate) use layers::add_doubled;
pub use layers::{Mapping, ModulatedConv, StyledConv, ToRgb};

/// Added to squares before a root is taken.
pub(crate) const EPS: f64 = 1e-8;
