//! What the paper's recipe and forms promise, beyond what the golden files hold.

use std::collections::BTreeMap;

use semgan::Device;
use semgan::models;
use semgan::models::sarigan::{
    Config, Form, Grouping, Normalization, PlaneMoments, Rule, membership, threshold,
};
use semgan::nn::{Resample, blur_kernel, modulated_conv2d, resampled_conv2d};
use semgan::tensor::Tensor;
use semgan::train::game::styles;
use semgan::train::{Draws, Mix, Recipe, State, StepInputs, step};

use crate::common::{assert_close, gpu, tensor, values};
use crate::runs::network;

fn paper(form: Form) -> Config {
    Config { rule: Rule::Paper, form, ..network() }
}

/// Everything trainable after the steps 0 to 4, computed in so many parts.
fn after_steps(config: &Config, recipe: &Recipe, parts: usize, device: &Device) -> Vec<f32> {
    let networks = models::Config::from(config.clone());
    let mut state = State::new(&networks, recipe, 1, device);
    for number in 0..5 {
        let real = tensor(&[12, 3, 8, 8], number as u32, device);
        let mut inputs = StepInputs::draw(&networks.sizes(), recipe, 1, number, real);
        inputs.parts = parts;
        step(&mut state, &inputs, recipe);
    }
    let slabs = [&state.g, &state.g_ema].map(|network| network.params.slab().clone());
    let slabs = slabs.iter().chain([state.d.params.slab(), &state.mean_path_length]);
    slabs.flat_map(|slab| slab.to_vec().expect("finite")).collect()
}

#[test]
fn a_batch_in_parts_trains_as_the_whole_does() {
    // In f64, because Adam divides by the gradient's size: f32 would show noise, not mistakes.
    let device = Device::reference();
    let tiny = |config: Config| Config {
        channels: BTreeMap::from([(4, 8), (8, 8)]),
        style_dim: 8,
        stddev_group: 2,
        ..config
    };
    let official = (tiny(network()), Recipe::official());
    let feature = (tiny(paper(Form::Feature)), Recipe::paper());
    for (config, recipe) in [official, feature] {
        let whole = after_steps(&config, &recipe, 1, &device);
        let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
        for parts in [2, 3, 6] {
            let got = after_steps(&config, &recipe, parts, &device);
            assert_close(&format!("{} in {parts}", recipe.name), &got, &whole, 1e-6, 1e-6);
        }
    }
}

#[test]
#[should_panic(expected = "3 groups in 2 parts")]
fn samples_that_share_a_deviation_are_not_parted() {
    let recipe = Recipe::official();
    let networks = models::Config::from(network());
    let mut state = State::new(&networks, &recipe, 1, &Device::cpu());
    let real = tensor(&[12, 3, 8, 8], 1, &Device::cpu());
    let mut inputs = StepInputs::draw(&networks.sizes(), &recipe, 1, 0, real);
    inputs.parts = 2;
    step(&mut state, &inputs, &recipe);
}

#[test]
fn the_threshold_leaves_as_many_pairs_as_groups_want() {
    for device in [Device::reference(), Device::cpu()].into_iter().chain(gpu()) {
        let co = values(40 * 40, 3);
        let sorted = {
            let mut sorted = co.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted
        };
        let co = Tensor::from_slice(&co, [40, 40], &device);
        for groups in [2, 5, 16] {
            let r = threshold(&co, groups).to_vec().expect("read")[0];
            let wanted = 1600 / groups;
            let (above, below) = (sorted[wanted - 1], sorted[wanted]);
            assert!(r >= below - 1e-6 && r <= above + 1e-6, "{groups}: {below} {r} {above}");
        }
    }
}

/// Equal groups, of channels in turn.
fn grouping(groups: usize, channels: usize, device: &Device) -> Grouping {
    let logits: Vec<f32> =
        (0..groups * channels).map(|k| f32::from(k % channels % groups == k / channels)).collect();
    let cluster = Tensor::from_slice(&logits, [groups, channels], device);
    Grouping::new(Rule::Paper, &cluster, &Tensor::full(0.0, [1], device))
}

