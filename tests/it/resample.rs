//! Resizing, pooling, padding, warps and grids, and what is composed of them: cases that
//! `ops_heavy.rs` judges, and comparisons of our own.

use semgan::autograd::grad;
use semgan::nn::{RunningMoments, batch_norm_train};
use semgan::ops::resample::affine_warp::Affine;
use semgan::ops::resample::grid_sample::Beyond;
use semgan::ops::resample::pad::Pad;
use semgan::ops::resample::pool::Pool2d;
use semgan::ops::resample::resize::Resize;
use semgan::train::augment::{self, Color, Corruption, Geometry};
use semgan::train::loss;
use semgan::{Device, Tensor};

use crate::common::{assert_close, gpu, tensor};
use crate::ops_heavy::{Case, case};

type Unary = Box<dyn Fn(&Tensor) -> Tensor + Send + Sync>;

/// Functions of an image, with names and shapes.
fn of_images(small: bool) -> Vec<(String, [usize; 4], Unary)> {
    let mut list: Vec<(String, [usize; 4], Unary)> = Vec::new();
    let mut add = |name: &str, x: [usize; 4], f: Unary| list.push((format!("{name} {x:?}"), x, f));
    let modes =
        [Resize::Nearest, Resize::HalfPixel, Resize::AlignCorners, Resize::TopLeft, Resize::Area];
    let mut sizes = vec![([1, 2, 1, 1], [3, 2]), ([2, 1, 4, 5], [7, 3]), ([1, 1, 3, 2], [1, 1])];
    if !small {
        sizes.extend([
            ([3, 5, 33, 17], [16, 65]),
            ([1, 1, 1, 257], [1, 31]),
            ([2, 3, 64, 1], [5, 9]),
        ]);
    }
    for (x, size) in sizes {
        for mode in modes {
            add(&format!("resize {size:?} {mode:?}"), x, Box::new(move |x| x.resize(size, mode)));
        }
    }
    let pool = |kernel, stride, padding| Pool2d { kernel, stride, padding };
    let mut pools = vec![
        ([1, 2, 1, 1], pool([1, 1], [1, 1], [0, 0])),
        ([2, 1, 5, 4], pool([2, 3], [1, 2], [1, 1])),
        ([1, 2, 4, 6], pool([1, 2], [3, 3], [0, 0])),
        ([1, 1, 2, 1], pool([4, 3], [2, 1], [2, 1])),
    ];
    if !small {
        pools.push(([3, 5, 33, 31], pool([5, 4], [2, 3], [2, 1])));
        pools.push(([1, 7, 16, 65], pool([2, 2], [2, 2], [0, 0])));
    }
    for (x, pool) in pools {
        for count in [false, true] {
            add(&format!("avg {pool:?} {count}"), x, Box::new(move |x| x.avg_pool2d(&pool, count)));
        }
        add(&format!("max {pool:?}"), x, Box::new(move |x| x.max_pool2d(&pool)));
    }
    for sides in [[1, 2, 0, 3], [-1, 2, 7, -1], [0, 0, 0, 0], [5, -2, -2, 9]] {
        for pad in [Pad::Constant(0.5), Pad::Reflect, Pad::Replicate] {
            for x in [[2, 1, 4, 3], [1, 3, 1, 1]] {
                let is_left = sides[0] + sides[1] + x[3] as isize > 0;
                if is_left && sides[2] + sides[3] + x[2] as isize > 0 {
                    let name = format!("pad {sides:?} {pad:?}");
                    add(&name, x, Box::new(move |x| x.pad2d(sides, pad)));
                }
            }
        }
    }
    let mut warps = vec![([2, 1, 4, 5], [5, 3]), ([2, 2, 1, 1], [3, 2]), ([2, 1, 3, 2], [1, 1])];
    if !small {
        warps.extend([([2, 3, 33, 17], [40, 31]), ([2, 1, 70, 3], [9, 65])]);
    }
    for (x, size) in warps {
        for maps in MAPS {
            let name = format!("warp {maps:?} {size:?}");
            add(&name, x, Box::new(move |x| x.affine_warp(&maps, size)));
        }
    }
    list
}

/// Pairs of maps: turned and shifted, shrunk and mirrored, enlarged, and one that reads beyond.
const MAPS: [[Affine; 2]; 3] = [
    [[[0.8, -0.6, 0.3], [0.6, 0.8, -0.7]], [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]],
    [[[3.1, 0.4, 0.1], [-0.2, 2.3, 0.0]], [[0.2, 0.1, 0.15], [0.03, -0.35, 0.4]]],
    [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[1.0, 0.3, 9.0], [0.0, 1.0, -0.4]]],
];

/// Compositions, and functions of several tensors.
fn composed() -> Vec<Case> {
    let mut cases = Vec::new();
    for beyond in [Beyond::Zeros, Beyond::Border, Beyond::Reflection] {
        for align in [false, true] {
            for (x, grid) in [([2, 2, 4, 3], [2, 3, 2, 2]), ([1, 1, 1, 5], [1, 2, 4, 2])] {
                let name = format!("grid_sample {beyond:?} {align} {x:?} {grid:?}");
                let sampled = move |t: &[Tensor]| t[0].grid_sample(&(&t[1] * 2.7), beyond, align);
                cases.push(case(name, &[&x, &grid], sampled));
            }
        }
    }
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
    for channels in [1, 3] {
        cases.push(case(format!("ada color {channels}"), &[&[2, channels, 2, 3]], move |t| {
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

/// For the tests of `ops_heavy.rs`.
pub(crate) fn cases(small: bool) -> Vec<Case> {
    let mut cases = composed();
    for (name, x, f) in of_images(small) {
        cases.push(case(name, &[&x], move |t| f(&t[0])));
    }
    if !small {
        cases.extend(transposed());
    }
    cases
}

/// The gradients as functions of image and cotangent.
fn transposed() -> Vec<Case> {
    let of = |(name, x, f): (String, [usize; 4], Unary)| {
        let y = f(&tensor(&x, 0, &Device::cpu())).shape().to_vec();
        case(format!("gradient of {name}"), &[&x, &y], move |t| {
            let x = t[0].tracked();
            grad(&[&f(&x)], &[Some(&t[1])], &[&x], false).remove(0).expect("depends on x")
        })
    };
    of_images(false).into_iter().map(of).collect()
}

#[test]
fn a_warp_is_what_sampling_along_an_affine_grid_is() {
    let device = Device::reference();
    let x = tensor(&[2, 3, 6, 5], 1, &device);
    for maps in MAPS {
        let warped = x.affine_warp(&maps, [4, 7]);
        // Offsets in pixels from the centres, in units of half an image.
        let theta: Vec<f32> = (maps.iter().flatten().enumerate())
            .flat_map(|(k, [a, b, t])| {
                let half = if k % 2 == 0 { 2.5 } else { 3.0 };
                [a * 3.5 / half, b * 2.0 / half, t / half].map(|v| v as f32)
            })
            .collect();
        let grid = Tensor::from_slice(&theta, [2, 2, 3], &device).affine_grid([4, 7], false);
        let want = x.grid_sample(&grid, Beyond::Zeros, false).to_vec_f64().expect("read");
        assert_close("warp", &warped.to_vec().expect("read"), &want, 1e-5, 0.0);
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
