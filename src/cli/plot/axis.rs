//! Ranges of axes, their ticks, and the numbers at them.

/// Part of the values at each end that may lie outside: single jumps do not flatten the rest.
const OUTLIERS: f64 = 0.01;
/// Empty part of a range above and below the values.
const MARGIN: f64 = 0.06;

/// A range of numbers with ticks at round ones.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Axis {
    pub(in crate::cli) low: f64,
    pub(in crate::cli) high: f64,
    step: f64,
}

impl Axis {
    /// Exactly this range.
    pub(in crate::cli) fn exact(low: f64, high: f64, ticks: usize) -> Self {
        let high = if high > low { high } else { low + low.abs().max(1e-3) };
        Self { low, high, step: round_step((high - low) / ticks.max(1) as f64) }
    }

    /// Around most of the values.
    pub(in crate::cli) fn around(mut values: Vec<f64>, ticks: usize) -> Self {
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return Self::exact(0.0, 1.0, ticks);
        };
        let cut = ((values.len() as f64) * OUTLIERS) as usize;
        let (low, high) = (values[cut], values[values.len() - 1 - cut]);
        let (low, high) = if high > low { (low, high) } else { (first, last) };
        let margin = match high > low {
            true => (high - low) * MARGIN,
            false => high.abs().max(1e-3) * 0.5,
        };
        // What is never negative starts at zero or above.
        let bottom = if first >= 0.0 { (low - margin).max(0.0) } else { low - margin };
        Self::exact(bottom, high + margin, ticks)
    }

    /// Where a value lies: 0 at the low end, 1 at the high one.
    pub(in crate::cli) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Ticks with their labels.
    pub(in crate::cli) fn ticks(&self) -> Vec<(f64, String)> {
        let first = (self.low / self.step - 1e-9).ceil() as i64;
        let last = (self.high / self.step + 1e-9).floor() as i64;
        (first..=last).map(|k| k as f64 * self.step).map(|v| (v, self.label(v, 0))).collect()
    }

    /// Labels of both ends.
    pub(in crate::cli) fn ends(&self) -> [String; 2] {
        [self.low, self.high].map(|v| self.label(v, 1))
    }

    /// As exact as the ticks, or by some digits more.
    fn label(&self, value: f64, more: usize) -> String {
        let largest = self.low.abs().max(self.high.abs());
        if !(1e-3..1e6).contains(&largest) {
            if value == 0.0 {
                return "0".into();
            }
            let digits = (value.abs() / self.step).log10().floor().max(0.0) as usize + more;
            return format!("{value:.digits$e}");
        }
        let digits = (-(self.step.log10() + 1e-9).floor()).max(0.0) as usize + more;
        format!("{value:.digits$}")
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_at_round_numbers() {
        assert_eq!(labels(&Axis::exact(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::exact(-3.0, 11.0, 4)), ["0", "5", "10"]);
        assert_eq!(labels(&Axis::exact(0.0, 25_000.0, 5)).last().expect("ticks"), "25000");
        assert_eq!(labels(&Axis::exact(0.0, 4e-5, 2)), ["0", "2e-5", "4e-5"]);
    }

    #[test]
    fn a_single_jump_does_not_flatten_the_rest() {
        let mut values: Vec<f64> = (0..200).map(|k| f64::from(k % 10)).collect();
        values[3] = 1e9;
        assert!(Axis::around(values, 4).high < 11.0);
    }

    #[test]
    fn constants_and_nothing_have_a_range() {
        for values in [vec![], vec![0.0], vec![7.0; 9], vec![f64::NAN, -2.0]] {
            let axis = Axis::around(values, 4);
            assert!(axis.high > axis.low && axis.ticks().len() > 1, "{axis:?}");
        }
    }
}
