//! Numbers that judge a model: how alike two sets of pictures are, label maps and lists of scores.
//!
//! - `fid.rs`: Fréchet distance of two sets of features,
//! - `inception.rs`: what Inception networks read, and the score of their answers,
//! - `iou.rs`: intersection over union of label maps,
//! - `kid.rs`: kernel distance of two sets of features,
//! - `path_length.rs`: perceptual path length,
//! - `precision_recall.rs`: how much of one set of features lies within another,
//! - `separability.rs`: linear separability of latents,
//! - `similarity.rs`: errors of pictures, and identities of faces,
//! - `sliced_wasserstein.rs`: distance of two sets of pictures,
//! - `svm.rs`: a linear classifier of latents.

pub mod fid;
pub mod inception;
mod iou;
mod kid;
mod path_length;
mod precision_recall;
mod separability;
pub mod similarity;
pub mod sliced_wasserstein;
mod svm;

pub use fid::{Frechet, Gaussian, frechet, frechet_distance};
pub use inception::{Partition, Recipe, inception_scores};
pub use iou::{Confusion, iou, mean_present, pixel_accuracy, relative_gaps};
pub use kid::{Polynomial, kid};
pub use path_length::{
    Inliers, PathLength, Space, feature_distance, inliers, path_ends, path_picture,
};
pub use precision_recall::{PrecisionRecall, precision_recall};
pub use separability::{
    Entropies, Kept, Separation, entropies, joint_table, most_certain, score, separation,
};
pub use sliced_wasserstein::sliced_wasserstein;
pub use svm::Svm;
