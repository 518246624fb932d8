//! Pictures from seeds.

use super::Rgb;
use crate::Result;
use crate::device::Device;
use crate::models::sarigan::{Generator, Grouping, LayerCodes};
use crate::ops::random::{Draw, Stream, normals};
use crate::tensor::Tensor;

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

    /// The planes of noise for a seed, `[1, 1, r, r]` each.
    pub fn noise(&self, seed: u64, noise: Noise) -> Vec<Tensor> {
        let plane = |k: usize| {
            let r = self.g.config().noise_size(k);
            let draw = |seed, step| Draw { seed, stream: Stream::SampleNoise.of(k), step };
            let values = match noise {
                Noise::Const => normals(draw(seed, 0), r * r),
                Noise::Random(other) => normals(draw(other, seed), r * r),
                Noise::None => vec![0.0; r * r],
            };
            Tensor::from_slice(&values, [1, 1, r, r], &self.device)
        };
        (0..self.g.config().n_noises()).map(plane).collect()
    }

    /// The picture of a seed.
    ///
    /// # Errors
    /// What the device reports.
    pub fn picture(&self, seed: u64, psi: f64, noise: Noise) -> Result<Rgb> {
        let noise = self.noise(seed, noise);
        let image = self.g.synthesis_with(&self.codes(seed, psi), &noise, &self.groups, |_, _| ());
        let size = self.g.config().size;
        Ok(Rgb::from_planes(&image.to_vec()?, size, size))
    }
}
