//! A model together with what its layers hold.

use super::module::{Builder, Parameters, Values};
use crate::Result;
use crate::device::Device;

/// A model and its parameters.
pub struct Network<M> {
    /// The layers.
    pub model: M,
    /// What they hold.
    pub params: Parameters,
}

impl<M> Network<M> {
    /// What `build` makes, with initial values drawn from `seed`.
    pub fn initialized(seed: u64, device: &Device, build: impl FnOnce(&mut Builder) -> M) -> Self {
        let mut builder = Builder::default();
        let model = build(&mut builder);
        Self { model, params: builder.initialized(seed, device) }
    }

    /// What `build` makes, with values by key.
    ///
    /// # Errors
    /// As [`Builder::loaded`].
    pub fn loaded(
        values: &Values,
        device: &Device,
        build: impl FnOnce(&mut Builder) -> M,
    ) -> Result<Self> {
        let mut builder = Builder::default();
        let model = build(&mut builder);
        Ok(Self { model, params: builder.loaded(values, device)? })
    }
}
