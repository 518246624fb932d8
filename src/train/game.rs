//! What the two networks play for: the losses of one batch.

use super::augment::Augmentation;
use super::inputs::{Draws, Mix, PathInputs, Reals};
use super::loss::{self, R1};
use super::recipe::{LabelWeights, Objective};
use crate::autograd::no_grad;
use crate::models::semantic_stylegan::mix;
use crate::models::{Discriminator, Generator, Judgement, Segmented};
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// Scalars by name, off the tape.
pub type Stats = Vec<(&'static str, Tensor)>;

/// What a loss tells besides its value.
#[derive(Debug, Default)]
pub struct Notes {
    /// Statistics.
    pub stats: Stats,
    /// w of the fakes, off the tape.
    pub w: Vec<Tensor>,
}

/// Both networks at a level of detail.
#[derive(Clone, Copy)]
pub struct Game<'a> {
    /// Latent to picture.
    pub g: &'a dyn Generator,
    /// Picture to score.
    pub d: &'a dyn Discriminator,
    /// What the scores are for.
    pub objective: Objective,
    /// Level of detail.
    pub lod: f64,
    /// Weights of label maps.
    pub labels: LabelWeights,
    /// Whether label maps are judged too, behind the pictures' channels.
    pub is_labelled: bool,
}

/// Pictures of the generator.
struct Fakes {
    /// As the discriminator reads them.
    image: Tensor,
    /// How far coarse label maps are from final ones, where there are any.
    mask: Option<Tensor>,
    /// The style that the information head should find, where there is only one.
    info: Option<Tensor>,
    /// The generator's own losses, weighted.
    losses: Vec<(&'static str, Tensor)>,
}

/// One style per layer, of one latent or two; w where it is one for all; and the first latent's w.
pub fn styles(g: &dyn Generator, draws: &Draws) -> (Vec<Tensor>, Option<Tensor>, Tensor) {
    let label = draws.label.as_ref();
    let both = |z: &Tensor| {
        let label = label.map(|label| Tensor::cat(&[label, label], 0));
        g.map(&Tensor::cat(&[&draws.z, z], 0), label.as_ref()).chunk::<2>(0)
    };
    match &draws.mix {
        None => {
            let w = g.map(&draws.z, label);
            (g.styles(&w), Some(w.clone()), w)
        }
        Some(Mix::Swap(z)) => {
            let [first, second] = both(z);
            let ([inter, _], [_, intra]) = (first.chunk(1), second.chunk(1));
            let w = Tensor::cat(&[&inter, &intra], 1);
            (g.styles(&w), Some(w), first)
        }
        Some(Mix::Crossover(z, inject)) => {
            let [first, second] = both(z);
            let mut styles = g.styles(&first);
            styles.splice(inject.., g.styles(&second).split_off(*inject));
            (styles, None, first)
        }
        Some(Mix::Each(z, is_second)) => {
            let [first, second] = both(z);
            (mix([&g.styles(&first), &g.styles(&second)], is_second), None, first)
        }
    }
}

/// The noise of a batch: what was drawn, or the network's own.
fn noise(g: &dyn Generator, draws: &Draws) -> Vec<Tensor> {
    if draws.noise.is_empty() { g.noise() } else { draws.noise.clone() }
}

impl Game<'_> {
    /// With the generator's own losses where their weights are given.
    fn fakes(&self, draws: &Draws, weights: Option<[f64; 2]>, notes: &mut Notes) -> Fakes {
        let (styles, info, w) = styles(self.g, draws);
        notes.w.push(w.detach());
        let synthesizer = self.g.synthesizer();
        let noise = noise(self.g, draws);
        let (image, mask) = match synthesizer.segmented(&styles, &noise) {
            None => (synthesizer.picture(&styles, &noise, self.lod), None),
            Some(Segmented { picture, seg, seg_coarse }) => {
                let mask = weights.map(|_| loss::mask(&seg_coarse, &seg));
                (if self.is_labelled { Tensor::cat(&[&picture, &seg], 1) } else { picture }, mask)
            }
        };
        let losses = weights.map_or_else(Vec::new, |weights| synthesizer.losses(weights));
        Fakes { image, mask, info, losses }
    }

