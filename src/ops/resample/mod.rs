//! Resampling of images by finite filters.

pub mod upfirdn2d;
