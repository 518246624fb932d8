//! Integration tests: one binary, so that everything links once.

mod autograd;
mod cli;
mod common;
mod data;
mod demo;
mod device;
mod errors;
mod golden;
mod groups;
mod interrupted;
mod judge;
mod kernels;
mod ops_heavy;
mod program;
mod properties;
mod random;
mod resample;
mod resume;
mod runs;
mod sampling;
mod sarigan;
mod shaders;
mod snapshots;
mod training;
