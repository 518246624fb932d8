//! Directions of the style space that change pictures most, from the weights alone: "Closed-form
//! factorization of latent semantics in GANs" (Shen and Zhou, CVPR 2021), section 3.

use faer::Mat;

use crate::models::Config;
use crate::nn::Values;

/// Right singular vectors of a weight.
#[derive(Clone, Debug)]
pub struct Factorization {
    /// Singular values, the largest first.
    pub singular: Vec<f64>,
    /// Directions as columns of a square matrix, row by row, in the order of their singular values;
    /// the entry of largest magnitude of each is positive.
    pub vectors: Vec<f64>,
}

/// The weights of a generator that read a style, stacked as rows over the style, and its width. As
/// published, RGB layers behind the first do not count. A network without styles has the layer that
/// reads its latent.
pub fn stacked(config: &Config, params: &Values) -> (Vec<f64>, usize) {
    let mut rows = Vec::new();
    for (key, (shape, values)) in params {
        let row = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let is_rgb = key.starts_with("to_rgbs.");
        let zeros = || vec![0.0; shape[1]];
        let own = values.chunks_exact(shape.get(1).copied().unwrap_or(1));
        match config {
            // The second half of a style drives the channels, the first one groups of them.
            Config::Sarigan(_) if key.ends_with(".modulation.weight") && !is_rgb => {
                own.for_each(|own| rows.extend([zeros(), row(own)].concat()));
            }
            Config::Sarigan(_) if key.ends_with(".modulation_bases.weight") => {
                own.for_each(|own| rows.extend([row(own), zeros()].concat()));
            }
            Config::StyleGan2(_) | Config::SemanticStyleGan(_)
                if key.ends_with(".modulation.weight") && !is_rgb =>
            {
                rows.extend(row(values));
            }
            Config::StyleGan(_) if key.ends_with(".style.weight") => rows.extend(row(values)),
            Config::Pggan(_) if key == "layer0.weight" => {
                let (inputs, taps) = (shape[1], shape[2] * shape[3]);
                for at in 0..shape[0] * taps {
                    let entry = |i| values[(at / taps * inputs + i) * taps + at % taps];
                    rows.extend((0..inputs).map(|i| f64::from(entry(i))));
                }
            }
            _ => {}
        }
    }
    let sizes = config.sizes();
    let width = match config {
        Config::StyleGan2(config) => config.style_dim,
        Config::StyleGan(config) => config.w_space_dim,
        _ => sizes.style.unwrap_or(sizes.latent + sizes.classes),
    };
    (rows, width)
}

/// Factorises modulation weights, stacked: rows of `width` numbers, one per entry of the style.
///
/// # Panics
/// When there is part of a row, or a number is not finite.
#[track_caller]
pub fn closed_form(weight: &[f64], width: usize) -> Factorization {
    let rows = weight.len() / width;
    assert_eq!(rows * width, weight.len(), "closed_form: rows of {width}");
    let weight = Mat::from_fn(rows, width, |i, k| weight[i * width + k]);
    // Of the left vectors nobody reads any; with many rows all of them would be most of the work.
    let svd = if rows > width { weight.thin_svd() } else { weight.svd() };
    let svd = svd.expect("finite weights");
    let (vectors, values) = (svd.V(), svd.S().column_vector());
    let sign = |k: usize| {
        let column = (0..width).map(|i| vectors[(i, k)]);
        column.max_by(|a, b| a.abs().total_cmp(&b.abs())).map_or(1.0, f64::signum)
    };
    let signs: Vec<f64> = (0..width).map(sign).collect();
    let entry = |at: usize| vectors[(at / width, at % width)] * signs[at % width];
    Factorization {
        singular: (0..values.nrows()).map(|k| values[k]).collect(),
        vectors: (0..width * width).map(entry).collect(),
    }
}
