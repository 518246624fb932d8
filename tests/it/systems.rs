//! What holds for every system: training, growing, classes, augmentation, and commands on any
//! network.

use std::fs;

use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use semgan::Device;
use semgan::checkpoint::Checkpoint;
use semgan::models::{Config, System};
use semgan::train::augment::Pipeline;
use semgan::train::{Augment, Growing, Options, Outcome, Recipe};
use serde_json::Value;

use crate::common::gpu;
use crate::program::run;
use crate::runs::{BATCH, Place, Until};
use crate::training::assert_same_bits;

const SYSTEMS: [System; 5] =
    [System::Sarigan, System::StyleGan2, System::StyleGan, System::Pggan, System::SemanticStyleGan];
/// Steps of a run, and where it stops between: behind the first resolution's end. The probability of
/// augmentations moves three times by the same, so that it cannot be back where it was.
const STEPS: u64 = 13;
const STOP: u64 = 5;

/// A small network of a system, with its own recipe; those that grow reach 8x8 on the way, and all
/// see augmented pictures.
fn options(place: &Place, system: System) -> Options {
    let mut recipe = Recipe::of(system);
    if matches!(system, System::StyleGan | System::Pggan) {
        let growing = Growing::doubling(4, 8, (2 * BATCH) as u64, BATCH);
        recipe.growing = Some(Growing { batch_sizes: vec![(4, BATCH), (8, BATCH)], ..growing });
    }
    let augment = Augment { pipeline: Pipeline::Bgc, p: 0.5, target: Some(0.6), kimg: 0.1 };
    recipe.augment = Some(augment);
    let mut network = system.config(8, [64, 16]);
    match &mut network {
        Config::Sarigan(config) => (config.n_mlp, config.groups) = (2, 4),
        Config::StyleGan2(config) => config.n_mlp = 2,
        Config::StyleGan(config) => config.mapping_layers = 2,
        Config::Pggan(config) => config.minibatch_std_group_size = 4,
        Config::SemanticStyleGan(config) => config.n_mlp = 2,
    }
    Options { network, recipe, ..place.options(STEPS as usize) }
}

/// The last snapshot of a run in legs.
fn trained(options: impl Fn(&Place) -> Options, legs: &[u64], device: &Device) -> Checkpoint {
    let place = Place::new();
    for (k, &end) in legs.iter().enumerate() {
        let run = match k {
            0 => place.create(options(&place), device),
            _ => place.resume(|_| (), device).expect("resumed"),
        };
        let outcome = run.train(&mut Until::step(end)).expect("trained");
        assert_eq!(outcome == Outcome::Finished, end == STEPS);
    }
    place.newest()
}

fn a_stop_changes_no_bit(device: &Device) {
    for system in SYSTEMS {
        let of = |legs: &[u64]| trained(|place| options(place, system), legs, device);
        let (straight, stopped) = (of(&[STEPS]), of(&[STOP, STEPS]));
        assert_same_bits(system.name(), &stopped, &straight);
        let p = straight.description["counters"]["augment"]["p"].as_f64().expect("a probability");
        assert!(p != 0.5, "{}: the probability follows the scores", system.name());
        let moved = straight.tensors.iter().filter(|(key, _)| key.starts_with("g."));
        assert!(moved.count() > 10);
    }
}

#[test]
fn every_system_resumes_bit_for_bit_on_the_cpu() {
    a_stop_changes_no_bit(&Device::cpu());
}

#[test]
fn every_system_resumes_bit_for_bit_on_the_gpu() {
    let Some(gpu) = gpu() else { return };
    a_stop_changes_no_bit(&gpu);
}

