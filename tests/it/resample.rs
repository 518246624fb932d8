//! Compositions of resampling, normalisation and losses, and what pooling and warps promise beyond
//! what `properties.rs` judges.

use semgan::autograd::grad;
use semgan::nn::{RunningMoments, batch_norm_train};
use semgan::ops::resample::pool::Pool2d;
use semgan::train::augment::{self, Color, Corruption, Geometry};
use semgan::train::loss;
use semgan::verify::Judge;
use semgan::{Device, Tensor};

use crate::common::{gpu, tensor};

/// Name, shapes and function of a composition.
type Composition = (String, Vec<&'static [usize]>, Box<dyn Fn(&[Tensor]) -> Tensor>);

fn case(
    name: String,
    shapes: &[&'static [usize]],
    f: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> Composition {
    (name, shapes.to_vec(), Box::new(f))
}

fn composed() -> Vec<Composition> {
    let mut cases = Vec::new();
    for align in [false, true] {
        let grid = move |t: &[Tensor]| t[0].affine_grid([1, 3], align);
        cases.push(case(format!("affine_grid {align}"), &[&[2, 2, 3]], grid));
    }
    cases.push(case("batch_norm".into(), &[&[2, 3, 2, 2], &[3], &[3]], |t| {
        let running = RunningMoments { mean: t[1].detach(), var: t[2].detach() };
        batch_norm_train(&t[0], &t[1], &t[2], &running, 1e-3, 0.1).0
    }));
    cases.push(case("cross_entropy".into(), &[&[2, 4, 1, 3]], |t| {
        let labels = Tensor::from_indices(&[3, 0, 255, 1, 2, 0], [2, 1, 3], t[0].device());
        loss::cross_entropy(&t[0], &labels, 1).mean()
    }));
    cases.push(case("bce".into(), &[&[5]], |t| loss::bce_with_logits(&t[0], &(&t[0] * 0.0 + 0.3))));
    cases.push(case("ada geometry".into(), &[&[2, 1, 5, 4]], |t| {
        let turned =
            Geometry { rotate_pre: 0.4, aniso: 1.3, xint: [0.3, -0.2], ..Geometry::default() };
        let mirrored = Geometry { xflip: true, scale: 0.7, rotate90: 1, ..Geometry::default() };
        augment::geometric(&t[0], &[turned, mirrored].map(|g| g.inverse(5, 4)))
    }));
    for shape in [&[2, 1, 2, 3], &[2, 3, 2, 3]] {
        let channels = shape[1];
        cases.push(case(format!("ada color {channels}"), &[shape], move |t| {
            let bright = Color { brightness: 0.2, hue: 1.0, saturation: 0.3, ..Color::default() };
            let flat = Color { contrast: 0.7, lumaflip: true, ..Color::default() };
            augment::color(&t[0], &[bright, flat].map(|c| c.matrix(channels)))
        }));
    }
    cases.push(case("ada filter".into(), &[&[1, 2, 3, 4]], |t| {
        augment::imgfilter(&t[0], &[[1.5, 0.4, 2.0, 1.1]])
    }));
    cases.push(case("ada corruption".into(), &[&[1, 2, 4, 5], &[1, 2, 4, 5]], |t| {
        let drawn = Corruption { sigma: 0.4, size: 0.5, center: [0.3, 0.6] };
        augment::corrupt(&t[0], &t[1], &[drawn])
    }));
    cases
}

#[test]
fn compositions_agree_with_their_judges() {
    let mut devices = vec![Device::cpu()];
    devices.extend(gpu());
    for (name, shapes, f) in composed() {
        let checked = Judge::of(&shapes).check(&devices, f);
        checked.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

#[test]
fn a_maximum_is_never_padding_and_the_first_of_equals_gets_the_gradient() {
    let pool = Pool2d { kernel: [2, 2], stride: [1, 1], padding: [1, 1] };
    for device in [Some(Device::reference()), Some(Device::cpu()), gpu()].into_iter().flatten() {
        let x = Tensor::from_slice(&[-2.0, -2.0, -2.0, -5.0], [1, 1, 2, 2], &device).tracked();
        let y = x.max_pool2d(&pool);
        let want = [-2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -5.0];
        assert_eq!(y.to_vec().expect("read"), want);
        let slope = grad(&[&y], &[None], &[&x], false).remove(0).expect("depends on x");
        assert_eq!(slope.to_vec().expect("read"), [4.0, 2.0, 2.0, 1.0]);
    }
}

#[test]
fn a_window_with_a_nan_has_no_maximum() {
    for device in [Some(Device::reference()), Some(Device::cpu()), gpu()].into_iter().flatten() {
        let x = Tensor::from_slice(&[1.0, f32::NAN, 3.0, 1.0, 2.0, 0.0], [1, 1, 1, 6], &device);
        let pool = Pool2d { kernel: [1, 3], stride: [1, 3], padding: [0, 0] };
        let y = x.max_pool2d(&pool).to_vec().expect("read");
        assert!(y[0].is_nan() && y[1] == 2.0, "{y:?}");
    }
}

#[test]
#[should_panic(expected = "affine_warp: a map without inverse: [[1.0, 2.0, 0.0], [2.0, 4.0, 1.0]]")]
fn a_flat_map_is_refused() {
    tensor(&[1, 1, 2, 2], 1, &Device::cpu())
        .affine_warp(&[[[1.0, 2.0, 0.0], [2.0, 4.0, 1.0]]], [2, 2]);
}

#[test]
#[should_panic(expected = "along an axis of size 3")]
fn padding_wider_than_half_a_window_is_refused() {
    let pool = Pool2d { kernel: [3, 3], stride: [1, 1], padding: [2, 1] };
    tensor(&[1, 1, 3, 3], 1, &Device::cpu()).max_pool2d(&pool);
}
