//! Concatenation, picking, movement.

use proptest::prelude::*;
use semgan::Tensor;
use semgan::ops::movement::SliceRange;
use semgan::ops::random::Draw;

use super::{Cases, case, shape, size};

pub(super) fn cat() -> Cases {
    let of = |(shape, axis, sizes): (Vec<usize>, usize, Vec<usize>)| {
        let part = |&size: &usize| [&shape[..axis], &[size], &shape[axis + 1..]].concat();
        let parts: Vec<Vec<usize>> = sizes.iter().map(part).collect();
        let shapes: Vec<&[usize]> = parts.iter().map(Vec::as_slice).collect();
        let join = move |t: &[Tensor]| Tensor::cat(&t.iter().collect::<Vec<_>>(), axis as isize);
        case(("cat", axis), &shapes, join)
    };
    let few =
        |s: &(Vec<usize>, usize, Vec<usize>)| s.0.iter().product::<usize>() * s.2.len() < 9000;
    let sizes = prop::collection::vec(size(257), 2..4);
    (shape(3..4, 300), 0..3usize, sizes).prop_filter("too many elements", few).prop_map(of).boxed()
}

/// Indices on both sides of an axis too.
pub(super) fn gather() -> Cases {
    let of = |(shape, axis, picked, seed, kind): (Vec<usize>, usize, usize, u64, usize)| {
        let n = shape[axis];
        let draw = Draw { seed, stream: 0, step: 0 };
        let index = move |shape: &[usize], below: usize, t: &Tensor| {
            let entry = |k| (draw.integer(k) as usize % (below + 2)) as i32 - 1;
            let list: Vec<i32> = (0..shape.iter().product()).map(entry).collect();
            Tensor::from_indices(&list, shape, t.device())
        };
        let (along, x) = (axis as isize, shape.clone());
        let mut full = shape.clone();
        full[axis] = picked;
        let what =
            (["gather", "scatter_add", "index_select", "scatter_add shared"][kind], axis, picked);
        case(what, &[&x], move |t| match kind {
            0 => t[0].gather(along, &index(&full, n, &t[0])),
            1 => t[0].scatter_add(along, &index(&shape, picked, &t[0]), picked),
            2 => t[0].index_select(along, &index(&[picked], n, &t[0])),
            _ => t[0].scatter_add(along, &index(&[n], picked, &t[0]), picked),
        })
    };
    (shape(2..4, 600), 0..2usize, size(65), any::<u64>(), 0..4usize).prop_map(of).boxed()
}

pub(super) fn movement() -> Cases {
    let slice = |(shape, seed): (Vec<usize>, u64)| {
        let ranges: Vec<SliceRange> =
            shape.iter().enumerate().map(|(k, &n)| range(seed, k, n)).collect();
        case(("slice", ranges.clone()), &[&shape], move |t| t[0].slice(&ranges))
    };
    let pad = |(shape, sides): (Vec<usize>, [(isize, isize); 3])| {
        let fits = |(&n, (a, b)): (&usize, (isize, isize))| {
            if n as isize + a + b > 0 { (a, b) } else { (2, 0) }
        };
        let sides: Vec<_> = shape.iter().zip(sides).map(fits).collect();
        case(("pad", sides.clone()), &[&shape], move |t| t[0].pad(&sides))
    };
    let permute = |(shape, order): (Vec<usize>, Vec<usize>)| {
        case(("permute", order.clone()), &[&shape], move |t| t[0].permute(&order))
    };
    let flip = |(shape, axis): (Vec<usize>, usize)| {
        case(("flip", axis), &[&shape], move |t| t[0].flip(&[0, axis]))
    };
    let repeat = |(shape, counts): (Vec<usize>, [usize; 3])| {
        case(("repeat", counts), &[&shape], move |t| t[0].repeat(&counts))
    };
    let roll = |(shape, shift, axis): (Vec<usize>, isize, isize)| {
        case(("roll", shift, axis), &[&shape], move |t| t[0].roll(shift, axis))
    };
    let expand = |(shape, n): (Vec<usize>, usize)| {
        let to = [&[n, shape[0], n], &shape[1..]].concat();
        let from = [&shape[..1], &[1], &shape[1..]].concat();
        case(("expand", to.clone()), &[&from], move |t| t[0].expand(to.clone()))
    };
    let sides = prop::array::uniform3((-3..4isize, -2..6isize));
    prop_oneof![
        (shape(1..4, 800), any::<u64>()).prop_map(slice),
        (shape(3..4, 500), sides).prop_map(pad),
        shape(2..7, 800)
            .prop_flat_map(|s| (
                Just(s.clone()),
                Just((0..s.len()).collect::<Vec<_>>()).prop_shuffle()
            ))
            .prop_map(permute),
        (shape(3..4, 800), 0..3usize).prop_map(flip),
        (shape(3..4, 300), prop::array::uniform3(1..4usize)).prop_map(repeat),
        (shape(2..4, 800), -5..300isize, 0..2isize).prop_map(roll),
        (shape(1..4, 300), 1..4usize).prop_map(expand),
    ]
    .boxed()
}

/// A range of an axis, with steps of both signs.
fn range(seed: u64, axis: usize, n: usize) -> SliceRange {
    let dice = Draw { seed, stream: axis as u32, step: 0 };
    let [a, b, step] = [0, 1, 2].map(|k| dice.integer(k) as usize);
    let (low, high, step) = (a % n, a % n + b % (n - a % n), step as isize % 3 + 1);
    match dice.integer(3) % 2 {
        0 => SliceRange { start: low, end: high as isize + 1, step },
        _ => SliceRange { start: high, end: low as isize - 1, step: -step },
    }
}

pub(super) fn reshape() -> Cases {
    let of = |(shape, n): (Vec<usize>, usize)| {
        let (from, to) = ([&shape[..], &[n]].concat(), [&[n], &shape[..]].concat());
        case(("reshape", to.clone()), &[&from], move |t| t[0].reshape(to.clone()).alias())
    };
    (shape(1..3, 300), size(9)).prop_map(of).boxed()
}
