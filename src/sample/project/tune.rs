//! Pivotal tuning: the network learns the picture of a latent that stays. Roich et al. 2021.

use super::{Likeness, Losses, adam};
use crate::autograd::grad;
use crate::models::Generator;
use crate::nn::{Moments, Network};
use crate::tensor::Tensor;

/// Step size of the paper.
const LR: f64 = 3e-4;

/// A network that is tuned to one picture, at fixed styles and noise.
pub struct PivotalTuning<'a> {
    network: &'a mut Network<Box<dyn Generator>>,
    likeness: Likeness<'a>,
    styles: Vec<Tensor>,
    noise: Vec<Tensor>,
    moments: Moments,
}

impl<'a> PivotalTuning<'a> {
    /// From the style and the noise of every layer. The network's parameters are tracked until the
    /// tuning is dropped.
    pub fn new(
        network: &'a mut Network<Box<dyn Generator>>,
        likeness: Likeness<'a>,
        [styles, noise]: [Vec<Tensor>; 2],
    ) -> Self {
        network.params.track(true);
        let moments = Moments::new(&adam(LR), network.params.slab());
        Self { network, likeness, styles, noise, moments }
    }

    /// One step. What it returns is of the picture before the step.
    pub fn step(&mut self) -> Losses {
        let losses = self.likeness.losses(&self.picture());
        let params = &mut self.network.params;
        let leaves: Vec<Tensor> = params.iter().map(|(_, value)| value).collect();
        let leaves: Vec<&Tensor> = leaves.iter().collect();
        let gradient = params.gather(&grad(&[&losses.total()], &[None], &leaves, false));
        let never = Tensor::scalar(0.0, params.slab().device());
        let tuned = adam(LR).update(params.slab(), &gradient, &never, &mut self.moments);
        params.set_slab(tuned);
        losses.detach()
    }

    /// What the picture is charged with, as it is now.
    pub fn losses(&self) -> Losses {
        self.likeness.losses(&self.picture()).detach()
    }

    /// The picture `[1, 3, H, W]`, as it is now.
    pub fn picture(&self) -> Tensor {
        self.network.model.synthesizer().picture(&self.styles, &self.noise, 0.0)
    }
}

impl Drop for PivotalTuning<'_> {
    fn drop(&mut self) {
        self.network.params.track(false);
    }
}
