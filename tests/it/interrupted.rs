//! The program killed, interrupted and out of room: the run goes on from what it left.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use semgan::train::{Options, folder};

use crate::common::values;
use crate::program::{Answer, run, semgan};
use crate::runs::{BATCH, Place};

/// A run without an end, with a snapshot of every step.
fn endless(place: &Place) -> Options {
    Options { snap_ticks: 1, keep: 3, ..place.options(1_000_000) }
}

fn start(place: &Place) -> Child {
    let runs = place.text("runs");
    semgan(&["train", "--resume", "latest", "--outdir", &runs, "--device", "cpu"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Names and sizes of the files of a folder.
fn contents(folder: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry"));
    // A file may go between the two calls.
    let size =
        |e: fs::DirEntry| Some((e.file_name().into_string().ok()?, e.metadata().ok()?.len()));
    let mut contents: Vec<_> = entries.filter_map(size).collect();
    contents.sort();
    contents
}

/// Waits until the run's folder has changed so many times.
fn wait_for_changes(place: &Place, child: &mut Child, changes: usize) {
    let mut seen = contents(&place.run());
    for _ in 0..changes {
        while contents(&place.run()) == seen {
            assert!(child.try_wait().expect("a child").is_none(), "the program ended by itself");
            thread::sleep(Duration::from_micros(100));
        }
        seen = contents(&place.run());
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let status = Command::new("kill").args([name, &id]).status().expect("kill starts");
    assert!(status.success(), "kill {name} {id}");
}

/// Steps in the newest snapshot; 0 before there is one.
fn newest_step(place: &Place) -> u64 {
    place.snapshots().into_values().max().unwrap_or(0)
}

/// Trains one step more, with the given start of the command line.
fn goes_on(place: &Place, arguments: &[&str]) {
    let step = newest_step(place) + 1;
    let kimg = (step as usize * BATCH) as f64 / 1000.0;
    run(&[arguments, &["--kimg", &kimg.to_string()]].concat()).succeeded();
    assert_eq!(newest_step(place), step);
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on() {
    let place = Place::new();
    place.begin(&endless(&place));
    let mut before = 0;
    for moment in values(10, 1) {
        let mut child = start(&place);
        wait_for_changes(&place, &mut child, ((moment + 1.0) * 12.0) as usize);
        child.kill().expect("killed");
        child.wait().expect("a child");
        let step = newest_step(&place);
        assert!(step >= before, "step {before} is lost, {step} is the newest");
        before = step;
    }
    assert!(before > 3, "only {before} steps");
    goes_on(&place, &["train", "--resume", "latest", "--outdir", &place.text("runs")]);
}

/// Interrupts a run after a few steps; it has to answer with a snapshot and the way to go on.
fn stops_in_order(name: &str, code: i32) {
    let place = Place::new();
    place.begin(&Options { snap_ticks: 1_000_000, ..endless(&place) });
    let mut child = start(&place);
    // Its lock, pictures, log and events, and three lines of statistics at least.
    wait_for_changes(&place, &mut child, 14);
    signal(&child, name);
    let answer = Answer::from(child.wait_with_output().expect("a child"));
    assert_eq!(answer.code, Some(code), "{}", answer.stderr);

    let stats = fs::read_to_string(place.run().join(folder::STATS)).expect("statistics");
    assert_eq!(newest_step(&place), stats.lines().count() as u64, "the last step is saved");
    let advice = answer.stderr.lines().last().expect("advice");
    let command = advice.split_once("go on: semgan ").expect(advice).1;
    goes_on(&place, &command.split(' ').collect::<Vec<_>>());
}

#[test]
fn ctrl_c_saves_the_run_and_says_how_to_go_on() {
    stops_in_order("-INT", 130);
}

#[test]
fn sigterm_saves_the_run_and_says_how_to_go_on() {
    stops_in_order("-TERM", 143);
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let place = Place::new();
    // Steps so long that both signals arrive before one can end.
    let (batch, batch_gpu) = (64, 64);
    place.begin(&Options { snap_ticks: 1_000_000, batch, batch_gpu, ..endless(&place) });
    let mut child = start(&place);
    wait_for_changes(&place, &mut child, 4);
    ["-STOP", "-INT", "-TERM", "-CONT"].iter().for_each(|name| signal(&child, name));
    let answer = Answer::from(child.wait_with_output().expect("a child"));
    assert!([Some(130), Some(143)].contains(&answer.code), "{}", answer.stderr);
    assert!(!answer.stderr.contains("go on") && place.snapshots().is_empty());
}

/// `semgan` with so many blocks of at most 1 KiB for any file.
fn limited(blocks: u32, arguments: &[&str]) -> Answer {
    let program = semgan(arguments);
    let script = format!("ulimit -f {blocks} && exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(program.get_program()).args(program.get_args());
    shell.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Answer::of(&mut shell)
}

#[test]
fn a_full_disk_ends_the_run_in_one_line_and_costs_no_snapshot() {
    let place = Place::new();
    place.train(place.options(2));
    let (runs, before) = (place.text("runs"), contents(&place.run()));
    let train = ["train", "--resume", "latest", "--outdir", &runs, "--kimg", "0.016"];
    // Enough for a line of text, too little for a snapshot.
    limited(64, &train).refused(1, &["cannot write", "network-snapshot-000000-4", "too large"]);
    // What tells of the attempt stays: its events, and the lock of a run that crashed.
    let is_trace = |name: &str| name.starts_with("events.out.tfevents.") || name == "run.lock";
    let names = |all: &[(String, u64)]| -> Vec<String> {
        all.iter().map(|(name, _)| name.clone()).filter(|name| !is_trace(name)).collect()
    };
    assert_eq!(names(&contents(&place.run())), names(&before), "nothing is left of it");
    limited(0, &train).refused(1, &["cannot write", "too large"]);
    run(&train).succeeded();
    assert_eq!(newest_step(&place), 4);
}

#[test]
fn a_full_disk_ends_sampling_in_one_line() {
    let place = Place::trained();
    let (network, out) = (place.run(), tempfile::tempdir().expect("a temporary folder"));
    let [network, out] = [&network, out.path()].map(|p| p.to_str().expect("UTF-8"));
    let sample = ["sample", "--network", network, "--seeds", "5", "--outdir", out];
    limited(0, &sample).refused(1, &["cannot write", "seed0005.png", "too large"]);
    assert!(contents(Path::new(out)).is_empty(), "nothing is left of it");
}
