//! Recipes: which phases a step has, how often, with which weights.

use serde::{Deserialize, Serialize};

use super::augment::Pipeline;
use super::growing::Growing;
use super::loss::WganGp;
use crate::models::System;
use crate::nn::{Adam, AdamForm};

/// What the scores are for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Real or not: the logistic loss, non-saturating for the generator.
    Logistic,
    /// A distance, with the penalty that makes it one.
    WganGp(WganGp),
}

/// One part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The paper's thresholds follow the kernels, which have moved.
    Thresholds,
    /// The discriminator's loss, with the style estimate of fakes.
    Discriminator {
        /// Weight of the squared error of the style estimate.
        info_weight: f64,
        /// Weight γ of the gradient penalty on reals in the same update, γ/2 · penalty; 0 without.
        gamma: f64,
    },
    /// The gradient penalty on reals.
    R1 {
        /// Weight γ; the term is γ/2 · interval · penalty.
        gamma: f64,
    },
    /// The generator's loss, with the grouping losses and the style estimate.
    Generator {
        /// Weight of the grouping loss.
        loss1_weight: f64,
        /// Weight of the threshold's loss.
        loss2_weight: f64,
        /// Weight of the squared error of the style estimate.
        info_weight: f64,
    },
    /// The path-length penalty.
    PathLength {
        /// The term is weight · interval · penalty.
        weight: f64,
        /// Of the running mean of the lengths.
        decay: f64,
    },
    /// The moving average of the generator.
    Ema {
        /// How fast it forgets.
        average: Average,
    },
}

/// How fast a moving average forgets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// This part of the old average stays at each step, whatever the batch.
    PerStep(f64),
    /// Half of it stays after so many thousand images, or after the share `rampup` of the images
    /// seen so far, whichever is less (StyleGAN2-ADA).
    HalfLife {
        /// Thousands of images.
        kimg: f64,
        /// Share of the images seen, where it counts.
        rampup: Option<f64>,
    },
}

impl Average {
    /// Part of the old average that stays at a step of `batch` images after `images`.
    pub fn decay(self, batch: usize, images: u64) -> f64 {
        match self {
            Self::PerStep(decay) => decay,
            Self::HalfLife { kimg, rampup } => {
                let seen = rampup.map_or(f64::INFINITY, |share| share * images as f64);
                let half_life = (1000.0 * kimg).min(seen);
                0.5f64.powf(batch as f64 / half_life.max(1e-8))
            }
        }
    }
}

/// What becomes of a second latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// Its style takes over from a random layer on: two styles in one picture.
    Crossover,
    /// Its intra half joins the inter half of the first one's style: one style of two latents.
    Swap,
    /// For each class and sample it gives nothing, the texture, or shape and texture.
    Classes,
}

/// Weights of what networks play for that make label maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelWeights {
    /// γ of the gradient penalty on label maps.
    pub r1: f64,
    /// Of the distance between coarse and final label map.
    pub mask: f64,
}

impl Phase {
    /// The phase's name in statistics and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Thresholds => "thresholds",
            Self::Discriminator { .. } => "Dmain",
            Self::R1 { .. } => "Dr1",
            Self::Generator { .. } => "Gmain",
            Self::PathLength { .. } => "Gpl",
            Self::Ema { .. } => "ema",
        }
    }

    /// The network that it updates: `g` or `d`.
    pub fn network(&self) -> &'static str {
        match self {
            Self::Discriminator { .. } | Self::R1 { .. } => "d",
            _ => "g",
        }
    }
}

/// A phase and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Fires at steps that this divides; step 0 included.
    pub every: u64,
    /// What happens.
    pub phase: Phase,
}

/// An ordered list of phases and the optimisers' form. A parameter that a phase does not reach
/// counts with gradient zero, as in the published code: its second moment decays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Its name on the command line.
    pub name: String,
    /// Learning rate before the correction for lazy regularisation.
    pub lr: f64,
    /// Adam's eps.
    pub adam_eps: f64,
    /// Where it is added.
    pub adam_form: AdamForm,
    /// What the scores are for.
    pub objective: Objective,
    /// Probability that a batch is made of two latents each.
    pub style_mixing: f64,
    /// How two latents make a picture.
    pub mixing: Mixing,
    /// In order.
    pub phases: Vec<Scheduled>,
    /// When which resolution is trained, where networks grow.
    pub growing: Option<Growing>,
    /// What happens to pictures before the discriminator sees them.
    pub augment: Option<Augment>,
    /// Weights of label maps, where the networks have any.
    #[serde(default)]
    pub labels: LabelWeights,
}

