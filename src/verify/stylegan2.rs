//! Rows of folder `stylegan2`: layers, networks, losses, and operators around them
//! (INDEX-stylegan2).

use serde_json::Value;

use super::case::{Context, Outputs};
use super::jobs::{numbers, of_samples, projection_lr, tensor};
use super::{Row, training};
use crate::Result;
use crate::edit::factorization::closed_form;
use crate::metrics::{Gaussian, frechet_distance};
use crate::models::Discriminator as _;
use crate::models::stylegan::toward;
use crate::models::stylegan2::{Config, Discriminator, Generator, Mapping, StyledConv, ToRgb};
use crate::nn::{Builder, Network};
use crate::sample::{NoiseScale, lerp, noise_regularizer, normalize_noise, slerp};
use crate::tensor::Tensor;
use crate::train::Recipe;
use crate::train::adaptation::Tuner;
use crate::train::augment::{self, Color, Geometry, Matrix};
use crate::train::loss;

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "stylegan2", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("ada_affine_matrix", affine_matrix),
    row("ada_color_matrix", color_matrix),
    row("ada_apply_affine", |c| {
        let (img, maps) = (c.x("img")?, matrices::<3>(c, "G")?);
        let pad = augment::margins(&maps, img.size(2), img.size(3)).map(|n| n as i32);
        let pad = Tensor::from_indices(&pad, [4], &c.device);
        Ok(Outputs::default().out("pad", pad).out("y", augment::geometric(&img, &maps)))
    }),
    row("ada_apply_color", |c| Outputs::y(augment::color(&c.x("img")?, &matrices::<4>(c, "C")?))),
    row("ada_augment", |c| {
        let turned = augment::geometric(&c.x("img")?, &matrices::<3>(c, "G")?);
        Outputs::y(augment::color(&turned, &matrices::<4>(c, "C")?))
    }),
    row("ada_tune", ada_tune),
    row("closed_form_factorization", |c| {
        let width = c.x("W")?.size(1);
        let found = closed_form(&numbers(c, "W")?, width);
        let vectors = tensor(c, &found.vectors, &[width, width]);
        let singular = tensor(c, &found.singular, &[found.singular.len()]);
        Ok(Outputs::default().out("singular", singular).out("eigvec", vectors))
    }),
    row("fid", |c| {
        let width = c.x("fake")?.size(1);
        let fake = Gaussian::of(&numbers(c, "fake")?, width);
        let real = Gaussian::of(&numbers(c, "real")?, width);
        Ok(Outputs::default()
            .out("mu_fake", tensor(c, &fake.mean, &[width]))
            .out("cov_fake", tensor(c, &fake.covariance, &[width, width]))
            .out("fid", tensor(c, &[frechet_distance(&fake, &real)], &[])))
    }),
    row("noise_regularize", |c| Ok(Outputs::default().out("loss", noise_regularizer(&noises(c)?)))),
    row("noise_normalize", |c| {
        let named = |(k, noise): (usize, &Tensor)| {
            (format!("noise{k}"), normalize_noise(noise, NoiseScale::Deviation))
        };
        Ok(noises(c)?.iter().enumerate().map(named).collect())
    }),
    row("projector_lr", |c| projection_lr(c, "lr")),
    row("slerp", |c| Outputs::y(slerp(&c.x("a")?, &c.x("b")?, &c.x("t")?))),
    row("lerp", |c| Outputs::y(lerp(&c.x("a")?, &c.x("b")?, &c.x("t")?))),
    row("mapping", |c| {
        let mapping = built(c, "", |b, config| Mapping::new(config, b))?.model;
        Ok(Outputs::default().out("style", mapping.forward(&c.x("z")?, None)))
    }),
    row("styled_conv", |c| {
        let number = |layer: &str| match layer {
            "conv1" => Some(0),
            _ => layer.strip_prefix("convs.")?.parse::<usize>().ok().map(|k| k + 1),
        };
        let k = number(&c.word("layer")?).ok_or_else(|| c.wrong("layer", "conv1 or convs.N"))?;
        let layer = built(c, "", |b, config| StyledConv::new(b, k, (config, &c.device)))?.model;
        Outputs::y(layer.forward(&c.x("x")?, &c.x("style")?, &c.x("noise")?))
    }),
    row("to_rgb", |c| {
        let inputs = c.x("x")?.size(1);
        let layer = built(c, "", |b, config| ToRgb::new(b, inputs, (config, &c.device)))?.model;
        Outputs::y(layer.forward(&c.x("x")?, &c.x("style")?, c.optional("skip")?.as_ref()))
    }),
    row("generator", generator),
    row("discriminator", |c| {
        let pred = critic(c, "")?.model.judge(&c.x("x")?, None, 0.0).pred;
        Ok(Outputs::default().out("pred", pred.reshape([pred.numel(), 1])))
    }),
    row("loss_d", |c| {
        let (g, d) = (network(c, "g.")?.model, critic(c, "d.")?.model);
        let on_real = d.judge(&c.x("real")?, None, 0.0).pred;
        let on_fake = d.judge(&fakes(c, &g)?.detach(), None, 0.0).pred;
        let logistic = loss::d_logistic(&on_real, &on_fake);
        let out = Outputs::default().out("d", logistic.clone()).out("total", logistic);
        Ok(out.out("real_score", on_real.mean_all()).out("fake_score", on_fake.mean_all()))
    }),
    row("loss_r1", |c| {
        let real = c.x("real")?.tracked();
        let r1 = loss::r1(&critic(c, "d.")?.model.judge(&real, None, 0.0).pred, &real);
        let total = &r1.penalty * (c.f64("r1")? / 2.0 * c.f64("d_reg_every")?);
        let out = Outputs::default().out("grad_real", r1.grad_real);
        Ok(out.out("r1", r1.penalty).out("total", total))
    }),
    row("loss_g", |c| {
        let (g, d) = (network(c, "g.")?.model, critic(c, "d.")?.model);
        let g = loss::g_nonsaturating(&d.judge(&fakes(c, &g)?, None, 0.0).pred);
        Ok(Outputs::default().out("g", g.clone()).out("total", g))
    }),
    row("loss_path", |c| {
        let g = network(c, "g.")?.model;
        let styles = styles(c, g.config().n_latents(), &|z| g.mapping.forward(z, None))?;
        // Every layer's style is a variable of its own.
        let styles: Vec<Tensor> = styles.iter().map(Tensor::alias).collect();
        let image = g.synthesis(&styles, &planes(c, &g.noise_buffers())?).image;
        let styles = styles.iter().collect::<Vec<_>>();
        let lengths = loss::path_lengths(&image, &c.x("pl_noise")?, &styles);
        let path = loss::path_penalty(&lengths, &c.x("mean")?, c.f64("decay")?);
        let total = &path.penalty * (c.f64("path_regularize")? * c.f64("g_reg_every")?);
        let out = Outputs::default().out("lengths", lengths).out("mean_path_length", path.mean);
        Ok(out.out("path", path.penalty).out("total", total))
    }),
    row("train", |c| {
        let recipe = training::scheduled(c, Recipe::stylegan2())?;
        let g = || Ok::<_, crate::Error>(training::generator(network(c, "g.")?));
        training::train(c, &recipe, (g()?, training::critic(critic(c, "d.")?), g()?))
    }),
];

