//! Windows of a pooling, and the mean over them.

use super::taps::{Taps, along_both};
use crate::tensor::Tensor;

/// Where the windows lie. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2d {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Samples outside the image on each side that windows may cover; half a window at most.
    pub padding: [usize; 2],
}

impl Pool2d {
    /// Square windows side by side.
    pub fn tiles(side: usize) -> Self {
        Self { kernel: [side; 2], stride: [side; 2], padding: [0; 2] }
    }

    /// Number of windows along the axis (0 or 1) of size `n`.
    #[track_caller]
    pub(super) fn windows(&self, axis: usize, n: usize) -> usize {
        let [k, s, p] = [self.kernel, self.stride, self.padding].map(|pair| pair[axis]);
        let fits = k > 0 && s > 0 && 2 * p <= k && n + 2 * p >= k;
        assert!(fits, "pooling: {self:?} along an axis of size {n}");
        (n + 2 * p - k) / s + 1
    }
}

impl Tensor {
    /// Mean over windows of `[N, C, H, W]`: divided by the window's size, or, unless
    /// `count_include_pad`, by the number of samples inside the image. PyTorch: `F.avg_pool2d`.
    ///
    /// # Panics
    /// When this is no image, no window fits, or the padding is more than half a window.
    #[track_caller]
    pub fn avg_pool2d(&self, pool: &Pool2d, count_include_pad: bool) -> Self {
        let taps = |axis: usize, n: usize| {
            let [k, s, p] = [pool.kernel, pool.stride, pool.padding].map(|pair| pair[axis]);
            Taps::new(n, pool.windows(axis, n), |o| {
                let inside = (o * s).saturating_sub(p)..(o * s + k - p).min(n);
                let count = if count_include_pad { k } else { inside.len() };
                inside.map(move |i| (i, 1.0 / count as f64))
            })
        };
        along_both("avg_pool2d", self, taps)
    }
}
