//! Tables of kernel forms: what they decide, what they leave alone, and which are refused.

use std::fs;
use std::path::Path;

use semgan::device::{AdapterReport, Family, Tuning};
use semgan::ops::conv::Conv2d;
use semgan::{Device, Tensor};
use serde_json::{Value, json};

use crate::common::{gpu, own_gpu, tensor};
use crate::program::{Answer, semgan};
use crate::runs::Place;

fn report(device: &Device) -> &AdapterReport {
    let Device::Gpu(gpu) = device else { unreachable!("a GPU") };
    gpu.report()
}

/// A table of this device with one choice.
fn table(device: &Device, kernel: &str, sizes: &[usize], form: &str) -> Value {
    let AdapterReport { name, driver, .. } = report(device);
    let choice = json!({"kernel": kernel, "sizes": sizes, "form": form, "gain": 1.5});
    json!({"version": 1, "adapter": name, "driver": driver, "choices": [choice]})
}

fn load(device: &Device, table: &Value) -> semgan::Result<Tuning> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("table.json");
    fs::write(&path, table.to_string()).expect("written");
    Tuning::load(&path, report(device))
}

/// The bits of a product in tiles, and how many pipelines that made.
fn product(device: &Device, run: impl Fn() -> Tensor) -> (Vec<u32>, u64) {
    let before = device.counters();
    let bits = run().to_vec().expect("read back").into_iter().map(f32::to_bits).collect();
    (bits, device.counters().since(&before).pipelines)
}

/// Runs a kernel without a table, by one, and by one for other sizes.
fn check_wins(device: &Device, kernel: &str, sizes: [usize; 4], run: impl Fn() -> Tensor) {
    device.set_tuning(None);
    let (usual, _) = product(device, &run);
    let loaded = load(device, &table(device, kernel, &sizes, "128x128")).expect("a table");
    device.set_tuning(Some(&loaded));
    assert_eq!(product(device, &run), (usual.clone(), 1), "{kernel}: tiles of another size");
    assert_eq!(device.tuning(), Some(loaded.to_string()));
    let other = table(device, kernel, &[1, 1, 1, 1], "64x128");
    device.set_tuning(Some(&load(device, &other).expect("a table")));
    assert_eq!(product(device, &run), (usual, 0), "{kernel}");
}

#[test]
fn a_table_wins_over_the_heuristic_and_leaves_every_bit() {
    let Some(device) = own_gpu() else { return };
    device.set_family(Family::Tiles);
    let (a, b) = (tensor(&[128, 64], 1, &device), tensor(&[64, 128], 2, &device));
    check_wins(&device, "linear/matmul_tiles", [1, 128, 64, 128], || a.matmul(&b));
    let (x, w) = (tensor(&[1, 4, 8, 8], 3, &device), tensor(&[128, 4, 3, 3], 4, &device));
    let conv = Conv2d::padded(1);
    check_wins(&device, "conv/conv2d_tiles", [1, 128, 36, 64], || x.conv2d(&w, &conv));
}

#[test]
fn measuring_meets_every_form_once() {
    let Some(device) = own_gpu() else { return };
    device.set_family(Family::Tiles);
    let (a, b) = (tensor(&[128, 64], 1, &device), tensor(&[64, 128], 2, &device));
    let usual = a.matmul(&b).to_vec().expect("read back");
    let (tuned, measured) = device.tune(|| (a.matmul(&b), a.matmul(&b)).1.to_vec());
    assert_eq!(tuned.expect("read back"), usual);
    let measured = measured.expect("a GPU has a table");
    let [choice] = &measured.choices[..] else { panic!("{measured:?}") };
    assert_eq!((&*choice.kernel, &*choice.sizes), ("linear/matmul_tiles", &[1, 128, 64, 128][..]));
    assert!(choice.gain == 1.0 || choice.form != "64x64", "{choice:?}");
    assert_eq!(device.counters().pipelines, 4 + 1, "one for each tile, and the sentinel");
}

