//! Matrix products: [`matmul`] on tensors, and `gemm.rs`, the door to the crate of that name that
//! the native forms of the heavy operations share, as their kernels share `tiling.rs`.

pub(crate) mod gemm;
pub mod matmul;
pub(crate) mod tiling;
