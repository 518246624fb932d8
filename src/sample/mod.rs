//! Pictures for people: which ones are asked for, and how they reach the disk.
//!
//! - `seeds.rs` reads `--seeds`, `--group` and `--grid`,
//! - `generate.rs` makes them from seeds, `numpy.rs` draws those of other programs,
//! - `grid.rs` turns network output into 8-bit pictures and arranges them,
//! - `heat.rs` colours maps of numbers, and lays them over a picture,
//! - `sheet.rs` arranges what is compared, with labels,
//! - `labels.rs` holds the classes of a picture's pixels,
//! - `png.rs` writes them, with seed, psi and network in text chunks,
//! - `movie.rs` writes one after another as a moving picture.
//!
//! And what goes on in latent space:
//! - `interpolate.rs` finds ways between latents,
//! - `modes.rs` finds clusters of styles, for truncation,
//! - `project` finds the latent of a picture, and tunes a network to it;
//! - `latents.rs` keeps latents in files.

mod generate;
mod grid;
mod heat;
mod interpolate;
mod labels;
mod latents;
mod modes;
mod movie;
mod numpy;
mod png;
mod project;
mod seeds;
mod sheet;

pub use generate::{Look, Noise, Sampler, Seeding};
pub use grid::{Rgb, grid};
pub use heat::Plane;
pub use interpolate::{Path, Way, cubic_spline, lerp, slerp};
pub use labels::LabelMap;
pub use latents::Latents;
pub use modes::{modes, nearest};
pub use movie::{Movie, MovieOptions};
pub(crate) use png::decode_text;
pub use png::{read_text, save_labels_png, save_png};
pub use project::{
    Distance, Likeness, Losses, NoiseScale, PivotalTuning, Projection, ProjectionOptions, Ramp,
    noise_regularizer, normalize_noise,
};
pub use seeds::{parse_grid, parse_groups, parse_layers, parse_list, parse_seeds, ranges};
pub use sheet::{Sheet, cell_side};
