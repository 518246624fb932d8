//! A long run holds no more at its end than after its first steps.

use std::fs;

use serde_json::Value;

use crate::common::gpu;
use crate::program::run;
use crate::runs::{BATCH, Place};
use semgan::train::Options;

const STEPS: usize = 500;
/// Steps after which every lazy phase and every crossover of the latents has been seen.
const WARM: u64 = 250;

/// A value of a line of statistics.
fn value(line: &Value, name: &str) -> f64 {
    line[name]["mean"].as_f64().unwrap_or_else(|| panic!("{name} is not in {line}"))
}

#[test]
fn memory_pipelines_and_bind_groups_stay_flat_over_500_steps() {
    let Some(_) = gpu() else { return };
    let place = Place::new();
    let tick_kimg = (25 * BATCH) as f64 / 1000.0;
    place.begin(&Options { tick_kimg, ..place.options(STEPS) });
    let runs = place.text("runs");
    run(&["train", "--resume", "latest", "--outdir", &runs, "--device", "gpu"]).succeeded();
    let text = fs::read_to_string(place.run().join("stats.jsonl")).expect("statistics");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let warm: Vec<&Value> =
        lines.iter().filter(|l| value(l, "Progress/step") >= WARM as f64).collect();
    assert!(warm.len() >= 8, "{} lines behind the warm-up", warm.len());
    for name in ["reserved_gpu_mem_gb", "peak_gpu_mem_gb", "pipelines", "bind_groups"] {
        let name = format!("Resources/{name}");
        let seen: Vec<f64> = warm.iter().map(|line| value(line, &name)).collect();
        assert!(seen.iter().all(|v| *v == seen[0]), "{name} goes {seen:?}");
    }
    let resident: Vec<f64> = warm.iter().map(|l| value(l, "Resources/cpu_mem_gb")).collect();
    let most = resident.iter().copied().fold(0.0, f64::max);
    assert!(most <= 1.05 * resident[0], "resident memory goes {resident:?}");
}
