//! Rows of folder `stylegan2`: operators around the network (INDEX-stylegan2).

use super::Row;
use super::case::{Context, Outputs};
use super::jobs::{numbers, of_samples, projection_lr, tensor};
use crate::Result;
use crate::edit::factorization::closed_form;
use crate::metrics::{Gaussian, frechet_distance};
use crate::sample::{NoiseScale, lerp, noise_regularizer, normalize_noise, slerp};
use crate::tensor::Tensor;
use crate::train::adaptation::Tuner;
use crate::train::augment::{self, Color, Geometry, Matrix};

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
];

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
