//! SemanticStyleGAN: "Learning Compositional Generative Priors for Controllable Image Synthesis and
//! Editing" (Shi et al., CVPR 2022), with the published checkpoint's keys.
//!
//! | here | in it |
//! | --- | --- |
//! | [`Config::expand`], [`mix`] | codes: shared ones, then one of shape and one of texture per class |
//! | [`PositionEmbedding`] | Fourier features of a pixel's place, shared by all classes |
//! | [`LocalGenerator`] | place and codes of a class to a feature map f and a pseudo-depth d |
//! | [`Fusion`] | m = softmax d over the classes, and the sum of m f |
//! | [`RenderNet`] | fused features to a picture, and what refines m to its label map |
//! | [`Discriminator`] | two branches: judges pictures together with label maps |
//!
//! B batch, D width of a style, K classes, of which 0 is the background, c side of the coarse maps.

mod config;
mod discriminator;
mod fusion;
mod generator;
mod latents;
mod layers;
mod local;
mod position;
mod render;

pub use config::Config;
pub use discriminator::{Branch, Discriminator};
pub use fusion::Fusion;
pub use generator::{Composition, Generator, Synthesis};
pub use latents::{injected, mix};
pub use layers::{FixedConv, FixedStyledConv, Head};
pub use local::{Local, LocalConfig, LocalGenerator};
pub use position::{PositionEmbedding, grid};
pub use render::{RenderNet, Rendered};