/// Adaptive discriminator augmentation (Karras et al. 2020).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Augment {
    /// Which transformations.
    pub pipeline: Pipeline,
    /// Probability of each at first.
    pub p: f64,
    /// Mean sign of the scores of reals that the probability aims at; without, it stays.
    pub target: Option<f64>,
    /// Thousand pictures that take the probability from 0 to 1.
    pub kimg: f64,
}

const fn every(every: u64, phase: Phase) -> Scheduled {
    Scheduled { every, phase }
}

impl Recipe {
    /// SariGAN as its published code trains it (sources: the repository's training script).
    pub fn official() -> Self {
        let info_weight = 20.0;
        Self {
            name: "official".into(),
            lr: 0.002,
            adam_eps: 1e-8,
            adam_form: AdamForm::PyTorch,
            objective: Objective::Logistic,
            style_mixing: 0.9,
            mixing: Mixing::Crossover,
            phases: vec![
                every(1, Phase::Discriminator { info_weight, gamma: 0.0 }),
                every(16, Phase::R1 { gamma: 10.0 }),
                every(1, Phase::Generator { loss1_weight: 0.1, loss2_weight: 5.0, info_weight }),
                every(4, Phase::PathLength { weight: 2.0, decay: 0.01 }),
                every(1, Phase::Ema { average: Average::PerStep(0.5f64.powf(32.0 / 10_000.0)) }),
            ],
            growing: None,
            augment: None,
            labels: LabelWeights::default(),
        }
    }

    /// SariGAN as its paper describes it (section 3; equations 7 and 8), for networks of
    /// [`Rule::Paper`](crate::models::sarigan::Rule): thresholds that follow the kernels, λ₁ = 2 on
    /// a mean, the style estimate with λ₂ = 10 in every iteration, codes of two latents joined
    /// instead of crossed over. The average ramps up, so that short runs have one.
    pub fn paper() -> Self {
        let info_weight = 10.0;
        let average = Average::HalfLife { kimg: 10.0, rampup: Some(0.05) };
        Self {
            name: "paper".into(),
            lr: 0.002,
            adam_eps: 1e-8,
            adam_form: AdamForm::PyTorch,
            objective: Objective::Logistic,
            style_mixing: 0.5,
            mixing: Mixing::Swap,
            phases: vec![
                every(100, Phase::Thresholds),
                every(1, Phase::Discriminator { info_weight, gamma: 0.0 }),
                every(16, Phase::R1 { gamma: 10.0 }),
                every(1, Phase::Generator { loss1_weight: 2.0, loss2_weight: 0.0, info_weight }),
                every(4, Phase::PathLength { weight: 2.0, decay: 0.01 }),
                every(1, Phase::Ema { average }),
            ],
            growing: None,
            augment: None,
            labels: LabelWeights::default(),
        }
    }

    /// StyleGAN2, as its paper and code train it (appendix B); the average ramps up as in
    /// StyleGAN2-ADA, so that short runs have one.
    pub fn stylegan2() -> Self {
        let average = Average::HalfLife { kimg: 10.0, rampup: Some(0.05) };
        Self {
            name: "stylegan2".into(),
            phases: vec![
                every(1, Phase::Discriminator { info_weight: 0.0, gamma: 0.0 }),
                every(16, Phase::R1 { gamma: 10.0 }),
                every(
                    1,
                    Phase::Generator { loss1_weight: 0.0, loss2_weight: 0.0, info_weight: 0.0 },
                ),
                every(4, Phase::PathLength { weight: 2.0, decay: 0.01 }),
                every(1, Phase::Ema { average }),
            ],
            ..Self::official()
        }
    }

