//! Batch normalisation: per channel over samples and pixels.

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::{Shape, Tensor};

/// One entry per channel each, `[C]`.
#[derive(Clone, Debug)]
pub struct RunningMoments {
    /// Mean.
    pub mean: Tensor,
    /// Unbiased variance.
    pub var: Tensor,
}

/// (x − mean) / √(var + eps) w + b with the given moments, channels along axis 1. Ioffe and Szegedy
/// 2015, algorithm 2. PyTorch: `F.batch_norm`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn batch_norm_eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    moments: &RunningMoments,
    eps: f64,
) -> Tensor {
    let shape = per_channel(x);
    let rows = [weight, bias, &moments.mean, &moments.var].map(|t| t.reshape(&shape));
    let [value, w, b, mean, var] = Expr::inputs();
    let value = (value - mean) * ((var + eps).rsqrt() * w) + b;
    pointwise(&[x, &rows[0], &rows[1], &rows[2], &rows[3]], &value)
}

/// The same with the moments of this batch (the variance biased), and the running moments moved
/// towards them: old (1 − momentum) + new momentum, the variance unbiased, off the tape.
/// PyTorch: `F.batch_norm` with `training=True`.
///
/// # Panics
/// When the shapes do not fit, or a channel has one value only.
#[track_caller]
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    running: &RunningMoments,
    eps: f64,
    momentum: f64,
) -> (Tensor, RunningMoments) {
    let shape = per_channel(x);
    let axes: Vec<usize> = (0..x.shape().len()).filter(|&k| k != 1).collect();
    let n = (x.numel() / x.size(1)) as f64;
    assert!(n > 1.0, "batch_norm: one value per channel (x {:?})", x.shape());
    let mean = x.mean(&axes, true);
    let centred = x - &mean;
    let var = centred.square().mean(&axes, true);
    let [value, w, b, v] = Expr::inputs();
    let value = value * ((v + eps).rsqrt() * w) + b;
    let y = pointwise(&[&centred, &weight.reshape(&shape), &bias.reshape(&shape), &var], &value);
    let moved = |old: &Tensor, new: &Tensor, factor: f64| {
        let new = new.detach().reshape(old.shape());
        old.detach().zip(&new, |old, new| old * (1.0 - momentum) + new * (momentum * factor))
    };
    let mean = moved(&running.mean, &mean, 1.0);
    (y, RunningMoments { mean, var: moved(&running.var, &var, n / (n - 1.0)) })
}

fn per_channel(x: &Tensor) -> Shape {
    (0..x.shape().len()).map(|k| if k == 1 { x.size(1) } else { 1 }).collect::<Vec<_>>().into()
}
