//! Progressive growing: which resolution is trained when, and how real pictures follow. PGGAN,
//! section 2; StyleGAN's published schedules.

use serde::{Deserialize, Serialize};

use crate::ops::resample::pool::Pool2d;
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Sizes are powers of two. A table gives (resolution, value) pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growing {
    /// Side of the first pictures.
    pub init_res: usize,
    /// Side of the last ones.
    pub final_res: usize,
    /// Pictures at one resolution before the next is blended in.
    pub training_images: u64,
    /// Pictures while it is blended in.
    pub transition_images: u64,
    /// Batch size where the table has none.
    pub base_batch: usize,
    /// Batch sizes; empty: `base_batch` times 16, 8, 4 and 2 at 4, 8, 16 and 32, 64 at most.
    pub batch_sizes: Vec<(usize, usize)>,
    /// Factors of the learning rate, 1 where the table has none; empty: 1.5 at 128, 2 at 256, 3 at
    /// 512 and 1024.
    pub lr_scales: Vec<(usize, f64)>,
}

/// Where a training run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Level of detail: how many times the final resolution is halved; a fraction blends two.
    pub lod: f64,
    /// Side of the pictures.
    pub resolution: usize,
    /// Batch size.
    pub batch_size: usize,
    /// Factor of the learning rate.
    pub lr_scale: f64,
}

impl Growing {
    /// Refuses a schedule that does not lead to a resolution: a file may hold anything.
    ///
    /// # Errors
    /// Naming the flag.
    pub fn check(&self, resolution: usize) -> Result<()> {
        let Self { init_res, final_res, training_images, transition_images, .. } = *self;
        let fits = init_res.is_power_of_two() && (4..=resolution).contains(&init_res);
        if !fits || final_res != resolution {
            let reason = format!("{init_res} does not grow to {resolution} by doubling");
            return Err(Error::config("--init-res", reason));
        }
        let images = training_images.checked_add(transition_images);
        match images.filter(|&images| images > 0 && self.base_batch > 0) {
            Some(_) => Ok(()),
            None => Err(Error::config("--grow", "a schedule without pictures")),
        }
    }

    /// The stage after so many pictures.
    pub fn stage(&self, seen: u64) -> Stage {
        let levels = (self.final_res / self.init_res).ilog2();
        let phase = self.training_images + self.transition_images;
        let blended = (seen % phase).saturating_sub(self.training_images) as f64;
        let share = if blended > 0.0 { blended / self.transition_images as f64 } else { 0.0 };
        let lod = (f64::from(levels) - (seen / phase) as f64 - share).max(0.0);
        let resolution = self.init_res << (f64::from(levels) - lod).ceil() as usize;
        Stage {
            lod,
            resolution,
            batch_size: self.batch_size(resolution),
            lr_scale: self.lr_scale(resolution),
        }
    }

    fn batch_size(&self, resolution: usize) -> usize {
        let listed = self.batch_sizes.iter().find(|(side, _)| *side == resolution);
        match listed {
            Some((_, size)) => *size,
            None if !self.batch_sizes.is_empty() => self.base_batch,
            None => (self.base_batch * (64 / resolution).clamp(1, 16)).min(64),
        }
    }

    fn lr_scale(&self, resolution: usize) -> f64 {
        let listed = self.lr_scales.iter().find(|(side, _)| *side == resolution);
        match (listed, resolution) {
            (Some((_, scale)), _) => *scale,
            (None, 128) if self.lr_scales.is_empty() => 1.5,
            (None, 256) if self.lr_scales.is_empty() => 2.0,
            (None, 512 | 1024) if self.lr_scales.is_empty() => 3.0,
            _ => 1.0,
        }
    }
}

impl Growing {
    /// From `init_res` to `final_res`, so many pictures at each resolution and as many while the next
    /// one is blended in. A batch is `batch` pictures at last and twice as many at each resolution
    /// below, 64 at most where `batch` is no more.
    pub fn doubling(init_res: usize, final_res: usize, images: u64, batch: usize) -> Self {
        let levels = (final_res / init_res).ilog2();
        let at = |k: u32| (final_res >> k, (batch << k).min(batch.max(64)));
        Self {
            init_res,
            final_res,
            training_images: images,
            transition_images: images,
            base_batch: batch,
            batch_sizes: (0..=levels).map(at).collect(),
            lr_scales: Vec::new(),
        }
    }

    /// Pictures until the final resolution is all that is trained.
    pub fn images(&self) -> u64 {
        let levels = u64::from((self.final_res / self.init_res).ilog2());
        levels * (self.training_images + self.transition_images)
    }
}

/// Pictures `[N, C, H, W]` of the final size as they are at a level of detail: without what only
/// higher levels show.
///
/// # Panics
/// As [`at_level`].
#[track_caller]
pub fn reduced(x: &Tensor, lod: f64) -> Tensor {
    match lod {
        0.0 => x.clone(),
        1.0.. => at_level(&x.avg_pool2d(&Pool2d::tiles(1 << lod as usize), true), lod),
        _ => at_level(x, lod),
    }
}

/// Pictures `[N, C, H, W]` at a level of detail, enlarged to the final size: blended with their
/// next coarser level by its fraction.
///
/// # Panics
/// When this is no image, or its sides are odd where it has to be halved.
#[track_caller]
pub fn at_level(x: &Tensor, lod: f64) -> Tensor {
    let (whole, fraction) = (lod.floor(), lod.fract());
    let larger =
        |x: &Tensor, by: usize| x.resize([x.size(2) * by, x.size(3) * by], Resize::Nearest);
    if fraction == 0.0 {
        return larger(x, 1 << whole as usize);
    }
    let coarse = larger(&x.avg_pool2d(&Pool2d::tiles(2), true), 2);
    let blended = x.zip(&coarse, |x, coarse| x * (1.0 - fraction) + coarse * fraction);
    larger(&blended, 1 << whole as usize)
}
