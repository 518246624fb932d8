//! One training step: the phases of a recipe on given inputs. It draws nothing and touches no file.

use super::inputs::{Draws, PathInputs, StepInputs};
use super::loss;
use super::recipe::{Phase, Recipe, Scheduled};
use super::state::State;
use crate::autograd::grad;
use crate::models::sarigan::{Discriminator, Generator, Grouping};
use crate::nn::{Adam, Moments, Network, Parameters, ema_update};
use crate::tensor::Tensor;

/// Grouping losses are divided by this at every size, as in the published code.
const GROUPING_LAYERS: f64 = 20.0;

/// Which parameters' gradients were not finite in one phase.
#[derive(Clone, Debug)]
pub struct Flags {
    /// Name of the phase.
    pub phase: &'static str,
    /// The network that it updated: `g` or `d`.
    pub network: &'static str,
    /// 1 for each parameter with a bad gradient, else 0, in the order of its keys.
    pub bad: Tensor,
}

/// What a step reports; nothing of it has been read back.
#[derive(Debug, Default)]
pub struct StepOutputs {
    /// Scalars (and the path lengths) by name.
    pub stats: Stats,
    /// One entry per update.
    pub flags: Vec<Flags>,
}

/// Runs the phases that fire at the state's step, and advances its counters.
///
/// # Panics
/// When the inputs do not fit the networks, or those of a phase that fires are missing.
#[track_caller]
pub fn step(state: &mut State, inputs: &StepInputs, recipe: &Recipe) -> StepOutputs {
    let mut outputs = StepOutputs::default();
    let due: Vec<Scheduled> = recipe.at(state.step).copied().collect();
    for scheduled in due {
        run_phase(state, inputs, recipe, scheduled, &mut outputs);
    }
    state.step += 1;
    state.images += inputs.real.size(0) as u64;
    outputs
}

/// Runs one phase, whether it is due or not.
///
/// # Panics
/// As [`step`].
#[track_caller]
pub fn run_phase(
    state: &mut State,
    inputs: &StepInputs,
    recipe: &Recipe,
    Scheduled { every, phase }: Scheduled,
    out: &mut StepOutputs,
) {
    let every = every as f64;
    match phase {
        Phase::Discriminator { info_weight } => {
            state.d.params.track(true);
            let (g, d) = (&state.g.model, &state.d.model);
            let loss = d_main(g, d, &inputs.real, &inputs.d, info_weight, &mut out.stats);
            state.update_d(&loss, recipe, phase, out);
        }
        Phase::R1 { gamma } => {
            state.d.params.track(true);
            let r1 = d_r1(&state.d.model, &inputs.real, &mut out.stats).penalty;
            state.update_d(&(r1 * (gamma / 2.0 * every)), recipe, phase, out);
        }
        Phase::Generator { loss1_weight, loss2_weight, info_weight } => {
            state.g.params.track(true);
            let weights = [loss1_weight, loss2_weight, info_weight];
            let (g, d) = (&state.g.model, &state.d.model);
            let loss = g_main(g, d, &inputs.g, weights, &mut out.stats);
            state.update_g(&loss, recipe, phase, out);
        }
        Phase::PathLength { weight, decay } => {
            state.g.params.track(true);
            let path = inputs.path.as_ref().expect("inputs of the path-length phase");
            let mean = &state.mean_path_length;
            let path = g_path(&state.g.model, path, mean, decay, &mut out.stats);
            state.mean_path_length = path.mean.detach();
            state.update_g(&(path.penalty * (weight * every)), recipe, phase, out);
        }
        Phase::Ema { decay } => {
            let average = ema_update(state.g_ema.params.slab(), state.g.params.slab(), decay);
            state.g_ema.params.set_slab(average);
        }
    }
}

/// One style per layer: of the first latent up to the mixing layer, then of the second. The style
/// itself is the information head's target, where there is only one.
pub fn styles(g: &Generator, draws: &Draws) -> (Vec<Tensor>, Option<Tensor>) {
    let n = g.config().n_latents();
    let (_, w) = g.mapping.forward(&draws.z);
    match &draws.mix {
        None => (vec![w.clone(); n], Some(w)),
        Some((z, inject)) => {
            let (_, second) = g.mapping.forward(z);
            let of = |k: usize| if k < *inject { w.clone() } else { second.clone() };
            ((0..n).map(of).collect(), None)
        }
    }
}

struct Fakes {
    image: Tensor,
    groups: Vec<Grouping>,
    info: Option<Tensor>,
}

fn fakes(g: &Generator, draws: &Draws) -> Fakes {
    let (styles, info) = styles(g, draws);
    let groups = g.groupings();
    Fakes { image: g.synthesis(&styles, &draws.noise, &groups), groups, info }
}

