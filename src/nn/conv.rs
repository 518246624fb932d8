//! Modulated convolution and the activations behind a convolution.

use crate::device::Device;
use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// What a convolution does to the resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Nothing: zero padding k/2.
    Keep,
    /// Doubles it: transposed convolution of stride 2, then blur.
    Up,
    /// Halves it: blur, then convolution of stride 2.
    Down,
}

/// Outer product of the taps with itself, with sum `gain`.
pub fn blur_kernel(taps: &[f64], gain: f64, device: &Device) -> Tensor {
    let sum: f64 = taps.iter().sum();
    let value = |(a, b): (f64, f64)| (a * b * gain / (sum * sum)) as f32;
    let kernel: Vec<f32> =
        taps.iter().flat_map(|&a| taps.iter().map(move |&b| (a, b))).map(value).collect();
    Tensor::from_slice(&kernel, [taps.len(), taps.len()], device)
}

impl Resample {
    /// A weight `[O, I, k, k]` as the convolution reads it: `[I, O, k, k]` where it doubles.
    pub fn oriented(self, weight: &Tensor) -> Tensor {
        if self == Self::Up { weight.transpose(0, 1) } else { weight.clone() }
    }
}

/// What a modulated convolution reads of a weight `[O, I, k, k]`.
#[derive(Debug)]
pub struct Filter {
    /// [`Resample::oriented`].
    pub oriented: Tensor,
    /// Sums of squares over the taps `[O, I]`, where the convolution demodulates.
    pub power: Option<Tensor>,
}

impl Filter {
    /// Sums of squares of a weight over its taps, `[O, I]`.
    ///
    /// # Panics
    /// When the weight is not of rank 4.
    #[track_caller]
    pub fn power(weight: &Tensor) -> Tensor {
        weight.dot(weight, &[2, 3], false)
    }
}

/// A modulated convolution before its output is scaled.
#[derive(Debug)]
pub struct Modulated {
    /// `[N, O, H', W']`
    pub y: Tensor,
    /// `[N, O, 1, 1]`, where the convolution demodulates.
    pub demodulation: Option<Tensor>,
}

/// The convolution of StyleGAN2, appendix B: weights scaled by the style of each sample, and by
/// 1/√(Cin k²). Written as: scale the input, convolve with the shared weight, scale the output by
/// `rsqrt(sum of the scaled weight's squares + eps)`.
///
/// x `[N or 1, I, H, W]`, weight `[O, I, k, k]`, style `[N, I]`; `kernel` is the blur, of sum 4 for
/// `Up` and of sum 1 for `Down`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn modulated_conv2d(
    x: &Tensor,
    weight: &Tensor,
    style: &Tensor,
    demodulate: Option<f64>,
    resample: Resample,
    kernel: &Tensor,
) -> Modulated {
    let power = demodulate.map(|_| Filter::power(weight));
    let filter = Filter { oriented: resample.oriented(weight), power };
    filter.modulated_conv2d(x, style, demodulate.unwrap_or(0.0), resample, kernel)
}

impl Filter {
    /// [`modulated_conv2d`] with the weight that this was made of.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn modulated_conv2d(
        &self,
        x: &Tensor,
        style: &Tensor,
        eps: f64,
        resample: Resample,
        kernel: &Tensor,
    ) -> Modulated {
        let (n, inputs, k) = (style.size(0), style.size(1), self.oriented.size(2));
        let scale = 1.0 / ((inputs * k * k) as f64).sqrt();
        let demodulation = self.power.as_ref().map(|power| {
            // [N, I] x [I, O]: the sums of w² over the taps depend on the weight alone.
            let power = style.linear_of_squares(power, false);
            let demodulation = power.map(|p| (p * scale.powi(2) + eps).rsqrt());
            demodulation.reshape([n, power.size(1), 1, 1])
        });
        let x = x.zip(&style.reshape([n, inputs, 1, 1]), |x, style| x * style * scale);
        Modulated { y: oriented_conv2d(&x, &self.oriented, resample, kernel), demodulation }
    }
}

/// The convolution that keeps, doubles or halves the resolution, in StyleGAN2's order of blur and
/// convolution.
///
/// x `[N, I, H, W]`, weight `[O, I, k, k]`; `kernel` is the blur, of sum 4 for `Up` and of sum 1
/// for `Down`.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn resampled_conv2d(
    x: &Tensor,
    weight: &Tensor,
    resample: Resample,
    kernel: &Tensor,
) -> Tensor {
    oriented_conv2d(x, &resample.oriented(weight), resample, kernel)
}

