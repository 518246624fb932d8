//! Images continued beyond their borders.

use super::image_sizes;
use super::taps::{Taps, along_both};
use crate::tensor::Tensor;

/// What lies beyond the border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pad {
    /// A number.
    Constant(f64),
    /// The image mirrored at its border samples, which are not repeated; again and again where the
    /// padding is wider than the image, as in NumPy.
    Reflect,
    /// The nearest border sample.
    Replicate,
}

impl Tensor {
    /// `[N, C, H, W]` with `[left, right, above, below]` more samples; negative counts crop.
    /// PyTorch: `F.pad`.
    ///
    /// # Panics
    /// When this is no image or nothing would be left.
    #[track_caller]
    pub fn pad2d(&self, [left, right, above, below]: [isize; 4], pad: Pad) -> Self {
        let [_, _, h, w] = image_sizes("pad2d", self);
        let sides = [(above, below), (left, right)];
        let size = |n: usize, (before, behind): (isize, isize)| n as isize + before + behind;
        let is_left = size(h, sides[0]) > 0 && size(w, sides[1]) > 0;
        assert!(is_left, "pad2d: {:?} by {:?}", self.shape(), [left, right, above, below]);
        if let Pad::Constant(value) = pad {
            let sides = [(0, 0), (0, 0), sides[0], sides[1]];
            let padded = self.pad(&sides);
            if value == 0.0 {
                return padded;
            }
            let inside = Self::full(1.0, [1, 1, h, w], self.device()).pad(&sides);
            return padded.zip(&inside, |x, inside| x + value * (1.0 - inside));
        }
        let taps = |k: usize, n: usize| {
            Taps::new(n, size(n, sides[k]) as usize, |o| {
                let i = o as isize - sides[k].0;
                let last = n as isize - 1;
                let source = match pad {
                    Pad::Reflect if last > 0 => last - (i.rem_euclid(2 * last) - last).abs(),
                    _ => i.clamp(0, last),
                };
                [(source as usize, 1.0)]
            })
        };
        along_both("pad2d", self, taps)
    }
}
