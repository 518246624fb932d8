//! Fully connected layer with equalised learning rate.

use super::module::{Builder, Init, Param};
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// y = x wᵀ · lr_mul/√in + b · lr_mul, with leaky ReLU(0.2) · √2 if activated. Weights are stored
/// with unit variance (divided by `lr_mul`) and scaled at run time. PGGAN, section 4.1.
#[derive(Debug)]
pub struct EqualLinear {
    weight: Param, // [out, in]
    bias: Param,   // [out]
    lr_mul: f64,
    activate: bool,
}

impl EqualLinear {
    /// Parameters `weight` and `bias`; the bias starts as `bias` says.
    pub fn new(b: &mut Builder, inputs: usize, outputs: usize, bias: Init) -> Self {
        Self::with(b, inputs, outputs, bias, 1.0, false)
    }

    /// The same with an activation and a learning-rate multiplier.
    pub fn activated(b: &mut Builder, inputs: usize, outputs: usize, lr_mul: f64) -> Self {
        Self::with(b, inputs, outputs, Init::Constant(0.0), lr_mul, true)
    }

    fn with(
        b: &mut Builder,
        inputs: usize,
        outputs: usize,
        bias: Init,
        lr_mul: f64,
        activate: bool,
    ) -> Self {
        Self {
            weight: b.param("weight", [outputs, inputs], Init::Normal(1.0 / lr_mul)),
            bias: b.param("bias", [outputs], bias),
            lr_mul,
            activate,
        }
    }

    /// `[N, in]` to `[N, out]`.
    ///
    /// # Panics
    /// When x has another width.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let inputs = self.weight.shape()[1];
        let y = x.linear(&self.weight.get(), None);
        let [product, bias] = Expr::inputs();
        let sum = product * (self.lr_mul / (inputs as f64).sqrt()) + bias * self.lr_mul;
        let value = if self.activate { sum.leaky_relu(0.2) * 2f64.sqrt() } else { sum };
        pointwise(&[&y, &self.bias.get()], &value)
    }
}
