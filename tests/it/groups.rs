//! Channel groups: what is said about them, and what an edit by group changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use semgan::edit::sarigan::{
    Edit, Editor, Target, group_maps, interpolate, layer_groups, parse_layers,
};
use semgan::models::sarigan::{
    Config, Form, Generator, Grouping, LayerCodes, Rule, activation_maps,
};
use semgan::nn::Network;
use semgan::sample::{Look, Rgb, read_text};
use semgan::train::snapshot::Trained;
use semgan::{Device, Tensor};
use serde_json::Value;

use crate::program::{Answer, run};
use crate::runs::Place;

const KINDS: [(Rule, Form); 4] = [
    (Rule::Official, Form::Weight),
    (Rule::Official, Form::Feature),
    (Rule::Paper, Form::Weight),
    (Rule::Paper, Form::Feature),
];

/// Four grouped layers of five groups; no channel of convs.2 is in its group 2.
fn network((rule, form): (Rule, Form)) -> Trained<Generator> {
    let channels = BTreeMap::from([(4, 16), (8, 12), (16, 8)]);
    let sizes = Config { style_dim: 16, n_mlp: 2, groups: 5, channels, ..Config::tiny(16) };
    let (config, device) = (Config { rule, form, ..sizes }, Device::cpu());
    let build = |b: &mut _| Box::new(Generator::new(&config, b, &device));
    let drawn = Network::initialized(7, &device, build);
    let mut values = drawn.params.split(drawn.params.slab()).expect("read");
    for (key, buffer) in drawn.params.buffers() {
        values.insert(key.to_owned(), (buffer.shape().clone(), buffer.to_vec().expect("read")));
    }
    for k in 0..4 {
        let (shape, cluster) =
            values.get_mut(&format!("convs.{k}.conv.cluster")).expect("a parameter");
        let channels = shape[1];
        let own = if k == 2 { &[0, 1, 3, 4][..] } else { &[0, 1, 2, 3, 4] };
        (0..channels).for_each(|c| cluster[own[c % own.len()] * channels + c] = 9.0);
    }
    let network = Network::loaded(&values, &device, build).expect("its own values");
    let mean = Some(Tensor::full(0.0, [1, 32], &device));
    Trained { config: config.into(), network, mean }
}

/// All groups of all layers that hold channels.
fn everything(editor: &Editor<'_>) -> Vec<Target> {
    let layers = layer_groups(editor).expect("read");
    Target::find(&layers, &[0, 1, 2, 3], &[0, 1, 2, 3, 4]).expect("groups")
}

fn only(layer: usize, group: usize, inter: bool, intra: bool) -> Edit {
    Edit { targets: vec![Target { layer, groups: vec![group] }], inter, intra }
}

fn picture(editor: &Editor<'_>, codes: &LayerCodes, seed: u64) -> Rgb {
    let noise = editor.sampler().noise(seed);
    let image = editor.g.synthesis_with(codes, &noise, &editor.groups, |_, _| ());
    Rgb::from_planes(&image.to_vec().expect("read"), 16, 16)
}