fn built<M>(
    c: &Context,
    prefix: &str,
    build: impl FnOnce(&mut Builder, &Config) -> M,
) -> Result<Network<M>> {
    let config: Config = serde_json::from_value(c.attrs().clone())
        .map_err(|e| c.wrong("channels", &format!("the description of a network: {e}")))?;
    c.network(prefix, |b| build(b, &config))
}

fn network(c: &Context, prefix: &str) -> Result<Network<Generator>> {
    built(c, prefix, |b, config| Generator::new(config, b, &c.device))
}

fn critic(c: &Context, prefix: &str) -> Result<Network<Discriminator>> {
    built(c, prefix, |b, config| Discriminator::new(config, b, &c.device))
}

fn fakes(c: &Context, g: &Generator) -> Result<Tensor> {
    let w = g.mapping.forward(&c.x("z0")?, None);
    Ok(g.synthesis(&g.broadcast(&w), &planes(c, &g.noise_buffers())?).image)
}

/// One style per layer: those that are given, or of one latent, or of two that change over at
/// `inject_index`; truncated where the case has a mean style.
pub(super) fn styles(
    c: &Context,
    n: usize,
    mapping: &dyn Fn(&Tensor) -> Tensor,
) -> Result<Vec<Tensor>> {
    if let Some(latent) = c.optional("latent")? {
        let (batch, width) = (latent.size(0), latent.size(2));
        return Ok((0..n).map(|k| latent.narrow(1, k, 1).reshape([batch, width])).collect());
    }
    let style = |z: &Tensor| -> Result<Tensor> {
        let w = mapping(z);
        let Some(mean) = c.optional("truncation_latent")? else { return Ok(w) };
        Ok(toward(&w, &mean, c.f64("truncation")?))
    };
    let mut styles = vec![style(&c.x("z0")?)?; n];
    if let Some(z1) = c.optional("z1")? {
        styles[c.size("inject_index")?..].fill(style(&z1)?);
    }
    Ok(styles)
}

/// The noise planes of the case, or the network's own where it says so.
pub(super) fn planes(c: &Context, own: &[Tensor]) -> Result<Vec<Tensor>> {
    match c.any("randomize_noise") {
        Some(Value::Bool(false)) => Ok(own.to_vec()),
        _ => (0..own.len()).map(|k| c.x(&format!("noise{k}"))).collect(),
    }
}

