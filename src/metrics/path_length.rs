//! Perceptual path length: how far pictures are apart whose latents are a small step apart. Karras et
//! al. 2019, section 4.1, and the published code.

use crate::ops::resample::pool::Pool2d;
use crate::sample::{lerp, slerp};
use crate::tensor::Tensor;

/// Where the step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Along the great circle between latents.
    Z,
    /// Along the line between styles.
    W,
}

/// The styles at t and at t + epsilon between neighbours: latents `[2 n, Z]`, of which each two make
/// a pair, t `[n]`, and `mapping` from latents to styles `[.., D]`. Two tensors `[n, D]`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn path_ends(
    latents: &Tensor,
    t: &Tensor,
    epsilon: f64,
    space: Space,
    mapping: impl Fn(&Tensor) -> Tensor,
) -> [Tensor; 2] {
    let n = t.numel();
    let pair = |x: &Tensor| x.reshape([n, x.numel() / n]).chunk::<2>(1);
    let t = t.reshape([n, 1]);
    let places = [t.clone(), t + epsilon];
    match space {
        Space::Z => {
            let [a, b] = pair(latents);
            places.map(|t| mapping(&slerp(&a, &b, &t)))
        }
        Space::W => {
            let [a, b] = pair(&mapping(latents));
            places.map(|t| lerp(&a, &b, &t))
        }
    }
}

/// A picture `[N, 3, H, W]` from -1 to 1 as distances are measured on: where a face is if `crop`
/// (rows 3 to 7 and columns 2 to 6 of eight), at most 511 pixels wide, from 0 to 255.
///
/// # Panics
/// When this is no image.
#[track_caller]
pub fn path_picture(image: &Tensor, crop: bool) -> Tensor {
    let eighth = image.size(2) / 8;
    let face = match crop {
        true => image.narrow(2, 3 * eighth, 4 * eighth).narrow(3, 2 * eighth, 4 * eighth),
        false => image.clone(),
    };
    let factor = face.size(2) / 256;
    let small = if factor > 1 { face.avg_pool2d(&Pool2d::tiles(factor), true) } else { face };
    small.map(|x| (x + 1.0) * 127.5)
}

/// Perceptual distance between feature maps of two pictures, `[N]`: per level, both brought to unit
/// length over the channels (1e-10 added to the squared norm), the squared difference weighted by
/// channel `[C]`, summed over the channels and averaged over the pixels; levels added. Zhang et al.
/// 2018, equation 1.
///
/// # Panics
/// When there are not as many levels, or the shapes do not fit.
#[track_caller]
pub fn feature_distance(a: &[Tensor], b: &[Tensor], weights: &[Tensor]) -> Tensor {
    assert_eq!([a.len(), b.len()], [weights.len(); 2], "feature_distance: levels");
    let unit = |x: &Tensor| x / x.square().sum(&[1], true).map(|norm| (norm + 1e-10).sqrt());
    let level = |((a, b), weight): ((&Tensor, &Tensor), &Tensor)| {
        let weight = weight.reshape([weight.numel(), 1, 1]);
        let apart = unit(a).zip(&unit(b), |a, b| (a - b).square()) * weight;
        apart.sum(&[1], false).mean(&[1, 2], false)
    };
    let levels = a.iter().zip(b).zip(weights).map(level);
    levels.reduce(|a, b| a + b).expect("at least one level")
}

/// What is left after the smallest and largest values were dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inliers {
    /// Smallest that is kept.
    pub lo: f64,
    /// Largest that is kept.
    pub hi: f64,
    /// Mean of lo ..= hi.
    pub mean: f64,
}

/// Keeps what lies from the `lo`-th percentile (its lower neighbour) to the `hi`-th (its upper
/// one).
///
/// # Panics
/// When there are no values, or a percentile is above 100.
#[track_caller]
pub fn inliers(values: &[f64], lo: usize, hi: usize) -> Inliers {
    assert!(!values.is_empty() && lo <= 100 && hi <= 100, "inliers: {lo} to {hi} percent");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let (lo, hi) = (sorted[lo * last / 100], sorted[(hi * last).div_ceil(100)]);
    let kept = sorted.iter().filter(|v| (lo..=hi).contains(*v));
    let (sum, n) = kept.fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
    Inliers { lo, hi, mean: sum / f64::from(n) }
}
