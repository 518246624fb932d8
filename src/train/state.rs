//! Everything that a training run is between two steps: networks, moments, counters.

use std::collections::BTreeMap;

use super::recipe::Recipe;
use crate::Result;
use crate::device::Device;
use crate::models::sarigan::{Config, Discriminator, Generator};
use crate::nn::{Builder, Moments, Parameters};
use crate::tensor::Tensor;

/// A model and its parameters.
pub struct Network<M> {
    /// The layers.
    pub model: M,
    /// What they hold.
    pub params: Parameters,
}

/// Numbers by key, as files hold them.
pub type Values = BTreeMap<String, Vec<f32>>;

impl Network<Generator> {
    /// A generator with initial values drawn from `seed`.
    pub fn generator(config: &Config, seed: u64, device: &Device) -> Self {
        let mut builder = Builder::default();
        let model = Generator::new(config, &mut builder, device);
        Self { model, params: builder.initialized(seed, device) }
    }

    /// A generator with values from a file.
    ///
    /// # Errors
    /// When a value is missing, of the wrong size or not finite.
    pub fn loaded_generator(config: &Config, values: &Values, device: &Device) -> Result<Self> {
        let mut builder = Builder::default();
        let model = Generator::new(config, &mut builder, device);
        Ok(Self { model, params: builder.loaded(values, device)? })
    }
}

impl Network<Discriminator> {
    /// A discriminator with initial values drawn from `seed`.
    pub fn discriminator(config: &Config, seed: u64, device: &Device) -> Self {
        let mut builder = Builder::default();
        let model = Discriminator::new(config, &mut builder, device);
        Self { model, params: builder.initialized(seed, device) }
    }

    /// A discriminator with values from a file.
    ///
    /// # Errors
    /// When a value is missing, of the wrong size or not finite.
    pub fn loaded_discriminator(config: &Config, values: &Values, device: &Device) -> Result<Self> {
        let mut builder = Builder::default();
        let model = Discriminator::new(config, &mut builder, device);
        Ok(Self { model, params: builder.loaded(values, device)? })
    }
}

/// A run between two steps. It holds counters, not generators of random numbers.
pub struct State {
    /// The generator.
    pub g: Network<Generator>,
    /// The discriminator.
    pub d: Network<Discriminator>,
    /// Moving average of the generator; it keeps noise planes of its own.
    pub g_ema: Network<Generator>,
    /// Adam's memory of the generator.
    pub moments_g: Moments,
    /// Adam's memory of the discriminator.
    pub moments_d: Moments,
    /// Running mean of the path lengths, rank 0.
    pub mean_path_length: Tensor,
    /// Above 0 once a gradient was not finite: from then on no update changes anything. Rank 0.
    pub blocked: Tensor,
    /// Steps done.
    pub step: u64,
    /// Real images shown.
    pub images: u64,
}

impl State {
    /// The state before the first step.
    pub fn new(config: &Config, recipe: &Recipe, seed: u64, device: &Device) -> Self {
        let g = Network::generator(config, seed, device);
        let d = Network::discriminator(config, seed.wrapping_add(1), device);
        let g_ema = Network::generator(config, seed.wrapping_add(2), device);
        Self::from_networks(g, d, g_ema, recipe, device)
    }

    /// A first state from given networks; the average starts as a copy of the generator.
    pub fn from_networks(
        g: Network<Generator>,
        d: Network<Discriminator>,
        mut g_ema: Network<Generator>,
        recipe: &Recipe,
        device: &Device,
    ) -> Self {
        g_ema.params.set_slab(g.params.slab().clone());
        let zero = || Tensor::scalar(0.0, device);
        Self {
            moments_g: Moments::new(&recipe.adam_g(), g.params.slab()),
            moments_d: Moments::new(&recipe.adam_d(), d.params.slab()),
            g,
            d,
            g_ema,
            mean_path_length: zero(),
            blocked: zero(),
            step: 0,
            images: 0,
        }
    }

    /// Where the run computes.
    pub fn device(&self) -> &Device {
        self.g.params.slab().device()
    }
}
