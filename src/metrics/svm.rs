//! A linear support vector machine with squared hinge loss, as liblinear and scikit-learn's
//! `LinearSVC` minimise it: |v|²/2 + C Σ max(0, 1 − y (v · x))², where x has a last element of 1 for
//! the intercept, and y is 1 or −1.
//!
//! The sum is convex and piecewise quadratic, so Newton's method with conjugate gradients finds its
//! one minimum in a few steps (Keerthi and DeCoste 2005).

use rayon::prelude::*;

/// Rows that are summed up at once, in a fixed order.
const BLOCK: usize = 256;
/// Newton's steps, at most.
const MAX_STEPS: usize = 100;
/// Gradient at the minimum, of that at zero.
const NEAR: f64 = 1e-6;

/// A separating plane.
#[derive(Clone, Debug)]
pub struct Svm {
    plane: Vec<f64>,
}

/// Samples `[n, d]` and on which side each is to be.
struct Samples<'a> {
    rows: &'a [f32],
    /// 1 or -1.
    sides: Vec<f64>,
    d: usize,
    c: f64,
}

impl Svm {
    /// Separates samples `[n, d]` where `targets` is 0 from those where it is 1, with weight C of
    /// the loss.
    ///
    /// # Panics
    /// When the samples are not one row for each target.
    #[track_caller]
    pub fn fit(samples: &[f32], targets: &[usize], c: f64) -> Self {
        let n = targets.len();
        assert!(n > 0 && samples.len().is_multiple_of(n), "{} numbers, {n} rows", samples.len());
        let d = samples.len() / n;
        let sides = targets.iter().map(|&t| if t == 0 { 1.0 } else { -1.0 }).collect();
        let samples = Samples { rows: samples, sides, d, c };
        let mut plane = vec![0.0; d + 1];
        let (mut loss, mut gradient, mut inside) = samples.at(&plane);
        let enough = NEAR * norm(&gradient);
        for _ in 0..MAX_STEPS {
            if norm(&gradient) <= enough {
                break;
            }
            let step = samples.newton_step(&gradient, &inside);
            let slope = dot(&step, &gradient);
            let mut length = 1.0;
            loop {
                let next: Vec<f64> = plane.iter().zip(&step).map(|(p, s)| p + length * s).collect();
                let (lower, g, active) = samples.at(&next);
                if lower <= loss + 1e-4 * length * slope || length < 1e-10 {
                    (plane, loss, gradient, inside) = (next, lower, g, active);
                    break;
                }
                length /= 2.0;
            }
        }
        Self { plane }
    }

    /// Its normal, and the intercept behind it.
    pub fn plane(&self) -> &[f64] {
        &self.plane
    }

    /// 0 or 1 for each of the samples `[n, d]`.
    ///
    /// # Panics
    /// When they are not whole rows.
    #[track_caller]
    pub fn predict(&self, samples: &[f32]) -> Vec<usize> {
        let d = self.plane.len() - 1;
        assert!(samples.len().is_multiple_of(d), "{} numbers, rows of {d}", samples.len());
        samples.chunks(d).map(|x| usize::from(value(&self.plane, x) < 0.0)).collect()
    }
}

impl Samples<'_> {
    /// Loss, its gradient, and which samples are inside the margin.
    fn at(&self, plane: &[f64]) -> (f64, Vec<f64>, Vec<bool>) {
        let short: Vec<f64> = (self.rows.par_chunks(self.d).zip(&self.sides))
            .map(|(x, y)| (1.0 - y * value(plane, x)).max(0.0))
            .collect();
        let loss = 0.5 * dot(plane, plane) + self.c * dot(&short, &short);
        let weights: Vec<f64> =
            short.iter().zip(&self.sides).map(|(s, y)| -2.0 * self.c * s * y).collect();
        let gradient = add(plane, &self.weighted(&weights));
        (loss, gradient, short.iter().map(|&s| s > 0.0).collect())
    }

    /// The Hessian's product: v + 2 C Σ (x · v) x over the samples inside.
    fn curved(&self, v: &[f64], inside: &[bool]) -> Vec<f64> {
        let weights: Vec<f64> = (self.rows.par_chunks(self.d).zip(inside))
            .map(|(x, &inside)| if inside { 2.0 * self.c * value(v, x) } else { 0.0 })
            .collect();
        add(v, &self.weighted(&weights))
    }

    /// Sum of the samples by weight, blocks in their order.
    fn weighted(&self, weights: &[f64]) -> Vec<f64> {
        let block = |(rows, weights): (&[f32], &[f64])| {
            let mut sum = vec![0.0; self.d + 1];
            for (x, &weight) in rows.chunks(self.d).zip(weights).filter(|(_, w)| **w != 0.0) {
                sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += weight * f64::from(x));
                sum[self.d] += weight;
            }
            sum
        };
        let rows = self.rows.par_chunks(self.d * BLOCK);
        let blocks: Vec<_> = rows.zip(weights.par_chunks(BLOCK)).map(block).collect();
        blocks.iter().fold(vec![0.0; self.d + 1], |sum, block| add(&sum, block))
    }

    /// What the quadratic around here is lowest at, from here; by conjugate gradients.
    fn newton_step(&self, gradient: &[f64], inside: &[bool]) -> Vec<f64> {
        let mut step = vec![0.0; gradient.len()];
        let mut rest: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut direction = rest.clone();
        let enough = 1e-3 * norm(gradient);
        for _ in 0..2 * gradient.len() {
            if norm(&rest) <= enough {
                break;
            }
            let curved = self.curved(&direction, inside);
            let before = dot(&rest, &rest);
            let length = before / dot(&direction, &curved);
            for k in 0..step.len() {
                step[k] += length * direction[k];
                rest[k] -= length * curved[k];
            }
            let turn = dot(&rest, &rest) / before;
            direction.iter_mut().zip(&rest).for_each(|(d, r)| *d = r + turn * *d);
        }
        step
    }
}

fn value(plane: &[f64], x: &[f32]) -> f64 {
    let inner: f64 = plane.iter().zip(x).map(|(p, &x)| p * f64::from(x)).sum();
    inner + plane[x.len()]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
