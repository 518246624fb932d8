//! Ways between latents.

use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// The great circle from a to b `[..., D]`, both brought to length 1 first, at t `[..., 1]` in
/// 0 .. 1. PGGAN's and StyleGAN's published code.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn slerp(a: &Tensor, b: &Tensor, t: &Tensor) -> Tensor {
    let unit = |v: &Tensor| v.normalize(-1, 1e-12);
    let (a, b) = (unit(a), unit(b));
    let cos = (&a * &b).sum(&[a.shape().len() - 1], true);
    let across = unit(&(b - &a * &cos));
    let [a_k, across_k, cos_k, t_k] = Expr::inputs();
    let angle = t_k * cos_k.acos();
    unit(&pointwise(&[&a, &across, &cos, t], &(a_k * angle.cos() + across_k * angle.sin())))
}

/// a + (b − a) t.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn lerp(a: &Tensor, b: &Tensor, t: &Tensor) -> Tensor {
    let [a_k, b_k, t_k] = Expr::inputs();
    pointwise(&[a, b, t], &(a_k.clone() + (b_k - a_k) * t_k))
}

/// The cubic spline through styles `[N, ...]` at equal distances, at `steps` equally distant places
/// from the first to the last: `[steps, ...]`. Its third derivative is continuous at the second and
/// the last but one (not-a-knot), as in SciPy's `CubicSpline`.
///
/// # Panics
/// When there are fewer than four styles, or no steps.
#[track_caller]
pub fn cubic_spline(styles: &Tensor, steps: usize) -> Tensor {
    let n = styles.size(0);
    assert!(n >= 4 && steps > 0, "cubic_spline: {steps} steps through {:?}", styles.shape());
    // The spline is linear in the styles: column j is the spline through the j-th unit vector.
    let mut weights = vec![0.0; steps * n];
    for j in 0..n {
        let knots: Vec<f64> = (0..n).map(|k| f64::from(u8::from(k == j))).collect();
        let curvatures = curvatures(&knots);
        for step in 0..steps {
            let place = (step * (n - 1)) as f64 / (steps - 1).max(1) as f64;
            let i = (place as usize).min(n - 2);
            let (u, v) = (place - i as f64, 1.0 - (place - i as f64));
            let bend = (1.0 + v) * curvatures[i] + (1.0 + u) * curvatures[i + 1];
            let value = v * knots[i] + u * knots[i + 1] - u * v / 6.0 * bend;
            weights[step * n + j] = value as f32;
        }
    }
    let weights = Tensor::from_slice(&weights, [steps, n], styles.device());
    let rows = styles.reshape([n, styles.numel() / n]);
    weights.matmul(&rows).reshape(styles.shape().with(0, steps))
}

/// Second derivatives at the knots, at distance 1. Inside, m(i−1) + 4 m(i) + m(i+1) is 6 times the
/// second difference; with the ends' condition m(0) = 2 m(1) − m(2) the first of these equations
/// gives m(1) alone, and the last one m(n−2).
fn curvatures(knots: &[f64]) -> Vec<f64> {
    let n = knots.len();
    let mut m = vec![0.0; n];
    let difference = |i: usize| knots[i - 1] - 2.0 * knots[i] + knots[i + 1];
    m[1] = difference(1);
    m[n - 2] = difference(n - 2);
    // Elimination: m(i) = right(i) − share(i) m(i+1).
    let (mut share, mut right) = (vec![0.0; n], vec![0.0; n]);
    right[1] = m[1];
    for i in 2..n - 2 {
        share[i] = 1.0 / (4.0 - share[i - 1]);
        right[i] = (6.0 * difference(i) - right[i - 1]) * share[i];
    }
    for i in (2..n - 2).rev() {
        m[i] = right[i] - share[i] * m[i + 1];
    }
    m[0] = 2.0 * m[1] - m[2];
    m[n - 1] = 2.0 * m[n - 2] - m[n - 3];
    m
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn a_spline_through_a_cubic_is_the_cubic() {
        let cubic = |t: f64| 3.0 * t * t * t - 2.0 * t * t + t - 0.5;
        for n in [4, 5, 6, 9] {
            let knots: Vec<f32> = (0..n).map(|k| cubic(k as f64 / (n - 1) as f64) as f32).collect();
            let styles = Tensor::from_slice(&knots, [n], &Device::reference());
            for steps in [1, 2, 7] {
                let got = cubic_spline(&styles, steps).to_vec_f64().expect("read");
                for (k, got) in got.iter().enumerate() {
                    let want = cubic(k as f64 / (steps - 1).max(1) as f64);
                    assert!((got - want).abs() < 1e-6, "{n} knots, {k} of {steps}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn equal_ends_stay_where_they_are() {
        for device in [Device::reference(), Device::cpu()] {
            let [a, b] = [[3.0, 4.0], [6.0, 8.0]].map(|v| Tensor::from_slice(&v, [2], &device));
            let y = slerp(&a, &b, &Tensor::scalar(0.3, &device)).to_vec().expect("read");
            assert!((y[0] - 0.6).abs() < 1e-3 && (y[1] - 0.8).abs() < 1e-3, "{y:?}");
        }
    }
}