/// [`resampled_conv2d`] of a weight that is [`Resample::oriented`].
#[track_caller]
pub(crate) fn oriented_conv2d(
    x: &Tensor,
    weight: &Tensor,
    resample: Resample,
    kernel: &Tensor,
) -> Tensor {
    let (k, taps) = (weight.size(2), kernel.size(0) as isize);
    match resample {
        Resample::Keep => x.conv2d(weight, &Conv2d::padded(k / 2)),
        Resample::Up => {
            let p = (taps - 2) - (k as isize - 1);
            let pad = ((p + 1).div_euclid(2) + 1, p.div_euclid(2) + 1);
            x.conv_transpose2d(weight, &Conv2d::strided(2), [0, 0])
                .upfirdn2d(kernel, &Upfirdn2d::blur(pad))
        }
        Resample::Down => {
            let p = (taps - 2) + (k as isize - 1);
            let pad = ((p + 1).div_euclid(2), p.div_euclid(2));
            if k == 1 {
                // Halving before a 1x1 convolution gives the same as halving in it, with a quarter
                // of the work.
                let halved = x.upfirdn2d(kernel, &Upfirdn2d::halved(pad));
                return halved.conv2d(weight, &Conv2d::default());
            }
            x.upfirdn2d(kernel, &Upfirdn2d::blur(pad)).conv2d(weight, &Conv2d::strided(2))
        }
    }
}

/// A weight `[.., .., k, k]` that convolves and resamples by 2 at once, `[.., .., k + 1, k + 1]`:
/// the sum of the weight with itself one step further down, right, and both. With stride 2 it does
/// what nearest doubling and the weight do (transposed), or, divided by 4, the weight and 2 x 2
/// means. PGGAN's published code: `fused_scale`.
///
/// # Panics
/// When the weight is not of rank 4.
#[track_caller]
pub fn fused_scale_weight(weight: &Tensor) -> Tensor {
    let moved = |y: isize, x: isize| weight.pad(&[(0, 0), (0, 0), (y, 1 - y), (x, 1 - x)]);
    moved(0, 0) + moved(0, 1) + moved(1, 0) + moved(1, 1)
}

impl Modulated {
    /// The scaled output.
    pub fn output(&self) -> Tensor {
        self.demodulation.as_ref().map_or_else(|| self.y.clone(), |d| &self.y * d)
    }

    /// leaky ReLU(0.2) of (demodulated output + bias `[O]`), times √2, in one kernel.
    ///
    /// # Panics
    /// When the convolution does not demodulate, or the bias has not one entry per channel.
    #[track_caller]
    pub fn bias_act(&self, bias: &Tensor) -> Tensor {
        let scale = self.demodulation.as_ref().expect("a convolution that demodulates");
        let [y, scale_k, bias_k] = Expr::inputs();
        let value = (y * scale_k + bias_k).leaky_relu(0.2) * 2f64.sqrt();
        pointwise(&[&self.y, scale, &bias.reshape([bias.numel(), 1, 1])], &value)
    }

    /// leaky ReLU(0.2) of (demodulated output + strength · noise + bias), times √2, in one kernel.
    /// noise `[N, 1, H', W']`, strength `[1]`, bias `[O]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn noise_bias_act(&self, noise: &Tensor, strength: &Tensor, bias: &Tensor) -> Tensor {
        let [y, noise_k, strength_k, bias_k, scale] = Expr::inputs();
        let bias = bias.reshape([bias.numel(), 1, 1]);
        let added = noise_k * strength_k + bias_k;
        match &self.demodulation {
            Some(d) => {
                let value = (y * scale + added).leaky_relu(0.2) * 2f64.sqrt();
                pointwise(&[&self.y, noise, strength, &bias, d], &value)
            }
            None => {
                let value = (y + added).leaky_relu(0.2) * 2f64.sqrt();
                pointwise(&[&self.y, noise, strength, &bias], &value)
            }
        }
    }
}

/// gain · leaky ReLU(x · scale + b) with the bias along axis 1. PyTorch extension:
/// `fused_leaky_relu`.
///
/// # Panics
/// When b has not one entry per channel.
#[track_caller]
pub fn bias_act(x: &Tensor, scale: f64, b: &Tensor, slope: f64, gain: f64) -> Tensor {
    bias_act_added(x, scale, b, [slope, gain], None)
}

/// The same plus a tensor of x's shape, in the same pass.
#[track_caller]
pub(crate) fn bias_act_added(
    x: &Tensor,
    scale: f64,
    b: &Tensor,
    [slope, gain]: [f64; 2],
    other: Option<&Tensor>,
) -> Tensor {
    let mut shape = vec![1; x.shape().len()];
    shape[1] = b.numel();
    let b = b.reshape(shape);
    let [value, bias, other_k] = Expr::inputs();
    let value = (value * scale + bias).leaky_relu(slope) * gain;
    match other {
        Some(other) => pointwise(&[x, &b, other], &(value + other_k)),
        None => pointwise(&[x, &b], &value),
    }
}