#[test]
fn an_edit_goes_from_the_own_codes_to_the_others() {
    for kind in KINDS {
        let network = network(kind);
        let editor = Editor::new(&network, Look { psi: 0.8, ..Look::default() });
        let edit = Edit { targets: everything(&editor), inter: true, intra: true };
        let strip = interpolate(&editor, &edit, [1, 2], 3).expect("edited");
        let steps = &strip.steps;
        assert_eq!(steps.iter().map(|s| s.t).collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
        let own = editor.sampler().picture(1).expect("a picture");
        assert_eq!(steps[0].picture, own, "{kind:?}");
        assert!(steps[0].change.values.iter().all(|&v| v == 0.0));

        let (mut codes, other) = (editor.codes(1), editor.codes(2));
        // Group 2 of convs.2 is empty: its inter-group code stays.
        let kept = codes.grouped[2].inter.to_vec().expect("read");
        codes.grouped = other.grouped;
        let mut inter = codes.grouped[2].inter.to_vec().expect("read");
        (0..inter.len()).filter(|k| k % 5 == 2).for_each(|k| inter[k] = kept[k]);
        codes.grouped[2].inter = Tensor::from_slice(&inter, [1, inter.len()], &Device::cpu());
        assert_eq!(steps[2].picture, picture(&editor, &codes, 1), "{kind:?}");

        // The change is that of the pictures, up to their rounding.
        let bytes = own.pixels.iter().zip(&steps[2].picture.pixels);
        let change = bytes.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / (3.0 * 256.0);
        assert!(change > 2.0 && (change - steps[2].change.mean()).abs() < 0.5, "{change}");
        assert!(steps[1].change.mean() > 0.0 && steps[1].change != steps[2].change);
    }
}

#[test]
fn an_edit_changes_the_codes_of_its_groups_alone() {
    for kind in KINDS {
        let network = network(kind);
        let editor = Editor::new(&network, Look::default());
        let (own, other) = (editor.codes(1), editor.codes(2));
        let layers = layer_groups(&editor).expect("read");
        let group = layers[1].non_empty()[0];
        for (inter, intra) in [(true, false), (false, true)] {
            let edit = only(1, group, inter, intra);
            let codes = edit.apply(&own, &other, &editor.groups, 0.25);
            for (k, layer) in layers.iter().enumerate() {
                let (edited, own, other) = (&codes.grouped[k], &own.grouped[k], &other.grouped[k]);
                check(&edited.inter, &own.inter, &other.inter, |i| {
                    inter && k == 1 && i % 5 == group
                });
                check(&edited.intra, &own.intra, &other.intra, |c| {
                    intra && k == 1 && layer.assignment[c % layer.channels] == Some(group)
                });
            }
        }
    }
}

/// A quarter of the way where `moves`, and the same elsewhere.
#[track_caller]
fn check(edited: &Tensor, own: &Tensor, other: &Tensor, moves: impl Fn(usize) -> bool) {
    let [edited, own, other] = [edited, own, other].map(|t| t.to_vec().expect("read"));
    for k in 0..own.len() {
        let t = if moves(k) { 0.25 } else { 0.0 };
        let want = own[k] + t * (other[k] - own[k]);
        assert!((edited[k] - want).abs() <= 1e-6 * t, "[{k}] {} for {want}", edited[k]);
    }
}

#[test]
fn layers_before_an_edit_are_not_touched() {
    for kind in KINDS {
        let network = network(kind);
        let editor = Editor::new(&network, Look::default());
        let edit = Edit { targets: everything(&editor), inter: false, intra: true };
        let edit = Edit { targets: edit.targets[2..3].to_vec(), ..edit };
        let outputs = |t| {
            let (own, other) = (editor.codes(1), editor.codes(2));
            let codes = edit.apply(&own, &other, &editor.groups, t);
            let noise = editor.sampler().noise(1);
            let mut outputs = BTreeMap::new();
            editor.g.synthesis_with(&codes, &noise, &editor.groups, |key, y| {
                outputs.insert(key.to_owned(), y.to_vec().expect("read"));
            });
            outputs
        };
        let (before, after) = (outputs(0.0), outputs(1.0));
        let changed = before.keys().filter(|key| before[*key] != after[*key]);
        assert_eq!(changed.collect::<Vec<_>>(), ["convs.2", "convs.3", "to_rgbs.1"], "{kind:?}");
    }
}

#[test]
fn an_empty_group_does_nothing_but_in_the_published_code() {
    for kind in KINDS {
        let network = network(kind);
        let editor = Editor::new(&network, Look::default());
        let edit = only(2, 2, true, true);
        let codes = edit.apply(&editor.codes(1), &editor.codes(2), &editor.groups, 1.0);
        let is_same =
            picture(&editor, &codes, 1) == editor.sampler().picture(1).expect("a picture");
        // The published code gives an empty group's codes to every channel's weights.
        assert_eq!(is_same, kind != (Rule::Official, Form::Weight), "{kind:?}");

        let layers = layer_groups(&editor).expect("read");
        let error = Target::find(&layers, &[2], &[2]).expect_err("an empty group").to_string();
        for words in ["--group: group 2 holds no channels", "0-1,3-4 of 5 in convs.2"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        let found = Target::find(&layers, &[1, 2], &[2]).expect("there are some in convs.1");
        assert_eq!(found, [Target { layer: 1, groups: vec![2] }]);
        assert!(Target::find(&layers, &[1, 2], &[2, 5]).is_err());
    }
}

#[test]
fn a_map_is_the_mean_of_its_channels() {
    let device = Device::cpu();
    let x = Tensor::from_slice(&[1.0, 2.0, 5.0, 10.0, -3.0, 4.0, 7.0, 7.0], [1, 4, 1, 2], &device);
    // Channel 3 is in no group, group 1 is empty.
    let assigned = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    for (rule, add) in [(Rule::Paper, 0.0), (Rule::Official, 1e-6)] {
        let assigned = Tensor::from_slice(&assigned.map(|a| a + add), [3, 4], &device);
        let grouping = Grouping { probs: assigned.clone(), assigned, rule };
        let maps = activation_maps(&x, &grouping.members());
        assert_eq!(maps.shape()[..], [3, 1, 2]);
        assert_eq!(maps.to_vec().expect("read"), [-1.0, 3.0, 0.0, 0.0, 5.0, 10.0]);
    }
}

#[test]
fn maps_are_of_the_input_of_their_layer() {
    let network = network(KINDS[3]);
    let editor = Editor::new(&network, Look::default());
    let (shown, maps) = group_maps(&editor, 3, &[0, 1, 2, 3]).expect("maps");
    assert_eq!(shown, editor.sampler().picture(3).expect("a picture"));
    let sizes: Vec<_> = maps.iter().map(|m| (m.len(), m[0].size)).collect();
    assert_eq!(sizes, [(5, 4), (5, 8), (5, 8), (5, 16)]);
    assert!(maps[2][2].values.iter().all(|&v| v == 0.0), "the empty group");
}

#[test]
fn the_table_counts_every_channel() {
    for kind in KINDS {
        let network = network(kind);
        let editor = Editor::new(&network, Look::default());
        let layers = layer_groups(&editor).expect("read");
        let of_layers: Vec<_> =
            layers.iter().map(|l| (&*l.layer, l.resolution, l.channels)).collect();
        let want =
            [("convs.0", 8, 16), ("convs.1", 8, 12), ("convs.2", 16, 12), ("convs.3", 16, 8)];
        assert_eq!(of_layers, want);
        for layer in &layers {
            assert_eq!(layer.sizes.iter().sum::<usize>(), layer.channels);
            assert_eq!(layer.ungrouped(), 0);
            let order = layer.sorted();
            assert!(order.windows(2).all(|p| layer.assignment[p[0]] <= layer.assignment[p[1]]));
            let diagonal = layer.similarity.values.iter().step_by(layer.channels + 1);
            diagonal.for_each(|v| assert!((v - 1.0).abs() < 1e-5));
        }
        assert_eq!(layers[2].non_empty(), [0, 1, 3, 4]);
    }
}

#[test]
fn layers_go_by_key_or_resolution() {
    let trained = network(KINDS[0]);
    let g = &*trained.network.model;
    let layers = |text| parse_layers(g, text).expect("layers");
    assert_eq!(layers("convs.3"), [3]);
    assert_eq!(layers("8"), [0, 1]);
    assert_eq!(layers("all"), [0, 1, 2, 3]);
    for text in ["convs.4", "4", "32", "conv1", ""] {
        let error = parse_layers(g, text).expect_err("no layer").to_string();
        for words in ["--layer", "convs.0 to convs.3", "8, 16", "all"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}

/// `semgan groups` on the shared run.
fn groups(flags: &[&str]) -> Answer {
    let network = Place::trained().text("runs/00000-test");
    let (command, flags) = flags.split_at(usize::from(flags.first() == Some(&"edit")));
    run(&[&["groups"], command, &["--network", &network, "--device", "cpu"], flags].concat())
}

fn json(answer: Answer) -> Value {
    serde_json::from_str(&answer.succeeded().stdout).expect("one JSON object")
}

fn keyword(path: &Path, keyword: &str) -> String {
    let text = read_text(path).expect("text chunks");
    text.into_iter().find(|(key, _)| key == keyword).expect("a chunk").1
}

#[test]
fn groups_are_shown_as_table_json_and_pictures() {
    let table = groups(&[]).succeeded().stdout;
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert_eq!(
        (&lines[1][..4], &lines[2][..4]),
        (&["convs.0", "8", "16", "4"][..], &["convs.1", "8", "64", "4"][..])
    );
    assert!(lines.iter().all(|line| line.len() == 13), "{table}");

    let out = tempfile::tempdir().expect("a temporary folder");
    let outdir = out.path().to_str().expect("UTF-8");
    let flags = ["--seeds", "0,5", "--layer", "convs.1", "--trunc", "0.7", "--outdir", outdir];
    let report = json(groups(&[&flags[..], &["--json"]].concat()));
    let [layer] = &report["layers"].as_array().expect("layers")[..] else { panic!("{report}") };
    let sizes =
        layer["sizes"].as_array().expect("sizes").iter().map(|n| n.as_u64().expect("a size"));
    assert_eq!(sizes.sum::<u64>() + layer["ungrouped"].as_u64().expect("a count"), 64);
    assert_eq!(layer["assignment"].as_array().expect("groups").len(), 64);
    assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), 2);
    let sheet = out.path().join("groups-convs.1.png");
    assert_eq!(keyword(&sheet, "seeds"), "0,5");
    assert_eq!(keyword(&sheet, "psi"), "0.7");
    assert_eq!(keyword(&out.path().join("similarity-convs.1.png"), "layer"), "convs.1");
    let columns = 1 + layer["non_empty"].as_u64().expect("a count") as u32;
    let (width, height) = image::image_dimensions(sheet).expect("a sheet");
    assert!((128 * columns..140 * columns + 80).contains(&width) && (256..320).contains(&height));
}

#[test]
fn an_edit_shows_steps_that_begin_with_the_picture() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let outdir = out.path().to_str().expect("UTF-8");
    let flags = ["edit", "--layer", "8", "--group", "0-3", "--seed", "1", "--from", "2", "--json"];
    let more = ["--intra", "--inter", "--steps", "3", "--outdir", outdir];
    let report = json(groups(&[&flags[..], &more].concat()));
    let steps = report["steps"].as_array().expect("steps");
    assert_eq!((steps.len(), &steps[0]["share_outside"]), (3, &Value::Null));
    assert!(steps[1]["change"].as_f64() < steps[2]["change"].as_f64(), "{report}");
    let area = report["area_outside"].as_f64().expect("a share");
    assert!(0.1 < area && area < 0.9, "{area}");

    let names = ["edit.png", "edit-0.png", "edit-1.png", "edit-2.png"];
    assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), names.len());
    let network = Place::trained().text("runs/00000-test");
    let sample = ["sample", "--network", &network, "--seeds", "1", "--device", "cpu"];
    run(&[&sample[..], &["--outdir", outdir]].concat()).succeeded();
    let pixels = |name| image::open(out.path().join(name)).expect("a picture").into_bytes();
    assert_eq!(pixels("edit-0.png"), pixels("seed0001.png"));
    assert_ne!(pixels("edit-1.png"), pixels("edit-2.png"));
    for (key, value) in [("seed", "1"), ("from", "2"), ("t", "0.5"), ("codes", "intra, inter")] {
        assert_eq!(keyword(&out.path().join("edit-1.png"), key), value);
    }
    let table = groups(&[&flags[..9], &["--intra"]].concat()).succeeded().stdout;
    assert!(table.contains("area outside the region: ") && table.lines().count() == 9, "{table}");
}