    /// StyleGAN, as its published code and GenForce's port train it (appendix C): the penalty in
    /// every update, and an average of the generator before its own. It ramps up: of a short run the
    /// published one would hold more of the first, random network than of any other.
    pub fn stylegan() -> Self {
        let average = Average::HalfLife { kimg: 10.0, rampup: Some(0.05) };
        Self {
            name: "stylegan".into(),
            lr: 0.001,
            adam_form: AdamForm::TensorFlow,
            phases: vec![
                every(1, Phase::Discriminator { info_weight: 0.0, gamma: 10.0 }),
                every(1, Phase::Ema { average }),
                every(
                    1,
                    Phase::Generator { loss1_weight: 0.0, loss2_weight: 0.0, info_weight: 0.0 },
                ),
            ],
            ..Self::official()
        }
    }

    /// PGGAN, as its published code trains it (appendix A); the average is StyleGAN's.
    pub fn pggan() -> Self {
        let average = Average::HalfLife { kimg: 10.0, rampup: Some(0.05) };
        Self {
            name: "pggan".into(),
            style_mixing: 0.0,
            objective: Objective::WganGp(WganGp { lambda: 10.0, target: 1.0, epsilon: 0.001 }),
            phases: vec![
                every(1, Phase::Discriminator { info_weight: 0.0, gamma: 0.0 }),
                every(1, Phase::Ema { average }),
                every(
                    1,
                    Phase::Generator { loss1_weight: 0.0, loss2_weight: 0.0, info_weight: 0.0 },
                ),
            ],
            ..Self::stylegan()
        }
    }

    /// SemanticStyleGAN, as its published code trains it. Without label
    /// maps beside the reals, the discriminator judges pictures alone: how it is adapted to others.
    pub fn semantic_stylegan() -> Self {
        let average = Average::PerStep(0.5f64.powf(32.0 / 10_000.0));
        Self {
            name: "semantic_stylegan".into(),
            style_mixing: 0.3,
            mixing: Mixing::Classes,
            phases: vec![
                every(1, Phase::Discriminator { info_weight: 0.0, gamma: 0.0 }),
                every(16, Phase::R1 { gamma: 10.0 }),
                every(
                    1,
                    Phase::Generator { loss1_weight: 0.0, loss2_weight: 0.0, info_weight: 0.0 },
                ),
                every(4, Phase::PathLength { weight: 0.5, decay: 0.01 }),
                every(1, Phase::Ema { average }),
            ],
            labels: LabelWeights { r1: 1000.0, mask: 100.0 },
            ..Self::stylegan2()
        }
    }

    /// How a system's own paper or code trains it.
    pub fn of(system: System) -> Self {
        match system {
            System::Sarigan => Self::official(),
            System::StyleGan2 => Self::stylegan2(),
            System::StyleGan => Self::stylegan(),
            System::Pggan => Self::pggan(),
            System::SemanticStyleGan => Self::semantic_stylegan(),
        }
    }

    /// Phases that fire at a step.
    pub fn at(&self, step: u64) -> impl Iterator<Item = &Scheduled> {
        self.phases.iter().filter(move |s| step.is_multiple_of(s.every))
    }

    /// Adam for a network, `g` or `d`, corrected for its lazy phase.
    pub fn adam(&self, network: &str) -> Adam {
        self.lazy_adam(|phase| match network {
            "d" => matches!(phase, Phase::R1 { .. }),
            _ => matches!(phase, Phase::PathLength { .. }),
        })
    }

    /// With a further phase every k steps, an optimiser makes (k + 1) / k updates a step: learning
    /// rate and decay shrink by that ratio. StyleGAN2, appendix B.
    fn lazy_adam(&self, is_lazy: impl Fn(&Phase) -> bool) -> Adam {
        let lazy = self.phases.iter().find(|s| is_lazy(&s.phase));
        let ratio = lazy.map_or(1.0, |s| s.every as f64 / (s.every + 1) as f64);
        Adam {
            lr: self.lr * ratio,
            beta1: 0.0,
            beta2: 0.99f64.powf(ratio),
            eps: self.adam_eps,
            form: self.adam_form,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_life_is_bounded_by_the_share_of_what_was_seen() {
        let average = Average::HalfLife { kimg: 10.0, rampup: Some(0.05) };
        assert_eq!(average.decay(16, 0), 0.0, "the first average is the network");
        assert_eq!(average.decay(50, 1000), 0.5, "5% of 1,000");
        assert_eq!(average.decay(10_000, 1_000_000), 0.5, "10 kimg at last");
        assert_eq!(Average::PerStep(0.9).decay(16, 0), 0.9);
    }
}
