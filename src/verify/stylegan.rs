//! Rows of folder `stylegan`: layers, and the schedule of growing (INDEX-stylegan).

use serde_json::Value;

use super::Row;
use super::case::{Context, Outputs};
use super::jobs::{numbers, tensor};
use super::pggan::{Halving, doubled_conv, slope};
use crate::Result;
use crate::models::stylegan::{Config, Generator, styled};
use crate::nn::conv::bias_act;
use crate::nn::{Network, blur_kernel, ema_update};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;
use crate::train::growing::{Growing, Stage, at_level};

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "stylegan", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("instance_norm", |c| Outputs::y(c.x("x")?.standardize(&[2, 3], c.f64("eps")?))),
    row("adain", |c| {
        let (w, weight, bias) = (c.x("w")?, c.x("weight")?, c.x("bias")?);
        let (y, style) =
            adain(&c.x("x")?, &w, &weight, &bias, c.f64("wscale_gain")?, c.f64("eps")?);
        Ok(Outputs::default().out("y", y).out("style", style))
    }),
    row("stylegan_noise", |c| Outputs::y(noisy(&c.x("x")?, &c.x("noise")?, &c.x("weight")?))),
    row("blur", |c| {
        let taps: Vec<f64> = c.ints("kernel")?.into_iter().rev().map(|tap| tap as f64).collect();
        let sum: f64 = taps.iter().sum();
        let gain = if c.flag("normalize")? { 1.0 } else { sum * sum };
        Outputs::y(blurred(&c.x("x")?, &taps, gain))
    }),
    row("minibatch_std", |c| {
        let (group, channels) = (c.size("group_size")?, c.size("new_channels")?);
        Outputs::y(c.x("x")?.minibatch_stddev(group, channels, c.f64("eps")?))
    }),
    row("stylegan_conv_block", conv_block),
    row("stylegan_d_conv_block", |c| {
        let (x, halving) = (c.x("x")?, Halving::of(c)?);
        let x = if halving.is_on { blurred(&x, &BLUR, 1.0) } else { x };
        let y = halving.pool(&halving.conv(&x, &c.x("weight")?, c)?);
        Outputs::y(bias_act(&y, 1.0, &c.x("bias")?, slope(c, "activation")?, 1.0))
    }),
    row("w_avg_update", |c| {
        let mean = c.x("w")?.mean(&[0], false);
        Ok(Outputs::default().out("w_avg", ema_update(&c.x("w_avg")?, &mean, c.f64("decay")?)))
    }),
    row("truncation", truncation),
    row("progressive_preprocess", |c| Outputs::y(at_level(&c.x("x")?, c.f64("lod")?))),
    row("progress_schedule", progress_schedule),
    row("stylegan_generator", generator),
];

/// The generator that an object of attributes describes, with the parameters `param.PREFIX*`.
pub(super) fn network(c: &Context, prefix: &str, attrs: &Value) -> Result<Network<Generator>> {
    let config: Config = serde_json::from_value(attrs.clone())
        .map_err(|e| c.wrong("resolution", &format!("the description of a network: {e}")))?;
    c.network(prefix, |b| Generator::new(&config, b, &c.device))
}

fn generator(c: &Context) -> Result<Outputs> {
    let g = network(c, "", c.attrs())?.model;
    let label = c.optional("label")?;
    let w = g.mapping.forward(&c.x("z")?, label.as_ref());
    let mut styles = g.broadcast(&w);
    if let Some(z) = c.optional("z2")? {
        let second = g.broadcast(&g.mapping.forward(&z, label.as_ref()));
        let cut = c.size("mixing_cutoff")?;
        styles.splice(cut.., second.into_iter().skip(cut));
    }
    let styles = g.truncate(&styles, c.f64("trunc_psi")?, c.size("trunc_layers")?);
    let made = g.synthesis(&styles, &g.noise_buffers(), c.f64("lod")?);
    let wp = Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1);
    let out = Outputs::default().out("w", w).out("wp", wp).out("image", made.image);
    let features = made.features.into_iter().enumerate();
    let out = features.fold(out, |out, (k, y)| out.out(&format!("feat{k}"), y));
    let styles = made.styles.into_iter().enumerate();
    Ok(styles.fold(out, |out, (k, y)| out.out(&format!("style{k:02}"), y)))
}

const BLUR: [f64; 3] = [1.0, 2.0, 1.0];

/// Filters with three taps along both axes.
fn blurred(x: &Tensor, taps: &[f64], gain: f64) -> Tensor {
    x.upfirdn2d(&blur_kernel(taps, gain, x.device()), &Upfirdn2d::blur((1, 1)))
}

