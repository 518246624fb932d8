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
    /// One plane per layer, `[B, 1, r, r']`.
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

/// A part of a batch.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The samples with these numbers.
    Samples(Tensor),
}

impl Part {
    fn new(samples: impl Iterator<Item = usize>, device: &Device) -> Self {
        let samples: Vec<i32> = samples.map(|i| i as i32).collect();
        Self::Samples(Tensor::from_indices(&samples, [samples.len()], device))
    }

    /// Its samples of x `[B, ...]`.
    pub(super) fn of(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Whole => x.clone(),
            Self::Samples(samples) => x.index_select(0, samples),
        }
    }
}

impl Draws {
    pub(super) fn part(&self, part: &Part) -> Self {
        let mix = self.mix.as_ref().map(|mix| match mix {
            Mix::Crossover(z, inject) => Mix::Crossover(part.of(z), *inject),
            Mix::Swap(z) => Mix::Swap(part.of(z)),
        });
        let noise = self.noise.iter().map(|plane| part.of(plane)).collect();
        Self { z: part.of(&self.z), mix, noise }
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
            let [h, w] = config.picture_size();
            let size = [batch, 3, h, w];
            let direction = source.at(Stream::PathDirection, 0).normals(size, &source.device);
            PathInputs { draws: source.draws(2, batch), direction }
        });
        Self { d: source.draws(0, batch), g: source.draws(1, batch), path, real, parts: 1 }
    }

    /// The batch in parts that together judge as the whole does: samples that share a minibatch
    /// deviation, `stddev_group` of them, stay together.
    ///
    /// # Panics
    /// When the parts would have to split such a group.
    #[track_caller]
    pub(super) fn split(&self, stddev_group: usize) -> Vec<Part> {
        if self.parts == 1 {
            return vec![Part::Whole];
        }
        let batch = self.real.size(0);
        let rows = batch / stddev_group;
        assert!(rows.is_multiple_of(self.parts), "{rows} groups in {} parts", self.parts);
        let width = rows / self.parts;
        let part = |k: usize| {
            // Sample i shares its deviation with all those of equal remainder.
            let own = |i: &usize| (k * width..(k + 1) * width).contains(&(i % rows));
            Part::new((0..batch).filter(own), self.real.device())
        };
        (0..self.parts).map(part).collect()
    }
}

impl PathInputs {
    /// At most so many parts, in order.
    pub(super) fn split(&self, parts: usize) -> Vec<Part> {
        if parts == 1 {
            return vec![Part::Whole];
        }
        let batch = self.direction.size(0);
        let width = batch.div_ceil(parts);
        let part =
            |first: usize| Part::new(first..batch.min(first + width), self.direction.device());
        (0..batch).step_by(width).map(part).collect()
    }

    pub(super) fn part(&self, part: &Part) -> Self {
        Self { draws: self.draws.part(part), direction: part.of(&self.direction) }
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
        let choice = self.at(Stream::TrainMix, phase);
        let mixed = choice.uniform(0) < self.recipe.style_mixing;
        // Uniform in 1 ..= n_latents - 1.
        let inject = 1 + (choice.uniform(1) * (self.config.n_latents() - 1) as f64) as usize;
        let mixed_in = || self.at(Stream::TrainMixLatent, phase).normals(width, &self.device);
        let noise = |k: usize| {
            let [h, w] = self.config.noise_size(k);
            (self.at(Stream::TrainNoise, 64 * phase + k), [batch, 1, h, w].into())
        };
        // One buffer of one size for what every step draws.
        let mut wanted = vec![(self.at(Stream::TrainLatent, phase), width.into())];
        wanted.extend((0..self.config.n_noises()).map(noise));
        let mut noise = Draw::normals_of_each(&wanted, &self.device);
        let z = noise.remove(0);
        let mix = mixed.then(|| match self.recipe.mixing {
            Mixing::Crossover => Mix::Crossover(mixed_in(), inject),
            Mixing::Swap => Mix::Swap(mixed_in()),
        });
        Draws { z, mix, noise }
    }
}
