//! Augmentations of whole batches: what changes, what stays, and that parts are as the whole.

use semgan::ops::random::{Draw, Stream};
use semgan::train::augment::{Augmentation, Pipeline};
use semgan::verify::Judge;
use semgan::{Device, Tensor};

use crate::common::{gpu, tensor};

const DRAW: Draw = Draw { seed: 5, stream: Stream::AugmentFakesOfD as u32, step: 9 };

const PIPELINES: [Pipeline; 7] = [
    Pipeline::Blit,
    Pipeline::Geom,
    Pipeline::Color,
    Pipeline::Filter,
    Pipeline::Noise,
    Pipeline::Cutout,
    Pipeline::Bgcfnc,
];

/// For pictures like x.
fn drawn(pipeline: Pipeline, p: f64, x: &Tensor) -> Augmentation {
    let [n, c, h, w] = x.shape()[..] else { panic!("pictures of shape {:?}", x.shape()) };
    pipeline.draw(p, DRAW, n, [h, w], c, x.device())
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_vec_f64().expect("read")
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn at_probability_zero_the_pictures_are_the_same_tensor_and_nothing_runs() {
    for device in [Some(Device::reference()), Some(Device::cpu()), gpu()].into_iter().flatten() {
        let x = tensor(&[3, 3, 8, 8], 1, &device).tracked();
        let profile = device.profile();
        profile.switch(true);
        let y = drawn(Pipeline::Bgcfnc, 0.0, &x).apply(&x);
        profile.switch(false);
        assert!(y.is_same(&x), "on {}", device.kind());
    }
    let device = Device::cpu();
    let x = tensor(&[3, 3, 8, 8], 1, &device);
    device.profile().switch(true);
    drawn(Pipeline::Bgcfnc, 0.0, &x).part(&[2, 0]);
    drawn(Pipeline::Bgcfnc, 0.0, &x).apply(&x);
    assert_eq!(device.profile().table().len(), 0);
}

#[test]
fn augmentations_agree_with_their_judges() {
    let mut devices = vec![Device::cpu()];
    devices.extend(gpu());
    for channels in [1, 3] {
        for pipeline in PIPELINES {
            let judge = Judge::of(&[&[2, channels, 5, 4]]);
            let checked = judge.check(&devices, |t| drawn(pipeline, 0.8, &t[0]).apply(&t[0]));
            checked.unwrap_or_else(|failure| panic!("{pipeline:?}: {failure}"));
        }
    }
}

#[test]
fn a_part_is_augmented_as_in_the_whole_batch() {
    for device in [Some(Device::reference()), Some(Device::cpu()), gpu()].into_iter().flatten() {
        let x = tensor(&[6, 3, 12, 10], 2, &device);
        for pipeline in PIPELINES {
            let whole = drawn(pipeline, 0.5, &x);
            let want = numbers(&whole.apply(&x));
            for samples in [&[0, 3][..], &[5], &[4, 1, 2]] {
                let indices: Vec<i32> = samples.iter().map(|&i| i as i32).collect();
                let indices = Tensor::from_indices(&indices, [indices.len()], &device);
                let got = numbers(&whole.part(samples).apply(&x.index_select(0, &indices)));
                let size = want.len() / 6;
                for (&i, got) in samples.iter().zip(got.chunks_exact(size)) {
                    let want = &want[i * size..][..size];
                    let off = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(off < 1e-6, "{pipeline:?}, picture {i} on {}: {off}", device.kind());
                }
            }
        }
    }
}

#[test]
fn geometry_leaves_a_flat_picture_as_it_is() {
    let x = Tensor::full(0.5, [16, 3, 32, 32], &Device::reference());
    for pipeline in [Pipeline::Blit, Pipeline::Geom, Pipeline::Bg] {
        let y = numbers(&drawn(pipeline, 1.0, &x).apply(&x));
        let off = y.iter().map(|y| (y - 0.5).abs()).fold(0.0, f64::max);
        assert!(off < 1e-3, "{pipeline:?}: {off}");
    }
}

/// What becomes of flat pictures of one half, each with every transformation of a pipeline.
fn flat(pipeline: Pipeline) -> Vec<Vec<f64>> {
    let x = Tensor::full(0.5, [16, 3, 32, 32], &Device::reference());
    let y = numbers(&drawn(pipeline, 1.0, &x).apply(&x));
    y.chunks_exact(3 * 32 * 32).map(<[f64]>::to_vec).collect()
}

#[test]
fn noise_keeps_the_mean_of_a_picture() {
    for y in flat(Pipeline::Noise) {
        let mean = mean(&y);
        let var = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.len() as f64;
        assert!(var > 0.0 && (mean - 0.5).abs() < 4.0 * (var / y.len() as f64).sqrt(), "{mean}");
    }
}

#[test]
fn a_cutout_takes_at_most_a_quarter_and_leaves_the_rest() {
    for y in flat(Pipeline::Cutout) {
        assert!(y.iter().all(|&y| y == 0.0 || y == 0.5));
        // A rectangle around a corner is a quarter of one inside.
        let share = 1.0 - mean(&y) / 0.5;
        assert!((0.06..=0.25).contains(&share), "{share}");
    }
}
