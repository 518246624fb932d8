//! Perceptual path length: how far pictures are apart whose latents are a small step apart. Karras et
//! al. 2019, section 4.1, and the published code.

use std::ops::Range;

use crate::device::Device;
use crate::models::{Generator, Sizes};
use crate::ops::random::{Draw, Stream, normals};
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

/// How path lengths are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLength {
    /// Where the step is taken.
    pub space: Space,
    /// Steps begin anywhere between two latents, not at the first.
    pub is_full: bool,
    /// Length of the step.
    pub epsilon: f64,
    /// Whether pictures are cropped as [`path_picture`] does.
    pub crop: bool,
    /// Class of the pictures.
    pub class: Option<usize>,
}

impl PathLength {
    /// Squared lengths `[n]` of pairs by number: `distance` of pictures `[n, 3, H, W]` from -1 to 1
    /// over epsilon squared. Latents depend on seed and number; the pairs share their noise, which
    /// depends on seed and first number.
    pub fn lengths(
        &self,
        g: &dyn Generator,
        sizes: &Sizes,
        seed: u64,
        pairs: Range<usize>,
        distance: &dyn Fn(&Tensor, &Tensor) -> Tensor,
        device: &Device,
    ) -> Tensor {
        let (n, first) = (pairs.len(), pairs.start as u64);
        let draw = |stream: Stream, k, step| Draw { seed, stream: stream.of(k), step };
        let z = |k| normals(draw(Stream::PathLatent, 0, k as u64), 2 * sizes.latent);
        let z: Vec<f32> = pairs.clone().flat_map(z).collect();
        let z = Tensor::from_slice(&z, [2 * n, sizes.latent], device);
        let place = |k| match self.is_full {
            true => draw(Stream::PathPlace, 0, k as u64).uniform(0) as f32,
            false => 0.0,
        };
        let t = Tensor::from_slice(&pairs.map(place).collect::<Vec<_>>(), [n], device);
        let label = |n| sizes.label(vec![self.class.unwrap_or(0); n], device);
        let map = |z: &Tensor| g.map(z, label(z.size(0)).as_ref());
        let noise = |(k, &[c, h, w]): (usize, &[usize; 3])| {
            let noise = normals(draw(Stream::PathNoise, k, first), c * h * w);
            Tensor::from_slice(&noise, [1, c, h, w], device)
        };
        let noise: Vec<Tensor> = sizes.noise.iter().enumerate().map(noise).collect();
        let synthesizer = g.synthesizer();
        let [a, b] = path_ends(&z, &t, self.epsilon, self.space, map).map(|w| {
            let picture = synthesizer.picture(&g.styles(&w), &noise, 0.0);
            path_picture(&picture, self.crop).map(|x| x / 127.5 - 1.0)
        });
        distance(&a, &b) * (1.0 / self.epsilon.powi(2))
    }
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
