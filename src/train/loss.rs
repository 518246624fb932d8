//! The named terms of the objectives, one function each.

use serde::{Deserialize, Serialize};

use crate::autograd::grad;
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

/// mean softplus(−D(real)) + mean softplus(D(fake)). Goodfellow et al. 2014, equation 1.
pub fn d_logistic(real: &Tensor, fake: &Tensor) -> Tensor {
    real.map_mean(|x| (-x).softplus()) + fake.map_mean(|x| x.softplus())
}

/// mean softplus(−D(fake)): the non-saturating form.
pub fn g_nonsaturating(fake: &Tensor) -> Tensor {
    fake.map_mean(|x| (-x).softplus())
}

/// Mean squared difference.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn mse(x: &Tensor, target: &Tensor) -> Tensor {
    let n = x.shape().broadcast(target.shape()).map_or(1, |shape| shape.numel());
    x.zip_sum(target, |x, target| (x - target).square() * (1.0 / n as f64))
}

/// R1 of Mescheder et al. 2018 (equation 9, without the weight γ/2).
#[derive(Debug)]
pub struct R1 {
    /// d sum(pred) / d real, `[B, 3, H, W]`.
    pub grad_real: Tensor,
    /// Mean over the samples of its squared norm.
    pub penalty: Tensor,
}

/// The gradient penalty on real pictures.
///
/// # Panics
/// When `real` is not tracked.
#[track_caller]
pub fn r1(pred: &Tensor, real: &Tensor) -> R1 {
    let [r1] = r1_each(pred, [real]);
    r1
}

/// The penalty on each of what a critic reads together: pictures and label maps, in
/// SemanticStyleGAN.
///
/// # Panics
/// When one of them is not tracked.
#[track_caller]
pub fn r1_each<const N: usize>(pred: &Tensor, reals: [&Tensor; N]) -> [R1; N] {
    let mut slopes = grad(&[&pred.sum_all()], &[None], &reals, true).into_iter();
    reals.map(|real| {
        let grad_real = slopes.next().flatten().expect("the score depends on what it is of");
        let penalty = grad_real.square().sum_all() * (1.0 / real.size(0) as f64);
        R1 { grad_real, penalty }
    })
}

/// How far the coarse mask `[B, K, c, c]` is from the label map `[B, K, H, W]` at its size: mean
/// squared difference. SemanticStyleGAN's mask loss, as its published code has it.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn mask(coarse: &Tensor, seg: &Tensor) -> Tensor {
    mse(coarse, &seg.resize([coarse.size(2), coarse.size(3)], Resize::Area))
}

/// ‖Jᵀ direction‖ for each sample, J the Jacobian of the picture with respect to the style: the
/// gradient's squares summed over the width of a style, averaged over the layers, rooted. `[B]`.
/// StyleGAN2, section 3.2.
///
/// image and direction `[B, 3, H, W]`, the direction of unit variance; `styles` one `[B, S]` per
/// layer, each a variable of its own.
///
/// # Panics
/// When a style is not tracked.
#[track_caller]
pub fn path_lengths(image: &Tensor, direction: &Tensor, styles: &[&Tensor]) -> Tensor {
    let pixels = (image.size(2) * image.size(3)) as f64;
    let projected = (image * direction).sum_all() * (1.0 / pixels.sqrt());
    let square = |slope: Option<Tensor>| Some(slope?.square().sum(&[1], false));
    let squares = grad(&[&projected], &[None], styles, true).into_iter().filter_map(square);
    let sum = squares.reduce(|a, b| a + b).expect("the picture depends on its styles");
    sum.map(|sum| (sum * (1.0 / styles.len() as f64)).sqrt())
}

/// The path-length penalty.
#[derive(Debug)]
pub struct PathPenalty {
    /// Running mean of the lengths, with these lengths in it and in the graph.
    pub mean: Tensor,
    /// mean (lengths − mean)².
    pub penalty: Tensor,
}

/// Distance of the lengths from their running mean; gradient flows through both.
pub fn path_penalty(lengths: &Tensor, mean: &Tensor, decay: f64) -> PathPenalty {
    let mean = mean.zip(&lengths.mean_all(), |old, new| old.clone() + decay * (new - old));
    PathPenalty { penalty: mse(lengths, &mean), mean }
}

/// Weights of [`wgan_gp`]. PGGAN, appendix A.1, has 10, 1 and 0.001.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WganGp {
    /// λ, of the gradient penalty.
    pub lambda: f64,
    /// γ, what the norm of the gradient should be.
    pub target: f64,
    /// ε, of the score's drift from zero.
    pub epsilon: f64,
}

