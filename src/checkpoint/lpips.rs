//! Weights of LPIPS from a plain safetensors file.

use std::path::Path;

use super::Checkpoint;
use crate::Result;
use crate::device::Device;
use crate::models::lpips::Lpips;

impl Lpips {
    /// Reads the weights; see [`Lpips::loaded`] for their keys.
    ///
    /// # Errors
    /// Naming the file, the first key that is missing, and all that are wanted.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let file = Checkpoint::plain(path)?;
        Self::loaded(&file.tensors, device).map_err(|error| file.blame(error))
    }
}