#[test]
fn what_is_not_there_is_refused() {
    let edit = |layer: &str, group: &str, flags: &[&str]| {
        let flags = [&["edit", "--layer", layer, "--group", group][..], flags].concat();
        groups(&[&flags[..], &["--seed", "1", "--from", "2"]].concat())
    };
    edit("convs.1", "0", &[]).refused(1, &["--intra", "--inter"]);
    edit("convs.2", "0", &["--intra"]).refused(1, &["\"convs.2\"", "convs.0 to convs.1"]);
    edit("convs.1", "4", &["--intra"]).refused(1, &["group 4 ", "of 4 in convs.1"]);
    edit("convs.1", "x", &["--intra"]).refused(1, &["--group", "\"x\""]);
    edit("convs.1", "0", &["--intra", "--steps", "1"]).refused(2, &["--steps", "1"]);
    edit("convs.1", "0", &["--intra", "--trunc", "nan"]).refused(1, &["--trunc", "NaN"]);
    groups(&["--layer", "16"]).refused(1, &["--layer", "\"16\""]);
    groups(&["--seeds", "0-64"]).refused(1, &["--seeds", "64 at most"]);
    assert_eq!(run(&["groups"]).code, Some(2));

    let place = Place::trained();
    let file = fs::read(place.newest().path).expect("readable");
    let out = tempfile::tempdir().expect("a temporary folder");
    let broken = out.path().join("broken.safetensors");
    fs::write(&broken, &file[..file.len() / 2]).expect("written");
    let broken = broken.to_str().expect("UTF-8");
    run(&["groups", "--network", broken]).refused(1, &[broken, "not a complete"]);
}
