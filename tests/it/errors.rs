//! What cannot be used is refused in one line that names it, with exit code 1, or 2 for a command
//! line that cannot be read. Faults of disk and process: interrupted.rs; of snapshots: snapshots.rs.

use std::fs;
use std::io::{Cursor, Write};
use std::process::Stdio;

use semgan::models::sarigan::Config;
use semgan::sample::save_png;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::{Answer, run, semgan};
use crate::runs::{self, PICTURES, Place, picture};

/// `semgan train` on data, with further flags; nothing may be made.
fn train(place: &Place, data: &str, flags: &[&str]) -> Answer {
    let runs = place.text("new");
    let train = ["train", "--data", data, "--outdir", &runs, "--device", "cpu"];
    run(&[&train, flags].concat())
}

/// A zip of files, stored.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(*name, stored).expect("a member");
        zip.write_all(bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

#[test]
fn data_without_pictures() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("a new folder");
    let png = fs::read(place.path("data/00.png")).expect("readable");
    let whole = zipped(&[("a.png", &png), ("b.png", &png)]);
    fs::write(place.path("cut.zip"), &whole[..whole.len() / 2]).expect("written");
    fs::write(place.path("broken.zip"), zipped(&[("a.png", &png[..40])])).expect("written");
    for (name, words) in [
        ("nothing/here", "cannot be opened"),
        ("data/00.png/below", "cannot be opened"),
        ("empty", "holds no pictures"),
        ("cut.zip", "not a complete zip archive"),
        ("data/00.png", "not a complete zip archive"),
        ("broken.zip", "a.png"),
    ] {
        let data = place.text(name);
        train(&place, &data, &["--res", "8"]).refused(1, &[&data, words]);
        assert!(!place.path("new").exists(), "{name}: a run was begun");
    }
}

#[test]
fn a_truncated_picture_is_named_counted_and_skipped() {
    let place = Place::new();
    let files: Vec<_> = (0..PICTURES).map(|k| format!("{k:02}.png")).collect();
    let read = |name: &String| fs::read(place.path("data").join(name)).expect("readable");
    let mut contents: Vec<Vec<u8>> = files.iter().map(read).collect();
    let half = contents[7].len() / 2;
    contents[7].truncate(half);
    let members: Vec<(&str, &[u8])> =
        files.iter().zip(&contents).map(|(name, bytes)| (&**name, &**bytes)).collect();
    fs::write(place.path("set.zip"), zipped(&members)).expect("written");
    let flags = ["--kimg", "0.004", "--batch", "4"];
    let answer = train(&place, &place.text("set.zip"), &flags).succeeded();
    let said = answer.stderr.lines().filter(|l| l.contains("07.png")).count();
    assert_eq!(said, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("49 pictures") && answer.stderr.contains("1 skipped"));
}

#[test]
fn flags_without_meaning() {
    let place = Place::new();
    let data = place.text("data");
    for (flags, words) in [
        (&["--res", "33"][..], &["--res", "33", "32"][..]),
        (&["--res", "0"], &["--res", "0"]),
        (&["--res", "4"], &["--res", "8"]),
        (&["--res", "2048"], &["--res", "1024"]),
        (&["--batch", "0"], &["--batch", "0"]),
        (&["--kimg", "0"], &["--kimg", "0"]),
        (&["--kimg", "nan"], &["--kimg", "NaN"]),
        (&["--kimg=-1"], &["--kimg", "-1"]),
        (&["--lr", "0"], &["--lr"]),
        (&["--lr", "inf"], &["--lr", "inf"]),
        (&["--r1-gamma", "nan"], &["--r1-gamma"]),
        (&["--snap", "0"], &["--snap"]),
        (&["--snap-minutes", "nan"], &["--snap-minutes"]),
        (&["--keep", "0"], &["--keep"]),
        (&["--tick", "0"], &["--tick"]),
    ] {
        train(&place, &data, flags).refused(1, words);
        assert!(!place.path("new").exists(), "{flags:?}: a run was begun");
    }
}

#[test]
fn command_lines_that_cannot_be_read() {
    for (arguments, words) in [
        (&[][..], &[][..]),
        (&["fly"], &["fly"]),
        (&["train"], &["required"]),
        (&["train", "--data", "x", "--colour"], &["--colour"]),
        (&["train", "--data", "x", "--batch", "many"], &["--batch", "many"]),
        (&["train", "--data", "x", "--batch=-4"], &["--batch", "-4"]),
        (&["train", "--data", "x", "--preset", "huge"], &["--preset", "huge"]),
        (&["train", "--data", "x", "--override"], &["required"]),
        (&["sample", "--outdir", "x"], &["required"]),
        (&["sample", "--network", "x", "--outdir", "y", "--noise-mode", "loud"], &["loud"]),
        (&["bench", "step", "--batch", "0"], &["--batch", "0"]),
        (&["bench", "step", "--rounds", "0"], &["--rounds", "0"]),
        (&["verify"], &["required"]),
    ] {
        let answer = run(arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}: {}", answer.stderr);
        if !words.is_empty() {
            answer.refused(2, words);
        }
    }
    run(&["bench", "step", "--res", "33"]).refused(1, &["--res", "33", "32"]);
}

