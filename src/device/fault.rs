//! The first thing that went wrong on a device. Drivers report late and repeat themselves; results
//! behind the first fault mean nothing, so it is kept and every later read-back returns it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

#[derive(Clone, Debug)]
pub(super) enum Fault {
    Device { reason: String },
    Memory { requested_bytes: u64, used_bytes: u64 },
    Shader { kernel: String, log: String },
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Device { reason } => Self::Device { reason },
            Fault::Memory { requested_bytes, used_bytes } => {
                Self::OutOfMemory { requested_bytes, used_bytes }
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
pub(super) struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    pub(super) fn record(&self, fault: impl Into<Fault>) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(fault.into());
    }

    pub(super) fn device(&self, reason: impl Into<String>) {
        self.record(Fault::Device { reason: reason.into() });
    }

    pub(super) fn check(&self) -> Result<()> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().map_or(Ok(()), |fault| Err(fault.into()))
    }
}
