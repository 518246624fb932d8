//! Convolutions and products of matrices.

use proptest::prelude::*;
use proptest::sample::select;
use semgan::ops::conv::Conv2d;

use super::{Cases, WORK, case, image, pair, size};

/// Shapes of x, weight and output, and the attributes.
type Convolution = ([usize; 4], [usize; 4], [usize; 4], Conv2d);

fn convolution() -> impl Strategy<Value = Convolution> {
    let steps = (pair(&[1, 2, 3]), pair(&[1, 2]), pair(&[0, 1, 3]), pair(&[1, 3, 2, 4]));
    // Channels of a group, in and out.
    let fans = prop_oneof![6 => pair(&[1, 2, 5, 9]), 1 => Just([1000, 3]), 1 => Just([2, 257])];
    type Drawn = (usize, [usize; 2], [usize; 4], [[usize; 2]; 4]);
    let fit = |(groups, [c, o], [n, _, h, w], [stride, dilation, padding, k]): Drawn| {
        let conv = Conv2d { stride, dilation, padding, groups };
        let size = |a: usize, size: usize| {
            let room: usize = size + 2 * conv.padding[a];
            Some(room.checked_sub(conv.dilation[a] * (k[a] - 1) + 1)? / conv.stride[a] + 1)
        };
        let y = [n, groups * o, size(0, h)?, size(1, w)?];
        let work = y.iter().product::<usize>() * c * k[0] * k[1];
        (work <= WORK).then_some(([n, groups * c, h, w], [groups * o, c, k[0], k[1]], y, conv))
    };
    (select(vec![1, 3, 2]), fans, image(4000), steps.prop_map(|(s, d, p, k)| [s, d, p, k]))
        .prop_filter_map("does not fit", fit)
}

pub(super) fn conv2d() -> Cases {
    let of =
        |(x, w, _, conv): Convolution| case(conv, &[&x, &w], move |t| t[0].conv2d(&t[1], &conv));
    convolution().prop_map(of).boxed()
}

pub(super) fn conv2d_weight_grad() -> Cases {
    let of = |(x, w, y, conv): Convolution| {
        case((w, conv), &[&x, &y], move |t| t[0].conv2d_weight_grad(&t[1], [w[2], w[3]], &conv))
    };
    convolution().prop_map(of).boxed()
}

pub(super) fn conv_transpose2d() -> Cases {
    let of = |((x, w, y, conv), more): (Convolution, [usize; 2])| {
        let reach = |a: usize| conv.dilation[a] * (w[2 + a] - 1) + 1;
        let rest = [0, 1].map(|a| (x[2 + a] + 2 * conv.padding[a] - reach(a)) % conv.stride[a]);
        let rest = [0, 1].map(|a| rest[a] + more[a] * conv.stride[a]);
        case((conv, rest), &[&y, &w], move |t| t[0].conv_transpose2d(&t[1], &conv, rest))
    };
    (convolution(), pair(&[0, 1])).prop_map(of).boxed()
}

pub(super) fn matmul() -> Cases {
    let sizes = prop_oneof![
        3 => (size(17), size(31), size(17)),
        1 => (size(2), select(vec![255, 257, 1009]), size(65)),
        1 => (size(257), size(5), size(65)),
    ];
    let batches = select(vec![
        [vec![], vec![]],
        [vec![3], vec![3]],
        [vec![2, 1], vec![1, 3]],
        [vec![3], vec![1]],
        [vec![], vec![2]],
    ]);
    let of = |((m, k, n), [a, b], (ta, tb)): ((usize, usize, usize), [Vec<usize>; 2], _)| {
        let stored = |batch: &[usize], r, c, t| [batch, &if t { [c, r] } else { [r, c] }].concat();
        let (a, b) = (stored(&a, m, k, ta), stored(&b, k, n, tb));
        case(("matmul", ta, tb), &[&a, &b], move |t| t[0].matmul_t(&t[1], ta, tb))
    };
    let few = |s: &(usize, usize, usize)| s.0 * s.1 * s.2 <= WORK / 6;
    let sizes = sizes.prop_filter("too much work", few);
    let products = (sizes.clone(), batches, any::<(bool, bool)>()).prop_map(of);
    let layer = |((m, k, n), alpha): ((usize, usize, usize), f64)| {
        case(("linear", alpha), &[&[m, k], &[n, k], &[n]], move |t| {
            t[0].scaled_linear(&t[1], Some(&t[2]), [alpha, 0.3])
        })
    };
    let layers = (sizes.clone(), select(vec![-0.7, 1.0])).prop_map(layer);
    let squares = |((m, k, n), both): ((usize, usize, usize), bool)| {
        case(("squares", both), &[&[m, k], &[n, k]], move |t| t[0].linear_of_squares(&t[1], both))
    };
    let squares = (sizes, any::<bool>()).prop_map(squares);
    prop_oneof![2 => products, 1 => layers, 1 => squares].boxed()
}
