//! Files that appear complete or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{Error, Result};

/// Writes beside the place, syncs, renames, and syncs the folder: a kill at any moment leaves the
/// old file or the new one.
///
/// # Errors
/// When the system refuses; nothing of the new file is left then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    create_atomically(path, |file| file.write_all(bytes))
}

/// As [`write_atomically`], for what is too large to hold: `fill` writes it piece by piece.
///
/// # Errors
/// When `fill` fails or the system refuses; nothing of the new file is left then.
pub fn create_atomically(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<()> {
    create(path, fill).map_err(Error::io("write", path))
}

fn create(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let draft = Draft::of(path)?;
    let mut file = File::create(draft.path())?;
    fill(&mut file)?;
    drop(file);
    draft.publish()
}

/// A place beside that of a file or folder, where it is made until it is complete. Dropped before
/// that, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    place: PathBuf,
    temporary: PathBuf,
}

impl Draft {
    /// Makes nothing yet.
    ///
    /// # Errors
    /// When the path ends without a name.
    pub fn of(place: &Path) -> io::Result<Self> {
        let name = place.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        let temporary = place.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        Ok(Self { place: place.to_owned(), temporary })
    }

    /// Where to make it.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts what was made in its place, a file synced and over an older one, a folder where there is
    /// none or an empty one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn publish(self) -> io::Result<()> {
        if self.temporary.is_dir() && self.place.is_dir() {
            fs::remove_dir(&self.place)?;
        }
        if self.temporary.is_file() {
            File::options().write(true).open(&self.temporary)?.sync_all()?;
        }
        fs::rename(&self.temporary, &self.place)?;
        sync_folder(&self.place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A leftover is hidden and harmless; published, there is none.
        let _ = match self.temporary.is_dir() {
            true => fs::remove_dir_all(&self.temporary),
            false => fs::remove_file(&self.temporary),
        };
    }
}

/// The bytes of a file, which are paged in where they are looked at: a file that says it is far
/// larger than it is costs nothing.
///
/// # Errors
/// When the file cannot be read.
pub fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    // SAFETY: the map is only read. Whoever cuts the file meanwhile ends the program with a signal,
    // as for every program that maps files.
    unsafe { Mmap::map(&file) }.map_err(Error::io("read", path))
}

/// A hash that is the same on all machines and in all versions: FNV-1a, 64 bits.
pub fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Temporary files in `folder` that a killed process left behind.
///
/// # Errors
/// When the folder cannot be read.
pub fn leftovers(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Makes the rename itself durable; only Unix can.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
