//! `semgan sample`: what a picture depends on, and what its file says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use semgan::Device;
use semgan::data::LABEL_COLORS;
use semgan::models::System;
use semgan::nn::Network;
use semgan::sample::read_text;
use semgan::train::snapshot::{self, Trained};
use serde_json::json;
use tempfile::TempDir;

use crate::program::run;
use crate::runs::Place;

/// Pictures of a network in a folder of their own.
fn sample(network: &Path, flags: &[&str]) -> TempDir {
    let out = tempfile::tempdir().expect("a temporary folder");
    let [network, outdir] = [network, out.path()].map(|p| p.to_str().expect("UTF-8"));
    let sample = ["sample", "--network", network, "--outdir", outdir, "--device", "cpu"];
    run(&[&sample[..], flags].concat()).succeeded();
    out
}

fn bytes(out: &TempDir, name: &str) -> Vec<u8> {
    fs::read(out.path().join(name)).expect("a picture")
}

fn pixels(out: &TempDir, name: &str) -> Vec<u8> {
    image::open(out.path().join(name)).expect("a picture").into_bytes()
}

/// A snapshot alone in a folder, of a network that noise matters to.
fn alone() -> TempDir {
    let mut file = Place::trained().newest();
    let noises = file.tensors.iter_mut().filter(|(name, _)| name.ends_with("noise.weight"));
    noises.for_each(|(_, (_, values))| values.fill(0.5));
    let folder = tempfile::tempdir().expect("a temporary folder");
    file.save(&folder.path().join("network-snapshot-000000.safetensors")).expect("written");
    folder
}

#[test]
fn a_picture_depends_on_its_seed_and_not_on_its_neighbours() {
    let network = Place::trained().run();
    let (one, nine) = (sample(&network, &["--seeds", "3"]), sample(&network, &["--seeds", "0-8"]));
    assert_eq!(bytes(&one, "seed0003.png"), bytes(&nine, "seed0003.png"));
    let all: BTreeSet<_> = (0..9).map(|k| pixels(&nine, &format!("seed{k:04}.png"))).collect();
    assert_eq!(all.len(), 9, "nine seeds, nine pictures");
}

#[test]
fn a_picture_says_where_it_comes_from() {
    let network = Place::trained().newest().path;
    let out = sample(&network, &["--seeds", "85", "--trunc", "0.7"]);
    let text = read_text(out.path().join("seed0085.png")).expect("text chunks");
    let network = network.display().to_string();
    let want = [("seed", "85"), ("psi", "0.7"), ("network", &network)];
    assert_eq!(text, want.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

/// A network that labels its pictures, as an importer would save it.
fn labelling() -> TempDir {
    let device = Device::cpu();
    let config = System::SemanticStyleGan.config(32, [256, 16]);
    let network = Network::initialized(5, &device, |b| config.generator(b, &device));
    let mean = snapshot::mean_style(&*network.model, &config, &device).expect("a mean");
    let trained = Trained { config, network, mean };
    let file = snapshot::pack_generator(&trained, &json!("nothing")).expect("packed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    file.save(&folder.path().join("network.safetensors")).expect("written");
    folder
}

#[test]
fn label_maps_lie_beside_the_pictures_of_a_network_that_makes_them() {
    let folder = labelling();
    let network = folder.path().join("network.safetensors");
    let flags = ["--seeds", "3-5", "--trunc", "0.7", "--grid", "2x2"];
    let plain = sample(&network, &flags);
    let out = sample(&network, &[&flags[..], &["--labels"]].concat());
    assert_eq!(bytes(&plain, "seed0004.png"), bytes(&out, "seed0004.png"));
    let open = |name: &str| image::open(out.path().join(name)).expect("a picture");
    let labels: Vec<_> = (3..6).map(|k| open(&format!("seed{k:04}-labels.png"))).collect();
    let classes = labels[0].as_luma8().expect("8-bit grey").as_raw();
    let present: BTreeSet<_> = classes.iter().copied().collect();
    assert!(classes.len() == 32 * 32 && present.len() > 1, "{present:?}");
    assert!(present.iter().all(|&k| k < 13));
    assert_ne!(labels[0], labels[1]);

    let grid = open("grid.png").into_rgb8();
    assert_eq!(grid.dimensions(), (2 * 2 * 32, 2 * 32));
    for (k, (column, row)) in [(0, 0), (1, 0), (0, 1)].into_iter().enumerate() {
        let (left, top) = (column * 64, row * 32);
        let picture = open(&format!("seed{:04}.png", k + 3)).into_rgb8();
        for (x, y) in [(0, 0), (31, 3), (17, 30)] {
            assert_eq!(grid.get_pixel(left + x, top + y), picture.get_pixel(x, y));
            let class = labels[k].as_luma8().expect("8-bit grey").get_pixel(x, y).0[0];
            let color = LABEL_COLORS[usize::from(class)];
            assert_eq!(grid.get_pixel(left + 32 + x, top + y).0, color);
        }
    }
    let text = read_text(out.path().join("seed0003-labels.png")).expect("text chunks");
    assert_eq!(text[0], ("seed".to_owned(), "3".to_owned()));
}

#[test]
fn labels_are_refused_of_a_network_that_makes_none() {
    let network = Place::trained().run();
    let out = tempfile::tempdir().expect("a temporary folder");
    let [network, outdir] = [&network, out.path()].map(|p| p.to_str().expect("UTF-8"));
    run(&["sample", "--network", network, "--outdir", outdir, "--labels"])
        .refused(1, &["--labels", "sarigan", "without labels"]);
}

#[test]
fn a_single_snapshot_is_enough() {
    let folder = alone();
    let file = folder.path().join("network-snapshot-000000.safetensors");
    let (by_folder, by_file) = (sample(folder.path(), &["--seeds", "1"]), sample(&file, &[]));
    assert_eq!(bytes(&by_folder, "seed0001.png"), bytes(&by_file, "seed0001.png"));
}

#[test]
fn noise_is_of_the_seed_or_new_or_none() {
    let folder = alone();
    let picture = |mode| {
        let out = sample(folder.path(), &["--seeds", "1", "--noise-mode", mode]);
        bytes(&out, "seed0001.png")
    };
    assert_eq!(picture("const"), picture("const"));
    assert_eq!(picture("none"), picture("none"));
    let all = ["const", "none", "random", "random"].map(picture);
    assert_eq!(BTreeSet::from(all).len(), 4);
}

#[test]
fn psi_goes_from_the_mean_picture_to_all_of_them() {
    let folder = alone();
    let pictures = |psi| {
        let flags = ["--seeds", "1,2", "--noise-mode", "none", "--trunc", psi];
        let out = sample(folder.path(), &flags);
        ["seed0001.png", "seed0002.png"].map(|name| pixels(&out, name))
    };
    let [a, b] = pictures("0");
    assert_eq!(a, b, "the mean picture");
    assert_ne!(pictures("1"), [a, b]);
}

#[test]
fn the_grid_has_the_size_asked_for() {
    let network = Place::trained().run();
    let size = |flags: &[&str]| {
        image::image_dimensions(sample(&network, flags).path().join("grid.png")).expect("a grid")
    };
    assert_eq!(size(&["--seeds", "0-5", "--grid", "3x2"]), (24, 16));
    assert_eq!(size(&["--seeds", "0-8", "--grid", "2x2"]), (16, 16));
    assert_eq!(size(&["--seeds", "0-6"]), (24, 24));
}
