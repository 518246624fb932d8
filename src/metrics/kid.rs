//! Kernel inception distance. Binkowski et al. 2018, section 4.

/// The kernel (x · y / width + coefficient) to the power `degree`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    /// Added to the mean product.
    pub coefficient: f64,
    /// Power.
    pub degree: i32,
}

impl Default for Polynomial {
    fn default() -> Self {
        Self { coefficient: 1.0, degree: 3 }
    }
}

/// Squared distance of two sets' mean features in the kernel's space, without bias: the mean over
/// pairs of subsets, each given by the numbers of m samples of x and of as many of y. Sets have
/// `width` features per sample, one behind the other.
///
/// # Panics
/// When there is no pair, or one has fewer than two samples or sets of different sizes.
#[track_caller]
pub fn kid(
    [x, y]: [&[f64]; 2],
    width: usize,
    subsets: &[[Vec<usize>; 2]],
    kernel: Polynomial,
) -> f64 {
    assert!(!subsets.is_empty(), "kid: no subsets");
    let value = |a: &[f64], b: &[f64]| {
        let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        (product / width as f64 + kernel.coefficient).powi(kernel.degree)
    };
    let of_subset = |[of_x, of_y]: &[Vec<usize>; 2]| {
        let m = of_x.len();
        assert!(m > 1 && of_y.len() == m, "kid: subsets of {m} and {}", of_y.len());
        let x = |k: usize| &x[of_x[k] * width..][..width];
        let y = |k: usize| &y[of_y[k] * width..][..width];
        let (mut within, mut across) = (0.0, 0.0);
        for i in 0..m {
            for j in 0..m {
                across += value(x(i), y(j));
                if i != j {
                    within += value(x(i), x(j)) + value(y(i), y(j));
                }
            }
        }
        (within / (m - 1) as f64 - 2.0 * across / m as f64) / m as f64
    };
    subsets.iter().map(of_subset).sum::<f64>() / subsets.len() as f64
}
