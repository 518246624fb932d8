//! The mean that perceptual path length takes. Karras et al. 2019, section 4.1, published code.

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