/// Scalars by name, off the tape.
pub type Stats = Vec<(&'static str, Tensor)>;

/// Logistic loss on reals and fakes, plus how badly the style of the fakes is told.
pub fn d_main(
    g: &Generator,
    d: &Discriminator,
    real: &Tensor,
    draws: &Draws,
    info_weight: f64,
    stats: &mut Stats,
) -> Tensor {
    let fake = fakes(g, draws);
    let (on_fake, on_real) = (d.forward(&fake.image.detach()), d.forward(real));
    let logistic = loss::d_logistic(&on_real.pred, &on_fake.pred);
    let info = info_loss(&on_fake.info, fake.info.as_ref());
    stats.extend([
        ("d", logistic.detach()),
        ("d_info", info.detach()),
        ("real_score", on_real.pred.detach().mean_all()),
        ("fake_score", on_fake.pred.detach().mean_all()),
    ]);
    logistic + info * info_weight
}

/// The gradient penalty on reals.
pub fn d_r1(d: &Discriminator, real: &Tensor, stats: &mut Stats) -> loss::R1 {
    let real = real.tracked();
    let r1 = loss::r1(&d.forward(&real).pred, &real);
    stats.push(("r1", r1.penalty.detach()));
    r1
}

/// Non-saturating loss, the two grouping losses, and the style estimate.
pub fn g_main(
    g: &Generator,
    d: &Discriminator,
    draws: &Draws,
    [loss1_weight, loss2_weight, info_weight]: [f64; 3],
    stats: &mut Stats,
) -> Tensor {
    let fake = fakes(g, draws);
    let judged = d.forward(&fake.image);
    let adversarial = loss::g_nonsaturating(&judged.pred);
    let (loss1, loss2) = grouping_losses(&fake.groups);
    let (g1, g2) = (loss1 * loss1_weight, loss2 * loss2_weight);
    let info = info_loss(&judged.info, fake.info.as_ref());
    stats.extend([
        ("g", adversarial.detach()),
        ("g1", g1.detach()),
        ("g2", g2.detach()),
        ("g_info", info.detach()),
    ]);
    adversarial + g1 + g2 + info * info_weight
}

/// The penalty on path lengths, from their running mean so far.
pub fn g_path(
    g: &Generator,
    inputs: &PathInputs,
    mean: &Tensor,
    decay: f64,
    stats: &mut Stats,
) -> loss::PathPenalty {
    // Every layer's style is a variable of its own.
    let styles: Vec<Tensor> = styles(g, &inputs.draws).0.iter().map(Tensor::alias).collect();
    let image = g.synthesis(&styles, &inputs.draws.noise, &g.groupings());
    let lengths = loss::path_lengths(&image, &inputs.direction, &styles.iter().collect::<Vec<_>>());
    let path = loss::path_penalty(&lengths, mean, decay);
    stats.extend([
        ("path", path.penalty.detach()),
        ("path_lengths", lengths.detach()),
        ("mean_path_length", path.mean.detach()),
    ]);
    path
}

/// Mean squared error of the style estimate; zero where there is no single style to find.
fn info_loss(estimate: &Tensor, target: Option<&Tensor>) -> Tensor {
    match target {
        Some(w) => loss::mse(estimate, &w.detach()),
        None => Tensor::scalar(0.0, estimate.device()),
    }
}

/// Both grouping losses summed over the layers.
pub fn grouping_losses(groups: &[Grouping]) -> (Tensor, Tensor) {
    let total = |loss: fn(&Grouping) -> Tensor| {
        let sum = groups.iter().map(loss).reduce(|a, b| a + b).expect("a grouped layer");
        sum * (1.0 / GROUPING_LAYERS)
    };
    (total(Grouping::loss1), total(Grouping::loss2))
}

impl State {
    fn update_d(&mut self, loss: &Tensor, recipe: &Recipe, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.d, &mut self.moments_d);
        let bad = update(params, moments, &recipe.adam_d(), loss, &mut self.blocked);
        out.flags.push(Flags { phase: phase.name(), network: "d", bad });
    }

    fn update_g(&mut self, loss: &Tensor, recipe: &Recipe, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.g, &mut self.moments_g);
        let bad = update(params, moments, &recipe.adam_g(), loss, &mut self.blocked);
        out.flags.push(Flags { phase: phase.name(), network: "g", bad });
    }
}

/// Differentiates the loss, and updates the network unless a gradient is or was not finite.
fn update(
    params: &mut Parameters,
    moments: &mut Moments,
    adam: &Adam,
    loss: &Tensor,
    blocked: &mut Tensor,
) -> Tensor {
    let leaves: Vec<Tensor> = params.iter().map(|(_, value)| value).collect();
    let gradients = grad(&[loss], &[None], &leaves.iter().collect::<Vec<_>>(), false);
    let slab = params.gather(&gradients);
    let bad = slab.nonfinite_segments(params.starts());
    *blocked = blocked.maximum(&bad.max(&[0], false));
    let updated = adam.update(params.slab(), &slab, blocked, moments);
    params.track(false);
    params.set_slab(updated);
    bad
}
