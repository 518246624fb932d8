//! Snapshots of a run: which are kept, which one is the newest, and what a damaged one does.

use std::collections::BTreeSet;
use std::fs;

use semgan::Device;
use semgan::checkpoint::Checkpoint;
use semgan::train::{Options, folder};

use crate::program::run;
use crate::runs::{Place, Until, poke};

/// A run of six steps with a snapshot of each.
fn six_steps(keep: usize) -> Place {
    let place = Place::new();
    place.train(Options { snap_ticks: 1, keep, ..place.options(6) });
    place
}

/// Steps of the lines of statistics.
fn lines(place: &Place) -> Vec<u64> {
    let text = fs::read_to_string(place.run().join(folder::STATS)).expect("statistics");
    let step = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["Progress/step"]["mean"].as_f64().expect("a step") as u64
    };
    text.lines().map(step).collect()
}

#[test]
fn a_name_that_is_taken_gets_the_step() {
    let named = six_steps(10).snapshots();
    let name = |step: u64| match step {
        1 => "network-snapshot-000000.safetensors".to_owned(),
        _ => format!("network-snapshot-000000-{step}.safetensors"),
    };
    assert_eq!(named, (1..=6).map(|step| (name(step), step)).collect());
}

#[test]
fn the_newest_are_kept_by_step_and_not_by_name() {
    let place = six_steps(2);
    let steps: BTreeSet<u64> = place.snapshots().into_values().collect();
    assert_eq!(steps, BTreeSet::from([5, 6]));

    let [a, b] = place.snapshots().into_keys().collect::<Vec<_>>().try_into().expect("two");
    let (a, b, other) = (place.run().join(a), place.run().join(b), place.path("other"));
    for (from, to) in [(&a, &other), (&b, &a), (&other, &b)] {
        fs::rename(from, to).expect("renamed");
    }
    assert_eq!(place.newest().description["counters"]["step"], 6);
    assert_eq!(place.resume(|_| (), &Device::cpu()).expect("resumed").state.step, 6);
}

#[test]
fn what_a_killed_write_left_is_ignored_and_then_removed() {
    let place = six_steps(10);
    let leftover = place.run().join(".network-snapshot-000000-7.safetensors.4711.tmp");
    fs::write(&leftover, "half of a snap").expect("written");
    let run = place.resume(|options| options.kimg = 0.028, &Device::cpu()).expect("resumed");
    assert_eq!(run.state.step, 6);
    run.train(&mut Until::end()).expect("trained");
    assert!(!leftover.exists());
}

#[test]
fn a_truncated_snapshot_is_passed_over_and_refused_by_name() {
    let place = six_steps(2);
    let newest = place.newest().path;
    let bytes = fs::read(&newest).expect("readable");
    for length in [0, 7, 8, 500, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&newest, &bytes[..length]).expect("written");
        assert_eq!(place.resume(|_| (), &Device::cpu()).expect("resumed").state.step, 5);
        let error = Checkpoint::load(&newest).expect_err("truncated").to_string();
        let name = newest.to_str().expect("UTF-8");
        assert!(error.starts_with(name) && error.contains("not a complete"), "{length}: {error}");
    }
}

#[test]
fn statistics_behind_the_snapshot_are_written_again() {
    let place = Place::new();
    place.train(Options { snap_ticks: 4, ..place.options(6) });
    assert_eq!(lines(&place), [1, 2, 3, 4, 5, 6]);
    fs::remove_file(place.newest().path).expect("removed");
    let stats = place.run().join(folder::STATS);
    let torn = [fs::read(&stats).expect("readable"), b"{\"Loss/D/lo".to_vec()].concat();
    fs::write(&stats, torn).expect("written");

    let run = place.resume(|_| (), &Device::cpu()).expect("resumed");
    assert_eq!((run.state.step, lines(&place)), (4, vec![1, 2, 3, 4]));
    run.train(&mut Until::end()).expect("trained");
    assert_eq!(lines(&place), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_nan_in_a_snapshot_is_refused_by_its_key() {
    let place = six_steps(2);
    let (newest, runs) = (place.newest().path, place.text("runs"));
    for key in ["g.convs.0.conv.weight", "g_ema.to_rgb1.bias", "opt.d.final_conv.0.weight.v"] {
        let whole = fs::read(&newest).expect("readable");
        poke(&newest, key, 1, &f32::NAN.to_le_bytes());
        let train = ["train", "--resume", "latest", "--outdir", &runs, "--device", "cpu"];
        run(&train).refused(1, &[key, "element 1", "not finite"]);
        let (network, out) = (newest.to_str().expect("UTF-8"), place.text("out"));
        let sample = ["sample", "--network", network, "--outdir", &out, "--device", "cpu"];
        run(&sample).refused(1, &[key, "element 1", "not finite"]);
        fs::write(&newest, whole).expect("written");
    }
}