    /// The discriminator's loss on reals and fakes: how well it tells them apart, in the same sum
    /// the penalty γ/2 · R1 where γ is above 0, and how badly it tells style and class.
    pub fn d_main(
        &self,
        reals: &Reals,
        draws: &Draws,
        [info_weight, gamma]: [f64; 2],
        notes: &mut Notes,
    ) -> Tensor {
        let fakes = no_grad(|| self.fakes(draws, None, notes));
        let (fake, lod) = (seen(&fakes.image, draws.augment.as_ref()), self.lod);
        let own = reals.augment.as_ref().map(|[own, _]| own);
        let labels = draws.label.as_ref().zip(reals.label.as_ref());
        let has_penalty = gamma > 0.0;
        let shown = if has_penalty { reals.images.tracked() } else { reals.images.clone() };
        let real = seen(&shown, own);
        let [on_fake, on_real] = if has_penalty {
            let on_real = self.d.judge(&real, reals.label.as_ref(), lod);
            [self.d.judge(&fake, draws.label.as_ref(), lod), on_real]
        } else {
            self.d.judge_both([&fake, &real], labels.map(|(a, b)| [a, b]), lod)
        };
        let scores = [&on_real.pred, &on_fake.pred];
        let main = match &self.objective {
            Objective::Logistic => loss::d_logistic(scores[0], scores[1]),
            Objective::WganGp(weights) => {
                let blend = draws.blend.as_ref().expect("WGAN-GP's draws blend reals and fakes");
                let mixed = between([&real, &fake], blend);
                let on_mixed = self.d.judge(&mixed, reals.label.as_ref(), lod).pred;
                loss::wgan_gp(weights, [scores[0], scores[1], &on_mixed], &mixed).mean
            }
        };
        let stats = &mut notes.stats;
        let mut terms = vec![(main, 1.0)];
        stats.push(("d", terms[0].0.detach()));
        terms.extend(told(&on_fake, fakes.info.as_ref(), ("d_info", info_weight), stats));
        let class = [(&on_fake, draws), (&on_real, draws)].map(|(on, draws)| class_loss(on, draws));
        terms.extend(class.into_iter().flatten().map(|loss| (loss, 1.0)));
        stats.push(("real_score", on_real.pred.detach().mean_all()));
        if own.is_some() {
            let sign = on_real.pred.detach().map(|x| x.greater(0.0) * 2.0 - 1.0);
            stats.push(("real_sign", sign.mean_all()));
        }
        stats.push(("fake_score", on_fake.pred.detach().mean_all()));
        if has_penalty {
            let penalty = loss::r1(&on_real.pred, &shown).penalty;
            stats.push(("r1", penalty.detach()));
            terms.push((penalty, gamma / 2.0));
        }
        weighted_sum(&terms)
    }

    /// The gradient penalty on reals, γ/2 · interval · R1, and on their label maps with a γ of its
    /// own.
    pub fn d_r1(&self, reals: &Reals, [gamma, every]: [f64; 2], notes: &mut Notes) -> Tensor {
        let augment = reals.augment.as_ref().map(|[_, own]| own);
        let score = |x: &Tensor| self.d.judge(&seen(x, augment), reals.label.as_ref(), self.lod);
        let images = &reals.images;
        if !self.is_labelled {
            let real = images.tracked();
            let R1 { penalty, .. } = loss::r1(&score(&real).pred, &real);
            notes.stats.push(("r1", penalty.detach()));
            return penalty * (gamma / 2.0 * every);
        }
        let real = images.narrow(1, 0, 3).tracked();
        let seg = images.narrow(1, 3, images.size(1) - 3).tracked();
        let pred = score(&Tensor::cat(&[&real, &seg], 1)).pred;
        let [on_real, on_seg] = loss::r1_each(&pred, [&real, &seg]).map(|r1| r1.penalty);
        notes.stats.extend([("r1", on_real.detach()), ("r1_seg", on_seg.detach())]);
        let weights = [gamma, self.labels.r1].map(|gamma| gamma / 2.0 * every);
        weighted_sum(&[(on_real, weights[0]), (on_seg, weights[1])])
    }