fn generator(c: &Context) -> Result<Outputs> {
    let g = network(c, "")?.model;
    let styles = styles(c, g.config().n_latents(), &|z| g.mapping.forward(z, None))?;
    let made = g.synthesis(&styles, &planes(c, &g.noise_buffers())?);
    let layer = |(first, others, k): (&str, &str, usize)| match k {
        0 => format!("feat.{first}"),
        _ => format!("feat.{others}.{}", k - 1),
    };
    let features = made.features.into_iter().enumerate();
    let features = features.map(|(k, y)| (layer(("conv1", "convs", k)), y));
    let pictures = made.pictures.into_iter().enumerate();
    let pictures = pictures.map(|(k, y)| (layer(("to_rgb1", "to_rgbs", k)), y));
    let out: Outputs = features.chain(pictures).collect();
    let latent = Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1);
    Ok(out.out("image", made.image).out("latent", latent))
}

fn ada_tune(c: &Context) -> Result<Outputs> {
    let (calls, batch) = (c.x("pred")?.size(0), c.x("pred")?.size(1));
    let mut tuner = Tuner::new(c.f64("target")?, c.f64("length")?, c.size("update_every")?);
    let (mut p, mut mean_sign) = (Vec::new(), Vec::new());
    for scores in numbers(c, "pred")?.chunks_exact(batch) {
        tuner.tune(scores);
        p.push(tuner.p);
        mean_sign.push(tuner.mean_sign);
    }
    let (p, mean_sign) = (tensor(c, &p, &[calls]), tensor(c, &mean_sign, &[calls]));
    Ok(Outputs::default().out("p", p).out("r_t", mean_sign))
}

fn noises(c: &Context) -> Result<Vec<Tensor>> {
    let mut noises = Vec::new();
    while let Some(noise) = c.optional(&format!("noise{}", noises.len()))? {
        noises.push(noise);
    }
    Ok(noises)
}

/// One matrix per sample.
fn matrices<const N: usize>(c: &Context, name: &str) -> Result<Vec<Matrix<N>>> {
    let rows: Vec<[f64; N]> = of_samples(c, name)?;
    Ok(rows.chunks_exact(N).map(|rows| rows.try_into().expect("N rows")).collect())
}

/// Where step `k` of sample `i` is chosen, what was drawn for it, else what changes nothing.
struct Chosen {
    sel: Vec<f64>,
    batch: usize,
}

impl Chosen {
    fn new(c: &Context, batch: usize) -> Result<Self> {
        Ok(Self { sel: numbers(c, "sel")?, batch })
    }

    fn or<T>(&self, k: usize, i: usize, drawn: T, identity: T) -> T {
        if self.sel[k * self.batch + i] != 0.0 { drawn } else { identity }
    }
}

fn affine_matrix(c: &Context) -> Result<Outputs> {
    let (flip, rot90) = (numbers(c, "flip")?, numbers(c, "rot90")?);
    let (whole, fraction) = (numbers(c, "trans_int")?, numbers(c, "trans_frac")?);
    let (iso, aniso) = (numbers(c, "scale_iso")?, numbers(c, "scale_aniso")?);
    let (pre, post) = (numbers(c, "rot_pre")?, numbers(c, "rot_post")?);
    let batch = flip.len();
    let chosen = Chosen::new(c, batch)?;
    let (height, width) = (c.size("height")?, c.size("width")?);
    // Stored vertical before horizontal.
    let pair = |v: &[f64], i: usize| [v[batch + i], v[i]];
    let matrix = |i: usize| {
        let drawn = Geometry {
            xflip: chosen.or(0, i, flip[i] != 0.0, false),
            rotate90: chosen.or(1, i, rot90[i] as u32, 0),
            xint: chosen.or(2, i, pair(&whole, i), [0.0; 2]),
            scale: chosen.or(3, i, iso[i], 1.0),
            rotate_pre: chosen.or(4, i, pre[i], 0.0),
            aniso: chosen.or(5, i, aniso[i], 1.0),
            rotate_post: chosen.or(6, i, post[i], 0.0),
            xfrac: chosen.or(7, i, pair(&fraction, i), [0.0; 2]),
        };
        augment::inverted(&drawn.inverse(height, width))
    };
    let all: Vec<_> = (0..batch).map(matrix).collect();
    Ok(Outputs::default().out("G", tensor(c, all.as_flattened().as_flattened(), &[batch, 3, 3])))
}

fn color_matrix(c: &Context) -> Result<Outputs> {
    let (brightness, contrast) = (numbers(c, "brightness")?, numbers(c, "contrast")?);
    let (lumaflip, hue) = (numbers(c, "lumaflip")?, numbers(c, "hue")?);
    let saturation = numbers(c, "saturation")?;
    let batch = hue.len();
    let chosen = Chosen::new(c, batch)?;
    let matrix = |i: usize| {
        let drawn = Color {
            brightness: chosen.or(0, i, brightness[i], 0.0),
            contrast: chosen.or(1, i, contrast[i], 1.0),
            lumaflip: chosen.or(2, i, lumaflip[i] != 0.0, false),
            hue: chosen.or(3, i, hue[i], 0.0),
            saturation: chosen.or(4, i, saturation[i], 1.0),
        };
        drawn.matrix(3)
    };
    let all: Vec<_> = (0..batch).map(matrix).collect();
    Ok(Outputs::default().out("C", tensor(c, all.as_flattened().as_flattened(), &[batch, 4, 4])))
}
