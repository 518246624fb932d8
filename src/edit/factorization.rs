//! Directions of the style space that change pictures most, from the weights alone: "Closed-form
//! factorization of latent semantics in GANs" (Shen and Zhou, CVPR 2021), section 3.

use faer::Mat;

/// Right singular vectors of a weight.
#[derive(Clone, Debug)]
pub struct Factorization {
    /// Singular values, the largest first.
    pub singular: Vec<f64>,
    /// Directions as columns of a square matrix, row by row, in the order of their singular values;
    /// the entry of largest magnitude of each is positive.
    pub vectors: Vec<f64>,
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
    let svd = weight.svd().expect("finite weights");
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