    /// The generator's loss: how well its pictures are told from real ones, its own losses with
    /// their weights, and how badly the discriminator tells style and class.
    pub fn g_main(
        &self,
        draws: &Draws,
        own_weights: [f64; 2],
        info_weight: f64,
        notes: &mut Notes,
    ) -> Tensor {
        let fakes = self.fakes(draws, Some(own_weights), notes);
        let picture = seen(&fakes.image, draws.augment.as_ref());
        let judged = self.d.judge(&picture, draws.label.as_ref(), self.lod);
        let main = match self.objective {
            Objective::Logistic => loss::g_nonsaturating(&judged.pred),
            Objective::WganGp(_) => -judged.pred.mean_all(),
        };
        let stats = &mut notes.stats;
        stats.push(("g", main.detach()));
        let mut terms = vec![(main, 1.0)];
        terms.extend(told(&judged, fakes.info.as_ref(), ("g_info", info_weight), stats));
        terms.extend(class_loss(&judged, draws).map(|loss| (loss, 1.0)));
        if let Some(mask) = fakes.mask {
            stats.push(("mask", mask.detach()));
            terms.push((mask, self.labels.mask));
        }
        for (name, loss) in fakes.losses {
            stats.push((name, loss.detach()));
            terms.push((loss, 1.0));
        }
        weighted_sum(&terms)
    }
}

/// Pictures as the discriminator sees them.
fn seen(pictures: &Tensor, augment: Option<&Augmentation>) -> Tensor {
    augment.map_or_else(|| pictures.clone(), |augment| augment.apply(pictures))
}

/// Length of each sample's path, `[B]`.
pub fn path_lengths(g: &dyn Generator, inputs: &PathInputs, lod: f64) -> Tensor {
    let styles = g.variables(&styles(g, &inputs.draws).0);
    let image = g.synthesizer().picture(&styles, &noise(g, &inputs.draws), lod);
    loss::path_lengths(&image, &inputs.direction, &styles.iter().collect::<Vec<_>>())
}

/// The penalty on path lengths, from their running mean so far.
pub fn path_penalty(
    lengths: &Tensor,
    mean: &Tensor,
    decay: f64,
    stats: &mut Stats,
) -> loss::PathPenalty {
    let path = loss::path_penalty(lengths, mean, decay);
    stats.extend([
        ("path", path.penalty.detach()),
        ("path_lengths", lengths.detach()),
        ("mean_path_length", path.mean.detach()),
    ]);
    path
}

/// Mean squared error of the style estimate, weighted; zero where there is no single style to find,
/// and nothing where none is made.
fn told(
    judged: &Judgement,
    target: Option<&Tensor>,
    (name, weight): (&'static str, f64),
    stats: &mut Stats,
) -> Option<(Tensor, f64)> {
    let estimate = judged.info.as_ref()?;
    let error = match target {
        Some(w) => loss::mse(estimate, &w.detach()),
        None => Tensor::scalar(0.0, estimate.device()),
    };
    stats.push((name, error.detach()));
    Some((error, weight))
}

/// Cross entropy of the classes, where the discriminator tells them.
fn class_loss(judged: &Judgement, draws: &Draws) -> Option<Tensor> {
    let (classes, label) = (judged.classes.as_ref()?, draws.label.as_ref()?);
    Some((classes.log_softmax(1) * label).sum_all() * (-1.0 / label.size(0) as f64))
}

/// real + (fake − real) · blend, a leaf.
fn between([real, fake]: [&Tensor; 2], blend: &Tensor) -> Tensor {
    let [real_k, fake_k, blend_k] = Expr::inputs();
    let mixed = real_k.clone() + (fake_k - real_k) * blend_k;
    pointwise(&[real, fake, blend], &mixed).detach().tracked()
}

/// Sum of scalars with weights.
fn weighted_sum(terms: &[(Tensor, f64)]) -> Tensor {
    let weighted = terms.iter().enumerate().map(|(k, &(_, weight))| match weight {
        1.0 => Expr::input(k),
        weight => Expr::input(k) * weight,
    });
    let sum = weighted.reduce(|a, b| a + b).expect("a term");
    match terms {
        [(only, 1.0)] => only.clone(),
        _ => pointwise(&terms.iter().map(|(term, _)| term).collect::<Vec<_>>(), &sum),
    }
}
