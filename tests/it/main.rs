//! Integration tests: one binary, so that everything links once.

mod autograd;
mod common;
mod device;
mod kernels;
mod ops_heavy;
mod shaders;
