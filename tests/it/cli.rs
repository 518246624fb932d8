//! The commands from outside: what they make and what they print.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::common::gpu;
use crate::program::{Answer, run, semgan};
use crate::runs::{Place, poke};

#[test]
fn every_command_has_help() {
    for command in [
        "demo",
        "train",
        "runs",
        "plot",
        "sample",
        "project",
        "ppl",
        "separability",
        "groups",
        "groups edit",
        "data",
        "devices",
        "doctor",
        "bench",
        "verify",
        "bench step",
        "bench sample",
        "bench ops",
        "tune",
        "data faces",
        "data make",
        "data check",
        "data stats",
        "data grid",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["-h"]).collect();
        let answer = run(&arguments).succeeded();
        assert!(answer.stdout.contains(&format!("Usage: semgan {command}")), "{}", answer.stdout);
    }
    let all = run(&["--help"]).succeeded().stdout;
    for command in [
        "demo",
        "train",
        "runs",
        "plot",
        "sample",
        "project",
        "ppl",
        "separability",
        "groups",
        "data",
        "devices",
        "doctor",
        "bench",
        "tune",
        "verify",
    ] {
        assert!(all.contains(command), "{command}: {all}");
    }
}

#[test]
fn training_needs_nothing_but_data() {
    let place = Place::new();
    let mut command = semgan(&["train", "--data", "data", "--kimg", "0.064"]);
    let answer = Answer::of(command.current_dir(place.path(""))).succeeded();
    assert_eq!(answer.stdout, "");
    let run = place.path("runs/00000-sarigan-data-tiny8-batch16");
    let files = fs::read_dir(&run).expect("a run").map(|e| e.expect("an entry").file_name());
    let mut files: BTreeSet<_> = files.map(|name| name.into_string().expect("UTF-8")).collect();
    // For TensorBoard; its name has the time and the machine.
    let events = files.extract_if(.., |name| name.starts_with("events.out.tfevents.")).count();
    assert_eq!(events, 1, "{files:?}");
    let want = [
        "fakes000000.png",
        "fakes_init.png",
        "log.txt",
        "network-snapshot-000000.safetensors",
        "reals.png",
        "stats.jsonl",
        "training_options.json",
    ];
    assert_eq!(files, want.map(str::to_owned).into());

    // What tools for StyleGAN3 read.
    let log = fs::read_to_string(run.join("log.txt")).expect("a log");
    let words: Vec<&str> = log.lines().last().expect("a line").split_whitespace().collect();
    assert_eq!(words[..4], ["tick", "3", "kimg", "0.1"]);
    for word in ["time", "sec/tick", "sec/kimg", "maintenance", "cpumem", "gpumem", "augment"] {
        assert!(words.contains(&word), "{word}: {log}");
    }
    let stats = fs::read_to_string(run.join("stats.jsonl")).expect("statistics");
    let last: Value = serde_json::from_str(stats.lines().last().expect("a line")).expect("JSON");
    for name in ["Loss/G/loss", "Loss/D/loss", "Loss/scores/real", "Progress/kimg"] {
        assert!(last[name]["mean"].is_f64() && last[name]["num"].is_u64(), "{name}: {last}");
    }
    assert!(last["timestamp"].is_f64());
    // The pictures of the set, in the order of the set.
    let grid = image::open(run.join("reals.png")).expect("a grid").into_rgb8();
    let first = image::open(place.path("data/00.png")).expect("a picture").into_rgb8();
    assert!((0..8).all(|x| (0..8).all(|y| grid.get_pixel(x, y) == first.get_pixel(x, y))));
}

#[test]
fn a_second_run_gets_the_next_number() {
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    for (desc, name) in
        [("a", "00000-sarigan-data-tiny8-batch4-a"), ("b", "00001-sarigan-data-tiny8-batch4-b")]
    {
        let flags = ["--batch", "4", "--kimg", "0.004", "--desc", desc, "--device", "cpu"];
        run(&[&["train", "--data", &data, "--outdir", &runs], &flags[..]].concat()).succeeded();
        assert!(place.path("runs").join(name).join("log.txt").is_file());
    }
}

