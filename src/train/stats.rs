//! Statistics of a tick, under the names that StyleGAN3 users' tools know.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Count, sum and sum of squares of one statistic.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    n: u64,
    sum: f64,
    squares: f64,
}

/// Values since the last tick.
#[derive(Debug, Default)]
pub struct Collector(BTreeMap<String, Moments>);

/// The published name of a value that a step reports.
pub fn published_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "real_score" => "Loss/scores/real",
        "fake_score" => "Loss/scores/fake",
        "real_sign" => "Loss/signs/real",
        "d" => "Loss/D/loss",
        "d_info" => "Loss/D/info",
        "r1" => "Loss/r1_penalty",
        "g" => "Loss/G/loss",
        "g1" => "Loss/G/grouping1",
        "g2" => "Loss/G/grouping2",
        "g_info" => "Loss/G/info",
        "path" => "Loss/pl_penalty",
        "mean_path_length" => "Loss/pl_mean",
        _ => return None,
    })
}

impl Collector {
    /// Counts a value.
    pub fn add(&mut self, name: &str, value: f64) {
        let moments = self.0.entry(name.to_owned()).or_default();
        moments.n += 1;
        moments.sum += value;
        moments.squares += value * value;
    }

    /// Mean of a statistic, where it has values.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|m| m.sum / m.n as f64)
    }

    /// All means by name.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> + Clone {
        self.0.iter().map(|(name, m)| (name.as_str(), m.sum / m.n as f64))
    }

    /// One line of `stats.jsonl`: `{num, mean, std}` by name, and the time in seconds since 1970.
    pub fn line(&self, timestamp: f64) -> Value {
        let mut line = Map::new();
        for (name, m) in &self.0 {
            let mean = m.sum / m.n as f64;
            let std = (m.squares / m.n as f64 - mean * mean).max(0.0).sqrt();
            line.insert(name.clone(), json!({ "num": m.n, "mean": mean, "std": std }));
        }
        line.insert("timestamp".into(), json!(timestamp));
        Value::Object(line)
    }
}

/// `1d 2h 03m`, `2h 03m 04s`, `3m 04s` or `4s`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    let (d, h, m, s) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m {s:02}s"),
        (0, _, _) => format!("{h}h {m:02}m {s:02}s"),
        _ => format!("{d}d {h:02}h {m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_count_mean_and_deviation() {
        let mut stats = Collector::default();
        [1.0, 3.0].into_iter().for_each(|v| stats.add("Loss/G/loss", v));
        let line = stats.line(5.0);
        assert_eq!(line["Loss/G/loss"], json!({ "num": 2, "mean": 2.0, "std": 1.0 }));
        assert_eq!(line["timestamp"], 5.0);
    }

    #[test]
    fn durations_read_like_those_of_stylegan3() {
        let all = [4.0, 184.0, 7384.0, 93_780.0].map(duration);
        assert_eq!(all, ["4s", "3m 04s", "2h 03m 04s", "1d 02h 03m"]);
    }
}
