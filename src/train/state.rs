//! Everything that a training run is between two steps: networks, moments, counters.

use super::recipe::Recipe;
use crate::device::Device;
use crate::models::sarigan::{Config, Discriminator, Generator};
use crate::nn::{Builder, Moments, Network};
use crate::tensor::Tensor;

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
        let seeded = |k| seed.wrapping_add(k);
        let generator = |b: &mut Builder| Generator::new(config, b, device);
        let g = Network::initialized(seed, device, generator);
        let d = Network::initialized(seeded(1), device, |b| Discriminator::new(config, b, device));
        let g_ema = Network::initialized(seeded(2), device, generator);
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
