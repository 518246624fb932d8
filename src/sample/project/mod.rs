//! From a picture back to the latent, and the noise, that a network makes it of: Adam on both.
//! Karras et al. 2020, appendix D; and the network tuned to that picture (Roich et al. 2021).

mod likeness;
mod noise;
mod schedule;
mod tune;

pub use likeness::{Distance, Likeness, Losses};
pub use noise::{NoiseScale, noise_regularizer, normalize_noise};
pub use schedule::Ramp;
pub use tune::PivotalTuning;

use self::schedule::wandering;
use crate::Result;
use crate::autograd::grad;
use crate::models::{Generator, Sizes, Synthesizer};
use crate::nn::{Adam, AdamForm, Moments};
use crate::ops::random::{Draw, Stream, normals};
use crate::tensor::Tensor;

/// Latents behind the mean style and the deviation.
const STATISTICS: usize = 10_000;
/// What the regulariser of optimised noise is multiplied with.
const NOISE_WEIGHT: f64 = 1e5;

/// Adam with decays 0.9 and 0.999.
fn adam(lr: f64) -> Adam {
    Adam { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, form: AdamForm::PyTorch }
}

/// How to look for a latent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProjectionOptions {
    /// Steps that the schedule is spread over.
    pub steps: usize,
    /// A style for each layer (W+), not one for all.
    pub per_layer: bool,
    /// Whether the noise is looked for, too.
    pub with_noise: bool,
    /// Highest step size.
    pub lr: f64,
    /// Of what is drawn on the way.
    pub seed: u64,
    /// Starts at this seed's latent instead of the mean. Networks without a mapping have no mean
    /// and always start at a seed's, `seed` where this is none.
    pub start: Option<u64>,
    /// Class of the picture.
    pub class: Option<usize>,
}

/// A search for the latent of a picture.
///
/// Networks without a mapping are searched in z.
pub struct Projection<'a> {
    g: &'a dyn Generator,
    synthesizer: Box<dyn Synthesizer + 'a>,
    likeness: Likeness<'a>,
    options: ProjectionOptions,
    label: Option<Tensor>,
    has_mapping: bool,
    /// Root of the summed variance of the latent's elements.
    deviation: f64,
    /// Latent `[1, W]` or `[layers, S]`.
    latent: Leaf,
    noise: Vec<Leaf>,
    step: usize,
}

/// A tensor that is optimised, or stays as it is.
struct Leaf {
    value: Tensor,
    moments: Moments,
}

impl Leaf {
    fn new(value: &Tensor) -> Self {
        Self { value: value.detach(), moments: Moments::new(&adam(0.0), value) }
    }

    fn descend(&mut self, gradient: &Tensor, lr: f64) {
        let never = Tensor::scalar(0.0, self.value.device());
        self.value = adam(lr).update(&self.value, gradient, &never, &mut self.moments);
    }
}

impl<'a> Projection<'a> {
    /// Starts in a network that is not being trained. Draws 10,000 latents for their mean and
    /// deviation.
    ///
    /// # Errors
    /// What the device reports.
    pub fn new(
        g: &'a dyn Generator,
        sizes: &Sizes,
        likeness: Likeness<'a>,
        options: ProjectionOptions,
    ) -> Result<Self> {
        let device = &likeness.device().clone();
        let has_mapping = sizes.style.is_some();
        let label = |n| sizes.label(vec![options.class.unwrap_or(0); n], device);
        let seed = options.start.unwrap_or(options.seed);
        let draw = Draw { seed, stream: Stream::SampleLatent.of(0), step: 0 };
        let z = Tensor::from_slice(&normals(draw, sizes.latent), [1, sizes.latent], device);
        let (latent, deviation) = if has_mapping {
            let draw = Draw { seed: 0, stream: Stream::ProjectStyles.of(0), step: 0 };
            let many = normals(draw, STATISTICS * sizes.latent);
            let many = Tensor::from_slice(&many, [STATISTICS, sizes.latent], device);
            let styles = g.map(&many, label(STATISTICS).as_ref());
            let mean = styles.mean(&[0], true);
            let apart = (&styles - &mean).square().sum_all().item()?;
            let w = options.start.map_or(mean, |_| g.map(&z, label(1).as_ref()));
            let each = || Tensor::cat(&g.styles(&w).iter().collect::<Vec<_>>(), 0);
            let latent = if options.per_layer { each() } else { w };
            (latent, (f64::from(apart) / STATISTICS as f64).sqrt())
        } else {
            (z, (sizes.latent as f64).sqrt())
        };
        Ok(Self {
            g,
            synthesizer: g.synthesizer(),
            likeness,
            options,
            label: label(1),
            has_mapping,
            deviation,
            latent: Leaf::new(&latent),
            noise: g.noise().iter().map(Leaf::new).collect(),
            step: 0,
        })
    }

