//! Pictures from seeds.

use std::collections::VecDeque;

use super::Rgb;
use crate::Result;
use crate::device::Device;
use crate::models::sarigan::{Generator, Grouping, LayerCodes};
use crate::ops::random::{Draw, Stream, normals};
use crate::tensor::{Pending, Tensor};

/// Pictures that a device has been asked for at once.
const AHEAD: usize = 4;

/// Where the noise of a picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// From the picture's seed: the same every time.
    Const,
    /// From this other seed, different for every picture.
    Random(u64),
    /// There is none.
    None,
}

/// A generator that makes one picture per seed.
///
/// Latent and noise are drawn on the host from (seed, stream), and every picture is computed alone,
/// so that it depends neither on its neighbours nor on the order.
pub struct Sampler<'a> {
    g: &'a Generator,
    mean: &'a Tensor,
    device: Device,
    groups: Vec<Grouping>,
}

impl<'a> Sampler<'a> {
    /// From a network that is not being trained, and its mean style `[1, 2 S]`.
    pub fn new(g: &'a Generator, mean: &'a Tensor) -> Self {
        Self { g, mean, device: mean.device().clone(), groups: g.groupings() }
    }

    /// The network.
    pub fn generator(&self) -> &Generator {
        self.g
    }

    /// The groups of every layer of `convs`.
    pub fn groups(&self) -> &[Grouping] {
        &self.groups
    }

    /// The final style `[1, 2 S]` of a seed, truncated toward the mean.
    pub fn style(&self, seed: u64, psi: f64) -> Tensor {
        let width = self.g.config().style_dim;
        let draw = Draw { seed, stream: Stream::SampleLatent.of(0), step: 0 };
        let z = Tensor::from_slice(&normals(draw, width), [1, width], &self.device);
        let (_, w) = self.g.mapping.forward(&z);
        if psi == 1.0 { w } else { self.g.truncate(&w, self.mean, psi) }
    }

    /// What the layers make of that style.
    pub fn codes(&self, seed: u64, psi: f64) -> LayerCodes {
        self.g.codes(&vec![self.style(seed, psi); self.g.config().n_latents()])
    }

    /// The planes of noise for a seed, `[1, 1, r, r']` each.
    pub fn noise(&self, seed: u64, noise: Noise) -> Vec<Tensor> {
        let plane = |k: usize| {
            let [h, w] = self.g.config().noise_size(k);
            let draw = |seed, step| Draw { seed, stream: Stream::SampleNoise.of(k), step };
            let values = match noise {
                Noise::Const => normals(draw(seed, 0), h * w),
                Noise::Random(other) => normals(draw(other, seed), h * w),
                Noise::None => vec![0.0; h * w],
            };
            Tensor::from_slice(&values, [1, 1, h, w], &self.device)
        };
        (0..self.g.config().n_noises()).map(plane).collect()
    }

    /// The picture of a seed.
    ///
    /// # Errors
    /// What the device reports.
    pub fn picture(&self, seed: u64, psi: f64, noise: Noise) -> Result<Rgb> {
        self.finish(self.start(seed, psi, noise))
    }

    /// The pictures of seeds, in their order. The device works ahead while earlier ones are used.
    ///
    /// # Errors
    /// As [`Sampler::picture`], in place of a picture.
    pub fn pictures(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        psi: f64,
        noise: Noise,
    ) -> impl Iterator<Item = Result<Rgb>> {
        let mut seeds = seeds.into_iter();
        let mut started = VecDeque::new();
        std::iter::from_fn(move || {
            while started.len() < AHEAD
                && let Some(seed) = seeds.next()
            {
                started.push_back(self.start(seed, psi, noise));
            }
            started.pop_front().map(|picture| self.finish(picture))
        })
    }

    fn start(&self, seed: u64, psi: f64, noise: Noise) -> Pending {
        let noise = self.noise(seed, noise);
        let codes = self.codes(seed, psi);
        self.g.synthesis_with(&codes, &noise, &self.groups, |_, _| ()).read_async()
    }

    fn finish(&self, picture: Pending) -> Result<Rgb> {
        let [height, width] = self.g.config().picture_size();
        Ok(Rgb::from_planes(&picture.wait()?, width, height))
    }
}
