//! One training step: the phases of a recipe on given inputs. It draws nothing and touches no file.

use super::game::{Game, Notes, Stats, path_lengths, path_penalty};
use super::inputs::{Part, PathInputs, Reals, StepInputs};
use super::loss::PathPenalty;
use super::recipe::{Phase, Recipe, Scheduled};
use super::state::State;
use crate::autograd::{backward, grad};
use crate::nn::{Adam, Moments, Network, Parameters, ema_update};
use crate::tensor::Tensor;

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
    /// Real pictures that were shown.
    pub pictures: u64,
}

/// Runs the phases that fire at the state's step, and advances its counters.
///
/// # Panics
/// When the inputs do not fit the networks, or those of a phase that fires are missing.
#[track_caller]
pub fn step(state: &mut State, inputs: &StepInputs, recipe: &Recipe) -> StepOutputs {
    let mut outputs = StepOutputs::default();
    state.reach(inputs.reals.lod, recipe);
    let due: Vec<Scheduled> = recipe.at(state.step).copied().collect();
    for scheduled in due {
        run_phase(state, inputs, recipe, scheduled, &mut outputs);
    }
    state.step += 1;
    outputs.pictures = inputs.batch() as u64;
    state.images += outputs.pictures;
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
    let (every, reals) = (every as f64, &inputs.reals);
    let adam = recipe.adam(phase.network());
    let adam = Adam { lr: adam.lr * inputs.lr_scale, ..adam };
    let parts = inputs.split(state.d.model.group(inputs.batch()));
    match phase {
        Phase::Thresholds => {
            // No update follows; each network's thresholds fit its own kernels.
            state.g.model.refresh();
            state.g_ema.model.refresh();
        }
        Phase::Discriminator { info_weight, gamma } => {
            // What is derived from the generator's weights serves its own phase too.
            state.g.params.track(true);
            state.d.params.track(true);
            let (game, weights) = (state.game(recipe, reals), [info_weight, gamma]);
            let (slab, w) = accumulate(&state.d.params, &parts, &mut out.stats, |part, notes| {
                game.d_main(&reals.part(part), &inputs.d.part(part), weights, notes)
            });
            state.g.model.observe(&w);
            state.update_d(&slab, &adam, phase, out);
        }
        Phase::R1 { gamma } => {
            state.d.params.track(true);
            let game = state.game(recipe, reals);
            let (slab, _) = accumulate(&state.d.params, &parts, &mut out.stats, |part, notes| {
                game.d_r1(&reals.part(part), [gamma, every], notes)
            });
            state.update_d(&slab, &adam, phase, out);
        }
        Phase::Generator { loss1_weight, loss2_weight, info_weight } => {
            state.g.params.track(true);
            let (game, own) = (state.game(recipe, reals), [loss1_weight, loss2_weight]);
            let (slab, w) = accumulate(&state.g.params, &parts, &mut out.stats, |part, notes| {
                game.g_main(&inputs.g.part(part), own, info_weight, notes)
            });
            state.g.model.observe(&w);
            state.update_g(&slab, &adam, phase, out);
        }
        Phase::PathLength { weight, decay } => {
            state.g.params.track(true);
            let path = inputs.path.as_ref().expect("inputs of the path-length phase");
            let slab = path_gradient(state, path, inputs, [weight * every, decay], out);
            state.update_g(&slab, &adam, phase, out);
        }
        Phase::Ema { average } => {
            let decay = average.decay(inputs.batch(), state.images);
            let average = ema_update(state.g_ema.params.slab(), state.g.params.slab(), decay);
            let average = state.g_ema.params.thawed(&average);
            state.g_ema.params.set_slab(average);
        }
    }
}

/// Gradients of the mean of a loss over the parts of a batch, as a slab, and w of its fakes;
/// statistics are means too.
fn accumulate(
    params: &Parameters,
    parts: &[Part],
    stats: &mut Stats,
    loss: impl Fn(&Part, &mut Notes) -> Tensor,
) -> (Tensor, Vec<Tensor>) {
    let share = 1.0 / parts.len() as f64;
    let (mut sums, mut all_w): (Option<(Tensor, Stats)>, Vec<Tensor>) = (None, Vec::new());
    for part in parts {
        let mut notes = Notes::default();
        let slab = gradient(params, loss(part, &mut notes), None);
        all_w.extend(notes.w);
        let Some((slabs, values)) = &mut sums else {
            sums = Some((slab, notes.stats));
            continue;
        };
        *slabs = &*slabs + slab;
        values.iter_mut().zip(notes.stats).for_each(|((_, sum), (_, value))| *sum = &*sum + value);
    }
    let (slab, values) = sums.expect("a batch has a part");
    if parts.len() == 1 {
        stats.extend(values);
        return (slab, all_w);
    }
    stats.extend(values.into_iter().map(|(name, sum)| (name, sum * share)));
    (slab * share, all_w)
}

