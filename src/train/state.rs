//! Everything that a training run is between two steps: networks, moments, counters.

use serde::{Deserialize, Serialize};

use super::adaptation::Adaptation;
use super::recipe::{Augment, Recipe};
use crate::device::Device;
use crate::models::{Config, Discriminator, Generator};
use crate::nn::{Builder, Moments, Network};
use crate::tensor::Tensor;

/// A run between two steps. It holds counters, not generators of random numbers.
pub struct State {
    /// The generator.
    pub g: Network<Box<dyn Generator>>,
    /// The discriminator.
    pub d: Network<Box<dyn Discriminator>>,
    /// Moving average of the generator; it keeps noise planes of its own.
    pub g_ema: Network<Box<dyn Generator>>,
    /// Adam's memory of the generator.
    pub moments_g: Moments,
    /// Adam's memory of the discriminator.
    pub moments_d: Moments,
    /// Running mean of the path lengths, rank 0.
    pub mean_path_length: Tensor,
    /// Above 0 once a gradient was not finite: from then on no update changes anything. Rank 0.
    pub blocked: Tensor,
    /// Level of detail of the step before, where there was one.
    pub lod: Option<f64>,
    /// Probability of augmentations, and what it follows.
    pub augment: Signs,
    /// Steps done.
    pub step: u64,
    /// Real images shown.
    pub images: u64,
}

/// The probability of augmentations, and the scores of reals since it moved last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    /// The probability.
    pub p: f64,
    /// Sum of the signs of the scores.
    pub sum: f64,
    /// Scores.
    pub count: u64,
}

impl Signs {
    /// Takes in the mean sign of so many scores.
    pub fn add(&mut self, mean: f64, count: u64) {
        self.sum += mean * count as f64;
        self.count += count;
    }

    /// Moves the probability toward where the mean sign is as wanted.
    pub fn adapt(&mut self, augment: &Augment) {
        let Some(target) = augment.target.filter(|_| self.count > 0) else { return };
        let count = self.count as f64;
        let rule = Adaptation { target, images: count, kimg: augment.kimg };
        *self = Self { p: rule.update(self.p, self.sum / count), ..Self::default() };
    }
}

impl State {
    /// The state before the first step.
    pub fn new(config: &Config, recipe: &Recipe, seed: u64, device: &Device) -> Self {
        let seeded = |k| seed.wrapping_add(k);
        let generator = |b: &mut Builder| config.generator(b, device);
        let g = Network::initialized(seed, device, generator);
        let d = Network::initialized(seeded(1), device, |b| config.discriminator(b, device));
        let g_ema = Network::initialized(seeded(2), device, generator);
        Self::from_networks(g, d, g_ema, recipe, device)
    }

    /// A first state from given networks; the average starts as a copy of the generator.
    pub fn from_networks(
        g: Network<Box<dyn Generator>>,
        d: Network<Box<dyn Discriminator>>,
        mut g_ema: Network<Box<dyn Generator>>,
        recipe: &Recipe,
        device: &Device,
    ) -> Self {
        g_ema.params.set_slab(g.params.slab().clone());
        let zero = || Tensor::scalar(0.0, device);
        Self {
            moments_g: Moments::new(&recipe.adam("g"), g.params.slab()),
            moments_d: Moments::new(&recipe.adam("d"), d.params.slab()),
            g,
            d,
            g_ema,
            mean_path_length: zero(),
            blocked: zero(),
            lod: None,
            augment: Signs { p: recipe.augment.map_or(0.0, |a| a.p), ..Signs::default() },
            step: 0,
            images: 0,
        }
    }

    /// Leaves the first `layers` of the discriminator, from the picture on, as they are: FreezeD
    /// (Mo et al. 2020).
    pub fn freeze(&mut self, layers: usize) {
        let mut first: Vec<String> = Vec::new();
        for key in self.d.params.keys() {
            let layer = layer_of(key);
            if first.last().is_none_or(|last| last != layer) {
                first.push(layer.to_owned());
            }
        }
        first.truncate(layers);
        self.d.params.freeze(|key| first.iter().any(|layer| layer == layer_of(key)));
    }

    /// Where the run computes.
    pub fn device(&self) -> &Device {
        self.g.params.slab().device()
    }
}

/// The layer of a parameter: its key without the parameter's own name, and without the number of the
/// layer's part where the key counts them.
fn layer_of(key: &str) -> &str {
    let layer = key.rsplit_once('.').map_or(key, |(layer, _)| layer);
    match layer.rsplit_once('.') {
        Some((before, part)) if part.parse::<usize>().is_ok() && before != "convs" => before,
        _ => layer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_their_layer() {
        let layers = [
            ("convs.0.0.weight", "convs.0"),
            ("convs.0.1.bias", "convs.0"),
            ("convs.2.conv2.1.weight", "convs.2.conv2"),
            ("final_conv.0.weight", "final_conv"),
            ("layer3.bias", "layer3"),
        ];
        layers.iter().for_each(|(key, layer)| assert_eq!(layer_of(key), *layer));
    }
}
