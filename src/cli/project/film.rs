//! A search as a moving picture.

use std::path::Path;

use clap::ValueEnum;

use crate::Result;
use crate::sample::{Movie, MovieOptions, Rgb, grid};

/// Frames per second.
const FPS: u16 = 20;
/// Frames that the last picture stays for.
const HOLD: usize = 40;

/// Kind of moving picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Video {
    Gif,
    Apng,
    Mp4,
    /// None
    Off,
}

/// The target beside what was found so far.
pub(super) struct Film {
    target: Rgb,
    movie: Option<Movie>,
}

impl Film {
    /// `proj.gif` or its like in a folder.
    pub(super) fn create(folder: &Path, target: &Rgb, video: Video) -> Result<Self> {
        let name = match video {
            Video::Gif => Some("proj.gif"),
            Video::Apng => Some("proj.apng"),
            Video::Mp4 => Some("proj.mp4"),
            Video::Off => None,
        };
        let size = [2 * target.width, target.height];
        let create =
            |name| Movie::create(folder.join(name), size, FPS, MovieOptions { repeats: true });
        Ok(Self { target: target.clone(), movie: name.map(create).transpose()? })
    }

    /// Whether anybody watches.
    pub(super) fn is_on(&self) -> bool {
        self.movie.is_some()
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, picture: &Rgb) -> Result<()> {
        let Some(movie) = &mut self.movie else { return Ok(()) };
        movie.push(&grid(&[self.target.clone(), picture.clone()], 2, 1))
    }

    /// Shows the last picture for a while, and ends.
    pub(super) fn finish(mut self, last: &Rgb) -> Result<()> {
        (0..HOLD).try_for_each(|_| self.push(last))?;
        self.movie.map_or(Ok(()), Movie::finish)
    }
}
