//! One training step: the phases of a recipe on given inputs. It draws nothing and touches no file.

use super::inputs::{Draws, Mix, Part, PathInputs, StepInputs};
use super::loss;
use super::recipe::{Phase, Recipe, Scheduled};
use super::state::State;
use crate::autograd::{backward, grad, no_grad};
use crate::models::sarigan::{Discriminator, Generator, Grouping, Rule};
use crate::nn::{Adam, Moments, Network, Parameters, ema_update};
use crate::ops::norm::stddev_group;
use crate::ops::pointwise::{Expr, pointwise, scaled_sum_of};
use crate::tensor::Tensor;

/// The published code divides its summed grouping losses by this at every size.
const OFFICIAL_LAYERS: f64 = 20.0;

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
    let group = stddev_group(inputs.real.size(0), state.g.model.config().stddev_group);
    let parts = || inputs.split(group);
    match phase {
        Phase::Thresholds => {
            // No update follows; each network's thresholds fit its own kernels.
            state.g.model.refresh_thresholds();
            state.g_ema.model.refresh_thresholds();
        }
        Phase::Discriminator { info_weight } => {
            // What is derived from the generator's weights serves its own phase too.
            state.g.params.track(true);
            state.d.params.track(true);
            let (g, d) = (&state.g.model, &state.d.model);
            let slab = accumulate(&state.d.params, &parts(), &mut out.stats, |part, stats| {
                d_main(g, d, &part.of(&inputs.real), &inputs.d.part(part), info_weight, stats)
            });
            state.update_d(&slab, recipe, phase, out);
        }
        Phase::R1 { gamma } => {
            state.d.params.track(true);
            let d = &state.d.model;
            let slab = accumulate(&state.d.params, &parts(), &mut out.stats, |part, stats| {
                d_r1(d, &part.of(&inputs.real), stats).penalty * (gamma / 2.0 * every)
            });
            state.update_d(&slab, recipe, phase, out);
        }
        Phase::Generator { loss1_weight, loss2_weight, info_weight } => {
            state.g.params.track(true);
            let weights = [loss1_weight, loss2_weight, info_weight];
            let (g, d) = (&state.g.model, &state.d.model);
            let slab = accumulate(&state.g.params, &parts(), &mut out.stats, |part, stats| {
                g_main(g, d, &inputs.g.part(part), weights, stats)
            });
            state.update_g(&slab, recipe, phase, out);
        }
        Phase::PathLength { weight, decay } => {
            state.g.params.track(true);
            let path = inputs.path.as_ref().expect("inputs of the path-length phase");
            let slab = path_gradient(state, path, inputs.parts, [weight * every, decay], out);
            state.update_g(&slab, recipe, phase, out);
        }
        Phase::Ema { average } => {
            let decay = average.decay(inputs.real.size(0), state.images);
            let average = ema_update(state.g_ema.params.slab(), state.g.params.slab(), decay);
            state.g_ema.params.set_slab(average);
        }
    }
}

/// Gradients of the mean of a loss over the parts of a batch, as a slab; statistics are means too.
fn accumulate(
    params: &Parameters,
    parts: &[Part],
    stats: &mut Stats,
    loss: impl Fn(&Part, &mut Stats) -> Tensor,
) -> Tensor {
    let share = 1.0 / parts.len() as f64;
    let mut sums: Option<(Tensor, Stats)> = None;
    for part in parts {
        let mut own = Stats::new();
        let slab = gradient(params, loss(part, &mut own), None);
        let Some((slabs, values)) = &mut sums else {
            sums = Some((slab, own));
            continue;
        };
        *slabs = &*slabs + slab;
        values.iter_mut().zip(own).for_each(|((_, sum), (_, value))| *sum = &*sum + value);
    }
    let (slab, values) = sums.expect("a batch has a part");
    if parts.len() == 1 {
        stats.extend(values);
        return slab;
    }
    stats.extend(values.into_iter().map(|(name, sum)| (name, sum * share)));
    slab * share
}

/// Gradients of `y` with respect to all parameters as a slab; `cotangent` is 1 where not given.
fn gradient(params: &Parameters, y: Tensor, cotangent: Option<&Tensor>) -> Tensor {
    let leaves: Vec<Tensor> = params.iter().map(|(_, value)| value).collect();
    let gradients = backward(y, cotangent, &leaves.iter().collect::<Vec<_>>());
    params.gather(&gradients)
}

/// Gradients of the weighted path-length penalty. It depends on the mean over all samples, so the
/// lengths of all parts come first; then each part is differentiated with what its lengths count.
fn path_gradient(
    state: &mut State,
    inputs: &PathInputs,
    parts: usize,
    [weight, decay]: [f64; 2],
    out: &mut StepOutputs,
) -> Tensor {
    let (g, params) = (&state.g.model, &state.g.params);
    let parts: Vec<_> = inputs.split(parts).iter().map(|part| inputs.part(part)).collect();
    let penalty = |lengths: &Tensor, out: &mut StepOutputs| {
        g_path(lengths, &state.mean_path_length, decay, &mut out.stats)
    };
    if let [whole] = &parts[..] {
        let loss::PathPenalty { mean, penalty } = penalty(&path_lengths(g, whole), out);
        state.mean_path_length = mean.detach();
        drop(mean);
        return gradient(params, penalty * weight, None);
    }
    let lengths: Vec<Tensor> = parts.iter().map(|part| path_lengths(g, part).detach()).collect();
    let all = Tensor::cat(&lengths.iter().collect::<Vec<_>>(), 0).tracked();
    let path = penalty(&all, out);
    let counts = grad(&[&(path.penalty * weight)], &[None], &[&all], false).remove(0);
    let counts = counts.expect("the penalty depends on the lengths");
    let mut first = 0;
    let slabs = parts.iter().map(|part| {
        let n = part.direction.size(0);
        let own = counts.narrow(0, first, n);
        first += n;
        gradient(params, path_lengths(g, part), Some(&own))
    });
    let slab = slabs.reduce(|a, b| a + b).expect("a batch has a part");
    state.mean_path_length = path.mean.detach();
    slab
}

