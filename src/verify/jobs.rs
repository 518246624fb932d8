//! Rows of folder `ops` that are jobs' parts: normalisation and losses of classifiers, latents,
//! augmentation, SemanticStyleGAN's layers (INDEX-ops-a and -c).

use super::Row;
use super::case::{Context, Outputs};
use super::ops::row;
use crate::Result;
use crate::models::semantic_stylegan::{FixedStyledConv, Head};
use crate::nn::{Resample, RunningMoments, batch_norm_eval, batch_norm_train, blur_kernel};
use crate::sample::{NoiseScale, Ramp, cubic_spline, noise_regularizer, normalize_noise, slerp};
use crate::tensor::Tensor;
use crate::train::adaptation::Adaptation;
use crate::train::augment::{self, Color, Corruption, Geometry};
use crate::train::loss;

pub(super) static ROWS: &[Row] = &[
    row("batch_norm_train", |c| batch_norm(c, true)),
    row("batch_norm_eval", |c| batch_norm(c, false)),
    row("cross_entropy", cross_entropy),
    row("bce_with_logits", |c| {
        let loss = loss::bce_with_logits(&c.x("x")?, &c.x("target")?);
        Ok(Outputs::default().out("loss", loss))
    }),
    row("cubic_spline_not_a_knot", |c| Outputs::y(cubic_spline(&c.x("styles")?, c.size("steps")?))),
    row("slerp", |c| {
        let t = c.x("t")?;
        Outputs::y(slerp(&c.x("a")?, &c.x("b")?, &t.reshape([t.numel(), 1])))
    }),
    row("projection_lr", |c| projection_lr(c, "initial_lr")),
    row("noise_regularize", noise_regularize),
    row("ada_geometric", ada_geometric),
    row("ada_color", ada_color),
    row("ada_imgfilter", |c| {
        let x = c.x("x")?;
        let bank = augment::filter_bank();
        let shape = [augment::BANDS, augment::FILTER_TAPS];
        let bank = tensor(c, bank.as_flattened(), &shape);
        let gains: Vec<_> = of_samples(c, "band_gains")?;
        Ok(Outputs::default().out("filter_bank", bank).out("y", augment::imgfilter(&x, &gains)))
    }),
    row("ada_corrupt", |c| {
        let (sigma, size) = (numbers(c, "sigma")?, numbers(c, "size")?);
        let center = of_samples(c, "center")?;
        let one = |(k, center)| Corruption { sigma: sigma[k], size: size[k], center };
        let drawn: Vec<_> = center.into_iter().enumerate().map(one).collect();
        Outputs::y(augment::corrupt(&c.x("x")?, &c.x("noise")?, &drawn))
    }),
    row("ada_p_update", |c| {
        let images = c.f64("batch")? * c.f64("interval")?;
        let rule = Adaptation { target: c.f64("target")?, images, kimg: c.f64("ada_kimg")? };
        let mut p = numbers(c, "p0")?[0];
        let signs = numbers(c, "sign_mean")?.into_iter();
        let all: Vec<f64> = signs
            .map(|sign| {
                p = rule.update(p, sign);
                p
            })
            .collect();
        Ok(Outputs::default().out("p", tensor(c, &all, &[all.len()])))
    }),
    row("semstyle_fixed_styled_conv", fixed_styled_conv),
    row("semstyle_to_rgb", fixed_to_rgb),
];

/// The rate at each `t`; `initial_lr` names the attribute.
pub(super) fn projection_lr(c: &Context, initial_lr: &str) -> Result<Outputs> {
    let (rampdown, rampup) = (c.f64("rampdown")?, c.f64("rampup")?);
    let ramp = Ramp { initial_lr: c.f64(initial_lr)?, rampdown, rampup };
    let lr: Vec<f64> = numbers(c, "t")?.into_iter().map(|t| ramp.lr(t)).collect();
    Ok(Outputs::default().out("lr", tensor(c, &lr, &[lr.len()])))
}

/// An input of the host.
pub(super) fn numbers(c: &Context, name: &str) -> Result<Vec<f64>> {
    c.x(name)?.to_vec_f64()
}

/// An input `[N, K]` of the host, by rows.
pub(super) fn of_samples<const K: usize>(c: &Context, name: &str) -> Result<Vec<[f64; K]>> {
    Ok(numbers(c, name)?.chunks_exact(K).map(|row| row.try_into().expect("K numbers")).collect())
}

/// Numbers of the host.
pub(super) fn tensor(c: &Context, values: &[f64], shape: &[usize]) -> Tensor {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_slice(&values, shape, &c.device)
}

fn batch_norm(c: &Context, train: bool) -> Result<Outputs> {
    let (x, w, b, eps) = (c.x("x")?, c.x("weight")?, c.x("bias")?, c.f64("eps")?);
    let running = RunningMoments { mean: c.x("running_mean")?, var: c.x("running_var")? };
    if !train {
        return Outputs::y(batch_norm_eval(&x, &w, &b, &running, eps));
    }
    let (y, running) = batch_norm_train(&x, &w, &b, &running, eps, c.f64("momentum")?);
    let out = Outputs::default().out("y", y).out("running_mean", running.mean);
    Ok(out.out("running_var", running.var))
}

