//! Equations 1, 2 and 5: which channels belong together, and their codes as one scale each.

use super::Rule;
use crate::ops::pointwise::{Expr, pointwise, scaled_sum_of};
use crate::tensor::Tensor;

/// The published code divides its summed grouping losses by this at every size.
const OFFICIAL_LAYERS: f64 = 20.0;

/// Cosine similarity of the kernels of a layer, weight `[1, O, I, k, k]`, as `[O, O]`; no gradient.
pub fn similarity(weight: &Tensor) -> Tensor {
    let outputs = weight.size(1);
    let kernels = weight.detach().reshape([outputs, weight.numel() / outputs]);
    let kernels = kernels.normalize(1, 1e-12);
    kernels.matmul_t(&kernels, false, true)
}

/// The paper's threshold r `[1]`: the (1 − 1/g) quantile of the similarities `co [C, C]`, so that
/// each channel has C/g similar ones. By bisection: nothing is sorted or read back.
pub fn threshold(co: &Tensor, groups: usize) -> Tensor {
    const HALVINGS: i32 = 24;
    let mut r = Tensor::full(-1.0, [1], co.device());
    for k in 0..HALVINGS {
        let step = 0.5f64.powi(k);
        let above = co.zip(&r, |co, r| co.greater(r + step)).mean_all();
        r = r.zip(&above, |r, above| r + step * above.greater(1.0 / groups as f64));
    }
    r
}

/// softmax of 500 p over the groups, rounded, plus 1e-6. Two equal groups give a half, which rounds
/// to 0: that channel belongs to no group. What is added makes an empty group's codes reach every
/// channel.
fn sharpened(probs: &Tensor) -> Tensor {
    probs.sharpened_softmax(0, 500.0).map(|share| share.round() + 1e-6)
}

/// 1 in the group of each channel's largest logit, else 0, `[g, C]` as `cluster`; no gradient.
pub fn membership(cluster: &Tensor) -> Tensor {
    let groups = cluster.size(0);
    let mut identity = vec![0.0; groups * groups];
    identity.iter_mut().step_by(groups + 1).for_each(|x| *x = 1.0);
    let identity = Tensor::from_slice(&identity, [groups, groups], cluster.device());
    identity.index_select(1, &cluster.detach().argmax(0, false))
}

/// Mean of x `[1, C, H, W]` over the channels of each group, `[g, H, W]`: the paper's attention maps.
/// `members [g, C]` is 1 where a channel belongs to a group. 0 for an empty group.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn activation_maps(x: &Tensor, members: &Tensor) -> Tensor {
    let (channels, height, width) = (x.size(1), x.size(2), x.size(3));
    let size = members.sum(&[1], true).map(|n| n.max(1.0));
    let sums = members.matmul(&x.reshape([channels, height * width]));
    (sums / size).reshape([members.size(0), height, width])
}

/// Which pairs of channels belong together `[C, C]`, from the similarity `co [C, C]` of the kernels
/// that make them and the threshold `gate [1]`: the published code has a soft step of slope 50 at
/// sigmoid(gate), the paper a step at r = gate. No gradient into the similarity.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn target(rule: Rule, gate: &Tensor, co: &Tensor) -> Tensor {
    match rule {
        Rule::Official => co.zip(gate, |co, gate| (50.0 * (co - gate.sigmoid())).sigmoid()),
        Rule::Paper => co.zip(&gate.detach(), |co, r| co.greater(r)),
    }
}

/// How the channels of one layer fall into groups.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// Soft membership `[g, C]`: softmax over the groups.
    pub probs: Tensor,
    /// Hard membership `[g, C]`; no gradient.
    pub assigned: Tensor,
    /// Whose definition it is.
    pub rule: Rule,
}

