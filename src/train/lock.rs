//! Who trains in a run folder: a locked file says so, and the system lets go of it even when the
//! process is killed.
//!
//! A run that ends in order removes the file. So a locked one means that the run goes on, an unlocked
//! one that it broke off, also in a copy of the folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::{Error, Result};

/// The file's name.
pub const LOCK: &str = "run.lock";

/// The folder is this process's as long as this lives.
#[derive(Debug)]
pub struct Lock {
    /// Closing it unlocks.
    _file: File,
    path: PathBuf,
    in_training: bool,
}

/// What the lock of a folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A process trains there.
    Yes,
    /// There is no lock: the run ended in order, or has not begun.
    No,
    /// The process that trained there ended without a word.
    Abandoned,
    /// The file system knows no locks.
    Unknown,
}

impl Lock {
    /// Claims a run folder. Where the file system knows no locks, nobody is kept out.
    ///
    /// # Errors
    /// When another process trains there, or the file cannot be written.
    pub fn acquire(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        // Who only asks ([`held`]) has it for a moment, too; who ends takes the file away.
        for _ in 0..10 {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            let file = file.map_err(Error::io("write", &path))?;
            let is_free = match file.try_lock() {
                Err(TryLockError::WouldBlock) => false,
                Ok(()) | Err(TryLockError::Error(_)) => path.exists(),
            };
            if is_free {
                return Ok(Self { _file: file, path, in_training: false });
            }
            sleep(Duration::from_millis(10));
        }
        let reason = "another process trains in this folder; stop it first, or copy the folder";
        Err(Error::checkpoint(folder, reason))
    }

    /// From now on, an end without [`Lock::release`] is no end in order.
    pub fn hold(&mut self) {
        self.in_training = true;
    }

    /// The run ends in order.
    pub fn release(mut self) {
        self.in_training = false;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.in_training {
            // What is left of it says that the run crashed, which costs no more than a word.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a process trains in a run folder.
pub fn held(folder: &Path) -> Held {
    let Ok(file) = File::open(folder.join(LOCK)) else { return Held::No };
    match file.try_lock_shared() {
        Ok(()) => Held::Abandoned,
        Err(TryLockError::WouldBlock) => Held::Yes,
        Err(TryLockError::Error(_)) => Held::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_trainer_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        assert_eq!(held(folder), Held::No);
        let mut lock = Lock::acquire(folder).expect("free");
        lock.hold();
        assert_eq!(held(folder), Held::Yes);
        let refused = Lock::acquire(folder).expect_err("taken").to_string();
        assert!(refused.contains("another process trains"), "{refused}");
        // As a killed process lets go of it.
        drop(lock);
        assert_eq!(held(folder), Held::Abandoned);
        Lock::acquire(folder).expect("free again").release();
        assert_eq!(held(folder), Held::No);
    }
}