fn cross_entropy(c: &Context) -> Result<Outputs> {
    let terms = loss::cross_entropy(&c.x("x")?, &c.x("labels")?, c.int("ignore_index")? as i32);
    let loss = match c.word("reduction")?.as_str() {
        "mean" => terms.mean(),
        "sum" => terms.sum,
        other => return Err(c.wrong("reduction", &format!("known, but {other}"))),
    };
    Ok(Outputs::default().out("loss", loss))
}

fn noise_regularize(c: &Context) -> Result<Outputs> {
    let mut noises = Vec::new();
    for k in 0..c.size("n")? {
        noises.push(c.x(&format!("noise_{k}"))?);
    }
    let mut outputs = Outputs::default().out("loss", noise_regularizer(&noises));
    for (k, noise) in noises.iter().enumerate() {
        let [std, rms] = [NoiseScale::Deviation, NoiseScale::RootMeanSquare]
            .map(|scale| normalize_noise(noise, scale));
        outputs = outputs.out(&format!("norm_std_{k}"), std).out(&format!("norm_rms_{k}"), rms);
    }
    Ok(outputs)
}

fn ada_geometric(c: &Context) -> Result<Outputs> {
    let x = c.x("x")?;
    let (xflip, rotate90) = (numbers(c, "xflip")?, numbers(c, "rotate90")?);
    let (xint, xfrac) = (of_samples(c, "xint")?, of_samples(c, "xfrac")?);
    let (scale, aniso) = (numbers(c, "scale")?, numbers(c, "aniso")?);
    let (pre, post) = (numbers(c, "rotate_pre")?, numbers(c, "rotate_post")?);
    let inverse = |k: usize| {
        let drawn = Geometry {
            xflip: xflip[k] != 0.0,
            rotate90: rotate90[k] as u32,
            xint: xint[k],
            scale: scale[k],
            rotate_pre: pre[k],
            aniso: aniso[k],
            rotate_post: post[k],
            xfrac: xfrac[k],
        };
        drawn.inverse(x.size(2), x.size(3))
    };
    let inverse: Vec<_> = (0..x.size(0)).map(inverse).collect();
    let y = augment::geometric(&x, &inverse);
    let matrices = tensor(c, inverse.as_flattened().as_flattened(), &[inverse.len(), 3, 3]);
    Ok(Outputs::default().out("g_inv", matrices).out("y", y))
}

fn ada_color(c: &Context) -> Result<Outputs> {
    let x = c.x("x")?;
    let (brightness, contrast) = (numbers(c, "brightness")?, numbers(c, "contrast")?);
    let (lumaflip, hue) = (numbers(c, "lumaflip")?, numbers(c, "hue")?);
    let saturation = numbers(c, "saturation")?;
    let matrix = |k: usize| {
        let drawn = Color {
            brightness: brightness[k],
            contrast: contrast[k],
            lumaflip: lumaflip[k] != 0.0,
            hue: hue[k],
            saturation: saturation[k],
        };
        drawn.matrix(x.size(1))
    };
    let matrices: Vec<_> = (0..x.size(0)).map(matrix).collect();
    let y = augment::color(&x, &matrices);
    let matrices = tensor(c, matrices.as_flattened().as_flattened(), &[matrices.len(), 4, 4]);
    Ok(Outputs::default().out("matrix", matrices).out("y", y))
}

fn fixed_styled_conv(c: &Context) -> Result<Outputs> {
    let resample = if c.flag("upsample")? { Resample::Up } else { Resample::Keep };
    let taps: Vec<f64> = c.ints("blur")?.into_iter().map(|tap| tap as f64).collect();
    let (size, form) = (size_of(c, "weight")?, (resample, c.flag("demodulate")?));
    let layer = c.network("", |b| FixedStyledConv::new(b, size, form, &taps, &c.device))?;
    Outputs::y(layer.model.forward(&c.x("x")?, &c.x("noise")?))
}

fn fixed_to_rgb(c: &Context) -> Result<Outputs> {
    let [inputs, outputs, _] = size_of(c, "conv.weight")?;
    let head = c.network("", |b| Head::new(b, [inputs, outputs]))?.model;
    let kernel = blur_kernel(&[1.0, 3.0, 3.0, 1.0], 4.0, &c.device);
    Outputs::y(head.added(&c.x("x")?, c.optional("skip")?.as_ref(), &kernel))
}

/// `[I, O, k]` of a weight `[O, I, k, k]`.
fn size_of(c: &Context, key: &str) -> Result<[usize; 3]> {
    let weight = c.param(key)?;
    Ok([1, 0, 2].map(|axis| weight.size(axis)))
}