#[test]
fn the_forms_agree_where_the_theory_says_so() {
    // Channels of mean 0 and deviation 1, no shifts, groups of one size: equations 3 and 4 then
    // scale a channel by equation 5's f times the root of the size, which demodulation removes.
    let device = Device::reference();
    let (batch, groups, size) = (2, 3, 4);
    let channels = groups * size;
    let x = tensor(&[batch, channels, 6, 5], 1, &device).standardize(&[2, 3], 0.0);
    let (z, h) = (tensor(&[batch, channels], 2, &device), tensor(&[batch, groups], 3, &device));
    let (no_z, no_h) = (&z * 0.0, &h * 0.0);
    let grouping = grouping(groups, channels, &device);

    let moments = PlaneMoments::of(&x);
    let inside = Normalization::group_adain(&moments, &z, &no_z, 0.0);
    let left = inside.moments(&moments);
    let among = Normalization::ada_gn(&left, &grouping.assigned, &h, &no_h, 0.0);
    let weight = tensor(&[7, channels, 3, 3], 4, &device);
    let kernel = blur_kernel(&[1.0], 1.0, &device);
    let y = resampled_conv2d(&inside.then(&among).apply(&x), &weight, Resample::Keep, &kernel);

    let f = grouping.style(&z, &h, 0.0);
    let want = modulated_conv2d(&x, &weight, &f, Some(0.0), Resample::Keep, &kernel).output();
    let scaled = weight.reshape([1, 7, channels, 3, 3]) * f.reshape([batch, 1, channels, 1, 1]);
    let demodulation = (scaled.square() * size as f64).sum(&[2, 3, 4], false).rsqrt();
    let got = y * demodulation.reshape([batch, 7, 1, 1]);
    assert_close(
        "feature form",
        &got.to_vec().expect("read"),
        &want.to_vec_f64().expect("read"),
        1e-6,
        1e-5,
    );
}

#[test]
fn the_feature_form_reaches_moments_far_from_zero() {
    for device in [Device::cpu()].into_iter().chain(gpu()) {
        let x = tensor(&[1, 4, 9, 9], 1, &device) * 0.01 + 300.0;
        let moments = PlaneMoments::of(&x);
        let (z_s, z_b) = (Tensor::full(2.0, [1, 4], &device), Tensor::full(-1.0, [1, 4], &device));
        let inside = Normalization::group_adain(&moments, &z_s, &z_b, 1e-12);
        let one = Tensor::full(1.0, [1, 2], &device);
        let zero = Tensor::full(0.0, [1, 2], &device);
        let assigned = grouping(2, 4, &device).assigned;
        let left = inside.moments(&moments);
        let among = Normalization::ada_gn(&left, &assigned, &one, &zero, 1e-12);
        let y = inside.then(&among).apply(&x);
        let after = PlaneMoments::of(&y);
        // The mean of x is a number near 300, with a spacing of 1/200 of the deviation.
        assert_close("mean", &after.mean.to_vec().expect("read"), &[0.0; 4], 6e-3, 0.0);
        assert_close("var", &after.var.to_vec().expect("read"), &[1.0; 4], 5e-3, 0.0);
    }
}

#[test]
fn a_channel_belongs_to_the_first_of_its_largest_logits() {
    for device in [Device::reference(), Device::cpu()].into_iter().chain(gpu()) {
        let cluster = [0.0, 2.0, 1.0, 0.5, 2.0, 0.0, 0.25, -1.0, 1.0];
        let cluster = Tensor::from_slice(&cluster, [3, 3], &device);
        let member = membership(&cluster).to_vec().expect("read");
        assert_eq!(member, [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn swapped_latents_make_one_style_that_the_head_has_to_find() {
    let device = Device::cpu();
    let state = State::new(&paper(Form::Weight).into(), &Recipe::paper(), 1, &device);
    let g = &*state.g.model;
    let (first, second) = (tensor(&[2, 16], 1, &device), tensor(&[2, 16], 2, &device));
    let mix = Some(Mix::Swap(second.clone()));
    let draws = Draws { z: first.clone(), mix, noise: vec![], label: None, blend: None };
    let (styles, info, _) = styles(g, &draws);
    let info = info.expect("a target").to_vec().expect("read");
    let w = |z: &Tensor| g.map(z, None).to_vec().expect("read");
    let (w0, w1) = (w(&first), w(&second));
    let want: Vec<f32> = (0..64).map(|k| if k % 32 < 16 { w0[k] } else { w1[k] }).collect();
    assert_eq!(info, want);
    assert!(styles.iter().all(|style| style.to_vec().expect("read") == want));
}

#[test]
fn layers_have_the_groups_and_widths_that_were_asked_for() {
    let config = Config {
        groups_at: BTreeMap::from([(8, 2)]),
        form: Form::Feature,
        rule: Rule::Paper,
        ..network()
    };
    let state = State::new(&config.into(), &Recipe::paper(), 1, &Device::cpu());
    let shapes: BTreeMap<_, _> = state
        .g
        .params
        .iter()
        .map(|(key, value)| (key.to_owned(), value.shape().to_vec()))
        .collect();
    assert_eq!(shapes["convs.0.conv.cluster"], [2, 16]);
    assert_eq!(shapes["convs.0.conv.modulation.weight"], [32, 16], "scale and shift");
    assert_eq!(shapes["convs.1.conv.modulation_bases.bias"], [4]);
    assert_eq!(shapes["to_rgbs.0.conv.modulation.weight"], [64, 16], "no shift");
    assert!(!shapes.contains_key("convs.0.conv.gate"), "the paper's threshold is not trained");
    let bias = |key: &str| state.g.params.iter().find(|(k, _)| *k == key).map(|(_, v)| v);
    let bias = bias("convs.1.conv.modulation_bases.bias").expect("a bias").to_vec();
    assert_eq!(bias.expect("read"), [1.0, 1.0, 0.0, 0.0]);
}
