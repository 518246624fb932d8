//! Rows of folder `ops`: single operators and small compositions (INDEX-ops-a).

use std::slice::from_ref;

use super::Row;
use super::case::{Context, Outputs};
use crate::Result;
use crate::models::sarigan::{
    Grouping, Normalization, PlaneMoments, Rule, membership, similarity, target,
};
use crate::nn::conv::bias_act;
use crate::nn::{Adam, AdamForm, Moments, Resample, blur_kernel, ema_update, modulated_conv2d};
use crate::ops::conv::Conv2d;
use crate::ops::movement::SliceRange;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;
use crate::train::loss;

type Run = fn(&Context) -> Result<Outputs>;

pub(super) const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "ops", op, run }
}

/// A row for a function of `x` alone.
macro_rules! unary {
    ($op:literal, $f:expr) => {
        row($op, |c| {
            let f: fn(&Context, &Tensor) -> Result<Tensor> = $f;
            Outputs::y(f(c, &c.x("x")?)?)
        })
    };
}

/// A row for a function of `a` and `b`.
macro_rules! binary {
    ($op:literal, $f:expr) => {
        row($op, |c| {
            let f: fn(&Tensor, &Tensor) -> Tensor = $f;
            Outputs::y(f(&c.x("a")?, &c.x("b")?))
        })
    };
}

/// A row for a function that gives a `loss`.
macro_rules! loss {
    ($op:literal, |$c:ident| $body:expr) => {
        row($op, |$c| Ok(Outputs::default().out("loss", $body)))
    };
}

