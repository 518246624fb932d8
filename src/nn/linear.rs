//! Fully connected layer with equalised learning rate.

use super::module::{Builder, Init, Param};
use crate::tensor::Tensor;

/// y = x wᵀ · gain · lr_mul/√in + b · lr_mul, with leaky ReLU(0.2) if activated. The gain of √2 that
/// makes up for the activation stands behind it in StyleGAN2, and is that of the weights before.
/// Weights are stored with unit variance (divided by `lr_mul`) and scaled at run time. PGGAN,
/// section 4.1.
#[derive(Debug)]
pub struct EqualLinear {
    weight: Param, // [out, in]
    bias: Param,   // [out]
    lr_mul: f64,
    gain: f64,
    /// Gain behind the activation, where there is one.
    activation: Option<f64>,
    /// Added to the output.
    offset: f64,
}

impl EqualLinear {
    /// Parameters `weight` and `bias`; the bias starts as `bias` says.
    pub fn new(b: &mut Builder, inputs: usize, outputs: usize, bias: Init) -> Self {
        Self::with(b, [inputs, outputs], bias, 1.0, (1.0, None))
    }

    /// The same, with a number added to the output.
    pub fn shifted(self, offset: f64) -> Self {
        Self { offset, ..self }
    }

    /// The same with an activation and a learning-rate multiplier.
    pub fn activated(b: &mut Builder, inputs: usize, outputs: usize, lr_mul: f64) -> Self {
        Self::with(b, [inputs, outputs], Init::Constant(0.0), lr_mul, (1.0, Some(2f64.sqrt())))
    }

    /// The same with the gain of √2 on the weights: PGGAN and StyleGAN.
    pub fn he_activated(b: &mut Builder, inputs: usize, outputs: usize, lr_mul: f64) -> Self {
        Self::with(b, [inputs, outputs], Init::Constant(0.0), lr_mul, (2f64.sqrt(), Some(1.0)))
    }

    fn with(
        b: &mut Builder,
        [inputs, outputs]: [usize; 2],
        bias: Init,
        lr_mul: f64,
        (gain, activation): (f64, Option<f64>),
    ) -> Self {
        Self {
            weight: b.param("weight", [outputs, inputs], Init::Normal(1.0 / lr_mul)),
            bias: b.param("bias", [outputs], bias),
            lr_mul,
            gain,
            activation,
            offset: 0.0,
        }
    }

    /// `[N, in]` to `[N, out]`.
    ///
    /// # Panics
    /// When x has another width.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let inputs = self.weight.shape()[1];
        let scale = self.gain * self.lr_mul / (inputs as f64).sqrt();
        let bias = self.bias.get();
        let y = x.scaled_linear(&self.weight.get(), Some(&bias), [scale, self.lr_mul]);
        match self.activation {
            Some(gain) => y.map(|y| y.leaky_relu(0.2) * gain),
            None if self.offset != 0.0 => y + self.offset,
            None => y,
        }
    }
}
