//! Everything random or read from disk that a step needs, as tensors.

use super::augment::{Augmentation, Pipeline};
use super::recipe::{Mixing, Objective, Phase, Recipe};
use crate::device::Device;
use crate::models::Sizes;
use crate::models::semantic_stylegan::injected;
use crate::ops::random::{Draw, Stream};
use crate::tensor::Tensor;

/// What one batch of fakes is made from.
#[derive(Clone, Debug)]
pub struct Draws {
    /// Latents `[B, S]`.
    pub z: Tensor,
    /// Second latents, where there are any.
    pub mix: Option<Mix>,
    /// One for each layer that takes it, `[B, 1, r, r']`; without, the network's own counts.
    pub noise: Vec<Tensor>,
    /// Classes `[B, classes]`, where there are any: 1 for a sample's own, else 0.
    pub label: Option<Tensor>,
    /// Where WGAN-GP looks between a real picture and a fake one, `[B, 1, 1, 1]`.
    pub blend: Option<Tensor>,
    /// What happens to the pictures before they are judged.
    pub augment: Option<Augmentation>,
}

/// Second latents `[B, S]` and what they are for.
#[derive(Clone, Debug)]
pub enum Mix {
    /// Their styles take over from this layer on.
    Crossover(Tensor, usize),
    /// Their intra codes join the inter codes of the first ones.
    Swap(Tensor),
    /// Their styles take the layers where `[B, layers]` is 1.
    Each(Tensor, Tensor),
}

/// A part of a batch.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The samples with these numbers, here and on the device.
    Samples(Vec<usize>, Tensor),
}

impl Part {
    fn new(samples: impl Iterator<Item = usize>, device: &Device) -> Self {
        let samples: Vec<usize> = samples.collect();
        let indices: Vec<i32> = samples.iter().map(|&i| i as i32).collect();
        let indices = Tensor::from_indices(&indices, [indices.len()], device);
        Self::Samples(samples, indices)
    }

    /// Its samples of x `[B, ...]`.
    pub(super) fn of(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Whole => x.clone(),
            Self::Samples(_, samples) => x.index_select(0, samples),
        }
    }

    fn of_augmentation(&self, drawn: Option<&Augmentation>) -> Option<Augmentation> {
        drawn.map(|drawn| match self {
            Self::Whole => drawn.clone(),
            Self::Samples(samples, _) => drawn.part(samples),
        })
    }
}

impl Draws {
    pub(super) fn part(&self, part: &Part) -> Self {
        let mix = self.mix.as_ref().map(|mix| match mix {
            Mix::Crossover(z, inject) => Mix::Crossover(part.of(z), *inject),
            Mix::Swap(z) => Mix::Swap(part.of(z)),
            Mix::Each(z, is_second) => Mix::Each(part.of(z), part.of(is_second)),
        });
        let noise = self.noise.iter().map(|plane| part.of(plane)).collect();
        let of = |x: &Option<Tensor>| x.as_ref().map(|x| part.of(x));
        let (label, blend) = (of(&self.label), of(&self.blend));
        let augment = part.of_augmentation(self.augment.as_ref());
        Self { z: part.of(&self.z), mix, noise, label, blend, augment }
    }
}

/// Real pictures.
#[derive(Clone, Debug)]
pub struct Reals {
    /// `[B, 3, H, W]`, from -1 to 1; behind them label maps `[B, K, H, W]`, 1 for a pixel's class
    /// and -1 for the others, where the discriminator reads these.
    pub images: Tensor,
    /// Their classes, as of [`Draws`].
    pub label: Option<Tensor>,
    /// Level of detail at which they are, and at which networks that grow are trained.
    pub lod: f64,
    /// What happens to them before they are judged: for the loss, and for the gradient penalty.
    pub augment: Option<[Augmentation; 2]>,
}

impl From<Tensor> for Reals {
    fn from(images: Tensor) -> Self {
        Self { images, label: None, lod: 0.0, augment: None }
    }
}

