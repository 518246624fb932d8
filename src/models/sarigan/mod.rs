//! SariGAN: "Learning Semantic-aware Normalization for Generative Adversarial Networks"
//! (Zheng et al., NeurIPS 2020), as the paper defines it and as its published code does.
//!
//! | here | paper |
//! | --- | --- |
//! | [`similarity`] | equation 1: cosine similarity of a layer's kernels |
//! | [`Grouping`] | equation 2: channels in groups, and the losses that learn them |
//! | [`Normalization`] | equations 3 and 4: Group AdaIN and AdaGN, the feature form |
//! | [`Grouping::style`] | equation 5: both as one scale per channel, the weight form |
//! | [`GroupStyledConv`] | equation 6: the convolution of either form |
//! | [`Generator`], [`Discriminator`] | figure 2, on StyleGAN2's skip generator and residual critic |
//!
//! A style has 2 S entries: the first half drives groups as wholes (inter), the second half the
//! channels inside them (intra), the ungrouped first layer and the RGB layers. Paper and code differ
//! in how channels fall into groups ([`Rule`]); all else is the same network.

mod config;
mod discriminator;
mod generator;
mod grouping;
mod interface;
mod normalization;

pub use config::{Config, Form, Rule};
pub use discriminator::Discriminator;
pub use generator::{Codes, Generator, GroupStyledConv, LayerCodes, Mapping};
pub use grouping::{
    Grouping, activation_maps, grouping_losses, membership, similarity, target, threshold,
};
pub use normalization::{Normalization, PlaneMoments};