impl Grouping {
    /// From the group logits `cluster [g, C]` and the learned temperature `tmpr [1]`, which stands
    /// for 1 / (5 sigmoid(tmpr)) in the published code and for exp(tmpr), which cannot cross zero,
    /// in the paper.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn new(rule: Rule, cluster: &Tensor, tmpr: &Tensor) -> Self {
        let probs = Self::shares(rule, cluster, tmpr);
        Self { assigned: Self::assignment(rule, cluster, &probs), probs, rule }
    }

    /// The soft membership alone.
    pub(super) fn shares(rule: Rule, cluster: &Tensor, tmpr: &Tensor) -> Tensor {
        let logits = cluster.zip(tmpr, |cluster, tmpr| match rule {
            Rule::Official => 5.0 * tmpr.sigmoid() * cluster,
            Rule::Paper => cluster * (-tmpr).exp(),
        });
        logits.softmax(0)
    }

    /// The hard membership from the soft one.
    pub(super) fn assignment(rule: Rule, cluster: &Tensor, probs: &Tensor) -> Tensor {
        match rule {
            Rule::Official => sharpened(&probs.detach()),
            Rule::Paper => membership(cluster),
        }
    }

    /// Equation 2: squared distance of the pairwise membership from the target, its sum in the
    /// published code, its mean in the paper.
    pub fn loss1(&self, target: &Tensor) -> Tensor {
        let together = self.probs.matmul_t(&self.probs, true, false);
        let share = match self.rule {
            Rule::Official => 1.0,
            Rule::Paper => 1.0 / together.numel() as f64,
        };
        together.zip_sum(&target.detach(), |p, s| (p - s).square() * share)
    }

    /// Pulls the published code's thresholds to where each channel has C/g similar ones: the sum over
    /// layers, each with its target, times a weight.
    pub fn loss2(layers: &[Self], targets: &[Tensor], weight: f64) -> Tensor {
        let sums: Vec<Tensor> = targets.iter().map(Tensor::sum_all).collect();
        let distance = |(k, layer): (usize, &Self)| {
            let (groups, channels) = (layer.probs.size(0), layer.probs.size(1));
            let wanted = (channels * channels) as f64 / groups as f64;
            (wanted - Expr::input(k)).square()
        };
        let distances = layers.iter().enumerate().map(distance);
        let total = distances.reduce(|a, b| a + b).expect("a layer");
        pointwise(&sums.iter().collect::<Vec<_>>(), &(total * weight))
    }

    /// One scale per channel `[B, C]` from intra-group codes `[B, C]` and inter-group codes
    /// `[B, g]`: sum over groups i of h_i · u_i / max(‖u_i‖, eps) with u_i the codes of its channels.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn style(&self, intra: &Tensor, inter: &Tensor, eps: f64) -> Tensor {
        // ‖u_i‖² for all groups is one product, and so is the sum over groups: no [B, g, C] tensor.
        let power = intra.linear_of_squares(&self.assigned, true);
        let weight = inter.zip(&power, |h, p| h * p.max(eps * eps).rsqrt());
        intra * weight.matmul(&self.assigned)
    }

    /// 1 where a channel belongs to a group, else 0, `[g, C]`: without what the published code adds.
    pub fn members(&self) -> Tensor {
        self.assigned.round()
    }
}

/// Both grouping losses summed over the layers, times their weights; the paper has no second one.
pub fn grouping_losses(
    groups: &[Grouping],
    targets: &[Tensor],
    [weight1, weight2]: [f64; 2],
) -> [Tensor; 2] {
    let losses1 = groups.iter().zip(targets).map(|(group, target)| group.loss1(target));
    let losses1: Vec<Tensor> = losses1.collect();
    match groups[0].rule {
        Rule::Official => {
            let loss2 = Grouping::loss2(groups, targets, weight2 / OFFICIAL_LAYERS);
            [scaled_sum_of(&losses1, weight1 / OFFICIAL_LAYERS), loss2]
        }
        Rule::Paper => {
            let loss2 = Tensor::scalar(0.0, groups[0].probs.device());
            [scaled_sum_of(&losses1, weight1), loss2]
        }
    }
}