#[test]
fn samples_without_meaning() {
    let network = Place::trained().run();
    let network = network.to_str().expect("UTF-8");
    let out = tempfile::tempdir().expect("a temporary folder");
    let outdir = out.path().join("out").to_str().expect("UTF-8").to_owned();
    for (flag, value) in [
        ("--seeds", "9-3"),
        ("--seeds", "one"),
        ("--seeds", ""),
        ("--grid", "6"),
        ("--grid", "0x3"),
        ("--trunc", "nan"),
        ("--trunc", "inf"),
        ("--device", "cuda"),
        ("--device", "gpu:"),
    ] {
        let sample = ["sample", "--network", network, "--outdir", &outdir];
        run(&[&sample[..], &[flag, value]].concat()).refused(1, &[flag]);
        assert!(fs::read_dir(out.path()).expect("a folder").next().is_none(), "{flag} {value}");
    }
}

#[test]
fn files_that_are_no_network() {
    let place = Place::new();
    place.train(place.options(1));
    let good = place.newest();
    let other = |field: &str, value: serde_json::Value, name: &str| {
        let mut file = good.clone();
        *file.description.pointer_mut(field).expect("a field") = value;
        file.save(&place.path(name)).expect("written");
    };
    other("/network", serde_json::json!({"biggan": {}}), "system");
    other("/version", 9.into(), "version");
    other("/network/sarigan/size", 33.into(), "size");
    other("/network/sarigan/size", 16.into(), "level");
    other("/network/sarigan/base", vec![4, 0].into(), "base");
    other("/network/sarigan/groups", 0.into(), "groups");
    other("/network/sarigan/groups", 5.into(), "more-groups");
    other("/network/sarigan/style_dim", 1_000_000_000_000_u64.into(), "width");
    let mut missing = good.clone();
    missing.tensors.remove("g_ema.conv1.conv.weight");
    missing.save(&place.path("missing")).expect("written");
    fs::write(place.path("garbage"), [b"PK\x03\x04".repeat(1000)].concat()).expect("written");
    fs::write(place.path("empty"), "").expect("written");
    let golden =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sarigan/mapping_s16.safetensors");
    fs::copy(golden, place.path("golden")).expect("copied");
    for (name, words) in [
        ("nothing", "No such file"),
        ("data", "no readable network-snapshot"),
        ("system", "unknown variant `biggan`"),
        ("version", "layout 9"),
        ("size", "33 is not a power of two"),
        ("level", "16x16"),
        ("base", "0 is not from 1 to 16"),
        ("groups", "groups"),
        ("more-groups", "convs.0.conv.cluster"),
        ("width", "style_dim"),
        ("missing", "conv1.conv.weight: missing"),
        ("garbage", "not a complete safetensors file"),
        ("empty", "not a complete safetensors file"),
        ("golden", "not a semgan snapshot"),
    ] {
        let (network, out) = (place.text(name), place.text("out"));
        let sample = ["sample", "--network", &network, "--outdir", &out, "--device", "cpu"];
        run(&sample).refused(1, &[&network, words]);
    }
}

#[test]
fn what_needs_square_pictures_refuses_others() {
    let place = Place::new();
    let mut options = place.options(1);
    place.train(options.clone());
    let mut file = place.newest();
    file.description["network"]["sarigan"]["base"] = vec![4, 3].into();
    file.save(&place.path("wide")).expect("written");
    let network = place.text("wide");
    run(&["groups", "--network", &network, "--device", "cpu"]).refused(1, &[&network, "from 4x4"]);
    options.network = Config { base: [4, 3], ..runs::network() }.into();
    let error = options.check().expect_err("not square").to_string();
    assert!(error.contains("base") && error.contains("[4, 3]"), "{error}");
}

#[test]
fn places_that_cannot_be_written() {
    let place = Place::trained();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("file.png");
    save_png(&file, &picture(1), &[]).expect("written");
    let [data, network] = [place.text("data"), place.text("runs/00000-test")];
    let below = file.join("below").to_str().expect("UTF-8").to_owned();
    let reason = ["cannot create", &below];
    run(&["train", "--data", &data, "--outdir", &below]).refused(1, &reason);
    run(&["sample", "--network", &network, "--outdir", &below]).refused(1, &reason);
}

#[test]
fn a_gpu_where_there_is_no_driver() {
    let network = Place::trained().text("runs/00000-test");
    let out = tempfile::tempdir().expect("a temporary folder");
    let out = out.path().to_str().expect("UTF-8");
    for device in ["gpu", "gpu:0", "gpu:vulkan"] {
        let arguments = ["sample", "--network", &network, "--outdir", out, "--device", device];
        let mut command = semgan(&arguments);
        command.env("VK_DRIVER_FILES", "/dev/null").env("VK_ICD_FILENAMES", "/dev/null");
        Answer::of(&mut command).refused(1, &["--device", device, "--device cpu"]);
    }
    let mut command = semgan(&["devices"]);
    command.env("VK_DRIVER_FILES", "/dev/null").env("VK_ICD_FILENAMES", "/dev/null");
    assert!(Answer::of(&mut command).succeeded().stdout.starts_with("cpu "));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ops");
    let verify = ["verify", golden, "--filter", "un_exp", "--device", "cpu"];
    for arguments in [&verify[..], &["devices"]] {
        let answer = Answer::of(semgan(arguments).stdout(full()));
        answer.refused(1, &["standard output", "No space left"]);
    }
    // Nobody listens: the work goes on.
    let mut command = semgan(&verify);
    let status = command.stdout(Stdio::null()).stderr(full()).status().expect("the program starts");
    assert!(status.success());
}
