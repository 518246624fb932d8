//! Going on with a run from the command line: what may change, and where a run ended early goes on.

use std::fs;

use semgan::Device;
use semgan::train::{Options, snapshot};

use crate::program::{Answer, run, semgan};
use crate::runs::{Place, Until};

/// `semgan train --resume latest` with further flags.
fn resume(place: &Place, flags: &[&str]) -> Answer {
    let runs = place.text("runs");
    let train = ["train", "--resume", "latest", "--outdir", &runs, "--device", "cpu"];
    run(&[&train, flags].concat())
}

/// A finished run of two steps.
fn two_steps() -> Place {
    let place = Place::new();
    place.train(place.options(2));
    place
}

#[test]
fn length_snapshots_and_the_place_of_the_data_may_change() {
    let place = two_steps();
    fs::rename(place.path("data"), place.path("moved")).expect("renamed");
    let moved = place.text("moved");
    resume(&place, &["--kimg", "0.02", "--snap", "1", "--keep", "1", "--data", &moved]).succeeded();
    assert_eq!(place.snapshots().into_values().collect::<Vec<_>>(), [5]);
}

#[test]
fn a_smaller_device_may_compute_a_batch_in_parts() {
    let place = Place::new();
    place.train(Options { batch: 8, batch_gpu: 8, ..place.options(1) });
    resume(&place, &["--kimg", "0.02", "--batch-gpu", "4"]).succeeded();
    let options = snapshot::options(&place.newest()).expect("options");
    assert_eq!((options.batch, options.batch_gpu), (8, 4));
    resume(&place, &["--kimg", "0.03"]).succeeded();
    assert_eq!(snapshot::options(&place.newest()).expect("options").batch_gpu, 4, "it stays");
}

#[test]
fn a_finished_run_says_so_and_how_to_go_on() {
    let place = two_steps();
    let answer = resume(&place, &[]).succeeded();
    assert!(answer.stderr.contains("0.008 kimg already; a larger --kimg"), "{}", answer.stderr);
}

#[test]
fn other_arithmetic_needs_the_override_and_is_recorded() {
    let place = two_steps();
    for (flag, value) in
        [("--batch", "8"), ("--lr", "0.1"), ("--seed", "5"), ("--mirror=false", "")]
    {
        let flags: Vec<&str> = [flag, value].into_iter().filter(|f| !f.is_empty()).collect();
        resume(&place, &flags).refused(1, &[flag.split('=').next().expect("a flag"), "--override"]);
    }
    resume(&place, &["--batch", "8", "--kimg", "0.024", "--override"]).succeeded();
    let newest = place.newest();
    assert_eq!(snapshot::options(&newest).expect("options").batch, 8);
    // 2 steps of 4 pictures, then 2 of 8.
    assert_eq!(newest.description["counters"]["images"], 24);
    let text = fs::read_to_string(place.run().join("training_options.json")).expect("options");
    assert_eq!(serde_json::from_str::<Options>(&text).expect("options").batch, 8);
}

#[test]
fn other_pictures_are_other_arithmetic() {
    let place = two_steps();
    fs::remove_file(place.path("data/07.png")).expect("removed");
    resume(&place, &["--kimg", "0.02"]).refused(1, &["--data", "--override"]);
    resume(&place, &["--kimg", "0.02", "--override"]).succeeded();
}

#[test]
fn no_override_changes_the_sizes_of_the_network() {
    let place = two_steps();
    for flags in [["--res", "16"], ["--preset", "tiny"]] {
        let flags = [&flags[..], &["--override", "--kimg", "1"]].concat();
        resume(&place, &flags).refused(1, &["--res", "--preset", "new run"]);
    }
}

#[test]
fn a_run_that_ended_before_its_first_snapshot_begins_again() {
    let place = Place::new();
    place.begin(&place.options(3));
    resume(&place, &[]).succeeded();
    assert_eq!(place.snapshots().into_values().collect::<Vec<_>>(), [3]);
    assert!(place.run().join("fakes_init.png").exists());

    let straight = Place::new();
    straight.train(straight.options(3));
    assert!(place.newest().tensors == straight.newest().tensors, "it is the same run");
}

#[test]
fn latest_is_the_newest_run_that_has_begun() {
    let place = two_steps();
    place.create(place.options(4), &Device::cpu()).train(&mut Until::step(3)).expect("trained");
    fs::create_dir(place.path("runs/00002-empty")).expect("a new folder");
    resume(&place, &[]).succeeded();
    assert_eq!(place.newest().description["counters"]["step"], 2);
    let second = place.path("runs/00001-test");
    let (newest, _) = semgan::train::folder::network(&second).expect("a good snapshot");
    assert_eq!(newest.description["counters"]["step"], 4);
}

#[test]
fn a_snapshot_goes_on_where_it_lies() {
    let place = two_steps();
    let newest = place.newest().path;
    let name = newest.file_name().and_then(|n| n.to_str()).expect("a file");
    let mut command = semgan(&["train", "--resume", name, "--kimg", "0.012", "--device", "cpu"]);
    Answer::of(command.current_dir(place.run())).succeeded();
    assert_eq!(place.newest().description["counters"]["step"], 3);
}

#[test]
fn without_a_run_there_is_nothing_to_resume() {
    let place = Place::new();
    resume(&place, &[]).refused(1, &["--resume latest", "no run to resume", &place.text("runs")]);
    fs::create_dir(place.path("empty")).expect("a new folder");
    let empty = place.text("empty");
    run(&["train", "--resume", &empty, "--device", "cpu"]).refused(1, &[&empty, "no readable"]);
}
