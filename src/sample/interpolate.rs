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
    let place = |step: usize| (step * (n - 1)) as f64 / (steps - 1).max(1) as f64;
    let rows = styles.reshape([n, styles.numel() / n]);
    let found = spline_at(&rows, &(0..steps).map(place).collect::<Vec<_>>());
    found.reshape(styles.shape().with(0, steps))
}

/// The cubic spline through knots `[N, D]` at places 0 to N − 1, straight through fewer than four.
fn spline_at(knots: &Tensor, places: &[f64]) -> Tensor {
    let n = knots.size(0);
    // The spline is linear in the knots: column j is the spline through the j-th unit vector.
    let mut weights = vec![0.0; places.len() * n];
    for j in 0..n {
        let unit: Vec<f64> = (0..n).map(|k| f64::from(u8::from(k == j))).collect();
        let curvatures = if n >= 4 { curvatures(&unit) } else { vec![0.0; n] };
        for (step, &place) in places.iter().enumerate() {
            let i = (place as usize).min(n.saturating_sub(2));
            let after = (i + 1).min(n - 1);
            let (u, v) = (place - i as f64, 1.0 - (place - i as f64));
            let bend = (1.0 + v) * curvatures[i] + (1.0 + u) * curvatures[after];
            let value = v * unit[i] + u * unit[after] - u * v / 6.0 * bend;
            weights[step * n + j] = value as f32;
        }
    }
    Tensor::from_slice(&weights, [places.len(), n], knots.device()).matmul(knots)
}

/// How frames get from one key to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Straight.
    Linear,
    /// Along great circles, of latents.
    Spherical,
    /// Along a cubic spline through all keys.
    Spline,
}

/// Frames through keys.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// How.
    pub way: Way,
    /// Frames from each key to the next.
    pub frames: usize,
    /// Whether the last key leads back to the first one.
    pub is_loop: bool,
    /// Whether each key is left and reached slowly.
    pub is_eased: bool,
}

impl Path {
    /// The frames `[F, D]` from keys `[N, D]`: N frames' worth where it is a loop, else those
    /// between N − 1 neighbours and the last key.
    ///
    /// # Panics
    /// When there is no key or no frame.
    #[track_caller]
    pub fn through(&self, keys: &Tensor) -> Tensor {
        let (n, device) = (keys.size(0), keys.device());
        assert!(self.frames > 0, "Path: no frames between keys");
        let count = if self.is_loop { n * self.frames } else { (n - 1) * self.frames + 1 };
        let place = |k: usize| {
            let t = (k % self.frames) as f64 / self.frames as f64;
            let eased = if self.is_eased { t * t * (3.0 - 2.0 * t) } else { t };
            (k / self.frames, eased)
        };
        let key = |after: usize| {
            let index = |k: usize| ((place(k).0 + after) % n) as i32;
            let indices: Vec<i32> = (0..count).map(index).collect();
            keys.index_select(0, &Tensor::from_indices(&indices, [count], device))
        };
        let t: Vec<f32> = (0..count).map(|k| place(k).1 as f32).collect();
        let t = Tensor::from_slice(&t, [count, 1], device);
        match self.way {
            Way::Linear => lerp(&key(0), &key(1), &t),
            Way::Spherical => slerp(&key(0), &key(1), &t),
            Way::Spline => {
                let places = (0..count).map(place).map(|(k, t)| k as f64 + t);
                self.spline(keys, &places.collect::<Vec<_>>())
            }
        }
    }

    /// The spline through the keys; of a loop, through enough rounds of them that its ends do not
    /// matter in the middle one.
    fn spline(&self, keys: &Tensor, places: &[f64]) -> Tensor {
        const ROUNDS: usize = 5;
        let n = keys.size(0);
        let rounds = if self.is_loop { ROUNDS.max(12usize.div_ceil(n)) } else { 1 };
        let knots = keys.repeat(&[rounds, 1]);
        let middle = (rounds / 2 * n) as f64;
        let places: Vec<f64> = places.iter().map(|place| middle + place).collect();
        spline_at(&knots, &places)
    }
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
    fn a_path_meets_its_keys_and_a_loop_closes() {
        let device = Device::reference();
        let keys = [1.0, 0.0, 0.0, 1.0, -1.0, 0.5];
        let keys = Tensor::from_slice(&keys, [3, 2], &device);
        let unit = keys.normalize(1, 1e-12).to_vec().expect("read");
        for way in [Way::Linear, Way::Spherical, Way::Spline] {
            for is_loop in [false, true] {
                let path = Path { way, frames: 4, is_loop, is_eased: true };
                let frames = path.through(&keys).to_vec().expect("read");
                assert_eq!(frames.len(), 2 * if is_loop { 12 } else { 9 });
                let own = keys.to_vec().expect("read");
                let want = if way == Way::Spherical { &unit } else { &own };
                for (k, want) in want.iter().enumerate() {
                    let got = frames[k / 2 * 8 + k % 2];
                    assert!((got - want).abs() < 1e-3, "{way:?} {is_loop} {k}: {got} {want}");
                }
            }
        }
        // Half way between the last key and the first one.
        let path = Path { way: Way::Linear, frames: 2, is_loop: true, is_eased: false };
        assert_eq!(path.through(&keys).to_vec().expect("read")[10..], [0.0, 0.25]);
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
