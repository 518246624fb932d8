//! Files that appear complete or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| fill(&mut file).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(path));
    if written.is_err() {
        // What is reported is why writing failed; a leftover is hidden and harmless.
        let _ = fs::remove_file(&temporary);
    }
    written
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