    /// One step toward the target. What it returns is of the picture before the step, whose latent
    /// wanders in the beginning.
    pub fn step(&mut self) -> Losses {
        let ProjectionOptions { steps, seed, lr, with_noise, .. } = self.options;
        let t = self.step as f64 / steps as f64;
        let draw = Draw { seed, stream: Stream::Project.of(0), step: self.step as u64 };
        let latent = self.latent.value.tracked();
        let strength = self.deviation * wandering(t);
        let wandered = match strength > 0.0 {
            true => {
                let normals = normals(draw, latent.numel());
                let normals = Tensor::from_slice(&normals, latent.shape(), latent.device());
                latent.zip(&normals, |x, normal| x + normal * strength)
            }
            false => latent.clone(),
        };
        let noise = self.noise.iter().map(|leaf| &leaf.value);
        let noise: Vec<Tensor> = match with_noise {
            true => noise.map(Tensor::tracked).collect(),
            false => noise.cloned().collect(),
        };
        let picture = self.synthesizer.picture(&self.styles_of(&wandered), &noise, 0.0);
        let losses = self.likeness.losses(&picture);
        let mut total = losses.total();
        let mut inputs = vec![&latent];
        if with_noise {
            total = total + noise_regularizer(&noise) * NOISE_WEIGHT;
            inputs.extend(&noise);
        }
        let gradients = grad(&[&total], &[None], &inputs, false);
        let lr = Ramp { initial_lr: lr, ..Ramp::default() }.lr(t);
        let leaves = std::iter::once(&mut self.latent).chain(&mut self.noise);
        for (leaf, gradient) in leaves.zip(gradients) {
            gradient.iter().for_each(|gradient| leaf.descend(gradient, lr));
        }
        if with_noise {
            for leaf in &mut self.noise {
                leaf.value = normalize_noise(&leaf.value, NoiseScale::RootMeanSquare);
            }
        }
        self.step += 1;
        losses.detach()
    }

    /// The style `[1, S]` of every layer, as it is now.
    pub fn styles(&self) -> Vec<Tensor> {
        self.styles_of(&self.latent.value)
    }

    /// The noise of every layer, as it is now.
    pub fn noise(&self) -> Vec<Tensor> {
        self.noise.iter().map(|leaf| leaf.value.clone()).collect()
    }

    /// The picture `[1, 3, H, W]`, as it is now.
    pub fn picture(&self) -> Tensor {
        self.synthesizer.picture(&self.styles(), &self.noise(), 0.0)
    }

    /// What the picture is charged with, as it is now.
    pub fn losses(&self) -> Losses {
        self.likeness.losses(&self.picture())
    }

    fn styles_of(&self, latent: &Tensor) -> Vec<Tensor> {
        match (self.has_mapping, self.options.per_layer) {
            (true, true) => (0..latent.size(0)).map(|k| latent.narrow(0, k, 1)).collect(),
            (true, false) => self.g.styles(latent),
            (false, _) => self.g.styles(&self.g.map(latent, self.label.as_ref())),
        }
    }
}