impl Reals {
    pub(super) fn part(&self, part: &Part) -> Self {
        let label = self.label.as_ref().map(|label| part.of(label));
        let augment = self.augment.as_ref().map(|both| {
            both.each_ref().map(|drawn| part.of_augmentation(Some(drawn)).expect("a part"))
        });
        Self { images: part.of(&self.images), label, lod: self.lod, augment }
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
    /// From the loader.
    pub reals: Reals,
    /// For the discriminator's phase.
    pub d: Draws,
    /// For the generator's phase.
    pub g: Draws,
    /// At steps where the path-length phase fires.
    pub path: Option<PathInputs>,
    /// Factor of the learning rate.
    pub lr_scale: f64,
    /// In how many parts, one after another, the batch is computed; 1 is the whole.
    pub parts: usize,
}

impl StepInputs {
    /// The inputs of a step as a function of (seed, step), in one part; the fakes have the classes of
    /// the reals.
    pub fn draw(
        sizes: &Sizes,
        recipe: &Recipe,
        seed: u64,
        step: u64,
        reals: impl Into<Reals>,
    ) -> Self {
        let reals = reals.into();
        let batch = reals.images.size(0);
        let source = Source { sizes, recipe, seed, step, reals: &reals };
        let fires = recipe.at(step).any(|s| matches!(s.phase, Phase::PathLength { .. }));
        let path = fires.then(|| {
            let batch = (batch / 2).max(1);
            let [h, w] = sizes.picture;
            let device = reals.images.device();
            let direction = source.at(Stream::PathDirection, 0).normals([batch, 3, h, w], device);
            PathInputs { draws: source.draws(2, batch), direction }
        });
        let (d, g) = (source.draws(0, batch), source.draws(1, batch));
        Self { d, g, path, reals, lr_scale: 1.0, parts: 1 }
    }

    /// With transformations of a pipeline on every picture that is judged, each with probability p.
    #[must_use]
    pub fn augmented(mut self, pipeline: Pipeline, p: f64, seed: u64, step: u64) -> Self {
        let &[n, channels, h, w] = &self.reals.images.shape()[..] else {
            panic!("augmented: {:?}", self.reals.images.shape())
        };
        let device = self.reals.images.device().clone();
        let drawn = |stream: Stream| {
            let draw = Draw { seed, stream: stream.of(0), step };
            pipeline.draw(p, draw, n, [h, w], channels, &device)
        };
        self.reals.augment =
            Some([drawn(Stream::AugmentRealsOfD), drawn(Stream::AugmentRealsOfR1)]);
        self.d.augment = Some(drawn(Stream::AugmentFakesOfD));
        self.g.augment = Some(drawn(Stream::AugmentFakesOfG));
        self
    }

    /// Pictures per phase.
    pub fn batch(&self) -> usize {
        self.reals.images.size(0)
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
        let batch = self.batch();
        let rows = batch / stddev_group;
        assert!(rows.is_multiple_of(self.parts), "{rows} groups in {} parts", self.parts);
        let width = rows / self.parts;
        let part = |k: usize| {
            // Sample i shares its deviation with all those of equal remainder.
            let own = |i: &usize| (k * width..(k + 1) * width).contains(&(i % rows));
            Part::new((0..batch).filter(own), self.reals.images.device())
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
    sizes: &'a Sizes,
    recipe: &'a Recipe,
    seed: u64,
    step: u64,
    reals: &'a Reals,
}

impl Source<'_> {
    fn at(&self, stream: Stream, k: usize) -> Draw {
        Draw { seed: self.seed, stream: stream.of(k), step: self.step }
    }

    /// Layers that run: each whole level of detail leaves out two.
    fn layers(&self) -> usize {
        self.sizes.layers.saturating_sub(2 * self.reals.lod as usize)
    }

    fn draws(&self, phase: usize, batch: usize) -> Draws {
        let (sizes, recipe, device) = (self.sizes, self.recipe, self.reals.images.device());
        let choice = self.at(Stream::TrainMix, phase);
        let mixed = choice.uniform(0) < recipe.style_mixing && self.layers() > 1;
        let second =
            || self.at(Stream::TrainMixLatent, phase).normals([batch, sizes.latent], device);
        let mix = || match recipe.mixing {
            // Uniform in 1 ..= layers - 1.
            Mixing::Crossover => {
                let inject = 1 + (choice.uniform(1) * (self.layers() - 1) as f64) as usize;
                Mix::Crossover(second(), inject)
            }
            Mixing::Swap => Mix::Swap(second()),
            Mixing::Classes => {
                let inject = |k| (3.0 * choice.uniform(1 + k)) as i32;
                let inject: Vec<i32> = (0..sizes.parts * batch).map(inject).collect();
                let base = sizes.layers - 2 * sizes.parts;
                Mix::Each(second(), injected(base, &inject, batch, device))
            }
        };
        let noise = |(k, &[c, h, w]): (usize, &[usize; 3])| {
            (self.at(Stream::TrainNoise, 64 * phase + k), [batch, c, h, w].into())
        };
        // One buffer of one size for what every step draws.
        let mut wanted = vec![(self.at(Stream::TrainLatent, phase), [batch, sizes.latent].into())];
        wanted.extend(sizes.noise.iter().enumerate().map(noise));
        let mut noise = Draw::normals_of_each(&wanted, device);
        let blend = matches!(recipe.objective, Objective::WganGp(_))
            .then(|| self.at(Stream::TrainBlend, phase).uniforms([batch, 1, 1, 1], device));
        Draws {
            z: noise.remove(0),
            mix: mixed.then(mix),
            noise,
            label: self.reals.label.as_ref().map(|label| label.narrow(0, 0, batch)),
            blend,
            augment: None,
        }
    }
}