/// Gradients of `y` with respect to all parameters as a slab; `cotangent` is 1 where not given.
fn gradient(params: &Parameters, y: Tensor, cotangent: Option<&Tensor>) -> Tensor {
    let leaves: Vec<Tensor> = params.iter().map(|(_, value)| value).collect();
    let tracked: Vec<&Tensor> = leaves.iter().filter(|leaf| leaf.is_tracked()).collect();
    let mut gradients = backward(y, cotangent, &tracked).into_iter();
    // A frozen parameter has none.
    let mut own = |leaf: &Tensor| if leaf.is_tracked() { gradients.next().flatten() } else { None };
    params.gather(&leaves.iter().map(&mut own).collect::<Vec<_>>())
}

/// Gradients of the weighted path-length penalty. It depends on the mean over all samples, so the
/// lengths of all parts come first; then each part is differentiated with what its lengths count.
fn path_gradient(
    state: &mut State,
    path: &PathInputs,
    inputs: &StepInputs,
    [weight, decay]: [f64; 2],
    out: &mut StepOutputs,
) -> Tensor {
    let (g, params, lod) = (&*state.g.model, &state.g.params, inputs.reals.lod);
    let parts: Vec<_> = path.split(inputs.parts).iter().map(|part| path.part(part)).collect();
    let penalty = |lengths: &Tensor, out: &mut StepOutputs| {
        path_penalty(lengths, &state.mean_path_length, decay, &mut out.stats)
    };
    if let [whole] = &parts[..] {
        let PathPenalty { mean, penalty } = penalty(&path_lengths(g, whole, lod), out);
        state.mean_path_length = mean.detach();
        drop(mean);
        return gradient(params, penalty * weight, None);
    }
    let lengths: Vec<Tensor> =
        parts.iter().map(|part| path_lengths(g, part, lod).detach()).collect();
    let all = Tensor::cat(&lengths.iter().collect::<Vec<_>>(), 0).tracked();
    let path = penalty(&all, out);
    let counts = grad(&[&(path.penalty * weight)], &[None], &[&all], false).remove(0);
    let counts = counts.expect("the penalty depends on the lengths");
    let mut first = 0;
    let slabs = parts.iter().map(|part| {
        let n = part.direction.size(0);
        let own = counts.narrow(0, first, n);
        first += n;
        gradient(params, path_lengths(g, part, lod), Some(&own))
    });
    let slab = slabs.reduce(|a, b| a + b).expect("a batch has a part");
    state.mean_path_length = path.mean.detach();
    slab
}

impl State {
    fn game(&self, recipe: &Recipe, reals: &Reals) -> Game<'_> {
        Game {
            g: &*self.g.model,
            d: &*self.d.model,
            objective: recipe.objective,
            lod: reals.lod,
            labels: recipe.labels,
            is_labelled: reals.images.size(1) > 3,
        }
    }

    /// Another resolution is trained from now on: the optimisers forget.
    fn reach(&mut self, lod: f64, recipe: &Recipe) {
        let levels = |lod: f64| [lod.floor(), lod.ceil()];
        if self.lod.is_some_and(|before| levels(before) != levels(lod)) {
            self.moments_g = Moments::new(&recipe.adam("g"), self.g.params.slab());
            self.moments_d = Moments::new(&recipe.adam("d"), self.d.params.slab());
        }
        self.lod = Some(lod);
    }

    fn update_d(&mut self, slab: &Tensor, adam: &Adam, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.d, &mut self.moments_d);
        let bad = update(params, moments, adam, slab, &mut self.blocked);
        out.flags.push(Flags { phase: phase.name(), network: "d", bad });
    }

    fn update_g(&mut self, slab: &Tensor, adam: &Adam, phase: Phase, out: &mut StepOutputs) {
        let (Network { params, .. }, moments) = (&mut self.g, &mut self.moments_g);
        let bad = update(params, moments, adam, slab, &mut self.blocked);
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
