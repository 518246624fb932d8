//! Convolutions whose input scales are learned instead of made from a style. What they do to the
//! weight is computed once per weight.

use crate::device::Device;
use crate::models::stylegan2::{EPS, add_doubled};
use crate::nn::conv::oriented_conv2d;
use crate::nn::{Builder, Init, Modulated, Param, Resample, blur_kernel};
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;

/// A convolution with one learned scale per input channel, and equalised learning rate.
pub struct FixedConv {
    weight: Param,     // [O, I, k, k]
    modulation: Param, // [1, I, 1, 1]
    demodulate: bool,
    resample: Resample,
}

impl FixedConv {
    /// Of a size `[I, O, k]`.
    pub fn new(
        b: &mut Builder,
        [inputs, outputs, k]: [usize; 3],
        (resample, demodulate): (Resample, bool),
    ) -> Self {
        let weight = b.param("weight", [outputs, inputs, k, k], Init::Normal(1.0));
        let modulation = b.param("modulation", [1, inputs, 1, 1], Init::Constant(1.0));
        Self { weight, modulation, demodulate, resample }
    }

    /// The weight with everything in it, as the convolution reads it.
    pub fn filter(&self) -> Tensor {
        self.weight.derived("filter", |weight| {
            let scale = 1.0 / ((weight.numel() / weight.size(0)) as f64).sqrt();
            let scaled = weight.zip(&self.modulation.get(), |w, m| w * m * scale);
            let power = self.demodulate.then(|| scaled.dot(&scaled, &[1, 2, 3], true));
            let filter = power.map_or(scaled.clone(), |power| {
                scaled.zip(&power, |w, power| w * (power + EPS).rsqrt())
            });
            self.resample.oriented(&filter)
        })
    }
}

/// Fixed convolution, noise, bias, activation: the render net's layer.
pub struct FixedStyledConv {
    conv: FixedConv,
    noise: Param, // [1]
    bias: Param,  // [O]
    kernel: Tensor,
}

impl FixedStyledConv {
    /// Of a size `[I, O, k]`; `taps` are those of the blur behind a doubling.
    pub fn new(
        b: &mut Builder,
        size: [usize; 3],
        form: (Resample, bool),
        taps: &[f64],
        device: &Device,
    ) -> Self {
        let conv = FixedConv::new(b, size, form);
        let noise = b.at("noise", |b| b.param("weight", [1], Init::Constant(0.0)));
        let bias = b.at("activate", |b| b.param("bias", [size[1]], Init::Constant(0.0)));
        Self { conv, noise, bias, kernel: blur_kernel(taps, 4.0, device) }
    }

    /// x `[B, I, H, W]`, noise `[B or 1, 1, H', W']` to `[B, O, H', W']`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, noise: &Tensor) -> Tensor {
        let y = oriented_conv2d(x, &self.conv.filter(), self.conv.resample, &self.kernel);
        let y = Modulated { y, demodulation: None };
        y.noise_bias_act(noise, &self.noise.get(), &self.bias.get())
    }
}

/// Features to what is read off them: 1x1 fixed convolution and bias.
pub struct Head {
    bias: Param, // [1, O, 1, 1]
    conv: FixedConv,
}

impl Head {
    /// From `inputs` to `outputs` channels.
    pub fn new(b: &mut Builder, [inputs, outputs]: [usize; 2]) -> Self {
        let bias = b.param("bias", [1, outputs, 1, 1], Init::Constant(0.0));
        let form = (Resample::Keep, false);
        Self { bias, conv: b.at("conv", |b| FixedConv::new(b, [inputs, outputs, 1], form)) }
    }

    /// Weight `[O, I, 1, 1]` and bias `[O, 1, 1, 1]`.
    pub(super) fn filter_and_bias(&self) -> [Tensor; 2] {
        [self.conv.filter(), self.bias.get().transpose(0, 1)]
    }

    /// What `compute` makes of several heads, once for each of this one's values.
    pub(super) fn derived(&self, name: &'static str, compute: impl FnOnce() -> Tensor) -> Tensor {
        self.bias.derived(name, |_| compute())
    }

    /// x `[B, I, H, W]` to `[B, O, H, W]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.conv.filter(), &Conv2d::default()) + self.bias.get()
    }

    /// The same plus what was read off half the resolution, `[B, O, H/2, W/2]`, doubled; `kernel` is
    /// the filter, of sum 4.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn added(&self, x: &Tensor, below: Option<&Tensor>, kernel: &Tensor) -> Tensor {
        let y = x.conv2d(&self.conv.filter(), &Conv2d::default());
        add_doubled(&y, &self.bias.get(), below, kernel)
    }
}
