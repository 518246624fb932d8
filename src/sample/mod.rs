//! Pictures for people: which ones are asked for, and how they reach the disk.
//!
//! - `seeds.rs` reads `--seeds` and `--grid`,
//! - `generate.rs` makes them from seeds,
//! - `grid.rs` turns network output into 8-bit pictures and arranges them,
//! - `png.rs` writes them, with seed, psi and network in text chunks.

mod generate;
mod grid;
mod png;
mod seeds;

pub use generate::{Noise, Sampler};
pub use grid::{Rgb, grid};
pub use png::{read_text, save_png};
pub use seeds::{parse_grid, parse_seeds};
