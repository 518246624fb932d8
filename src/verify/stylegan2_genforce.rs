//! Rows of folder `stylegan2_genforce`: layers (INDEX-stylegan2_genforce).

use serde_json::Value;

use super::Row;
use super::case::{Context, Outputs};
use crate::Result;
use crate::nn::conv::bias_act;
use crate::nn::{Resample, blur_kernel, modulated_conv2d};
use crate::ops::conv::Conv2d;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "stylegan2_genforce", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("stylegan2_dense", |c| {
        let (weight, bias) = (c.x("weight")?, c.x("bias")?);
        let y = dense(&c.x("x")?, &weight, &bias, c.f64("wscale_gain")?, c.f64("lr_mul")?);
        let (slope, gain) = activation(c, "activation")?;
        Outputs::y((y + c.f64("additional_bias")?).map(|y| y.leaky_relu(slope) * gain))
    }),
    row("fir_upsample", |c| {
        let factor = c.int("scale_factor")?;
        let gain = c.any("kernel_gain").and_then(Value::as_f64).unwrap_or(factor as f64);
        let fir = Fir::of(c, "kernel", factor, c.int("extra_padding")?)?;
        let pad = ((fir.padding + 1).div_euclid(2) + factor - 1, fir.padding.div_euclid(2));
        let up = Upfirdn2d { up: [factor as usize; 2], ..Upfirdn2d::blur(pad) };
        Outputs::y(fir.filter(&c.x("x")?, gain * gain, &up))
    }),
    row("fir_downsample", |c| {
        let factor = c.int("scale_factor")?;
        let fir = Fir::of(c, "kernel", factor, c.int("extra_padding")?)?;
        let down = Upfirdn2d { down: [factor as usize; 2], ..Upfirdn2d::blur(fir.halves()) };
        Outputs::y(fir.filter(&c.x("x")?, 1.0, &down))
    }),
    row("stylegan2_d_conv_block", d_conv_block),
    row("stylegan2_mod_conv_block", mod_conv_block),
];

fn dense(x: &Tensor, weight: &Tensor, bias: &Tensor, gain: f64, lr_mul: f64) -> Tensor {
    let weight = weight * (gain * lr_mul / (x.size(-1) as f64).sqrt());
    x.linear(&weight, Some(&(bias * lr_mul)))
}

/// Slope of leaky ReLU, and the factor behind it.
fn activation(c: &Context, name: &str) -> Result<(f64, f64)> {
    match c.word(name)?.as_str() {
        "lrelu" => Ok((0.2, 2f64.sqrt())),
        "linear" => Ok((1.0, 1.0)),
        other => Err(c.wrong(name, &format!("known, but {other}"))),
    }
}

/// A filter, which is correlated with, and the padding of both sides together.
struct Fir {
    taps: Vec<f64>,
    padding: isize,
}

impl Fir {
    fn of(c: &Context, kernel: &str, factor: isize, extra: isize) -> Result<Self> {
        let taps: Vec<f64> = c.ints(kernel)?.into_iter().rev().map(|tap| tap as f64).collect();
        Ok(Self { padding: taps.len() as isize - factor + extra, taps })
    }

    fn halves(&self) -> (isize, isize) {
        ((self.padding + 1).div_euclid(2), self.padding.div_euclid(2))
    }

    fn filter(&self, x: &Tensor, gain: f64, attributes: &Upfirdn2d) -> Tensor {
        x.upfirdn2d(&blur_kernel(&self.taps, gain, x.device()), attributes)
    }
}

fn d_conv_block(c: &Context) -> Result<Outputs> {
    let (x, weight, k) = (c.x("x")?, c.x("weight")?, c.int("kernel_size")?);
    let taps = vec![1.0, 3.0, 3.0, 1.0];
    let fir = Fir { padding: taps.len() as isize - 1 + k - 2, taps };
    let x = fir.filter(&x, 1.0, &Upfirdn2d::blur(fir.halves()));
    let weight = &weight * (1.0 / ((k * k) as f64 * x.size(1) as f64).sqrt());
    let y = x.conv2d(&weight, &Conv2d::strided(c.size("scale_factor")?));
    let bias = c.optional("bias")?;
    let bias = bias.unwrap_or_else(|| Tensor::full(0.0, [weight.size(0)], &c.device));
    let (slope, gain) = activation(c, "activation")?;
    Outputs::y(bias_act(&y, 1.0, &bias, slope, gain))
}

fn mod_conv_block(c: &Context) -> Result<Outputs> {
    let (x, lr_mul) = (c.x("x")?, c.f64("lr_mul")?);
    let style = dense(&c.x("w")?, &c.x("p_style.weight")?, &c.x("p_style.bias")?, 1.0, 1.0) + 1.0;
    let weight = c.x("p_weight")? * (c.f64("wscale_gain")? * lr_mul);
    let demodulate = if c.flag("demodulate")? { Some(c.f64("epsilon")?) } else { None };
    let taps: Vec<f64> = c.ints("filtering_kernel")?.into_iter().map(|tap| tap as f64).collect();
    let kernel = blur_kernel(&taps, 4.0, &c.device);
    let y = match c.size("scale_factor")? {
        1 => modulated_conv2d(&x, &weight, &style, demodulate, Resample::Keep, &kernel),
        _ => {
            let weight = weight.flip(&[2, 3]);
            modulated_conv2d(&x, &weight, &style, demodulate, Resample::Up, &kernel)
        }
    };
    let mut y = y.output();
    if c.flag("add_noise")? {
        y = y + c.x("p_noise")? * c.x("p_noise_strength")?;
    }
    let (slope, gain) = activation(c, "activation_type")?;
    let y = bias_act(&y, 1.0, &(c.x("p_bias")? * lr_mul), slope, gain);
    Ok(Outputs::default().out("y", y).out("style", style))
}
