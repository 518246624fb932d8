//! `|got - want| <= atol + rtol * |want|`, for every element.

use std::fmt;

/// Elements shown of a comparison that failed.
const SHOWN: usize = 5;

/// One element outside the tolerance.
#[derive(Clone, Copy, Debug)]
struct Element {
    index: usize,
    got: f64,
    want: f64,
    limit: f64,
}

impl Element {
    /// How many times the limit the difference is; infinite for a NaN.
    fn excess(&self) -> f64 {
        let excess = (self.got - self.want).abs() / self.limit.max(f64::MIN_POSITIVE);
        if excess.is_nan() { f64::INFINITY } else { excess }
    }
}

/// A tensor that differs from what was stored.
#[derive(Debug)]
pub struct Mismatch {
    wrong: usize,
    of: usize,
    worst: Vec<Element>,
}

/// Compares element by element; numbers that are not finite never pass.
pub(super) fn compare(got: &[f64], want: &[f64], rtol: f64, atol: f64) -> Option<Mismatch> {
    let outside = |(index, (&got, &want)): (usize, (&f64, &f64))| {
        let limit = atol + rtol * want.abs();
        let passes = (got - want).abs() <= limit;
        (!passes).then_some(Element { index, got, want, limit })
    };
    let mut worst: Vec<Element> = got.iter().zip(want).enumerate().filter_map(outside).collect();
    if worst.is_empty() {
        return None;
    }
    let wrong = worst.len();
    worst.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
    worst.truncate(SHOWN);
    Some(Mismatch { wrong, of: want.len(), worst })
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} elements differ, worst", self.wrong, self.of)?;
        for e in &self.worst {
            write!(f, " [{}] got {:e} want {:e} limit {:.1e}", e.index, e.got, e.want, e.limit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_absolute_plus_relative_and_nan_never_passes() {
        assert!(compare(&[1.0, 100.0], &[1.05, 100.5], 0.01, 0.05).is_none());
        assert!(compare(&[1.0], &[1.1], 0.01, 0.05).is_some());
        let bad = compare(&[f64::NAN, 1.0], &[1.0, 1.0], 1.0, 1.0).expect("NaN");
        assert!(bad.to_string().starts_with("1 of 2 elements differ, worst [0] got NaN"));
    }
}
