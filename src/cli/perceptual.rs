//! The perceptual distance, for commands that take its weights.

use std::path::PathBuf;

use crate::models::lpips::Lpips;
use crate::sample::Distance;
use crate::{Device, Error, Result};

/// Side of the smallest pictures that every net of LPIPS can read.
const SMALLEST: usize = 32;

/// How pictures are compared.
#[derive(clap::Args, Debug)]
pub(super) struct PerceptualArgs {
    /// Weights of LPIPS as safetensors: VGG16 or AlexNet, under the keys of torchvision or of the
    /// published package
    #[arg(long, value_name = "FILE")]
    pub(super) lpips: Option<PathBuf>,
}

impl PerceptualArgs {
    /// The distance of pictures [height, width], where its weights were given.
    pub(super) fn open(
        &self,
        picture: [usize; 2],
        device: &Device,
    ) -> Result<Option<Box<Distance>>> {
        let Some(path) = &self.lpips else { return Ok(None) };
        if picture.iter().any(|&side| side < SMALLEST) {
            let reason =
                format!("LPIPS reads {SMALLEST} pixels and more; pictures have {picture:?}");
            return Err(Error::config("--lpips", reason));
        }
        let lpips = Lpips::load(path, device)?;
        Ok(Some(Box::new(move |x, y| lpips.distance(x, y))))
    }
}
