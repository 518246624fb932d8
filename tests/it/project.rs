//! From pictures back to latents: what the search finds, and what `semgan project` writes and refuses.

use std::fs;
use std::path::Path;

use semgan::checkpoint::{Checkpoint, read_arrays};
use semgan::models::{Config, Generator, Sizes, System};
use semgan::nn::Network;
use semgan::sample::{
    Latents, Likeness, Look, PivotalTuning, Projection, ProjectionOptions, Sampler,
};
use semgan::{Device, Tensor};
use serde_json::Value;

use crate::common::{assert_close, gpu};
use crate::program::{Answer, run};
use crate::runs::Place;

const OPTIONS: ProjectionOptions = ProjectionOptions {
    steps: 100,
    per_layer: false,
    with_noise: false,
    lr: 0.1,
    seed: 1,
    start: None,
    class: None,
};

/// A small network that nobody trained.
fn network(system: System, device: &Device) -> (Sizes, Network<Box<dyn Generator>>) {
    let config: Config = system.config(16, [128, 16]);
    (config.sizes(), Network::initialized(3, device, |b| config.generator(b, device)))
}

/// The picture of seed 5, and of `other` in the second half of the layers, with the network's own
/// noise.
fn mixed(g: &dyn Generator, sizes: &Sizes, other: u64, device: &Device) -> Tensor {
    let sampler = Sampler::new(g, sizes.clone(), None, Look::default(), device);
    let [mut styles, others] = [5, other].map(|seed| sampler.styles(&sampler.w(seed)));
    let half = styles.len().div_ceil(2);
    styles.splice(half.., others[half..].iter().cloned());
    sampler.synthesize(&styles, &sampler.own_noise())
}

fn target(g: &dyn Generator, sizes: &Sizes, device: &Device) -> Tensor {
    mixed(g, sizes, 5, device)
}

fn pixels(likeness: &semgan::sample::Losses) -> f32 {
    likeness.pixels.item().expect("read")
}

struct Found {
    /// What the start is charged with, and the end.
    losses: [f32; 2],
    w: Vec<f32>,
}

fn search(system: System, options: ProjectionOptions, device: &Device) -> Found {
    search_mixed(system, options, 5, device)
}

fn search_mixed(system: System, options: ProjectionOptions, other: u64, device: &Device) -> Found {
    let (sizes, network) = network(system, device);
    let g = &*network.model;
    let likeness = Likeness::new(&mixed(g, &sizes, other, device), None);
    let mut projection = Projection::new(g, &sizes, likeness, options).expect("started");
    let first = pixels(&projection.losses());
    (0..options.steps).for_each(|_| drop(projection.step()));
    let w = Latents::new(&projection.styles(), None).w.to_vec().expect("read");
    Found { losses: [first, pixels(&projection.losses())], w }
}

#[test]
fn a_picture_of_the_network_is_found_again() {
    for system in [System::StyleGan2, System::Sarigan, System::StyleGan] {
        let [first, last] = search(system, OPTIONS, &Device::cpu()).losses;
        assert!(last < 0.05 * first, "{}: from {first} to {last}", system.name());
    }
    // Where there is no mean to start from, the way ends in a valley beside it.
    let [first, last] = search(System::Pggan, OPTIONS, &Device::cpu()).losses;
    assert!(last < 0.4 * first, "pggan: from {first} to {last}");
}

#[test]
fn a_gpu_finds_it_too() {
    let Some(gpu) = gpu() else { return };
    let [first, last] =
        search(System::StyleGan2, ProjectionOptions { steps: 20, ..OPTIONS }, &gpu).losses;
    assert!(last < 0.5 * first, "from {first} to {last}");
}

#[test]
fn a_style_for_each_layer_comes_closer_to_what_one_style_cannot_make() {
    let each = ProjectionOptions { per_layer: true, ..OPTIONS };
    let [one, each] =
        [OPTIONS, each].map(|o| search_mixed(System::StyleGan2, o, 6, &Device::cpu()));
    assert!(each.losses[1] < one.losses[1], "{} and {}", each.losses[1], one.losses[1]);
    assert!(one.w.chunks(16).all(|w| w == &one.w[..16]), "w is the same in all layers");
    assert!(each.w.chunks(16).any(|w| w != &each.w[..16]), "w+ is not");
}