/// One style per layer, of one latent or two. The style itself is the information head's target,
/// where there is only one.
pub fn styles(g: &Generator, draws: &Draws) -> (Vec<Tensor>, Option<Tensor>) {
    let n = g.config().n_latents();
    let both = |z: &Tensor| g.mapping.forward(&Tensor::cat(&[&draws.z, z], 0)).1.chunk(0);
    match &draws.mix {
        None => {
            let (_, w) = g.mapping.forward(&draws.z);
            (vec![w.clone(); n], Some(w))
        }
        Some(Mix::Swap(z)) => {
            let [first, second] = both(z);
            let ([inter, _], [_, intra]) = (first.chunk(1), second.chunk(1));
            let w = Tensor::cat(&[&inter, &intra], 1);
            (vec![w.clone(); n], Some(w))
        }
        Some(Mix::Crossover(z, inject)) => {
            let [first, second] = both(z);
            let of = |k: usize| if k < *inject { first.clone() } else { second.clone() };
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
    let fake = no_grad(|| fakes(g, draws));
    let [on_fake, on_real] = d.forward_both(&fake.image, real);
    let logistic = loss::d_logistic(&on_real.pred, &on_fake.pred);
    let info = info_loss(&on_fake.info, fake.info.as_ref());
    stats.extend([
        ("d", logistic.detach()),
        ("d_info", info.detach()),
        ("real_score", on_real.pred.detach().mean_all()),
        ("fake_score", on_fake.pred.detach().mean_all()),
    ]);
    logistic.zip(&info, |logistic, info| logistic + info * info_weight)
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
    let info = info_loss(&judged.info, fake.info.as_ref());
    stats.extend([("g", adversarial.detach()), ("g_info", info.detach())]);
    let (loss1, loss2) = grouping_losses(&fake.groups, &g.targets(), [loss1_weight, loss2_weight]);
    stats.extend([("g1", loss1.detach()), ("g2", loss2.detach())]);
    let [adversarial_k, info_k, loss1_k, loss2_k] = Expr::inputs();
    let total = adversarial_k + info_k * info_weight + loss1_k + loss2_k;
    pointwise(&[&adversarial, &info, &loss1, &loss2], &total)
}

/// Length of each sample's path, `[B]`.
pub fn path_lengths(g: &Generator, inputs: &PathInputs) -> Tensor {
    // Every layer's style is a variable of its own.
    let styles: Vec<Tensor> = styles(g, &inputs.draws).0.iter().map(Tensor::alias).collect();
    let image = g.synthesis(&styles, &inputs.draws.noise, &g.groupings());
    loss::path_lengths(&image, &inputs.direction, &styles.iter().collect::<Vec<_>>())
}

/// The penalty on path lengths, from their running mean so far.
pub fn g_path(lengths: &Tensor, mean: &Tensor, decay: f64, stats: &mut Stats) -> loss::PathPenalty {
    let path = loss::path_penalty(lengths, mean, decay);
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

/// Both grouping losses summed over the layers, times their weights; the paper has no second one.
pub fn grouping_losses(
    groups: &[Grouping],
    targets: &[Tensor],
    [weight1, weight2]: [f64; 2],
) -> (Tensor, Tensor) {
    let losses1 = groups.iter().zip(targets).map(|(group, target)| group.loss1(target));
    let losses1: Vec<Tensor> = losses1.collect();
    match groups[0].rule {
        Rule::Official => {
            let loss2 = Grouping::loss2(groups, targets, weight2 / OFFICIAL_LAYERS);
            (scaled_sum_of(&losses1, weight1 / OFFICIAL_LAYERS), loss2)
        }
        Rule::Paper => {
            let loss2 = Tensor::scalar(0.0, groups[0].probs.device());
            (scaled_sum_of(&losses1, weight1), loss2)
        }
    }
}

impl State {
    fn update_d(&mut self, slab: &Tensor, recipe: &Recipe, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.d, &mut self.moments_d);
        let bad = update(params, moments, &recipe.adam_d(), slab, &mut self.blocked);
        out.flags.push(Flags { phase: phase.name(), network: "d", bad });
    }

    fn update_g(&mut self, slab: &Tensor, recipe: &Recipe, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.g, &mut self.moments_g);
        let bad = update(params, moments, &recipe.adam_g(), slab, &mut self.blocked);
        out.flags.push(Flags { phase: phase.name(), network: "g", bad });
    }
}

/// Updates the network with a slab of gradients, unless one of them is or was not finite.
fn update(
    params: &mut Parameters,
    moments: &mut Moments,
    adam: &Adam,
    slab: &Tensor,
    blocked: &mut Tensor,
) -> Tensor {
    let bad = slab.nonfinite_segments(params.starts());
    *blocked = blocked.maximum(&bad.max(&[0], false));
    let updated = adam.update(params.slab(), slab, blocked, moments);
    params.track(false);
    params.set_slab(updated);
    bad
}
