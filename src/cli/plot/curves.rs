//! Statistics of a run over the pictures shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::train::folder::STATS;
use crate::{Error, Result};

/// Curves of this many points and fewer are shown as they are.
const FEW: usize = 20;
/// Points that a smooth line looks at on each side, as a part of all.
const NEAR: f64 = 1.0 / 40.0;
/// Part of them at each end of their order that it leaves out, so that jumps do not show in it.
const TRIMMED: f64 = 1.0 / 6.0;

/// Thousands of pictures shown, and a value.
pub(in crate::cli) type Point = [f64; 2];

/// What a run counted, by the names in its `stats.jsonl`.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Curves {
    pub(in crate::cli) name: String,
    all: BTreeMap<String, Vec<Point>>,
}

impl Curves {
    /// Of a run folder, or of a file of statistics.
    ///
    /// # Errors
    /// When the file cannot be read or holds none.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join(STATS) } else { path.to_owned() };
        let text = fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let mut curves = Self::named(path);
        // The last line of a run that goes on may be cut off.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .for_each(|l| curves.add(&l));
        if curves.all.is_empty() {
            let reason = "no statistics in it yet; a run writes them at its first progress line";
            return Err(Error::checkpoint(file, reason));
        }
        Ok(curves)
    }

    /// None yet.
    pub(in crate::cli) fn named(path: &Path) -> Self {
        Self { name: super::name(path), all: BTreeMap::new() }
    }

    fn add(&mut self, line: &Value) {
        let values = line.as_object().into_iter().flatten();
        // What JSON has no number for is a gap.
        let mean = |value: &Value| Some(value.get("mean")?.as_f64().unwrap_or(f64::NAN));
        self.push(values.filter_map(|(name, value)| Some((name.as_str(), mean(value)?))));
    }

    /// The values of a tick; without its place it is passed over.
    pub(in crate::cli) fn push<'a>(
        &mut self,
        values: impl Iterator<Item = (&'a str, f64)> + Clone,
    ) {
        let Some((_, kimg)) = values.clone().find(|(name, _)| *name == "Progress/kimg") else {
            return;
        };
        for (name, mean) in values {
            self.all.entry(name.to_owned()).or_default().push([kimg, mean]);
        }
    }

    /// A curve that has something to show.
    pub(in crate::cli) fn get(&self, name: &str) -> Option<&[Point]> {
        let points = self.all.get(name)?;
        points.iter().any(|p| p[1].is_finite()).then_some(points)
    }
}

/// The pieces of a curve between its gaps.
pub(super) fn pieces(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.split(|p| !p[1].is_finite()).filter(|piece| !piece.is_empty())
}

/// Trimmed means of what is near; `None` where there are few points.
pub(super) fn smooth(points: &[Point]) -> Option<Vec<Point>> {
    let near = ((points.len() as f64 * NEAR) as usize).max(3);
    let mean = |(k, &[kimg, value]): (usize, &Point)| {
        let around = &points[k.saturating_sub(near)..points.len().min(k + near + 1)];
        [kimg, if value.is_finite() { trimmed_mean(around) } else { f64::NAN }]
    };
    (points.len() > FEW).then(|| points.iter().enumerate().map(mean).collect())
}

fn trimmed_mean(points: &[Point]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|p| p[1]).filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let cut = (values.len() as f64 * TRIMMED) as usize;
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len() as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counted(kimg: f64, loss: Value) -> Value {
        json!({ "Progress/kimg": { "mean": kimg }, "Loss/G/loss": { "mean": loss }, "timestamp": 1 })
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        let mut curves = Curves::default();
        [json!(1.0), json!(null), json!(3.0)]
            .into_iter()
            .zip([1.0, 2.0, 3.0])
            .for_each(|(loss, kimg)| curves.add(&counted(kimg, loss)));
        let points = curves.get("Loss/G/loss").expect("a curve");
        assert!(pieces(points).eq([&[[1.0, 1.0]], &[[3.0, 3.0]]]), "{points:?}");
        assert_eq!(curves.get("timestamp"), None);
    }

    #[test]
    fn a_smooth_line_keeps_constants_and_gaps() {
        let mut points: Vec<Point> = (0..200).map(|k| [f64::from(k), 5.0]).collect();
        points[7][1] = f64::NAN;
        let smoothed = smooth(&points).expect("many points");
        assert!(smoothed[7][1].is_nan());
        assert!(smoothed.iter().filter(|p| p[0] != 7.0).all(|p| (p[1] - 5.0).abs() < 1e-12));
        // A single jump does not show, a slope does as it is.
        points[100][1] = 1e9;
        assert_eq!(smooth(&points).expect("many points")[100], [100.0, 5.0]);
        let slope: Vec<Point> = (0..200).map(|k| [f64::from(k), f64::from(k)]).collect();
        assert_eq!(smooth(&slope).expect("many points")[50..150], slope[50..150]);
        assert_eq!(smooth(&points[..20]), None);
    }
}