/// One strength per channel, or per pixel.
fn noisy(x: &Tensor, noise: &Tensor, weight: &Tensor) -> Tensor {
    let weight = match weight.shape().len() {
        1 => weight.reshape([weight.numel(), 1, 1]),
        _ => weight.clone(),
    };
    x + noise * weight
}

/// The instance normalised, then scaled and shifted by the style, which is returned too.
fn adain(
    x: &Tensor,
    w: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    gain: f64,
    eps: f64,
) -> (Tensor, Tensor) {
    let weight = weight * (gain / (w.size(1) as f64).sqrt());
    let style = w.linear(&weight, Some(bias));
    (styled(&x.standardize(&[2, 3], eps), &style), style)
}

fn conv_block(c: &Context) -> Result<Outputs> {
    let (w, position) = (c.x("w")?, c.word("position").unwrap_or_default());
    let mut y = match position.as_str() {
        "const_init" => {
            let start = c.x("p_const")?;
            start.expand(start.shape().with(0, w.size(0)))
        }
        _ => doubled_conv(&c.x("x")?, &c.x("p_weight")?, false, c)?,
    };
    if c.flag("upsample")? {
        y = blurred(&y, &BLUR, 1.0);
    }
    if position != "last" {
        y = noisy(&y, &c.x("p_apply_noise.noise")?, &c.x("p_apply_noise.weight")?);
    }
    let y = bias_act(&y, 1.0, &c.x("p_bias")?, slope(c, "activation_type")?, 1.0);
    if position == "last" {
        return Outputs::y(y);
    }
    let (weight, bias) = (c.x("p_style.weight")?, c.x("p_style.bias")?);
    let (y, style) = adain(&y, &w, &weight, &bias, 1.0, 1e-8);
    Ok(Outputs::default().out("y", y).out("style", style))
}

fn truncation(c: &Context) -> Result<Outputs> {
    let (w, layers) = (c.x("w")?, c.size("num_layers")?);
    let (psi, cut) = (c.f64("trunc_psi")?, c.size("trunc_layers")?.min(layers));
    let (n, width) = (w.size(0), w.size(-1));
    let wp = match w.shape().len() {
        3 => w,
        _ => w.reshape([n, 1, width]).expand([n, layers, width]),
    };
    if psi >= 1.0 || cut == 0 {
        return Ok(Outputs::default().out("wp", wp));
    }
    let average = c.x("w_avg")?;
    let average = average.reshape([1, average.numel() / width, width]).expand([1, layers, width]);
    let cut_off = wp.zip(&average, |w, average| average.clone() + (w - average) * psi);
    let kept = wp.narrow(1, cut, layers - cut);
    let wp =
        if cut < layers { Tensor::cat(&[&cut_off.narrow(1, 0, cut), &kept], 1) } else { cut_off };
    Ok(Outputs::default().out("wp", wp))
}

fn progress_schedule(c: &Context) -> Result<Outputs> {
    // Keys are `res8` and the like.
    let table = |name: &str| -> Result<Vec<(usize, f64)>> {
        let table =
            c.any(name).and_then(Value::as_object).ok_or_else(|| c.wrong(name, "a table"))?;
        let entry = |(key, value): (&String, &Value)| {
            Some((key.strip_prefix("res")?.parse().ok()?, value.as_f64()?))
        };
        let entries = table.iter().map(entry).collect::<Option<_>>();
        entries.ok_or_else(|| c.wrong(name, "a table of resolutions"))
    };
    let batch_sizes = table("batch_size_schedule")?;
    let growing = Growing {
        init_res: c.size("init_res")?,
        final_res: c.size("final_res")?,
        training_images: c.size("lod_training_img")? as u64,
        transition_images: c.size("lod_transition_img")? as u64,
        base_batch: c.size("base_batch_size")?,
        batch_sizes: batch_sizes.into_iter().map(|(side, n)| (side, n as usize)).collect(),
        lr_scales: table("lr_schedule")?,
    };
    let seen = numbers(c, "seen_img")?;
    let stages: Vec<Stage> = seen.iter().map(|&seen| growing.stage(seen as u64)).collect();
    let reals = |of: fn(&Stage) -> f64| {
        tensor(c, &stages.iter().map(of).collect::<Vec<_>>(), &[stages.len()])
    };
    let counts = |of: fn(&Stage) -> usize| {
        let counts: Vec<i32> = stages.iter().map(|stage| of(stage) as i32).collect();
        Tensor::from_indices(&counts, [counts.len()], &c.device)
    };
    Ok(Outputs::default()
        .out("lod", reals(|stage| stage.lod))
        .out("lr_scale", reals(|stage| stage.lr_scale))
        .out("resolution", counts(|stage| stage.resolution))
        .out("batch_size", counts(|stage| stage.batch_size)))
}
