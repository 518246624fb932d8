//! Philox4x32-10: random numbers as a pure function of (seed, stream, step, index).
//!
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). Key = seed (64 bits);
//! counter = (index of the group of four, stream, step low, step high). One group gives four
//! integers, four uniforms (top 24 bits times 2⁻²⁴) or four normals (two Box-Muller pairs).

pub mod philox;
pub mod stream;

pub use philox::{Draw, normals, philox4x32, uniforms};
pub use stream::Stream;
