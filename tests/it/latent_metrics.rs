//! What is measured of latents: path length, and linear separability.

use std::fs;

use semgan::checkpoint::{Checkpoint, write_npy};
use semgan::metrics::{PathLength, Space, Svm, separation};
use semgan::models::System;
use semgan::nn::{Network, Values};
use semgan::sample::Look;
use semgan::tensor::Shape;
use semgan::train::snapshot::{Trained, mean_style, pack_generator};
use semgan::{Device, Tensor};
use serde_json::{Value, json};

use crate::common::{assert_close, values};
use crate::program::{Answer, run};
use crate::runs::Place;

/// A StyleGAN2 that nobody trained.
fn network(side: usize, device: &Device) -> Trained {
    let config = System::StyleGan2.config(side, [128, 16]);
    let network = Network::initialized(3, device, |b| config.generator(b, device));
    let mean = mean_style(&*network.model, &config, device).expect("computed");
    Trained { config, network, mean }
}

/// VGG16 of four channels, without order.
fn lpips() -> Checkpoint {
    let convolutions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    let mut tensors = Values::new();
    let mut add = |key: String, shape: &[usize], values: Vec<f32>| {
        tensors.insert(key, (Shape::from(shape), values));
    };
    for (k, number) in convolutions.into_iter().enumerate() {
        let inputs = if k == 0 { 3 } else { 4 };
        add(
            format!("features.{number}.weight"),
            &[4, inputs, 3, 3],
            values(36 * inputs, k as u32 + 1),
        );
        add(format!("features.{number}.bias"), &[4], vec![0.1; 4]);
    }
    for k in 0..5 {
        add(format!("lin{k}.model.1.weight"), &[1, 4, 1, 1], vec![0.5; 4]);
    }
    Checkpoint { tensors, description: json!({}), ..Checkpoint::default() }
}

fn lengths(path: PathLength, pairs: std::ops::Range<usize>, device: &Device) -> Vec<f64> {
    let trained = network(16, device);
    let g = &*trained.network.model;
    let distance = |a: &Tensor, b: &Tensor| (a - b).square().mean(&[1, 2, 3], false);
    let sizes = trained.config.sizes();
    let lengths = path.lengths(g, &sizes, 1, pairs, &distance, device);
    lengths.to_vec_f64().expect("read")
}

const PATH: PathLength =
    PathLength { space: Space::W, is_full: true, epsilon: 1e-4, crop: false, class: None };

#[test]
fn a_length_is_of_its_pair_and_not_of_the_batch() {
    // The noise of a batch weighs nothing in a network that was not trained.
    let device = Device::cpu();
    let all: Vec<f32> = lengths(PATH, 0..5, &device).iter().map(|&v| v as f32).collect();
    let parts = [lengths(PATH, 0..2, &device), lengths(PATH, 2..5, &device)].concat();
    assert_close("lengths", &all, &parts, 0.0, 0.02);
    assert!((1..5).all(|k| all[k] != all[0]));
}

#[test]
fn a_length_does_not_depend_on_a_small_step_but_on_space_and_place() {
    let device = Device::reference();
    let mean = |path| lengths(path, 0..4, &device).iter().sum::<f64>() / 4.0;
    for space in [Space::W, Space::Z] {
        let path = PathLength { space, ..PATH };
        let [short, long] = [1e-5, 1e-4].map(|epsilon| mean(PathLength { epsilon, ..path }));
        assert!((short / long - 1.0).abs() < 0.01, "{space:?}: {short} and {long}");
        assert_ne!(long, mean(PathLength { is_full: false, ..path }));
        assert_ne!(long, mean(PathLength { crop: true, ..path }));
    }
    assert_ne!(mean(PATH), mean(PathLength { space: Space::Z, ..PATH }));
}

#[test]
fn ppl_says_what_it_measured_and_refuses_to_go_without_weights() {
    let place = Place::new();
    let device = Device::cpu();
    let file = pack_generator(&network(32, &device), &Value::Null).expect("packed");
    file.save(&place.path("g.safetensors")).expect("written");
    lpips().save(&place.path("vgg.safetensors")).expect("written");
    let [g, vgg] = ["g.safetensors", "vgg.safetensors"].map(|name| place.text(name));
    let ppl = |flags: &[&str]| -> Answer {
        let own = ["ppl", "--network", &g, "--device", "cpu", "--samples", "5", "--batch", "2"];
        run(&[&own, flags].concat())
    };
    ppl(&[]).refused(1, &["--lpips", "safetensors"]);
    ppl(&["--lpips", &g]).refused(1, &[&g]);
    ppl(&["--lpips", &vgg, "--epsilon", "0"]).refused(1, &["--epsilon"]);
    ppl(&["--lpips", &vgg, "--crop"]).refused(1, &["--lpips", "[16, 16]"]);
    let json = ppl(&["--lpips", &vgg, "--json", "--epsilon", "0.01"]).succeeded().stdout;
    let report: Value = serde_json::from_str(&json).expect("JSON");
    let [lo, mean, hi] = ["lo", "ppl", "hi"].map(|key| report[key].as_f64().expect("a number"));
    assert!(0.0 < lo && lo <= mean && mean <= hi, "{report}");
    assert_eq!((&report["space"], &report["sampling"]), (&json!("w"), &json!("end")));
    let text = ppl(&["--lpips", &vgg, "--epsilon", "0.01"]).succeeded().stdout;
    assert!(text.contains(&format!("ppl {mean:.4}")), "{text}");
}