#[test]
fn two_searches_are_equal_and_another_seed_is_another_search() {
    let of = |seed| {
        let options = ProjectionOptions { seed, steps: 8, with_noise: true, ..OPTIONS };
        search(System::StyleGan2, options, &Device::cpu()).w
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_search_from_the_right_latent_begins_at_the_target() {
    let options = ProjectionOptions { start: Some(5), steps: 1, ..OPTIONS };
    for per_layer in [false, true] {
        let options = ProjectionOptions { per_layer, ..options };
        for system in [System::StyleGan2, System::Pggan] {
            let [first, last] = search(system, options, &Device::cpu()).losses;
            // The rate of the first step is 0.
            assert!(first < 1e-10 && last < 1e-10, "{first} and {last}");
        }
    }
}

#[test]
fn noise_that_is_looked_for_stays_noise() {
    let device = Device::cpu();
    let (sizes, network) = network(System::StyleGan2, &device);
    let g = &*network.model;
    let likeness = Likeness::new(&target(g, &sizes, &device), None);
    let options = ProjectionOptions { with_noise: true, steps: 10, ..OPTIONS };
    let mut projection = Projection::new(g, &sizes, likeness, options).expect("started");
    (0..10).for_each(|_| drop(projection.step()));
    for (before, after) in g.noise().iter().zip(projection.noise()) {
        let values = after.to_vec().expect("read");
        assert_ne!(before.to_vec().expect("read"), values);
        let n = values.len() as f64;
        let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
        let squares: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        assert!((sum / n).abs() < 1e-5 && (squares / n - 1.0).abs() < 1e-4, "{sum}, {squares}");
    }
}

#[test]
fn the_loss_adds_up_all_sizes_and_the_distance() {
    let device = Device::cpu();
    let [a, b] = [1, 2].map(|seed| crate::common::tensor(&[1, 3, 32, 32], seed, &device));
    let apart = (&a - &b).to_vec_f64().expect("read");
    let mut want = 0.0;
    for side in [1, 2, 4] {
        let n = 32 / side;
        let mut sum = 0.0;
        for place in 0..3 * n * n {
            let (c, y, x) = (place / (n * n), place / n % n * side, place % n * side);
            let tile = (0..side * side)
                .map(|k| apart[c * 1024 + (y + k / side) * 32 + x + k % side])
                .sum::<f64>();
            sum += (tile / (side * side) as f64).powi(2);
        }
        want += sum / (3 * n * n) as f64;
    }
    let distance = |x: &Tensor, y: &Tensor| (x - y).abs().mean(&[1, 2, 3], false);
    let losses = Likeness::new(&a, Some(&distance)).losses(&b);
    assert_close("pixels", &[pixels(&losses)], &[want], 0.0, 1e-5);
    let mean = apart.iter().map(|v| v.abs()).sum::<f64>() / apart.len() as f64;
    let total = losses.total().to_vec().expect("read");
    assert_close("total", &total, &[want + mean], 0.0, 1e-5);
}

#[test]
fn tuning_moves_the_network_to_the_picture_and_nothing_behind_it() {
    let device = Device::cpu();
    let (sizes, mut network) = network(System::StyleGan2, &device);
    let g = &*network.model;
    let sampler = Sampler::new(g, sizes.clone(), None, Look::default(), &device);
    let (styles, noise) = (sampler.styles(&sampler.w(6)), sampler.own_noise());
    let likeness = Likeness::at_full_size(&target(g, &sizes, &device), None);
    let before = network.params.split(network.params.slab()).expect("read");
    drop(sampler);
    let mut tuning = PivotalTuning::new(&mut network, likeness, [styles, noise]);
    let first = pixels(&tuning.losses());
    (0..60).for_each(|_| drop(tuning.step()));
    let last = pixels(&tuning.losses());
    drop(tuning);
    assert!(last < 0.5 * first, "from {first} to {last}");
    let after = network.params.split(network.params.slab()).expect("read");
    for (key, value) in &after {
        let is_mapping = key.starts_with("style.");
        assert_eq!(*value == before[key], is_mapping, "{key}");
    }
    assert!(network.params.iter().all(|(_, value)| !value.is_tracked()));
}

/// Searches in the trained network, in few steps.
fn project(place: &Place, out: &str, flags: &[&str]) -> Answer {
    let network = Place::trained().run();
    let network = network.to_str().expect("UTF-8");
    let out = place.text(out);
    let own = ["project", "--network", network, "--outdir", &out, "--device", "cpu"];
    run(&[&own[..], &["--steps", "6"], flags].concat())
}

fn sample(place: &Place, network: &Path, w: &str) -> Answer {
    let (out, w) = (place.text("again"), place.text(w));
    let network = network.to_str().expect("UTF-8");
    let own = ["sample", "--network", network, "--outdir", &out, "--device", "cpu"];
    run(&[&own[..], &["--projected_w", &w]].concat())
}

fn rgb(path: &Path) -> Vec<u8> {
    image::open(path).expect("a picture").into_rgb8().into_raw()
}

#[test]
fn what_was_found_can_be_drawn_again() {
    let place = Place::new();
    let target = place.text("data/07.png");
    let flags = ["--target", &target, "--space", "w+", "--noise", "--pti", "3"];
    project(&place, "out", &flags).succeeded();
    assert_eq!(rgb(&place.path("out/target.png")), rgb(Path::new(&target)));
    let again = place.path("again/proj00.png");
    let network = Place::trained().run();
    sample(&place, &network, "out/projected_w.safetensors").succeeded();
    assert_eq!(rgb(&again), rgb(&place.path("out/proj.png")));
    sample(&place, &place.path("out/tuned.safetensors"), "out/projected_w.safetensors").succeeded();
    assert_eq!(rgb(&again), rgb(&place.path("out/proj_tuned.png")));

    let npy = read_arrays(&place.path("out/projected_w.npy")).expect("an array");
    let tensors = read_arrays(&place.path("out/projected_w.safetensors")).expect("tensors");
    assert_eq!(npy[""], tensors["w"]);
    assert_eq!(npy[""].0[..], [1, 4, 32]);
    let origin = Checkpoint::load(&place.path("out/tuned.safetensors")).expect("a network");
    assert_eq!(origin.description["origin"]["tuned_to"], target.as_str());
    let report = fs::read_to_string(place.path("out/project.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    for part in ["projection", "pti"] {
        assert!(report[part]["last"]["pixels"].is_f64(), "{part}: {report}");
    }
    assert_eq!(report["projection"]["losses"].as_array().expect("a list").len(), 6);
    let gif = fs::File::open(place.path("out/proj.gif")).expect("a movie");
    let gif = image::codecs::gif::GifDecoder::new(std::io::BufReader::new(gif)).expect("a GIF");
    assert_eq!(image::ImageDecoder::dimensions(&gif), (16, 8));
    let frames = image::AnimationDecoder::into_frames(gif).count();
    assert!(frames > 20, "the search, the tuning, and a while at its end: {frames}");
}

#[test]
fn several_targets_get_a_folder_each_and_plain_arrays_are_enough() {
    let place = Place::new();
    let [a, b] = ["data/01.png", "data/02.png"].map(|name| place.text(name));
    project(&place, "out", &["--target", &a, &b, "--video", "off"]).succeeded();
    for name in ["01", "02"] {
        assert!(!place.path(&format!("out/{name}/proj.gif")).exists());
        let w = format!("out/{name}/projected_w.npy");
        sample(&place, &Place::trained().run(), &w).succeeded();
        let found = place.path(&format!("out/{name}/proj.png"));
        assert_eq!(rgb(&place.path("again/proj00.png")), rgb(&found));
    }
    let twice = project(&place, "out", &["--target", &a, &a]);
    twice.refused(1, &["--target", "01"]);
}

#[test]
fn targets_that_cannot_be_used_are_named() {
    let place = Place::new();
    fs::write(place.path("notes.png"), "no picture").expect("written");
    for (name, words) in [("none.png", "cannot read"), ("notes.png", "notes.png")] {
        let path = place.text(name);
        project(&place, "out", &["--target", &path]).refused(1, &[&path, words]);
        assert!(!place.path("out").exists(), "{name}");
    }
    let good = place.text("data/01.png");
    let refused = |flags: &[&str], words: &[&str]| {
        project(&place, "out", &[&["--target", &good], flags].concat()).refused(1, words);
    };
    refused(&["--lr", "0"], &["--lr"]);
    refused(&["--class", "1"], &["--class"]);
    refused(&["--lpips", &good], &["--lpips", "32"]);
}

#[test]
fn latents_that_do_not_fit_are_named() {
    let place = Place::new();
    let network = Place::trained().run();
    let write = |name: &str, header: &str, data: &[u8]| {
        let length = (header.len() as u16).to_le_bytes();
        let bytes = [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), data].concat();
        fs::write(place.path(name), bytes).expect("written");
    };
    let header = |kind: &str, shape: &str| {
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n")
    };
    let zeros = [0; 4 * 4 * 32];
    write("good.npy", &header("<f4", "(4, 32)"), &zeros);
    sample(&place, &network, "good.npy").succeeded();
    write("wide.npy", &header("<f8", "(4, 32)"), &[zeros, zeros].concat());
    sample(&place, &network, "wide.npy").succeeded();

    write("other.npy", &header("<f4", "(1, 2, 64)"), &zeros);
    write("cut.npy", &header("<f4", "(4, 32)"), &zeros[..100]);
    write("huge.npy", &header("<f4", "(4294967296, 4294967296, 4)"), &zeros);
    write("broken.npy", "{'descr'", &zeros);
    write("whole.npy", &header("<i8", "(2, 32)"), &zeros);
    let nan = [&f32::NAN.to_le_bytes(), &zeros[4..]].concat();
    write("nan.npy", &header("<f4", "(4, 32)"), &nan);
    fs::write(place.path("text.safetensors"), "no tensors").expect("written");
    for (name, word) in [
        ("other.npy", "[1, 4, 32]"),
        ("cut.npy", "cut off"),
        ("huge.npy", "cut off"),
        ("broken.npy", "not a complete .npy file"),
        ("whole.npy", "float32"),
        ("nan.npy", "not finite"),
        ("text.safetensors", "safetensors"),
        ("none.npy", "cannot read"),
    ] {
        sample(&place, &network, name).refused(1, &[&place.text(name), word]);
    }
}
