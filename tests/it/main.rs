//! Integration tests: one binary, so that everything links once.

mod autograd;
mod ops_heavy;
mod common;
mod kernels;