#[test]
fn networks_that_grow_forget_moments_at_a_new_level() {
    let growing = |options: Options| options.recipe.growing.expect("StyleGAN grows");
    let place = Place::new();
    let options = options(&place, System::StyleGan);
    let stages: Vec<f64> = (0..8).map(|k| options.stage(k * BATCH as u64).lod).collect();
    assert_eq!(stages, [1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(growing(options).images(), 4 * BATCH as u64);
    let updates = |stop: u64| {
        let file = trained(|place| self::options(place, System::StyleGan), &[stop], &Device::cpu());
        file.description["counters"]["updates_d"].as_u64().expect("a count")
    };
    // One level, between two, one level again: each has its own beginning.
    assert_eq!([3, 4, 6].map(updates), [3, 1, 2]);
}

#[test]
fn frozen_layers_of_the_discriminator_stay() {
    let of = |steps: u64| {
        let options = |place: &Place| Options { freezed: 2, ..options(place, System::StyleGan2) };
        trained(options, &[steps], &Device::cpu())
    };
    let (early, late) = (of(1), of(STOP));
    let changed = |key: &str| early.tensors[key].1 != late.tensors[key].1;
    for key in ["d.convs.0.0.weight", "d.convs.0.1.bias", "d.convs.1.conv1.0.weight"] {
        assert!(!changed(key), "{key} is frozen");
    }
    for key in ["d.convs.1.conv2.1.weight", "d.final_conv.0.weight", "g.conv1.conv.weight"] {
        assert!(changed(key), "{key} is trained");
    }
}

#[test]
fn a_run_starts_from_the_networks_of_another() {
    let place = Place::new();
    place.train(options(&place, System::StyleGan2));
    let before = place.newest();
    let next = Place::new();
    let transfer = Some(before.path.clone());
    let run =
        next.create(Options { transfer, ..options(&next, System::StyleGan2) }, &Device::cpu());
    let start = run.state.g.params.split(run.state.g.params.slab()).expect("read");
    assert!(start.iter().all(|(key, value)| before.tensors[&format!("g.{key}")] == *value));
    assert_eq!((run.state.step, run.state.images), (0, 0));
    let other = Options { transfer: Some(before.path), ..options(&next, System::Pggan) };
    let error = semgan::train::Run::create(
        &next.path("runs"),
        "other",
        other,
        std::sync::Arc::new(semgan::data::Dataset::open(next.path("data"), 8).expect("pictures")),
        &Device::cpu(),
    );
    assert!(error.err().expect("other networks").to_string().contains("another kind or size"));
}

/// A short run of the program, and its folder.
fn run_of(place: &Place, system: &str, flags: &[&str]) -> String {
    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = ["train", "--data", &data, "--outdir", &runs, "--device", "cpu", "--cfg", system];
    let short = ["--batch", "4", "--kimg", "0.016", "--desc", "x"];
    run(&[&train, &short[..], flags].concat()).succeeded();
    place.text(&format!("runs/00000-{system}-data-tiny8-batch4-x"))
}

#[test]
fn classes_are_trained_and_sampled_by_number() {
    for system in ["stylegan2", "stylegan", "pggan"] {
        let place = Place::new();
        for k in 0..10 {
            let class = if k % 2 == 0 { "cats" } else { "dogs" };
            let (from, to) = (format!("data/{k:02}.png"), format!("data/{class}/{k:02}.png"));
            fs::create_dir_all(place.path(&format!("data/{class}"))).expect("a folder");
            fs::rename(place.path(&from), place.path(&to)).expect("moved");
        }
        (10..50).for_each(|k| fs::remove_file(place.path(&format!("data/{k}.png"))).expect("gone"));
        let network = run_of(&place, system, &["--cond"]);
        let sample = |flags: &[&str]| {
            let out = place.text("out");
            let command = ["sample", "--network", &network, "--seeds", "3", "--outdir", &out];
            run(&[&command, &["--device", "cpu"][..], flags].concat())
        };
        let picture = |class: &str| {
            sample(&["--class", class]).succeeded();
            fs::read(place.path("out/seed0003.png")).expect("a picture")
        };
        assert_ne!(picture("0"), picture("1"), "{system}");
        sample(&[]).refused(1, &["--class", "classes 0 to 1"]);
        sample(&["--class", "2"]).refused(1, &["--class", "2 is not from 0 to 1"]);
    }
    let place = Place::new();
    let (data, runs) = (place.text("data"), place.text("runs"));
    let train = |cfg: &str| {
        let flags = ["--cond", "--cfg", cfg, "--device", "cpu"];
        run(&[&["train", "--data", &data, "--outdir", &runs], &flags[..]].concat())
    };
    train("stylegan2").refused(1, &["00.png lies in no sub-folder", "dataset.json"]);
}

#[test]
fn flags_of_one_system_are_refused_by_others() {
    let place = Place::new();
    let data = place.text("data");
    for (cfg, flag, value) in [
        ("stylegan2", "--groups", "4"),
        ("stylegan", "--recipe", "paper"),
        ("pggan", "--form", "feature"),
        ("sarigan", "--grow", "1"),
        ("stylegan2", "--init-res", "8"),
        ("stylegan", "--init-res", "6"),
        ("stylegan", "--grow", "0"),
        ("stylegan2", "--p", "0.5"),
        ("stylegan2", "--augpipe", "bgc"),
    ] {
        let train = ["train", "--data", &data, "--device", "cpu", "--cfg", cfg, flag, value, "-n"];
        run(&train).refused(1, &[flag]);
    }
    let train = ["train", "--data", &data, "--device", "cpu", "--cfg", "stylegan2", "-n"];
    for (flags, words) in [
        (&["--aug", "fixed"][..], "--p: is missing"),
        (&["--aug", "ada", "--augpipe", "bcg"], "--augpipe"),
        (&["--aug", "ada", "--target", "2"], "--target"),
    ] {
        run(&[&train, flags].concat()).refused(1, &[words]);
    }
}

#[test]
fn every_command_works_on_every_system() {
    for system in ["sarigan", "stylegan2", "stylegan", "pggan"] {
        let place = Place::new();
        let network = run_of(&place, system, &["--aug", "ada"]);
        let command = |name: &str, flags: &[&str]| {
            run(&[&[name, "--network", &network, "--device", "cpu"], flags].concat())
        };
        let out = place.text("out");
        command("sample", &["--seeds", "0-3", "--outdir", &out]).succeeded();
        let stats = command("stats", &["--samples", "64", "--json"]).succeeded().stdout;
        let stats: Value = serde_json::from_str(&stats).expect("JSON");
        assert!(stats["effective_dimensions"].as_f64().expect("a number") > 1.0, "{stats}");
        let factors = place.text("factors");
        let flags = ["--outdir", &factors, "--directions", "0-1", "--json"];
        let found = command("factorise", &flags).succeeded().stdout;
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let singular = found["singular"].as_array().expect("values");
        assert!(singular[0].as_f64() > singular[singular.len() - 1].as_f64());
        assert_eq!(fs::read_dir(&factors).expect("a folder").count(), 3);

        let movie = place.text("way.gif");
        let flags = ["--seeds", "0-3", "--w_frames", "2", "--grid", "2x1", "--output", &movie];
        command("interpolate", &flags).succeeded();
        let file = std::io::BufReader::new(fs::File::open(&movie).expect("a movie"));
        let frames = GifDecoder::new(file).expect("a GIF").into_frames().collect_frames();
        let frames = frames.expect("frames");
        assert_eq!((frames.len(), frames[0].buffer().dimensions()), (4, (16, 8)), "{system}");

        let mixed = place.text("mixed");
        let mix = command("mix", &["--rows", "1,2", "--cols", "3", "--outdir", &mixed]);
        if system == "pggan" {
            mix.refused(1, &["pggan has no styles"]);
            command("sample", &["--trunc", "0.5", "--outdir", &out]).refused(1, &["--trunc"]);
            continue;
        }
        mix.succeeded();
        let size = image::image_dimensions(place.path("mixed/grid.png")).expect("a grid");
        assert_eq!((size, fs::read_dir(&mixed).expect("a folder").count()), ((16, 24), 3));
    }
}

#[test]
fn mixing_all_layers_gives_the_styles_of_the_column() {
    let network = Place::trained().text("runs/00000-test");
    let out = tempfile::tempdir().expect("a temporary folder");
    let outdir = out.path().to_str().expect("UTF-8");
    let common = ["--network", &network, "--noise-mode", "none", "--device", "cpu"];
    let ends = [&common[..], &["--outdir", outdir]].concat();
    let mix = ["mix", "--rows", "1", "--cols", "2", "--styles"];
    run(&[&["sample", "--seeds", "1,2"], &ends[..]].concat()).succeeded();
    let pixels = |name: &str| image::open(out.path().join(name)).expect("a picture").into_bytes();
    let mixed = |layers: &str| {
        run(&[&mix[..], &[layers], &ends].concat()).succeeded();
        pixels("1-2.png")
    };
    assert_eq!(mixed("0-3"), pixels("seed0002.png"));
    assert_ne!(mixed("0-1"), pixels("seed0002.png"));
    run(&[&mix[..], &["4"], &ends].concat()).refused(1, &["--styles", "only 0 to 3"]);
}

#[test]
fn truncation_ends_at_its_last_layer() {
    let network = Place::trained().text("runs/00000-test");
    let out = tempfile::tempdir().expect("a temporary folder");
    let outdir = out.path().to_str().expect("UTF-8");
    let picture = |flags: &[&str]| {
        let sample = ["sample", "--network", &network, "--seeds", "1", "--outdir", outdir];
        run(&[&sample, &["--device", "cpu"][..], flags].concat()).succeeded();
        fs::read(out.path().join("grid.png")).map(|_| ()).expect("a grid");
        image::open(out.path().join("seed0001.png")).expect("a picture").into_bytes()
    };
    let whole = picture(&["--trunc", "0.2"]);
    assert_eq!(picture(&["--trunc", "0.2", "--trunc-cutoff", "4"]), whole);
    assert_eq!(picture(&["--trunc", "0.2", "--trunc_cutoff=0"]), picture(&[]));
    assert_ne!(picture(&["--trunc", "0.2", "--trunc-cutoff", "2"]), whole);
}

#[test]
fn found_latents_are_on_the_way() {
    let network = Place::trained().text("runs/00000-test");
    let target = Place::trained().text("data/00.png");
    let out = tempfile::tempdir().expect("a temporary folder");
    let text = |name: &str| out.path().join(name).to_str().expect("UTF-8").to_owned();
    let (outdir, frames) = (text("found"), text("frames"));
    let common = ["--network", &network, "--device", "cpu"];
    let project = ["project", "--target", &target, "--steps", "2", "--video", "off"];
    run(&[&project[..], &common, &["--outdir", &outdir]].concat()).succeeded();
    let files = [text("found/projected_w.npy"), text("found/projected_w.safetensors")];
    let way = ["interpolate", "--projected-w", &files[0], &files[1], "--w-frames", "1"];
    let flags = ["--no-loop", "--interp", "linear", "--output", &frames];
    run(&[&way[..], &common, &flags].concat()).succeeded();
    let pixels = |name: &str| image::open(text(name)).expect("a picture").into_bytes();
    for name in ["frames/frame0000.png", "frames/frame0001.png"] {
        assert_eq!(pixels(name), pixels("found/proj.png"), "{name}");
    }
    let other = ["--interp", "spherical", "--output", &frames];
    run(&[&way[..], &common, &other].concat()).refused(1, &["--projected-w"]);
    let one = ["interpolate", "--projected-w", &files[0], "--output", &frames];
    run(&[&one[..], &common].concat()).refused(1, &["--projected-w", "two or more"]);
}
