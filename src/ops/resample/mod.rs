//! Resampling of images: by finite filters, to other sizes, by pooling, along grids and maps.
//!
//! Resizing, mean pooling and padding are sparse matrices along one axis and share an operation
//! (`taps.rs`).

pub mod affine_warp;
pub mod grid_sample;
pub mod max_pool2d;
pub mod pad;
pub mod pool;
pub mod resize;
mod taps;
pub mod upfirdn2d;

use crate::tensor::Tensor;

/// Sizes of `[N, C, H, W]`.
#[track_caller]
fn image_sizes(name: &str, x: &Tensor) -> [usize; 4] {
    let sizes = <[usize; 4]>::try_from(&x.shape()[..]);
    sizes.unwrap_or_else(|_| panic!("{name}: x of shape {:?}, not [N, C, H, W]", x.shape()))
}
