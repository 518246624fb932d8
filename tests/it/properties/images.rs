//! Resampling of images.

use proptest::prelude::*;
use proptest::sample::select;
use semgan::ops::resample::affine_warp::Affine;
use semgan::ops::resample::grid_sample::Beyond;
use semgan::ops::resample::pad::Pad;
use semgan::ops::resample::pool::Pool2d;
use semgan::ops::resample::resize::Resize;
use semgan::ops::resample::upfirdn2d::Upfirdn2d;

use super::{Case, Cases, case, image, pair, size};

/// One map per sample: turned, scaled by up to 3 either way, mirrored, shifted, some far away.
pub(super) fn affine_warp() -> Cases {
    let map = (-3.2..3.2f64, -1.1..1.1f64, any::<bool>(), prop::array::uniform2(-3.0..3.0f64));
    let map = map.prop_map(|(angle, scale, mirrored, [s, t])| -> Affine {
        let (sin, cos) = angle.sin_cos();
        let (a, d) = (scale.exp(), if mirrored { -scale.exp() } else { 1.0 });
        [[a * cos, -d * sin, s], [a * sin, d * cos, 3.0 * t]]
    });
    let of = |(x, maps, size): ([usize; 4], Vec<Affine>, [usize; 2])| {
        let maps = maps[..x[0]].to_vec();
        case(("warp", maps.clone(), size), &[&x], move |t| t[0].affine_warp(&maps, size))
    };
    let sizes = (size(31), size(17)).prop_map(|(h, w)| [h, w]);
    (image(1000), prop::collection::vec(map, 3), sizes).prop_map(of).boxed()
}

pub(super) fn grid_sample() -> Cases {
    let beyond = select(vec![Beyond::Zeros, Beyond::Border, Beyond::Reflection]);
    let of = |(x, [h, w], beyond, align): ([usize; 4], [usize; 2], Beyond, bool)| {
        case(("grid_sample", beyond, align), &[&x, &[x[0], h, w, 2]], move |t| {
            t[0].grid_sample(&(&t[1] * 2.7), beyond, align)
        })
    };
    (image(500), pair(&[1, 2, 5]), beyond, any::<bool>()).prop_map(of).boxed()
}

fn pools() -> impl Strategy<Value = ([usize; 4], Pool2d)> {
    let attributes = (pair(&[1, 2, 3, 5]), pair(&[1, 2, 3]), pair(&[0, 1, 2]));
    let fit = |(x, (kernel, stride, padding)): ([usize; 4], ([usize; 2], _, [usize; 2]))| {
        let fits = |a: usize| 2 * padding[a] <= kernel[a] && x[2 + a] + 2 * padding[a] >= kernel[a];
        (fits(0) && fits(1)).then_some((x, Pool2d { kernel, stride, padding }))
    };
    (image(2000), attributes).prop_filter_map("no window fits", fit)
}

pub(super) fn max_pool2d() -> Cases {
    pools().prop_map(|(x, pool)| case(pool, &[&x], move |t| t[0].max_pool2d(&pool))).boxed()
}

pub(super) fn taps() -> Cases {
    let resizes = vec![
        Resize::Nearest,
        Resize::HalfPixel,
        Resize::AlignCorners,
        Resize::TopLeft,
        Resize::Area,
    ];
    let sizes = (size(65), size(65)).prop_map(|(h, w)| [h, w]);
    let resize = |(x, size, resize): ([usize; 4], [usize; 2], Resize)| {
        case((resize, size), &[&x], move |t| t[0].resize(size, resize))
    };
    let avg = |((x, pool), count): (([usize; 4], Pool2d), bool)| {
        case((pool, count), &[&x], move |t| t[0].avg_pool2d(&pool, count))
    };
    let pads = select(vec![Pad::Constant(0.5), Pad::Reflect, Pad::Replicate]);
    let sides = prop::array::uniform4(-2..6isize);
    prop_oneof![
        (image(2000), sizes, select(resizes)).prop_map(resize),
        (pools(), any::<bool>()).prop_map(avg),
        (image(2000), sides, pads).prop_filter_map("nothing would be left", padded),
    ]
    .boxed()
}

fn padded((x, sides, pad): ([usize; 4], [isize; 4], Pad)) -> Option<Case> {
    let is_left = |a: usize, n: usize| n as isize + sides[2 * a] + sides[2 * a + 1] > 0;
    let f = move |t: &[semgan::Tensor]| t[0].pad2d(sides, pad);
    (is_left(0, x[3]) && is_left(1, x[2])).then(|| case((pad, sides), &[&x], f))
}

/// Kernels of one piece and products of two.
pub(super) fn upfirdn2d() -> Cases {
    let steps = (pair(&[1, 2, 3]), pair(&[1, 2, 3]), prop::array::uniform4(-3..6isize));
    let taps = pair(&[1, 4, 2, 3, 12]);
    let fit = |(x, taps, (up, down, pad), is_product): ([usize; 4], [usize; 2], _, bool)| {
        let attributes = Upfirdn2d { up, down, pad };
        let Upfirdn2d { up, pad, .. } = attributes;
        let room = |axis: usize, k: usize| {
            (x[axis] * up[k]) as isize + pad[2 * k] + pad[2 * k + 1] - taps[1 - k] as isize
        };
        // Of the cropped samples some are left.
        let is_left = |axis: usize, k: usize| {
            room(axis, k) >= 0 && pad[2 * k].min(0) + pad[2 * k + 1].min(0) + (x[axis] as isize) > 0
        };
        let what = (attributes, taps, is_product);
        let mut case = match is_product {
            false => case(what, &[&x, &taps], move |t| t[0].upfirdn2d(&t[1], &attributes)),
            true => case(what, &[&x, &[taps[0], 1], &[1, taps[1]]], move |t| {
                t[0].upfirdn2d(&t[1].matmul(&t[2]), &attributes)
            }),
        };
        case.judge.constants_from = 1;
        (is_left(3, 0) && is_left(2, 1)).then_some(case)
    };
    let inputs = (image(2000), taps, steps, any::<bool>());
    inputs.prop_filter_map("nothing would be left", fit).boxed()
}
