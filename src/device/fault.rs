//! The first thing that went wrong on a device. Drivers report late and repeat themselves; results
//! behind the first fault mean nothing, so it is kept and every later read-back returns it.

use std::sync::{Arc, OnceLock};

use crate::{Error, Result};

/// A failure that a real device may have, made on purpose by [`super::Device::fail_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The device goes away, as when a driver is reset or a watchdog steps in.
    Lost,
    /// The work recorded so far is never run, and nobody says so.
    Skipped,
}

#[derive(Clone, Debug)]
pub(super) enum Fault {
    Device { reason: String },
    Memory { tensor: String, requested_bytes: u64, used_bytes: u64 },
    Shader { kernel: String, log: String },
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Device { reason } => Self::Device { reason },
            Fault::Memory { tensor, requested_bytes, used_bytes } => {
                Self::OutOfMemory { tensor, requested_bytes, used_bytes }
            }
            Fault::Shader { kernel, log } => Self::Shader { kernel, log },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Shader { kernel, log } => Self::Shader { kernel, log },
            other => Self::Device { reason: other.to_string() },
        }
    }
}

/// Keeps the first fault.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<OnceLock<Fault>>);

impl Faults {
    pub(super) fn record(&self, fault: impl Into<Fault>) {
        self.0.get_or_init(|| fault.into());
    }

    pub(super) fn device(&self, reason: impl Into<String>) {
        self.record(Fault::Device { reason: reason.into() });
    }

    pub(super) fn check(&self) -> Result<()> {
        self.0.get().map_or(Ok(()), |fault| Err(fault.clone().into()))
    }

    /// Whether work still makes sense.
    pub(super) fn is_none(&self) -> bool {
        self.0.get().is_none()
    }
}
