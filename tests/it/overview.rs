//! Runs from outside: how they stand, their curves, and the dashboard.

use std::fs;
use std::path::Path;

use semgan::Device;
use semgan::train::{Options, folder, lock};
use serde_json::{Value, json};

use crate::program::run;
use crate::runs::{Place, Until};

/// Three runs: finished, stopped, and broken.
fn three() -> Place {
    let place = Place::new();
    place.train(place.options(1));
    let run = place.create(place.options(3), &Device::cpu());
    run.train(&mut Until::step(1)).expect("trained");
    fs::create_dir(place.path("runs/00010-broken")).expect("a new folder");
    place
}

fn listed(place: &Place) -> Vec<Value> {
    let answer = run(&["runs", "--outdir", &place.text("runs"), "--json"]).succeeded();
    serde_json::from_str(&answer.stdout).expect("JSON")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder").map(|e| e.expect("an entry")) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[test]
fn runs_tell_how_they_stand() {
    let place = three();
    let runs = listed(&place);
    let states: Vec<_> = runs.iter().map(|run| run["state"].as_str().expect("a word")).collect();
    assert_eq!(states, ["finished", "stopped", "broken"]);
    assert_eq!(runs[1]["run"], "00001-test");
    assert_eq!((&runs[1]["kimg"], &runs[1]["total_kimg"]), (&json!(0.004), &json!(0.012)));
    assert_eq!((&runs[1]["system"], &runs[1]["res"]), (&json!("sarigan"), &json!(8)));
    let picture = runs[1]["picture"].as_str().expect("a path");
    assert!(picture.ends_with("fakes000000.png") && Path::new(picture).exists(), "{picture}");
    assert!(runs[2]["error"].as_str().expect("a reason").contains("training_options.json"));

    let answer = run(&["runs", "--outdir", &place.text("runs")]).succeeded();
    let lines: Vec<Vec<&str>> =
        answer.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..5], ["run", "state", "system", "res", "kimg"]);
    assert_eq!(lines[1][..5], ["00000-test", "finished", "sarigan", "8", "0.004/0.004"]);
    assert_eq!(lines[2][..5], ["00001-test", "stopped", "sarigan", "8", "0.004/0.012"]);
    assert_eq!(lines[3], ["00010-broken", "broken"]);
    assert!(answer.stderr.contains("00010-broken/training_options.json"), "{}", answer.stderr);
}

#[test]
fn a_run_is_running_while_its_process_lives() {
    let place = three();
    let second = place.path("runs/00001-test");
    let state = |place: &Place, k: usize| listed(place)[k]["state"].clone();
    let mut lock = lock::Lock::acquire(&second).expect("free");
    lock.hold();
    assert_eq!(state(&place, 1), "running");
    copy(&second, &place.path("runs/00002-copy"));
    assert_eq!(state(&place, 2), "crashed", "nobody trains in a copy");
    // Who trains in a folder keeps others out, before they change anything.
    let before = fs::read(second.join(folder::STATS)).expect("statistics");
    let resumed = ["train", "--resume", second.to_str().expect("UTF-8"), "--device", "cpu"];
    run(&resumed).refused(1, &["00001-test", "another process trains in this folder"]);
    assert_eq!(fs::read(second.join(folder::STATS)).expect("statistics"), before);
    // As the system does it when a process is killed.
    drop(lock);
    assert_eq!(state(&place, 1), "crashed");
    run(&resumed).succeeded();
    assert_eq!(state(&place, 1), "finished");
}

#[test]
fn a_fid_that_was_measured_is_listed() {
    let place = Place::new();
    place.train(place.options(1));
    let line = |fid: f64| json!({ "results": { "fid50k_full": fid }, "metric": "fid50k_full" });
    let text = format!("{}\n{}\n", line(99.0), line(12.25));
    fs::write(place.run().join("metric-fid50k_full.jsonl"), text).expect("written");
    assert_eq!(listed(&place)[0]["fid"], 12.25);
    let answer = run(&["runs", "--outdir", &place.text("runs")]).succeeded();
    assert!(answer.stdout.contains(" fid ") && answer.stdout.contains(" 12.2 "));
}

#[test]
fn a_folder_without_runs_is_refused() {
    let place = Place::new();
    run(&["runs", "--outdir", &place.text("data")]).refused(1, &["--outdir", "no runs", "data"]);
    run(&["runs", "--outdir", &place.text("nowhere")]).refused(1, &["cannot read", "nowhere"]);
}

#[test]
fn a_plot_has_the_size_that_was_asked_for() {
    let place = Place::trained();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("plot.png");
    let path = out.to_str().expect("UTF-8");
    let first = place.run();
    let runs = [first.to_str().expect("UTF-8"), &place.text("runs/00000-test/stats.jsonl")];
    let size = ["--width", "900", "--height", "1300", "--out", path];
    run(&[&["plot"][..], &runs, &size].concat()).succeeded();
    let picture = image::open(&out).expect("a picture").to_rgb8();
    assert_eq!(picture.dimensions(), (900, 1300));
    // The colours of both runs.
    for ink in [[0x2b, 0x6c, 0xc4], [0xdf, 0x6a, 0x1c]] {
        assert!(picture.pixels().filter(|p| p.0 == ink).count() > 20, "{ink:?}");
    }
}

#[test]
fn what_cannot_be_plotted_is_named() {
    let place = three();
    let [good, broken] = ["runs/00000-test", "runs/00010-broken"].map(|name| place.text(name));
    let out = place.text("plot.png");
    let refused = |arguments: &[&str], code, words: &[&str]| {
        run(&[&["plot", "--out", &out][..], arguments].concat()).refused(code, words);
        assert!(!Path::new(&out).exists());
    };
    refused(&[&good, &broken], 1, &["cannot read", "00010-broken"]);
    refused(&[&good, "--height", "400"], 1, &["--height", "too few"]);
    refused(&[&good, "--width", "1"], 2, &["--width"]);
    refused(&[], 2, &["required arguments"]);
    fs::write(place.path("runs/00010-broken/stats.jsonl"), "{}\nno JSON\n").expect("written");
    refused(&[&broken], 1, &["no statistics", "00010-broken"]);
    run(&["plot", &good, "--out", &place.text("plot.jpg")]).refused(1, &["--out", ".png"]);
}

#[test]
fn a_dashboard_needs_a_terminal() {
    let place = Place::new();
    let [data, runs] = ["data", "runs"].map(|name| place.text(name));
    let train = ["train", "--data", &data, "--outdir", &runs, "--tui"];
    run(&train).refused(1, &["--tui", "terminal"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn a_run_that_met_an_error_has_crashed() {
    let place = Place::new();
    let options = Options { kimg: 1.0, ..place.options(1) };
    let run = place.create(options, &Device::cpu());
    // Nothing can be written there any more.
    fs::create_dir(place.run().join(folder::STATS)).expect("a new folder");
    run.train(&mut Until::end()).expect_err("no place for statistics");
    assert_eq!(listed(&place)[0]["state"], "crashed");
}