/// A critic's loss and the norms that are in it.
#[derive(Debug)]
pub struct WganGpLoss {
    /// ‖d D(mixed) / d mixed‖ for each sample, `[N]`.
    pub grad_norm: Tensor,
    /// Mean over the samples, rank 0.
    pub mean: Tensor,
}

/// mean of D(fake) − D(real) + λ/γ² (‖d D(mixed) / d mixed‖ − γ)² + ε D(real)². Gulrajani et al.
/// 2017, equation 3, as PGGAN uses it.
///
/// Scores of any shape; `mixed` `[N, 3, H, W]` lies between reals and fakes, and `on_mixed` is its score.
///
/// # Panics
/// When `mixed` is not tracked, or shapes do not fit.
#[track_caller]
pub fn wgan_gp(
    weights: &WganGp,
    [on_real, on_fake, on_mixed]: [&Tensor; 3],
    mixed: &Tensor,
) -> WganGpLoss {
    let &WganGp { lambda, target, epsilon } = weights;
    let slope = grad(&[&on_mixed.sum_all()], &[None], &[mixed], true).remove(0);
    let slope = slope.expect("the score depends on the picture");
    let squares = slope.reshape([mixed.size(0), mixed.numel() / mixed.size(0)]).square();
    let grad_norm = squares.sum(&[1], false).sqrt();
    let penalty = grad_norm.map(|norm| (lambda / target.powi(2)) * (norm - target).square());
    let gap = on_real.zip(on_fake, |real, fake| fake - real.clone() + epsilon * real.square());
    WganGpLoss { mean: gap.mean_all() + penalty.mean_all(), grad_norm }
}

/// −log softmax(x) at each position's label, `[N, 1, ...]` of x `[N, C, ...]` and labels
/// `[N, ...]`; 0 where the label is no class.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn cross_entropy_map(x: &Tensor, labels: &Tensor) -> Tensor {
    let shape = x.shape().with(1, 1);
    let fits = shape.numel() == labels.numel() && x.size(0) == labels.size(0);
    assert!(fits, "cross_entropy: x {:?}, labels {:?}", x.shape(), labels.shape());
    -x.log_softmax(1).gather(1, &labels.reshape(shape))
}

/// Cross entropy over many positions.
#[derive(Debug)]
pub struct CrossEntropy {
    /// Over the positions that count.
    pub sum: Tensor,
    /// Positions whose label is a class, and not the ignored one.
    pub count: Tensor,
}

/// [`cross_entropy_map`] summed up. A label that is no class is ignored like `ignored`.
/// PyTorch: `F.cross_entropy`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn cross_entropy(x: &Tensor, labels: &Tensor, ignored: i32) -> CrossEntropy {
    let map = cross_entropy_map(x, labels);
    let counts: Vec<f32> = (0..x.size(1) as i32).map(|k| f32::from(k != ignored)).collect();
    let counts = Tensor::from_slice(&counts, [counts.len()], x.device());
    let counted = counts.index_select(0, &labels.reshape([labels.numel()])).reshape(map.shape());
    CrossEntropy { sum: (map * &counted).sum_all(), count: counted.sum_all() }
}

impl CrossEntropy {
    /// Mean over the positions that count; 0 where there is none.
    pub fn mean(&self) -> Tensor {
        self.sum.zip(&self.count, |sum, count| sum / count.max(1.0))
    }
}

/// −t log σ(x) − (1 − t) log(1 − σ(x)) of each element, without overflow.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn bce_map(x: &Tensor, target: &Tensor) -> Tensor {
    x.zip(target, |x, target| x.softplus() - x * target)
}

/// Mean of [`bce_map`]. PyTorch: `F.binary_cross_entropy_with_logits`.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn bce_with_logits(x: &Tensor, target: &Tensor) -> Tensor {
    bce_map(x, target).mean_all()
}

/// Mean of alpha (1 − p)^gamma l over cross entropies l = −log p. Lin et al. 2017, equation 5.
pub fn focal(cross_entropies: &Tensor, alpha: f64, gamma: f64) -> Tensor {
    cross_entropies.map(|l| (1.0 - (-l.clone()).exp()).powf(gamma) * l * alpha).mean_all()
}

/// Mean weighted by a mask.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn masked_mean(x: &Tensor, mask: &Tensor) -> Tensor {
    (x * mask).sum_all() / mask.sum_all()
}
