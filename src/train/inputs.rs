//! Everything random or read from disk that a step needs, as tensors.

use super::recipe::{Mixing, Phase, Recipe};
use crate::device::Device;
use crate::models::sarigan::Config;
use crate::ops::random::{Draw, Stream};
use crate::tensor::Tensor;

/// What one batch of fakes is made from.
#[derive(Clone, Debug)]
pub struct Draws {
    /// Latents `[B, S]`.
    pub z: Tensor,
    /// Second latents, where there are any.
    pub mix: Option<Mix>,
    /// One plane per layer, `[B, 1, r, r]`.
    pub noise: Vec<Tensor>,
}

/// Second latents `[B, S]` and what they are for.
#[derive(Clone, Debug)]
pub enum Mix {
    /// Their styles take over from this layer on.
    Crossover(Tensor, usize),
    /// Their intra codes join the inter codes of the first ones.
    Swap(Tensor),
}

impl Draws {
    /// The samples with these numbers.
    fn select(&self, samples: &Tensor) -> Self {
        let select = |x: &Tensor| x.index_select(0, samples);
        let mix = self.mix.as_ref().map(|mix| match mix {
            Mix::Crossover(z, inject) => Mix::Crossover(select(z), *inject),
            Mix::Swap(z) => Mix::Swap(select(z)),
        });
        Self { z: select(&self.z), mix, noise: self.noise.iter().map(select).collect() }
    }
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
    /// In how many parts, one after another, the batch is computed; 1 is the whole.
    pub parts: usize,
}

impl StepInputs {
    /// The inputs of a step as a function of (seed, step), in one part; `real` comes from the
    /// loader.
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
        Self { d: source.draws(0, batch), g: source.draws(1, batch), path, real, parts: 1 }
    }

    /// The batch in parts that together judge as the whole does: samples that share a minibatch
    /// deviation, `stddev_group` at most, stay together.
    ///
    /// # Panics
    /// When the parts would have to split such a group.
    #[track_caller]
    pub(super) fn batches(&self, stddev_group: usize) -> Vec<Batch> {
        let whole = || Batch { real: self.real.clone(), d: self.d.clone(), g: self.g.clone() };
        if self.parts == 1 {
            return vec![whole()];
        }
        let batch = self.real.size(0);
        let rows = batch / stddev_group.min(batch);
        assert!(rows.is_multiple_of(self.parts), "{rows} groups in {} parts", self.parts);
        let width = (rows / self.parts) as i32;
        let part = |k: usize| {
            // Sample i shares its deviation with all those of equal remainder.
            let first = k as i32 * width;
            let own = |i: &i32| (first..first + width).contains(&(i % rows as i32));
            let samples = numbers((0..batch as i32).filter(own), self.real.device());
            Batch {
                real: self.real.index_select(0, &samples),
                d: self.d.select(&samples),
                g: self.g.select(&samples),
            }
        };
        (0..self.parts).map(part).collect()
    }
}

/// Sample numbers to select by.
fn numbers(samples: impl Iterator<Item = i32>, device: &Device) -> Tensor {
    let samples: Vec<i32> = samples.collect();
    Tensor::from_indices(&samples, [samples.len()], device)
}

/// What the phases that judge pictures need, for a part of the batch.
pub(super) struct Batch {
    pub(super) real: Tensor,
    pub(super) d: Draws,
    pub(super) g: Draws,
}

impl PathInputs {
    /// The same in at most so many parts, in order.
    pub(super) fn split(&self, parts: usize) -> Vec<Self> {
        let batch = self.direction.size(0);
        let width = batch.div_ceil(parts);
        let part = |first: usize| {
            let end = batch.min(first + width);
            let samples = numbers(first as i32..end as i32, self.direction.device());
            let direction = self.direction.index_select(0, &samples);
            Self { draws: self.draws.select(&samples), direction }
        };
        (0..batch).step_by(width).map(part).collect()
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
            mix: mixed.then(|| match self.recipe.mixing {
                Mixing::Crossover => Mix::Crossover(latent(Stream::TrainMixLatent), inject),
                Mixing::Swap => Mix::Swap(latent(Stream::TrainMixLatent)),
            }),
            noise: (0..self.config.n_noises()).map(noise).collect(),
        }
    }
}
