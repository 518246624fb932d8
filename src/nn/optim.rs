//! Adam and the moving average, as pointwise expressions over slabs.

use serde::{Deserialize, Serialize};

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// Where Adam adds its eps: to the root of the second moment after its correction, or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdamForm {
    /// After: algorithm 1.
    PyTorch,
    /// Before: the note below algorithm 1.
    TensorFlow,
}

/// Adam (Kingma and Ba 2015, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size.
    pub lr: f64,
    /// Decay of the first moment; at 0 it is the gradient and is not stored.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Where.
    pub form: AdamForm,
}

/// What Adam remembers of one slab.
#[derive(Clone, Debug)]
pub struct Moments {
    /// First moment, where beta1 is not 0.
    pub m: Option<Tensor>,
    /// Second moment.
    pub v: Tensor,
    /// Updates so far.
    pub step: u64,
}

impl Moments {
    /// Zeros for a slab like `p`.
    pub fn new(adam: &Adam, p: &Tensor) -> Self {
        let zeros = || Tensor::full(0.0, p.shape(), p.device());
        Self { m: (adam.beta1 != 0.0).then(zeros), v: zeros(), step: 0 }
    }
}

impl Adam {
    /// One update: the new parameters. Nothing changes where `blocked` (rank 0) is above 0.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn update(&self, p: &Tensor, g: &Tensor, blocked: &Tensor, s: &mut Moments) -> Tensor {
        s.step += 1;
        let correction = |beta: f64| 1.0 - beta.powi(i32::try_from(s.step).unwrap_or(i32::MAX));
        let (c1, c2) = (correction(self.beta1), correction(self.beta2));
        // √v + eps, all corrected, is √(v / c₂) + eps / √c₂.
        let eps = match self.form {
            AdamForm::PyTorch => self.eps,
            AdamForm::TensorFlow => self.eps / c2.sqrt(),
        };
        let [old, g_k, blocked_k, p_k] = Expr::inputs();
        let keep = |new: Expr, old: &Expr| blocked_k.greater(0.0).select(old, new);
        let v = old.clone() * self.beta2 + g_k.square() * (1.0 - self.beta2);
        s.v = pointwise(&[&s.v, g, blocked], &keep(v, &old));
        let first = s.m.take().map_or_else(
            || g.clone(),
            |m| {
                let new = old.clone() * self.beta1 + g_k.clone() * (1.0 - self.beta1);
                pointwise(&[&m, g, blocked], &keep(new, &old))
            },
        );
        let step = g_k * (self.lr / c1) / ((old * (1.0 / c2)).sqrt() + eps);
        let new = pointwise(&[&s.v, &first, blocked, p], &keep(p_k.clone() - step, &p_k));
        s.m = (self.beta1 != 0.0).then_some(first);
        new
    }
}

/// decay · ema + (1 − decay) · p.
///
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn ema_update(ema: &Tensor, p: &Tensor, decay: f64) -> Tensor {
    ema.zip(p, |ema, p| ema * decay + p * (1.0 - decay))
}