#[test]
fn a_plane_is_where_the_squared_hinge_is_least() {
    // Two samples at 1 and -1: a²/2 + 2 (1 - a)² is least at 4/5, and the intercept is 0.
    let plane = Svm::fit(&[1.0, -1.0], &[0, 1], 1.0).plane().to_vec();
    assert!((plane[0] - 0.8).abs() < 1e-6 && plane[1].abs() < 1e-6, "{plane:?}");

    // At the minimum v = 2 C Σ y max(0, 1 - y v · x) x.
    let (n, d, c) = (700, 6, 0.7);
    let rows = values(n * d, 1);
    let noise = values(n, 2);
    let targets: Vec<usize> = (rows.chunks(d).zip(&noise))
        .map(|(x, e)| usize::from(x[0] - 0.5 * x[1] + e + 0.2 < 0.0))
        .collect();
    let plane = Svm::fit(&rows, &targets, c).plane().to_vec();
    let mut want = vec![0.0; d + 1];
    for (x, target) in rows.chunks(d).zip(&targets) {
        let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).chain([1.0]).collect();
        let y = 1.0 - 2.0 * *target as f64;
        let value: f64 = x.iter().zip(&plane).map(|(a, b)| a * b).sum();
        let weight = 2.0 * c * y * (1.0 - y * value).max(0.0);
        want.iter_mut().zip(&x).for_each(|(sum, x)| *sum += weight * x);
    }
    let plane: Vec<f32> = plane.iter().map(|&v| v as f32).collect();
    assert_close("plane", &plane, &want, 1e-3, 1e-3);
}

#[test]
fn an_attribute_on_one_side_of_a_plane_leaves_nothing_unknown() {
    let (n, d) = (400, 8);
    let rows = values(n * d, 1);
    let linear: Vec<f64> = rows.chunks(d).map(|x| f64::from(x[0] - 2.0 * x[3] + 0.1)).collect();
    let known = separation(&rows, &linear);
    assert!(known.accuracy > 0.99 && known.entropies.conditional < 0.1, "{known:?}");
    let unrelated: Vec<f64> = values(n, 2).iter().map(|&v| f64::from(v)).collect();
    let unknown = separation(&rows, &unrelated);
    assert!(unknown.entropies.conditional > 0.85, "{unknown:?}");
    let all = separation(&rows, &vec![3.0; n]);
    assert!(all.entropies.conditional < 1e-12 && all.accuracy > 1.0 - 1e-12, "{all:?}");
}

#[test]
fn separability_reads_what_classifiers_said_of_pictures() {
    let place = Place::new();
    let device = Device::cpu();
    let trained = network(8, &device);
    let file = pack_generator(&trained, &Value::Null).expect("packed");
    file.save(&place.path("g.safetensors")).expect("written");
    let network = place.text("g.safetensors");
    // The first attribute is an element of z, the second one has nothing to do with it.
    let sampler = trained.pictures(Look::default());
    let n = 120;
    let first = (0..n).map(|seed| sampler.z(seed as u64).to_vec().expect("read")[0]);
    let logits: Vec<f32> = first.chain(values(n, 3)).collect();
    let odds = |v: &f32| 1.0 / (1.0 + (-2.0 * v).exp());
    let probabilities: Vec<f32> = logits.iter().map(odds).collect();
    for (name, labels) in [("logits", &logits), ("probabilities", &probabilities)] {
        let shape = Shape::from([2, n]);
        write_npy(&place.path(&format!("{name}.npy")), &shape, labels).expect("written");
    }
    let separability = |labels: &str, flags: &[&str]| -> Answer {
        let labels = place.text(labels);
        let own = ["separability", "--network", &network, "--labels", &labels, "--device", "cpu"];
        run(&[&own, flags].concat())
    };
    let [a, b] = ["logits", "probabilities"].map(|name| {
        let answer = separability(&format!("{name}.npy"), &["--space", "z", "--json"]).succeeded();
        assert!(answer.stderr.contains(name), "{}", answer.stderr);
        serde_json::from_str::<Value>(&answer.stdout).expect("JSON")
    });
    assert_eq!((&a["separability"], &a["attributes"]), (&b["separability"], &b["attributes"]));
    let left = |k: usize| a["attributes"][k]["conditional_entropy"].as_f64().expect("a number");
    assert!(left(0) < 0.1 && left(1) > 0.2, "{a}");
    let score = a["separability"].as_f64().expect("a number");
    assert!((score - (left(0) + left(1)).exp2()).abs() < 1e-9, "{a}");
    let text = separability("logits.npy", &[]).succeeded().stdout;
    assert!(text.contains("separability") && text.contains("60 of 120"), "{text}");

    write_npy(&place.path("flat.npy"), &Shape::from([n]), &logits[..n]).expect("written");
    fs::write(place.path("text.npy"), "no array").expect("written");
    for (name, word) in [("flat.npy", "[attributes, N]"), ("text.npy", ".npy"), ("none", "read")] {
        separability(name, &[]).refused(1, &[&place.text(name), word]);
    }
}
