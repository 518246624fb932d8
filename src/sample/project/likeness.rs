//! How far a picture is from the one that is looked for.

use crate::device::Device;
use crate::ops::resample::pool::Pool2d;
use crate::tensor::Tensor;

/// Perceptual distance `[N]` of two batches of pictures `[N, 3, H, W]` from -1 to 1.
pub type Distance = dyn Fn(&Tensor, &Tensor) -> Tensor;

/// Side below which pictures are not halved.
const SMALLEST: usize = 8;
/// Side above which pictures are averaged down before their perceptual distance is taken.
const PERCEIVED: usize = 256;

/// A target and what it is compared by.
pub struct Likeness<'a> {
    /// The target, and smaller ones where pictures are compared at more than one size.
    scales: Vec<Tensor>,
    perceived: Tensor,
    distance: Option<&'a Distance>,
}

/// What a picture is charged with, each of one element.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Mean squared error, summed over the sizes.
    pub pixels: Tensor,
    /// Perceptual distance, where it is measured.
    pub perceptual: Option<Tensor>,
}

impl Losses {
    /// Without what they were computed from.
    pub fn detach(&self) -> Self {
        let perceptual = self.perceptual.as_ref().map(Tensor::detach);
        Self { pixels: self.pixels.detach(), perceptual }
    }

    /// Their sum.
    pub fn total(&self) -> Tensor {
        match &self.perceptual {
            Some(perceptual) => &self.pixels + perceptual,
            None => self.pixels.clone(),
        }
    }
}

impl<'a> Likeness<'a> {
    /// To a target `[1, 3, H, W]` from -1 to 1: mean squared error at its size and at every halving
    /// by 2 x 2 means down to a side of 8, and the distance where there is one.
    pub fn new(target: &Tensor, distance: Option<&'a Distance>) -> Self {
        let mut scales = vec![target.clone()];
        while let Some(smaller) = scales.last().and_then(halved) {
            scales.push(smaller);
        }
        Self { scales, perceived: perceived(target), distance }
    }

    /// As [`Likeness::new`], at the target's size alone.
    pub fn at_full_size(target: &Tensor, distance: Option<&'a Distance>) -> Self {
        Self { scales: vec![target.clone()], perceived: perceived(target), distance }
    }

    /// Where pictures are compared.
    pub fn device(&self) -> &Device {
        self.perceived.device()
    }

    /// Of a picture `[1, 3, H, W]`.
    ///
    /// # Panics
    /// When its shape is not the target's.
    #[track_caller]
    pub fn losses(&self, picture: &Tensor) -> Losses {
        let mut scaled = picture.clone();
        let mut pixels = Vec::new();
        for (k, target) in self.scales.iter().enumerate() {
            if k > 0 {
                scaled = scaled.avg_pool2d(&Pool2d::tiles(2), true);
            }
            pixels.push((&scaled - target).square().mean_all());
        }
        let pixels = pixels.into_iter().reduce(|a, b| a + b).expect("a size");
        let of = |distance: &Distance| distance(&perceived(picture), &self.perceived).mean_all();
        Losses { pixels, perceptual: self.distance.map(of) }
    }
}

/// The picture at half its size, while that is large enough.
fn halved(picture: &Tensor) -> Option<Tensor> {
    let is_large = picture.size(2).min(picture.size(3)) >= 2 * SMALLEST;
    is_large.then(|| picture.avg_pool2d(&Pool2d::tiles(2), true))
}

/// The picture as its perceptual distance is taken.
fn perceived(picture: &Tensor) -> Tensor {
    match picture.size(2) / PERCEIVED {
        factor @ 2.. => picture.avg_pool2d(&Pool2d::tiles(factor), true),
        _ => picture.clone(),
    }
}
