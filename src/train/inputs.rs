//! Everything random or read from disk that a step needs, as tensors.

use super::recipe::{Phase, Recipe};
use crate::device::Device;
use crate::models::sarigan::Config;
use crate::ops::random::{Draw, Stream};
use crate::tensor::Tensor;

/// What one batch of fakes is made from.
#[derive(Clone, Debug)]
pub struct Draws {
    /// Latents `[B, S]`.
    pub z: Tensor,
    /// Second latents and the layer from which on they are used.
    pub mix: Option<(Tensor, usize)>,
    /// One plane per layer, `[B, 1, r, r]`.
    pub noise: Vec<Tensor>,
}

/// What the path-length phase needs.
#[derive(Clone, Debug)]
pub struct PathInputs {
    /// Its own, smaller batch.
    pub draws: Draws,
    /// Direction in the picture, `[B, 3, H, W]`, of unit variance.
    pub direction: Tensor,
}

/// Inputs of one training step.
#[derive(Clone, Debug)]
pub struct StepInputs {
    /// Pictures `[B, 3, H, W]`, from -1 to 1.
    pub real: Tensor,
    /// For the discriminator's phase.
    pub d: Draws,
    /// For the generator's phase.
    pub g: Draws,
    /// At steps where the path-length phase fires.
    pub path: Option<PathInputs>,
}

impl StepInputs {
    /// The inputs of a step as a function of (seed, step); `real` comes from the loader.
    pub fn draw(config: &Config, recipe: &Recipe, seed: u64, step: u64, real: Tensor) -> Self {
        let batch = real.size(0);
        let source = Source { config, recipe, seed, step, device: real.device().clone() };
        let fires = recipe.at(step).any(|s| matches!(s.phase, Phase::PathLength { .. }));
        let path = fires.then(|| {
            let batch = (batch / 2).max(1);
            let size = [batch, 3, config.size, config.size];
            let direction = source.at(Stream::PathDirection, 0).normals(size, &source.device);
            PathInputs { draws: source.draws(2, batch), direction }
        });
        Self { d: source.draws(0, batch), g: source.draws(1, batch), path, real }
    }
}

struct Source<'a> {
    config: &'a Config,
    recipe: &'a Recipe,
    seed: u64,
    step: u64,
    device: Device,
}

impl Source<'_> {
    fn at(&self, stream: Stream, k: usize) -> Draw {
        Draw { seed: self.seed, stream: stream.of(k), step: self.step }
    }

    fn draws(&self, phase: usize, batch: usize) -> Draws {
        let width = [batch, self.config.style_dim];
        let latent = |stream| self.at(stream, phase).normals(width, &self.device);
        let choice = self.at(Stream::TrainMix, phase);
        let mixed = choice.uniform(0) < self.recipe.style_mixing;
        // Uniform in 1 ..= n_latents - 1.
        let inject = 1 + (choice.uniform(1) * (self.config.n_latents() - 1) as f64) as usize;
        let noise = |k: usize| {
            let r = self.config.noise_size(k);
            self.at(Stream::TrainNoise, 64 * phase + k).normals([batch, 1, r, r], &self.device)
        };
        Draws {
            z: latent(Stream::TrainLatent),
            mix: mixed.then(|| (latent(Stream::TrainMixLatent), inject)),
            noise: (0..self.config.n_noises()).map(noise).collect(),
        }
    }
}
