//! Matrix products: [`matmul`] on tensors, and `gemm.rs`, the door to the crate of that name that
//! the native forms of the heavy operations share.

pub(crate) mod gemm;
pub mod matmul;