pub(super) static ROWS: &[Row] = &[
    row("upfirdn2d", upfirdn2d),
    row("conv2d", conv),
    row("conv_transpose2d", conv_transpose),
    row("modulated_conv2d", modulated),
    row("linear", |c| Outputs::y(c.x("x")?.linear(&c.x("w")?, c.optional("b")?.as_ref()))),
    binary!("matmul", |a, b| a.matmul(b)),
    row("fused_leaky_relu", |c| {
        let (slope, scale) = (c.f64("negative_slope")?, c.f64("scale")?);
        Outputs::y(bias_act(&c.x("x")?, 1.0, &c.x("b")?, slope, scale))
    }),
    unary!("leaky_relu", |c, x| Ok(x.leaky_relu(c.f64("negative_slope")?))),
    unary!("relu", |_, x| Ok(x.relu())),
    unary!("abs", |_, x| Ok(x.abs())),
    unary!("clamp", |c, x| Ok(x.clamp(c.f64("min")?, c.f64("max")?))),
    unary!("sigmoid", |_, x| Ok(x.sigmoid())),
    unary!("tanh", |_, x| Ok(x.tanh())),
    unary!("softplus", |_, x| Ok(x.softplus())),
    unary!("exp", |_, x| Ok(x.exp())),
    unary!("log", |_, x| Ok(x.log())),
    unary!("sqrt", |_, x| Ok(x.sqrt())),
    unary!("rsqrt", |_, x| Ok(x.rsqrt())),
    unary!("square", |_, x| Ok(x.square())),
    unary!("pow", |c, x| Ok(x.powf(c.f64("exponent")?))),
    binary!("add", |a, b| a + b),
    binary!("sub", |a, b| a - b),
    binary!("mul", |a, b| a * b),
    binary!("div", |a, b| a / b),
    binary!("maximum", |a, b| a.maximum(b)),
    binary!("minimum", |a, b| a.minimum(b)),
    unary!("softmax", |c, x| Ok((x * (1.0 / c.f64("temperature")?)).softmax(c.int("axis")?))),
    unary!("log_softmax", |c, x| {
        Ok((x * (1.0 / c.f64("temperature")?)).log_softmax(c.int("axis")?))
    }),
    unary!("pixel_norm", |c, x| Ok(x.pixel_norm(c.int("axis")?, c.f64("eps")?))),
    unary!("instance_norm", |c, x| Ok(x.standardize(&[2, 3], c.f64("eps")?))),
    row("adain", adain),
    row("group_norm", group_norm),
    row("layer_norm", layer_norm),
    unary!("minibatch_stddev", |c, x| {
        Ok(x.minibatch_stddev(c.size("group")?, c.size("feat")?, c.f64("eps")?))
    }),
    row("cosine_similarity", |c| {
        let w = c.x("w")?;
        let kernels = w.reshape([w.size(0), w.numel() / w.size(0)]);
        let kernels = kernels.normalize(1, c.f64("eps")?);
        Ok(Outputs::default().out("S", kernels.matmul_t(&kernels, false, true)))
    }),
    row("group_adain", |c| group_norms(c, true, false)),
    row("ada_gn", |c| group_norms(c, false, true)),
    row("group_adain_ada_gn", |c| group_norms(c, true, true)),
    row("fused_group_weight", fused_group_weight),
    row("grouping_loss_paper", |c| {
        let (w, logits) = (c.x("w")?, c.x("logits")?.transpose(0, 1));
        let co = similarity(&w.reshape([&[1], w.shape().as_ref()].concat()));
        let r = Tensor::full(c.f64("r")? as f32, [1], &c.device);
        let grouping = Grouping::new(Rule::Paper, &logits, &c.x("t")?.log());
        let target = target(Rule::Paper, &r, &co);
        Ok(Outputs::default().out("loss", grouping.loss1(&target)).out("target", target))
    }),
    row("grouping_loss_code", grouping_loss_code),
    row("group_style_code", group_style_code),
    row("reduce", reduce),
    row("concat", |c| {
        let mut parts = Vec::new();
        while let Some(part) = c.optional(&format!("x{}", parts.len()))? {
            parts.push(part);
        }
        Outputs::y(Tensor::cat(&parts.iter().collect::<Vec<_>>(), c.int("axis")?))
    }),
    row("slice", slice),
    unary!("permute", |c, x| Ok(x.permute(&c.sizes("order")?))),
    unary!("permute_reshape", |c, x| {
        let x = x.permute(&c.sizes("order")?);
        Ok(x.reshape(resolved(&c.ints("shape")?, x.numel())))
    }),
    unary!("reshape", |c, x| Ok(x.reshape(resolved(&c.ints("shape")?, x.numel())))),
    unary!("repeat", |c, x| Ok(x.repeat(&c.sizes("repeats")?))),
    unary!("roll", |c, x| Ok(x.roll(c.int("shift")?, c.int("axis")?))),
    unary!("flip", |c, x| Ok(x.flip(&c.sizes("axes")?))),
    row("index_select", |c| Outputs::y(c.x("x")?.index_select(c.int("axis")?, &c.x("index")?))),
    row("gather", |c| Outputs::y(c.x("x")?.gather(c.int("axis")?, &c.x("index")?))),
    loss!("mse_loss", |c| loss::mse(&c.x("x")?, &c.x("target")?)),
    loss!("l1_loss", |c| (c.x("x")? - c.x("target")?).abs().mean_all()),
    loss!("gan_logistic_d", |c| loss::d_logistic(&c.x("real")?, &c.x("fake")?)),
    loss!("gan_nonsaturating_g", |c| loss::g_nonsaturating(&c.x("fake")?)),
    row("r1_penalty", r1_penalty),
    row("path_length_penalty", path_length_penalty),
    row("adam", adam),
    row("ema_update", |c| {
        let average = ema_update(&c.x("ema")?, &c.x("p")?, c.f64("decay")?);
        Ok(Outputs::default().out("ema", average))
    }),
];

/// A shape with at most one -1 filled in.
fn resolved(shape: &[isize], numel: usize) -> Vec<usize> {
    let known: usize = shape.iter().filter(|&&n| n >= 0).map(|&n| n as usize).product();
    shape.iter().map(|&n| usize::try_from(n).unwrap_or(numel / known)).collect()
}

