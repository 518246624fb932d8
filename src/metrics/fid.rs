//! Fréchet inception distance, from features that a network has made of pictures. Heusel et al.
//! 2017, equation 6.

use faer::{Mat, Side};

/// Mean and covariance of features.
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// One number per feature.
    pub mean: Vec<f64>,
    /// Row by row.
    pub covariance: Vec<f64>,
}

impl Gaussian {
    /// Of samples with `width` features each, one behind the other; the covariance is divided by one
    /// less than their number.
    ///
    /// # Panics
    /// When there are fewer than two samples, or part of one.
    #[track_caller]
    pub fn of(features: &[f64], width: usize) -> Self {
        Self::with_divisor(features, width, 1)
    }

    /// The same with the covariance divided by `less` less than the number of samples: 0 in NVIDIA's
    /// code.
    ///
    /// # Panics
    /// As [`Gaussian::of`].
    #[track_caller]
    pub fn with_divisor(features: &[f64], width: usize, less: usize) -> Self {
        let n = features.len() / width;
        let whole = n > 1 && n * width == features.len();
        assert!(whole, "Gaussian::of: {} features of width {width}", features.len());
        let mean = |k: usize| features.iter().skip(k).step_by(width).sum::<f64>() / n as f64;
        let mean: Vec<f64> = (0..width).map(mean).collect();
        let centred = Mat::from_fn(n, width, |i, k| features[i * width + k] - mean[k]);
        let products = centred.transpose() * &centred;
        let entry = |k: usize| products[(k / width, k % width)] / (n - less) as f64;
        Self { mean, covariance: (0..width * width).map(entry).collect() }
    }

    fn matrix(&self) -> Mat<f64> {
        let width = self.mean.len();
        Mat::from_fn(width, width, |i, k| self.covariance[i * width + k])
    }
}

/// A Fréchet distance and its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frechet {
    /// |m₁ − m₂|².
    pub moved: f64,
    /// tr √(C₁ C₂).
    pub root: f64,
    /// |m₁ − m₂|² + tr(C₁ + C₂ − 2 √(C₁ C₂)).
    pub distance: f64,
}

/// |m₁ − m₂|² + tr(C₁ + C₂ − 2 √(C₁ C₂)).
///
/// # Panics
/// When the widths differ, or a number is not finite.
#[track_caller]
pub fn frechet_distance(a: &Gaussian, b: &Gaussian) -> f64 {
    frechet(a, b, 0.0).distance
}

/// The distance with `offset` added to both diagonals inside the root. C₁ C₂ has the eigenvalues of
/// √C₁ C₂ √C₁, which is symmetric: its roots are real whatever the rounding.
///
/// # Panics
/// As [`frechet_distance`].
#[track_caller]
pub fn frechet(a: &Gaussian, b: &Gaussian, offset: f64) -> Frechet {
    let width = a.mean.len();
    assert_eq!(width, b.mean.len(), "frechet_distance: widths");
    let trace = |m: &Mat<f64>| (0..width).map(|k| m[(k, k)]).sum::<f64>();
    let (mut first, mut second) = (a.matrix(), b.matrix());
    let spread = trace(&first) + trace(&second);
    for k in 0..width {
        first[(k, k)] += offset;
        second[(k, k)] += offset;
    }
    let eigen = first.self_adjoint_eigen(Side::Lower).expect("finite covariances");
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let scaled = Mat::from_fn(width, width, |i, k| vectors[(i, k)] * values[k].max(0.0).sqrt());
    let root = &scaled * vectors.transpose();
    let product = &root * &second * &root;
    let product = product.self_adjoint_eigenvalues(Side::Lower).expect("finite covariances");
    let root: f64 = product.iter().map(|value| value.max(0.0).sqrt()).sum();
    let moved: f64 = a.mean.iter().zip(&b.mean).map(|(a, b)| (a - b).powi(2)).sum();
    Frechet { moved, root, distance: moved + spread - 2.0 * root }
}
