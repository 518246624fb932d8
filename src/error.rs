//! The one error type of the library. Variants are grouped by what the user can do about them.

use std::path::{Path, PathBuf};

use crate::memory::human;

/// What went wrong in the world outside the program. Mistakes in shapes and arguments of tensor
/// operations panic instead (see the crate documentation).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No adapter fits the request: install a driver, or choose another `--device`.
    #[error("no GPU for `--device {wanted}`: {reason}")]
    NoAdapter {
        /// The device string as given.
        wanted: String,
        /// What was found instead, and what to do.
        reason: String,
    },
    /// The device ran out of memory: compute the batch in parts, or lower it or the resolution.
    #[error(
        "out of device memory: {tensor} asks for {} with {} in use; a smaller --batch-gpu, --batch \
         or --res lowers it", human(*requested_bytes), human(*used_bytes)
    )]
    OutOfMemory {
        /// The tensor: the operation that makes it, and its shape.
        tensor: String,
        /// Bytes of the allocation that failed.
        requested_bytes: u64,
        /// Bytes held when it failed.
        used_bytes: u64,
    },
    /// The driver reported an error, was lost, or did not answer in time.
    #[error("GPU error: {reason}")]
    Device {
        /// The driver's words, with the kernel's label where known.
        reason: String,
    },
    /// A kernel was refused by the driver or by the loader's checks.
    #[error("kernel {kernel} was refused: {log}")]
    Shader {
        /// Path of the kernel below `shaders/`, or the generated kernel's label.
        kernel: String,
        /// The compiler's message.
        log: String,
    },
    /// A network, snapshot or golden file that cannot be used.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, naming the key where there is one.
        reason: String,
    },
    /// A data set, or one picture of it, that cannot be used.
    #[error("{}: {reason}", path.display())]
    Dataset {
        /// The folder, archive or picture.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// An option or a configuration value that makes no sense.
    #[error("{field}: {reason}")]
    Config {
        /// The flag or the field.
        field: String,
        /// Why it is refused, and what is accepted.
        reason: String,
    },
    /// A table of kernel forms that cannot be used: measure again with `semgan tune`.
    #[error("{}: {reason}; measure again with `semgan tune`, or use --tuning off", path.display())]
    Tuning {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "create".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Training met a number that is not finite. Nothing was written with it.
    #[error(
        "{parameter} became non-finite in step {step}, phase {phase}; the newest snapshot is from \
         before; try a lower --lr or a higher --r1-gamma"
    )]
    NonFinite {
        /// Key of the first parameter whose gradient or value is bad.
        parameter: String,
        /// Training step, from 0.
        step: u64,
        /// Phase of the step.
        phase: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `map_err`: `fs::read(p).map_err(Error::io("read", p))`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// An [`Error::Checkpoint`].
    pub fn checkpoint(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.as_ref().to_owned(), reason: reason.into() }
    }

    /// An [`Error::Dataset`].
    pub fn dataset(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Dataset { path: path.as_ref().to_owned(), reason: reason.into() }
    }

    /// An [`Error::Config`].
    pub fn config(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { field: field.into(), reason: reason.into() }
    }
}

/// Result with the library's [`Error`], unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;