fn upfirdn2d(c: &Context) -> Result<Outputs> {
    let pad = c.ints("pad")?;
    let pad = pad.try_into().map_err(|_| c.wrong("pad", "four numbers"))?;
    let attributes = Upfirdn2d { up: c.pair("up")?, down: c.pair("down")?, pad };
    Outputs::y(c.x("x")?.upfirdn2d(&c.x("kernel")?, &attributes))
}

fn attributes(c: &Context) -> Result<Conv2d> {
    Ok(Conv2d {
        stride: c.pair("stride")?,
        padding: c.pair("padding")?,
        dilation: c.pair("dilation")?,
        groups: c.size("groups")?,
    })
}

/// Adds a bias per channel, where there is one.
fn with_bias(y: Tensor, b: Option<Tensor>) -> Tensor {
    b.map_or_else(|| y.clone(), |b| &y + b.reshape([b.numel(), 1, 1]))
}

fn conv(c: &Context) -> Result<Outputs> {
    let y = c.x("x")?.conv2d(&c.x("w")?, &attributes(c)?);
    Outputs::y(with_bias(y, c.optional("b")?))
}

fn conv_transpose(c: &Context) -> Result<Outputs> {
    let output_padding = c.pair("output_padding")?;
    let y = c.x("x")?.conv_transpose2d(&c.x("w")?, &attributes(c)?, output_padding);
    Outputs::y(with_bias(y, c.optional("b")?))
}

fn taps(c: &Context) -> Result<Vec<f64>> {
    Ok(c.ints("blur_kernel")?.into_iter().map(|t| t as f64).collect())
}

fn modulated(c: &Context) -> Result<Outputs> {
    let (resample, gain) = match c.word("mode")?.as_str() {
        "up" => (Resample::Up, 4.0),
        "down" => (Resample::Down, 1.0),
        _ => (Resample::Keep, 1.0),
    };
    let kernel = blur_kernel(&taps(c)?, gain, &c.device);
    let demodulate = if c.flag("demodulate")? { Some(c.f64("eps")?) } else { None };
    let (x, weight, style) = (c.x("x")?, c.x("weight")?, c.x("style")?);
    Outputs::y(modulated_conv2d(&x, &weight, &style, demodulate, resample, &kernel).output())
}

fn adain(c: &Context) -> Result<Outputs> {
    let (x, scale, bias) = (c.x("x")?, c.x("scale")?, c.x("bias")?);
    let planes = [x.size(0), x.size(1), 1, 1];
    let y = x.standardize(&[2, 3], c.f64("eps")?);
    Outputs::y(y * scale.reshape(planes) + bias.reshape(planes))
}

fn group_norm(c: &Context) -> Result<Outputs> {
    let (x, w, b) = (c.x("x")?, c.x("weight")?, c.x("bias")?);
    let (n, groups) = (x.size(0), c.size("groups")?);
    let rows = x.reshape([n, groups, x.numel() / n / groups]);
    let y = rows.standardize(&[2], c.f64("eps")?).reshape(x.shape());
    let mut channel = vec![1; x.shape().len()];
    channel[1] = w.numel();
    Outputs::y(y * w.reshape(channel.clone()) + b.reshape(channel))
}

fn layer_norm(c: &Context) -> Result<Outputs> {
    let (x, dims) = (c.x("x")?, c.size("normalized_dims")?);
    let rank = x.shape().len();
    let axes: Vec<usize> = (rank - dims..rank).collect();
    Outputs::y(x.standardize(&axes, c.f64("eps")?) * c.x("weight")? + c.x("bias")?)
}

