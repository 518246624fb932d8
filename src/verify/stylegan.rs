//! Rows of folder `stylegan`: layers, networks, and the schedule of growing (INDEX-stylegan).

use serde_json::Value;

use super::case::{Context, Outputs};
use super::jobs::{numbers, tensor};
use super::pggan::{critic_conv, features, inputs};
use super::{Row, training};
use crate::Result;
use crate::models::Discriminator as _;
use crate::models::pggan::Halving;
use crate::models::stylegan::{
    Config, Discriminator, Form, Generator, NoiseType, StyledLayer, ToRgb, per_layer, styled,
    truncate,
};
use crate::nn::{Builder, Network, blur_kernel, ema_update};
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
        let blur = blur_kernel(&BLUR, 1.0, &c.device);
        let halving = Halving { is_fused: c.flag("fused_scale")?, blur: Some(blur) };
        Outputs::y(critic_conv(c, halving)?.forward(&c.x("x")?))
    }),
    row("w_avg_update", |c| {
        let mean = c.x("w")?.mean(&[0], false);
        Ok(Outputs::default().out("w_avg", ema_update(&c.x("w_avg")?, &mean, c.f64("decay")?)))
    }),
    row("truncation", truncation),
    row("progressive_preprocess", |c| Outputs::y(at_level(&c.x("x")?, c.f64("lod")?))),
    row("progress_schedule", progress_schedule),
    row("stylegan_generator", generator),
    row("stylegan_discriminator", |c| {
        let config = config(c, c.attrs())?;
        let d = c.network("", |b| Discriminator::new(&config, b, &c.device))?.model;
        let label = c.optional("label")?;
        let score = d.judge(&c.x("image")?, label.as_ref(), c.f64("lod")?).pred;
        Ok(Outputs::default().out("score", score.reshape([score.numel(), 1])))
    }),
    row("stylegan_train_step", train),
];

fn config(c: &Context, attrs: &Value) -> Result<Config> {
    serde_json::from_value(attrs.clone())
        .map_err(|e| c.wrong("resolution", &format!("the description of a network: {e}")))
}

/// The generator that an object of attributes describes, with the parameters `param.PREFIX*`.
pub(super) fn network(c: &Context, prefix: &str, attrs: &Value) -> Result<Network<Generator>> {
    let config = config(c, attrs)?;
    c.network(prefix, |b| Generator::new(&config, b, &c.device))
}

/// Iterations of GenForce's trainer.
fn train(c: &Context) -> Result<Outputs> {
    let attrs = |name: &str| c.any(name).cloned().unwrap_or_default();
    let g = || {
        Ok::<_, crate::Error>(training::generator(network(c, "generator.", &attrs("generator"))?))
    };
    let config = config(c, &attrs("discriminator"))?;
    let d = c.network("discriminator.", |b| Discriminator::new(&config, b, &c.device))?;
    let (state, mut out) = training::genforce(c, (g()?, training::critic(d), g()?))?;
    let networks = [
        ("generator.", "generator.", &state.g.params),
        ("discriminator.", "discriminator.", &state.d.params),
        ("generator_smooth.", "generator.", &state.g_ema.params),
    ];
    for (name, from, params) in networks {
        let all = params.iter().chain(params.buffers());
        all.for_each(|(key, value)| out.after(&format!("{name}{key}"), value));
        training::unmoved(c, name, from, &mut out);
    }
    Ok(out)
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
    let means = g.broadcast(&g.w_avg().reshape([1, g.w_avg().numel()]));
    let styles = truncate(&styles, &means, c.f64("trunc_psi")?, c.size("trunc_layers")?);
    let made = g.synthesis(&styles, &g.noise_buffers(), c.f64("lod")?);
    let wp = Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1);
    let out = features(made.features).out("w", w).out("wp", wp).out("image", made.image);
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
    let (channels, side) = (c.size("out_channels")?, c.size("resolution")?);
    if position == "last" {
        let (x, sizes) = (c.x("x")?, [c.x("x")?.size(1), channels]);
        let layer = Builder::bound(|b| ToRgb::new(b, sizes), inputs(c, "p_", 1.0))?;
        return Outputs::y(layer.forward(&x));
    }
    let x = c.optional("x")?;
    let form = match (&x, position.as_str()) {
        (Some(x), "") if c.flag("upsample")? => Form::Doubled(x.size(1), c.flag("fused_scale")?),
        (Some(x), "") => Form::Before(x.size(1)),
        (_, "const_init") => Form::Constant,
        _ => return Err(c.wrong("position", "null, const_init or last")),
    };
    let noise_type: NoiseType = serde_json::from_value(c.word("noise_type")?.into())
        .map_err(|_| c.wrong("noise_type", "spatial or channel"))?;
    let (size, how) = ([channels, side, side], (w.size(1), noise_type));
    let build = |b: &mut Builder| StyledLayer::with(b, form, size, how, &c.device);
    let layer = Builder::bound(build, inputs(c, "p_", 2f64.sqrt()))?;
    let (y, style) = layer.forward(x.as_ref(), &w, &layer.noise());
    Ok(Outputs::default().out("y", y).out("style", style))
}

fn truncation(c: &Context) -> Result<Outputs> {
    let (w, layers) = (c.x("w")?, c.size("num_layers")?);
    let (n, width) = (w.size(0), w.size(-1));
    let styles = match w.shape().len() {
        3 => (0..layers).map(|k| w.narrow(1, k, 1).reshape([n, width])).collect(),
        _ => per_layer(&w, layers, width),
    };
    let styles = match c.optional("w_avg")? {
        Some(mean) => {
            let means = per_layer(&mean.reshape([1, mean.numel()]), layers, width);
            truncate(&styles, &means, c.f64("trunc_psi")?, c.size("trunc_layers")?)
        }
        None => styles,
    };
    Ok(Outputs::default().out("wp", Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1)))
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
