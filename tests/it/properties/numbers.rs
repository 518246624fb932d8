//! Element by element, reductions, indices, random numbers.

use proptest::prelude::*;
use proptest::sample::select;
use semgan::Tensor;
use semgan::ops::pointwise::{Expr, pointwise, pointwise_sum};
use semgan::ops::random::Draw;

use super::{Cases, case, shape, size};

type Unary = (&'static str, fn(Expr) -> Expr);
type Binary = (&'static str, fn(Expr, Expr) -> Expr);

/// Smooth or with kinks, finite for arguments around -1 .. 1.
const UNARY: [Unary; 16] = [
    ("neg", |x| -x),
    ("abs", |x| x.abs()),
    ("exp", |x| x.exp()),
    ("log", |x| (x.abs() + 0.5).log()),
    ("sqrt", |x| (x.abs() + 0.5).sqrt()),
    ("rsqrt", |x| (x.square() + 0.5).rsqrt()),
    ("recip", |x| (x.abs() + 0.5).recip()),
    ("sigmoid", |x| x.sigmoid()),
    ("tanh", |x| x.tanh()),
    ("softplus", |x| x.softplus()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("square", |x| x.square()),
    ("leaky", |x| x.leaky_relu(0.2)),
    ("pow", |x| (x.abs() + 0.5).powf(1.7)),
    ("scaled", |x| x * 0.7 + 0.3),
];

const BINARY: [Binary; 7] = [
    ("add", |a, b| a + b),
    ("sub", |a, b| a - b),
    ("mul", |a, b| a * b),
    ("div", |a, b| a / (b.square() + 0.5)),
    ("max", |a, b| a.max(b)),
    ("min", |a, b| a.min(b)),
    ("select", |a, b| a.greater(0.1).select(b, a * 0.5)),
];

/// f(g(a(x), h(b(y), z))) of broadcast inputs.
pub(super) fn expressions() -> Cases {
    let [unary, binary] = [UNARY.len(), BINARY.len()];
    let functions = (0..unary, 0..unary, 0..unary, 0..binary, 0..binary);
    let kept = prop::array::uniform3(prop::collection::vec(any::<bool>(), 5));
    let of = |(shape, kept, (f, a, b, g, h)): (Vec<usize>, [Vec<bool>; 3], _)| {
        // Of each input some axes are broadcast; the second also lacks one.
        let [x, mut y, z] = kept.map(|kept| {
            let size = |(&n, kept): (&usize, bool)| if kept { n } else { 1 };
            shape.iter().zip(kept).map(size).collect::<Vec<_>>()
        });
        y.remove(0);
        let (f, a, b): (Unary, Unary, Unary) = (UNARY[f], UNARY[a], UNARY[b]);
        let (g, h): (Binary, Binary) = (BINARY[g], BINARY[h]);
        case([f.0, g.0, a.0, h.0, b.0], &[&x, &y, &z], move |t| {
            let [x, y, z] = Expr::inputs();
            let value = f.1(g.1(a.1(x), h.1(b.1(y), z)));
            pointwise(&[&t[0], &t[1], &t[2]], &value)
        })
    };
    (shape(1..6, 3000), kept, functions).prop_map(of).boxed()
}

/// Axes of any pattern, and long ones.
pub(super) fn reduce() -> Cases {
    let of = |(shape, mask, keepdim, kind): (Vec<usize>, Vec<bool>, bool, usize)| {
        let mut axes: Vec<usize> = (0..shape.len()).filter(|&k| mask[k]).collect();
        if axes.is_empty() {
            axes.push(shape.len() - 1);
        }
        let name = ["sum", "mean", "max", "argmax", "var", "dot", "square"][kind];
        let shapes: &[&[usize]] = &[&shape, &shape];
        let shapes = if kind == 5 { shapes } else { &shapes[..1] };
        case((name, axes.clone(), keepdim), shapes, move |t| match kind {
            0 => t[0].sum(&axes, keepdim),
            1 => t[0].mean(&axes, keepdim),
            2 => t[0].max(&axes, keepdim),
            // Steps of 1/8, so that there are equals.
            3 => (&t[0] * 8.0).round().argmax(axes[0], keepdim),
            4 => t[0].var(&axes, keepdim, false),
            5 => t[0].dot(&t[1], &axes, keepdim),
            _ => t[0].mean_square(&axes, keepdim),
        })
    };
    let long = (select(vec![1009, 4099, 16_411]), size(3), any::<bool>())
        .prop_map(|(n, m, first)| if first { vec![n, m] } else { vec![m, n] });
    let shapes = prop_oneof![4 => shape(1..7, 5000), 1 => long];
    let mask = prop::collection::vec(any::<bool>(), 6);
    (shapes, mask, any::<bool>(), 0..7usize).prop_map(of).boxed()
}

/// Along any axis, and along long ones.
pub(super) fn softmax() -> Cases {
    let of = |(shape, axis, factor): (Vec<usize>, usize, f64)| {
        let axis = axis % shape.len();
        case(("softmax", axis, factor), &[&shape], move |t| {
            t[0].sharpened_softmax(axis as isize, factor)
        })
    };
    let long = (select(vec![127, 128, 1009]), size(3), any::<bool>())
        .prop_map(|(n, m, first)| if first { vec![n, m] } else { vec![m, n] });
    let shapes = prop_oneof![3 => shape(1..6, 5000), 1 => long];
    (shapes, 0..6usize, select(vec![0.3, 1.0, 7.0])).prop_map(of).boxed()
}

/// The sum over some axes of a product or a function of two inputs, either broadcast.
pub(super) fn sums() -> Cases {
    let of = |(shape, kept, summed, (f, g)): (Vec<usize>, [Vec<bool>; 2], Vec<bool>, _)| {
        let [x, y] = kept.map(|kept| {
            let size = |(&n, kept): (&usize, bool)| if kept { n } else { 1 };
            shape.iter().zip(kept).map(size).collect::<Vec<_>>()
        });
        let (f, g): (Unary, Binary) = (UNARY[f], BINARY[g]);
        let axes: Vec<usize> = (0..shape.len()).filter(|&k| summed[k]).collect();
        let name = (f.0, g.0, axes.clone());
        let mut case = case(name, &[&x, &y], move |t| {
            let [x, y] = Expr::inputs();
            pointwise_sum(&[&t[0], &t[1]], &g.1(f.1(x), y), &axes)
        });
        // Of one sign, so that long sums keep their digits.
        case.judge.range = (0.2, 1.0);
        case
    };
    let long = select(vec![vec![3, 9001], vec![257, 67], vec![2, 130, 70], vec![20_000]]);
    let shapes = prop_oneof![3 => shape(1..6, 5000), 1 => long];
    let mask = || prop::collection::vec(any::<bool>(), 5);
    let kept = [mask(), mask()];
    (shapes, kept, mask(), (0..UNARY.len(), 0..BINARY.len())).prop_map(of).boxed()
}

pub(super) fn as_index() -> Cases {
    let of = |shape: Vec<usize>| {
        let mut case = case("as_index", &[&shape], |t| t[0].as_index());
        case.judge.range = (-300.0, 300.0);
        case
    };
    shape(1..4, 4000).prop_map(of).boxed()
}

pub(super) fn philox() -> Cases {
    let of = |((seed, stream, step), shape): ((u64, u32, u64), Vec<usize>)| {
        let draw = Draw { seed, stream, step };
        case(draw, &[&shape], move |t| {
            let [x, y] = [
                draw.normals(t[0].shape(), t[0].device()),
                draw.uniforms(t[0].shape(), t[0].device()),
            ];
            Tensor::stack(&[&x, &y], 0)
        })
    };
    (any::<(u64, u32, u64)>(), shape(1..4, 4000)).prop_map(of).boxed()
}

/// Segments with a number that is not finite, or none.
pub(super) fn nonfinite() -> Cases {
    let of = |sizes: Vec<(usize, Option<usize>)>| {
        let mut starts = vec![0];
        sizes.iter().for_each(|(n, _)| starts.push(starts[starts.len() - 1] + *n as i32));
        let total = sizes.iter().map(|s| s.0).sum();
        let mut slab = vec![0.5; total];
        for (k, (n, bad)) in sizes.iter().enumerate() {
            let bads = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN];
            bad.iter().for_each(|bad| slab[starts[k] as usize + bad % n] = bads[bad % 4]);
        }
        case(("nonfinite", sizes), &[&[1]], move |t| {
            let starts = Tensor::from_indices(&starts, [starts.len()], t[0].device());
            Tensor::from_slice(&slab, [total], t[0].device()).nonfinite_segments(&starts)
        })
    };
    prop::collection::vec((size(257), any::<Option<usize>>()), 1..9).prop_map(of).boxed()
}