/// Equations 3 and 4, alone or one after the other.
fn group_norms(c: &Context, inside: bool, among: bool) -> Result<Outputs> {
    let (x, eps) = (c.x("x")?, c.f64("eps")?);
    let mut moments = PlaneMoments::of(&x);
    let adain = match inside {
        true => Some(Normalization::group_adain(&moments, &c.x("z_s")?, &c.x("z_b")?, eps)),
        false => None,
    };
    if let Some(adain) = &adain {
        moments = adain.moments(&moments);
    }
    if !among {
        return Outputs::y(adain.expect("one of both").apply(&x));
    }
    let assigned = membership(&c.x("logits")?.transpose(0, 1));
    let (h_s, h_b) = (c.x("h_s")?, c.x("h_b")?);
    let gn = Normalization::ada_gn(&moments, &assigned, &h_s, &h_b, eps);
    Outputs::y(adain.map_or(gn.clone(), |adain| adain.then(&gn)).apply(&x))
}

/// Equations 5 and 6, with the weights of each sample written out.
fn fused_group_weight(c: &Context) -> Result<Outputs> {
    let (z, weight) = (c.x("z")?, c.x("weight")?);
    let logits = c.x("logits")?.transpose(0, 1);
    let grouping = Grouping::new(Rule::Paper, &logits, &Tensor::scalar(0.0, &c.device));
    let f = grouping.style(&z, &c.x("h")?, 1e-12);
    let scaled = weight * f.reshape([z.size(0), 1, z.size(1), 1, 1]);
    let eps = c.f64("eps")?;
    let power = scaled.square().sum(&[2, 3, 4], true).map(|p| (p + eps).rsqrt());
    Ok(Outputs::default().out("f", f).out("w_demod", scaled * power))
}

fn grouping_loss_code(c: &Context) -> Result<Outputs> {
    let co = c.x("co")?;
    let channels = co.size(-1);
    let co = co.reshape([channels, channels]);
    let grouping = Grouping::new(Rule::Official, &c.x("cluster")?, &c.x("tmpr")?);
    let target = target(Rule::Official, &c.x("gate")?, &co);
    Ok(Outputs::default()
        .out("loss1", grouping.loss1(&target))
        .out("loss2", Grouping::loss2(from_ref(&grouping), from_ref(&target), 1.0))
        .out("S", target.reshape([1, channels, channels]))
        .out("probs", grouping.probs)
        .out("grouped", grouping.assigned))
}

fn group_style_code(c: &Context) -> Result<Outputs> {
    let rule = Rule::Official;
    let grouped = match c.optional("grouped")? {
        Some(assigned) => Grouping { probs: assigned.clone(), assigned, rule },
        None => Grouping::new(rule, &c.x("cluster")?, &c.x("tmpr")?),
    };
    let f = grouped.style(&c.x("intra")?, &c.x("inter")?, c.f64("eps")?);
    Ok(Outputs::default().out("f", f).out("grouped", grouped.assigned))
}

fn reduce(c: &Context) -> Result<Outputs> {
    let (x, keepdim) = (c.x("x")?, c.flag("keepdim")?);
    let axes: Vec<usize> = c.ints("axes")?.into_iter().map(|k| x.shape().axis(k)).collect();
    Outputs::y(match c.word("kind")?.as_str() {
        "sum" => x.sum(&axes, keepdim),
        "mean" => x.mean(&axes, keepdim),
        "var" => x.var(&axes, keepdim, c.flag("unbiased")?),
        "max" => x.max(&axes, keepdim),
        "argmax" => x.argmax(axes[0], keepdim),
        other => return Err(c.wrong("kind", &format!("a known reduction, but {other}"))),
    })
}

fn slice(c: &Context) -> Result<Outputs> {
    let triples = c.any("ranges").cloned().unwrap_or_default();
    let triples: Vec<[isize; 3]> =
        serde_json::from_value(triples).map_err(|_| c.wrong("ranges", "triples"))?;
    let range = |t: &[isize; 3]| SliceRange { start: t[0].unsigned_abs(), end: t[1], step: t[2] };
    Outputs::y(c.x("x")?.slice(&triples.iter().map(range).collect::<Vec<_>>()))
}

/// The activation of the two small networks below.
fn act(x: &Tensor, b: &Tensor) -> Tensor {
    bias_act(x, 1.0, b, 0.2, 2f64.sqrt())
}

