//! Random choices of one face, in the order in which they are made.

use crate::ops::random::{Draw, Stream};

/// Philox numbers of (seed, index): the same face on every machine and thread.
pub(super) struct Dice {
    draw: Draw,
    used: usize,
}

impl Dice {
    pub(super) fn new(seed: u64, index: u64) -> Self {
        Self { draw: Draw { seed, stream: Stream::Faces as u32, step: index }, used: 0 }
    }

    fn next(&mut self) -> usize {
        self.used += 1;
        self.used - 1
    }

    /// Uniform in `low..high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        let at = self.next();
        low + (high - low) * self.draw.uniform(at) as f32
    }

    /// Normal, cut at 2.2 deviations: a portrait, not a caricature.
    pub(super) fn about(&mut self, mean: f32, deviation: f32) -> f32 {
        let at = self.next();
        mean + deviation * (self.draw.normal(at) as f32).clamp(-2.2, 2.2)
    }

    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// One of several things, each as often as its weight says.
    pub(super) fn pick<T: Copy>(&mut self, weighted: &[(T, f32)]) -> T {
        let total: f32 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut left = self.between(0.0, total);
        for &(thing, weight) in weighted {
            left -= weight;
            if left < 0.0 {
                return thing;
            }
        }
        weighted[weighted.len() - 1].0
    }
}
