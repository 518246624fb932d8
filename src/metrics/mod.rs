//! Numbers that judge a model: how alike two sets of pictures are, label maps and lists of scores.
//!
//! - `fid.rs`: Fréchet distance of two sets of features,
//! - `iou.rs`: intersection over union of label maps,
//! - `path_length.rs`: perceptual path length,
//! - `separability.rs`: linear separability of latents,
//! - `sliced_wasserstein.rs`: distance of two sets of pictures,
//! - `svm.rs`: a linear classifier of latents.

pub mod fid;
mod iou;
mod path_length;
mod separability;
pub mod sliced_wasserstein;
mod svm;

pub use fid::{Gaussian, frechet_distance};
pub use iou::{iou, mean_present, pixel_accuracy, relative_gaps};
pub use path_length::{
    Inliers, PathLength, Space, feature_distance, inliers, path_ends, path_picture,
};
pub use separability::{
    Entropies, Kept, Separation, entropies, joint_table, most_certain, score, separation,
};
pub use sliced_wasserstein::sliced_wasserstein;
pub use svm::Svm;