fn r1_penalty(c: &Context) -> Result<Outputs> {
    let same = Conv2d { padding: [1, 1], ..Conv2d::default() };
    let halving = Conv2d { stride: [2, 2], ..Conv2d::default() };
    let kernel = blur_kernel(&taps(c)?, 1.0, &c.device);
    let x = c.x("x")?;
    let y = act(&x.conv2d(&c.x("w1")?, &same), &c.x("b1")?);
    let y = y.upfirdn2d(&kernel, &Upfirdn2d { pad: [2, 2, 2, 2], ..Upfirdn2d::default() });
    let y = act(&y.conv2d(&c.x("w2")?, &halving), &c.x("b2")?);
    let y = y.minibatch_stddev(c.size("stddev_group")?, 1, 1e-8);
    let y = act(&y.conv2d(&c.x("w3")?, &same), &c.x("b3")?);
    let y = y.reshape([y.size(0), y.numel() / y.size(0)]);
    let pred = y.linear(&c.x("wl")?, Some(&c.x("bl")?));
    let r1 = loss::r1(&pred, &x);
    Ok(Outputs::default().out("pred", pred).out("grad_x", r1.grad_real).out("r1", r1.penalty))
}

fn path_length_penalty(c: &Context) -> Result<Outputs> {
    let w = c.x("w")?;
    let batch = w.size(0);
    let mut styles = Vec::new();
    for i in 0..4 {
        styles.push(w.narrow(1, i, 1).reshape([batch, w.size(2)]));
    }
    let kernel = blur_kernel(&[1.0, 3.0, 3.0, 1.0], 4.0, &c.device);
    let conv = |x: &Tensor, i: usize, weight: &str, demodulate, resample| -> Result<Tensor> {
        let (map, bias) = (c.x(&format!("m{i}w"))?, c.x(&format!("m{i}b"))?);
        let style = styles[i].linear(&map, Some(&bias));
        Ok(modulated_conv2d(x, &c.x(weight)?, &style, demodulate, resample, &kernel).output())
    };
    let start = c.x("const")?;
    let mut x = start.expand(start.shape().with(0, batch));
    let layers =
        [("c0", "b0", Resample::Keep), ("c1", "b1", Resample::Up), ("c2", "b2", Resample::Keep)];
    for (i, (weight, bias, resample)) in layers.into_iter().enumerate() {
        x = act(&conv(&x, i, weight, Some(1e-8), resample)?, &c.x(bias)?);
    }
    let img = conv(&x, 3, "crgb", None, Resample::Keep)?;
    let lengths = loss::path_lengths(&img, &c.x("noise")?, &styles.iter().collect::<Vec<_>>());
    let path = loss::path_penalty(&lengths, &c.x("mean")?, c.f64("decay")?);
    Ok(Outputs::default()
        .out("img", img)
        .out("lengths", lengths)
        .out("new_mean", path.mean.detach())
        .out("penalty", path.penalty))
}

fn adam(c: &Context) -> Result<Outputs> {
    let adam = Adam {
        form: AdamForm::PyTorch,
        lr: c.f64("lr")?,
        beta1: c.f64("beta1")?,
        beta2: c.f64("beta2")?,
        eps: c.f64("eps")?,
    };
    let (mut p, g) = (c.x("p")?, c.x("g")?);
    let mut moments = Moments::new(&adam, &p);
    let go = Tensor::scalar(0.0, &c.device);
    for t in 0..g.size(0) {
        let gradient = g.narrow(0, t, 1).reshape(p.shape());
        p = adam.update(&p, &gradient, &go, &mut moments);
    }
    // With beta1 = 0 the first moment is the last gradient.
    let last = || g.narrow(0, g.size(0) - 1, 1).reshape(p.shape());
    let m = moments.m.unwrap_or_else(last);
    Ok(Outputs::default().out("p", p).out("m", m).out("v", moments.v))
}