#[test]
fn a_dry_run_shows_the_options_and_writes_nothing() {
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    let answer = run(&["train", "--data", &data, "--outdir", &runs, "--dry-run", "--seed", "77"]);
    let said = answer.succeeded().stderr;
    for words in
        ["\"seed\": 77", "parameters: generator", "memory: about", "s a step", "50 pictures"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn the_paper_recipe_trains_every_form_and_samples() {
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = ["train", "--data", &data, "--outdir", &runs, "--device", "cpu", "--batch", "8"];
    let paper = ["--recipe", "paper", "--kimg", "0.016", "--groups", "4,8:2", "--batch-gpu", "4"];
    for (form, number) in [("weight", 0), ("feature", 1)] {
        run(&[&train, &paper[..], &["--form", form]].concat()).succeeded();
        let run_folder = place.text(&format!("runs/{number:05}-sarigan-data-tiny8-batch8"));
        let out = place.text(form);
        run(&["sample", "--network", &run_folder, "--outdir", &out, "--seeds", "1-2"]).succeeded();
        let options = fs::read_to_string(format!("{run_folder}/training_options.json"));
        let options: Value = serde_json::from_str(&options.expect("options")).expect("JSON");
        assert_eq!(options["network"]["sarigan"]["form"], form);
        assert_eq!(options["network"]["sarigan"]["rule"], "paper");
        assert_eq!(options["network"]["sarigan"]["groups_at"]["8"], 2);
        assert_eq!(options["recipe"]["mixing"], "swap");
        let stats = fs::read_to_string(format!("{run_folder}/stats.jsonl")).expect("statistics");
        let line: Value =
            serde_json::from_str(stats.lines().last().expect("a line")).expect("JSON");
        // No iteration is without the style estimate.
        let info = &line["Loss/D/info"];
        assert!(info["num"] == 1 && info["mean"].as_f64().expect("a number") > 0.0, "{line}");
    }
}

#[test]
fn flags_that_cannot_be_met_are_named_with_what_can() {
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = ["train", "--data", &data, "--outdir", &runs, "--device", "cpu"];
    for (flags, words) in [
        (
            &["--batch-gpu", "3"][..],
            &["--batch-gpu: 3 does not split 16", "possible: 4, 8, 16"][..],
        ),
        (&["--batch", "6", "--batch-gpu", "2"], &["--batch-gpu: 2", "shared by 3; possible: 3, 6"]),
        (&["--mbstd-group", "0"], &["--mbstd-group: 0"]),
        (&["--groups", "16,64:8"], &["--groups: 8 groups at 64x64"]),
        (&["--groups", "many"], &["--groups: \"many\"", "16,32:8"]),
        (&["--info-weight=-1"], &["--info-weight: -1"]),
        (&["--preset", "wide", "--res", "1024", "--batch", "4096"], &["--batch-gpu", "need about"]),
    ] {
        run(&[&train, flags].concat()).refused(1, words);
    }
    assert!(!place.path("runs").exists(), "nothing has begun");
}

#[test]
fn devices_are_listed_for_people_and_for_programs() {
    let text = run(&["devices"]).succeeded().stdout;
    assert_eq!(text.matches("<- auto").count(), 1, "{text}");
    assert!(text.contains("\ncpu ") || text.starts_with("cpu "), "{text}");
    let list: Value =
        serde_json::from_str(&run(&["devices", "--json"]).succeeded().stdout).expect("JSON");
    for adapter in list.as_array().expect("a list") {
        assert!(adapter["name"].is_string() && adapter["is_auto"].is_boolean(), "{adapter}");
    }
}

#[test]
fn the_device_in_use_is_said_first() {
    let network = Place::trained().text("runs/00000-test");
    let out = tempfile::tempdir().expect("a temporary folder");
    let out = out.path().to_str().expect("UTF-8");
    for device in ["cpu", "reference", "auto"] {
        let sample = ["sample", "--network", &network, "--outdir", out, "--seeds", "0"];
        let said = run(&[&sample[..], &["--device", device]].concat()).succeeded().stderr;
        assert!(said.starts_with("device "), "{said}");
    }
}

#[test]
fn bench_prints_one_json_object() {
    let step = ["bench", "step", "--res", "8", "--batch", "2", "--rounds", "1"];
    let answer = run(&[&step[..], &["--device", "cpu", "--json"]].concat()).succeeded();
    let report: Value = serde_json::from_str(&answer.stdout).expect("one JSON object");
    for key in [
        "seconds_per_iteration",
        "images_per_second",
        "dispatches",
        "submits",
        "pipelines",
        "bytes_read_back",
        "peak_host_bytes",
        "peak_device_bytes",
    ] {
        assert!(report[key].is_number(), "{key}: {report}");
    }
    for part in ["d", "g", "r1", "path"] {
        assert!(report["parts"][part].as_f64().is_some_and(|s| s > 0.0), "{part}: {report}");
    }
}

#[test]
fn bench_sample_tells_how_busy_a_device_was() {
    for device in ["cpu", "gpu"].into_iter().take(1 + usize::from(gpu().is_some())) {
        let sample =
            ["bench", "sample", "--res", "8", "--count", "3", "--json", "--device", device];
        let answer = run(&sample).succeeded();
        let report: Value = serde_json::from_str(&answer.stdout).expect("one JSON object");
        let busy = report["busy"].as_f64().expect("both tell");
        assert!(busy > 0.0 && busy < 1.0, "{report}");
    }
}

#[test]
fn bench_ops_measures_what_the_filters_name() {
    let filters = ["matmul 16x128", "upfirdn2d down"];
    let ops = [&["bench", "ops", "--device", "cpu"], &filters[..]].concat();
    let answer = run(&[&ops[..], &["--json"]].concat()).succeeded();
    let report: Value = serde_json::from_str(&answer.stdout).expect("one JSON object");
    assert!(report["peak_gflops"].as_f64() > Some(0.0), "{report}");
    assert!(report["copy_gigabytes_per_second"].as_f64() > Some(0.0), "{report}");
    let rows = report["operations"].as_array().expect("a list");
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["matmul 16x128x128", "upfirdn2d down 16x64x32"]);
    for row in rows {
        let number = |key: &str| row[key].as_f64().expect("a number");
        assert!(number("best_ms") > 0.0 && number("best_ms") <= number("median_ms"), "{row}");
        assert!(number("gigabytes_per_second") > 0.0, "{row}");
        assert!(number("share_of_roofline") > 0.0, "{row}");
    }
    let flops =
        rows[0]["gflops"].as_f64().expect("a number") * rows[0]["best_ms"].as_f64().unwrap();
    assert!((flops / 1e3 - 2.0 * 16.0 * 128.0 * 128.0 / 1e9).abs() < 1e-9, "{}", rows[0]);
    let table = run(&ops).succeeded().stdout;
    assert!(table.starts_with("roofline: ") && table.lines().count() == 4, "{table}");
    run(&["bench", "ops", "no such row", "--device", "cpu"]).refused(1, &["no such row"]);
}

#[test]
fn a_profile_sums_up_to_the_whole() {
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = ["train", "--data", &data, "--outdir", &runs, "--device", "cpu", "--batch", "4"];
    let said = run(&[&train[..], &["--kimg", "0.004", "--profile"]].concat()).succeeded().stderr;
    let network = place.text("runs/00000-sarigan-data-tiny8-batch4");
    let sample = ["sample", "--network", &network, "--seeds", "0", "--device", "cpu", "--profile"];
    let out = place.text("out");
    let sampled = run(&[&sample[..], &["--outdir", &out]].concat()).succeeded().stderr;
    for said in [said, sampled] {
        let table = said.lines().skip_while(|line| !line.ends_with("  operation")).skip(1);
        let rows: Vec<Vec<&str>> = table.map(|line| line.split_whitespace().collect()).collect();
        let end = rows.iter().position(|row| row[5..] == ["total"]).expect("a total");
        let sum = |column: usize| {
            let number = |row: &Vec<&str>| row[column].trim_end_matches('%').parse::<f64>();
            let sum: f64 = rows[..end].iter().map(|row| number(row).expect("a number")).sum();
            (sum, number(&rows[end]).expect("a number"))
        };
        let (calls, all) = sum(2);
        assert_eq!(calls, all, "{said}");
        // 41 rounded times and shares.
        let (ms, all) = sum(0);
        assert!((ms - all).abs() < 0.05 * 42.0, "{said}");
        let (share, all) = sum(1);
        assert!(all == 100.0 && (share - all).abs() < 0.05 * 42.0, "{said}");
    }
}

#[test]
fn verify_counts_and_tells_by_its_exit_code() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sarigan");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path().join("sarigan");
    fs::create_dir(&folder).expect("a new folder");
    for case in ["mapping_s16", "to_rgb_s16"] {
        let file = format!("{case}.safetensors");
        fs::copy(format!("{golden}/{file}"), folder.join(file)).expect("copied");
    }
    let verify = ["verify", dir.path().to_str().expect("UTF-8"), "--device", "cpu"];
    assert_eq!(run(&verify).succeeded().stdout, "2 passed, 0 failed\n");

    poke(&folder.join("mapping_s16.safetensors"), "out.w", 3, &9f32.to_le_bytes());
    let answer = run(&verify);
    assert_eq!(answer.code, Some(1));
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, "1 passed, 1 failed"), "{lines:?}");
    for words in ["sarigan mapping mapping_s16 on cpu", "out.w: 1 of ", "[3] got ", "want 9e0"] {
        assert!(lines[0].contains(words), "{words}: {lines:?}");
    }

    let answer = run(&[&verify[..], &["--filter", "rgb"]].concat()).succeeded();
    assert_eq!(answer.stdout, "1 passed, 0 failed\n");
    let nothing = run(&[&verify[..], &["--filter", "no such case"]].concat());
    nothing.refused(1, &["no such case"]);
}

#[test]
fn the_doctor_finds_a_device_healthy_in_a_table() {
    let mut devices = vec!["cpu"];
    devices.extend(gpu().map(|_| "gpu"));
    for device in devices {
        let answer = run(&["doctor", "--device", device, "--memory", "0.2"]).succeeded();
        let lines: Vec<&str> = answer.stdout.lines().collect();
        assert_eq!(lines.last(), Some(&"healthy"), "{}", answer.stdout);
        let rows: Vec<_> = lines.iter().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 12, "{}", answer.stdout);
        assert!(rows.iter().all(|row| row.matches('|').count() == 3), "{}", answer.stdout);
        assert!(rows[2].contains(" cases pass"), "{}", rows[2]);
    }
    run(&["doctor", "--memory", "0"]).refused(1, &["--memory", "0 is not above 0"]);
}
