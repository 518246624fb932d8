//! Reading at a place of a file that many threads share.

use std::fs::File;
use std::io::{self, Read};

/// A reader from a place of a file on, without a position in the file itself.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Window<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        Self { file, at: 0 }
    }

    /// The same file, from here on.
    pub(super) fn at(self, at: u64) -> Self {
        Self { at, ..self }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let n = std::os::unix::fs::FileExt::read_at(self.file, into, self.at)?;
        #[cfg(windows)]
        let n = std::os::windows::fs::FileExt::seek_read(self.file, into, self.at)?;
        self.at = self.at.saturating_add(n as u64);
        Ok(n)
    }
}
