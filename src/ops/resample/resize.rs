//! Images at another size: nearest sample, linear interpolation, mean over areas.

use super::taps::{Taps, along_both};
use crate::tensor::Tensor;

/// Which samples of the source, of size `n` along an axis, make sample i of `m`. None of them
/// filters when it shrinks, except [`Resize::Area`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The sample at floor(i n / m). PyTorch: mode `nearest`.
    Nearest,
    /// Linear at (i + ½) n / m − ½, at least 0. PyTorch: mode `bilinear`.
    HalfPixel,
    /// Linear at i (n − 1) / (m − 1), or 0 where m is 1. PyTorch: `bilinear` with `align_corners`.
    AlignCorners,
    /// Linear at i n / m. TensorFlow 1: `tf.image.resize_bilinear`, as the published Inception has.
    TopLeft,
    /// Mean over floor(i n / m) .. ceil((i + 1) n / m). PyTorch: `adaptive_avg_pool2d`.
    Area,
}

impl Resize {
    fn row(self, i: usize, n: usize, m: usize) -> Vec<(usize, f64)> {
        let ratio = n as f64 / m as f64;
        match self {
            Self::Nearest => vec![(i * n / m, 1.0)],
            Self::HalfPixel => linear(((i as f64 + 0.5) * ratio - 0.5).max(0.0), n),
            Self::AlignCorners if m == 1 => linear(0.0, n),
            Self::AlignCorners => linear((i * (n - 1)) as f64 / (m - 1) as f64, n),
            Self::TopLeft => linear((i * n) as f64 / m as f64, n),
            Self::Area => {
                let area = i * n / m..((i + 1) * n).div_ceil(m);
                let share = 1.0 / area.len() as f64;
                area.map(|source| (source, share)).collect()
            }
        }
    }
}

/// Both neighbours of a position, the upper one at most the last sample.
fn linear(position: f64, n: usize) -> Vec<(usize, f64)> {
    let lower = (position.floor() as usize).min(n - 1);
    let fraction = position - position.floor();
    if fraction == 0.0 || lower == n - 1 {
        return vec![(lower, 1.0)];
    }
    vec![(lower, 1.0 - fraction), (lower + 1, fraction)]
}

impl Tensor {
    /// `[N, C, H, W]` at the size (H', W'). PyTorch: `F.interpolate`.
    ///
    /// # Panics
    /// When this is no image, or a size is 0.
    #[track_caller]
    pub fn resize(&self, size: [usize; 2], resize: Resize) -> Self {
        assert!(size[0] * size[1] > 0, "resize: {:?} to {size:?}", self.shape());
        along_both("resize", self, |k, n| Taps::new(n, size[k], |i| resize.row(i, n, size[k])))
    }
}