#[test]
fn a_table_that_cannot_be_used_names_its_file() {
    let Some(device) = gpu() else { return };
    let good = table(&device, "linear/matmul_tiles", &[1, 2, 3, 4], "64x64");
    load(&device, &good).expect("a good table");
    let with = |key: &str, value: Value| {
        let mut table = good.clone();
        table[key] = value;
        table
    };
    for (table, words) in [
        (json!([1]), "no table of kernel forms"),
        (with("version", json!(9)), "layout 9; this program reads 1"),
        (with("adapter", json!("Another")), "measured on Another ("),
        (with("driver", json!("Another")), "(Another), the device is "),
        (with("extra", json!(1)), "unknown field `extra`"),
    ] {
        let error = load(&device, &table).expect_err("refused").to_string();
        assert!(error.contains("table.json: ") && error.contains(words), "{words}: {error}");
    }
    let missing = Tuning::load(Path::new("no/such.json"), report(&device)).expect_err("refused");
    assert!(missing.to_string().contains("no/such.json"), "{missing}");
}

#[test]
fn a_form_that_does_not_exist_is_an_error() {
    let Some(device) = own_gpu() else { return };
    device.set_family(Family::Tiles);
    let sizes = [1, 128, 64, 128];
    let odd = table(&device, "linear/matmul_tiles", &sizes, "3x5");
    device.set_tuning(Some(&load(&device, &odd).expect("a table")));
    let y = tensor(&[128, 64], 1, &device).matmul(&tensor(&[64, 128], 2, &device));
    let error = y.to_vec().expect_err("refused").to_string();
    assert!(error.contains("form \"3x5\" for linear/matmul_tiles [1, 128, 64, 128]"), "{error}");
}

/// The program with a folder of its own for configurations.
fn configured(place: &Place, arguments: &[&str]) -> Answer {
    Answer::of(semgan(arguments).env("XDG_CONFIG_HOME", place.path("config")))
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_measured_is_found_said_and_recorded() {
    if gpu().is_none() {
        return;
    }
    let place = Place::new();
    let tune = ["tune", "--device", "gpu", "--res", "8", "--batch", "4"];
    let said = configured(&place, &tune).succeeded().stderr;
    let file = place.text("config/semgan/tuning");
    let line = said.lines().find(|line| line.starts_with(&file)).expect("where the table is");
    let listed = configured(&place, &["devices"]).succeeded().stdout;
    assert!(listed.contains(&format!("  tuning    {line}\n")), "{listed}");

    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = ["train", "--outdir", &runs, "--device", "gpu"];
    let new = ["--data", &data, "--kimg", "0.004", "--batch", "4"];
    let said = configured(&place, &[&train[..], &new].concat()).succeeded().stderr;
    assert!(said.contains("\ntuning: "), "{said}");
    let resume = ["--resume", "latest", "--kimg", "0.008", "--tuning", "off"];
    let said = configured(&place, &[&train[..], &resume].concat()).succeeded().stderr;
    assert!(!said.contains("\ntuning: "), "{said}");
    assert!(said.contains("warning: the run had other kernels ("), "{said}");
    assert!(said.contains(", no tuning)"), "{said}");
    let again = ["--resume", "latest", "--kimg", "0.012", "--tuning", "off"];
    let said = configured(&place, &[&train[..], &again].concat()).succeeded().stderr;
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_cpu_has_nothing_to_measure() {
    let place = Place::new();
    configured(&place, &["tune", "--device", "cpu"]).refused(1, &["--device", "give a GPU"]);
    let bench = ["bench", "sample", "--res", "8", "--count", "1", "--device", "cpu", "--tuning"];
    let with = |table: &str| configured(&place, &[&bench[..], &[table]].concat());
    with("table.json").refused(1, &["--tuning", "cpu has one form"]);
    with("off").succeeded();
}
