//! SemanticStyleGAN: "Learning Compositional Generative Priors for Controllable Image Synthesis and
//! Editing" (Shi et al., CVPR 2022), with the published checkpoint's keys.
//!
//! | here | paper |
//! | --- | --- |
//! | [`Config::expand`], [`mix`] | section 3.1: a shared code, then a shape and a texture code per class |
//! | [`PositionEmbedding`], [`LocalGenerator`] | section 3.2, figure 3: a feature map and a pseudo-depth per class |
//! | [`Fusion`] | section 3.3: which class is in front, as weights of the feature maps |
//! | [`RenderNet`] | section 3.4, figure 4: fused features to a picture and its label map |
//! | [`Discriminator`] | section 3.5, figure 5: judges pictures together with label maps |
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
