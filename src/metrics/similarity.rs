//! How close pictures are to others: by their pixels, and by the identity of a face.

use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

/// Mean of |a − b| over the pixels and channels of each picture, `[N]`.
///
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn mean_absolute_error(a: &Tensor, b: &Tensor) -> Tensor {
    a.zip(b, |a, b| (a - b).abs()).mean(&[1, 2, 3], false)
}

/// Mean of (a − b)² over the pixels and channels of each picture, `[N]`.
///
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn mean_squared_error(a: &Tensor, b: &Tensor) -> Tensor {
    a.zip(b, |a, b| (a - b).square()).mean(&[1, 2, 3], false)
}

/// Mean of |a − b| where the mask `[N, 1, H, W]` is 1, `[N]`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn masked_absolute_error(a: &Tensor, b: &Tensor, mask: &Tensor) -> Tensor {
    let channels = a.size(1) as f64;
    let sum = (a.zip(b, |a, b| (a - b).abs()) * mask).sum(&[1, 2, 3], false);
    sum.zip(&mask.sum(&[1, 2, 3], false), |sum, area| sum / (area * channels))
}

/// Where the face is that an identity is read from: rows and columns of a picture of side `pool`, and
/// the side of what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaceCrop {
    /// Side before the crop.
    pub pool: usize,
    /// First row, and the one behind the last.
    pub rows: [usize; 2],
    /// First column, and the one behind the last.
    pub columns: [usize; 2],
    /// Side of the result.
    pub side: usize,
}

impl FaceCrop {
    /// Pictures `[N, C, H, W]`, averaged down, cropped, and averaged down again.
    ///
    /// # Panics
    /// When the crop is not inside.
    #[track_caller]
    pub fn apply(&self, x: &Tensor) -> Tensor {
        let ([top, bottom], [left, right]) = (self.rows, self.columns);
        let pooled = x.resize([self.pool; 2], Resize::Area);
        let face = pooled.narrow(2, top, bottom - top).narrow(3, left, right - left);
        face.resize([self.side; 2], Resize::Area)
    }
}

/// Cosine of the angle between rows of a and of b `[N, D]`, `[N]`. PyTorch: `F.cosine_similarity`.
///
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn cosine_similarity(a: &Tensor, b: &Tensor) -> Tensor {
    let [a, b] = [a, b].map(|x| x.normalize(1, 1e-8));
    a.dot(&b, &[1], false)
}
