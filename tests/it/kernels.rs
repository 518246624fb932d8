//! The GPU against the twins in f64, on awkward shapes and numbers.

use semgan::Tensor;
use semgan::autograd::grad;
use semgan::ops::pointwise::{Expr, pointwise};

use crate::common::{assert_close, assert_same, gpu, tensor, values};

const SIZES: [usize; 9] = [1, 2, 3, 255, 256, 257, 1009, 4096, 65_537];

type Function = (&'static str, fn(Expr) -> Expr);

const UNARY: [Function; 18] = [
    ("neg", |x| -x),
    ("abs", |x| x.abs()),
    ("sign", |x| x.sign()),
    ("exp", |x| x.exp()),
    ("log", |x| x.log()),
    ("sqrt", |x| x.sqrt()),
    ("rsqrt", |x| x.rsqrt()),
    ("recip", |x| x.recip()),
    ("sigmoid", |x| x.sigmoid()),
    ("tanh", |x| x.tanh()),
    ("softplus", |x| x.softplus()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("acos", |x| x.acos()),
    ("floor", |x| x.floor()),
    ("round", |x| x.round()),
    ("pow 2.5", |x| x.powf(2.5)),
    ("pow -3", |x| x.powf(-3.0)),
];

/// Numbers of every magnitude between `low` and `high`, and the edges.
fn spread(low: f32, high: f32) -> Vec<f32> {
    let steps = 4001;
    let ratio = f64::from(high / low).powf(1.0 / f64::from(steps));
    (0..=steps).map(|k| (f64::from(low) * ratio.powi(k)) as f32).collect()
}

fn both_signs(positive: Vec<f32>) -> Vec<f32> {
    let negative: Vec<f32> = positive.iter().map(|x| -x).collect();
    [negative, vec![0.0], positive].concat()
}

/// What a function is fair to be asked for: where it is defined and its value is a normal f32.
fn domain(name: &str) -> Vec<f32> {
    match name {
        "log" | "rsqrt" => spread(1e-30, 1e30),
        "sqrt" | "pow 2.5" => [vec![0.0], spread(1e-12, 1e12)].concat(),
        "exp" => both_signs(spread(1e-6, 86.0)),
        "recip" | "pow -3" => {
            both_signs(spread(1e-9, 1e9)).into_iter().filter(|x| *x != 0.0).collect()
        }
        // Beyond 1e5 the argument's own rounding is all that is left.
        "sin" | "cos" => both_signs(spread(1e-6, 3e4)),
        "acos" => both_signs(spread(1e-6, 1.0)),
        "sigmoid" | "softplus" => [both_signs(spread(1e-6, 80.0)), vec![100.0, 1e4, 1e30]].concat(),
        _ => [both_signs(spread(1e-6, 1e6)), vec![0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e30]].concat(),
    }
}

#[test]
fn unary_functions_agree_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    for (name, f) in UNARY {
        let x = domain(name);
        // Near its zeros a sine is as good as the reduced argument.
        let absolute = if matches!(name, "sin" | "cos") { 3e-7 } else { 1e-37 };
        assert_same(name, &gpu, (absolute, 2e-5), |device| {
            Tensor::from_slice(&x, [x.len()], device).map(f)
        });
    }
}

#[test]
fn derivatives_of_unary_functions_agree_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    let x = both_signs(spread(1e-3, 20.0));
    for (name, f) in UNARY {
        let defined_below_0 = !matches!(name, "log" | "rsqrt" | "sqrt" | "pow 2.5");
        // Towards 1 the digits of 1 - x², which its derivatives divide by, are lost.
        let limit = if name == "acos" { 0.9 } else { f32::INFINITY };
        let is_fair = |x: &f32| x.abs() < limit && (*x > 0.0 || (*x < 0.0 && defined_below_0));
        let x: Vec<f32> = x.iter().copied().filter(is_fair).collect();
        for order in [1, 2] {
            // 1 - y cancels where y is nearly 1: as good as y.
            assert_same(&format!("{name}, order {order}"), &gpu, (1e-6, 1e-4), |device| {
                let x = Tensor::from_slice(&x, [x.len()], device).tracked();
                let mut y = x.map(f);
                for _ in 0..order {
                    let g = grad(&[&y], &[None], &[&x], true)[0].clone();
                    y = g.unwrap_or_else(|| &x * 0.0);
                }
                y
            });
        }
    }
}

#[test]
fn binary_functions_agree_with_the_twin() {
    type Pair = (&'static str, fn(Expr, Expr) -> Expr);
    const BINARY: [Pair; 8] = [
        ("add", |a, b| a + b),
        ("sub", |a, b| a - b),
        ("mul", |a, b| a * b),
        ("div", |a, b| a / b),
        ("max", |a, b| a.max(b)),
        ("min", |a, b| a.min(b)),
        ("greater", |a, b| a.greater(b)),
        ("equal", |a, b| a.equal(b)),
    ];
    let Some(gpu) = gpu() else { return };
    let a = both_signs(spread(1e-9, 1e9));
    let mut b = a.clone();
    b.rotate_left(1234);
    b[5] = a[5];
    b.iter_mut().filter(|b| **b == 0.0).for_each(|b| *b = 1.0);
    for (name, f) in BINARY {
        assert_same(name, &gpu, (1e-37, 1e-6), |device| {
            let [a, b] = [&a, &b].map(|v| Tensor::from_slice(v, [v.len()], device));
            a.zip(&b, f)
        });
    }
}

#[test]
fn nan_is_kept_and_never_hidden() {
    let Some(gpu) = gpu() else { return };
    let x = Tensor::from_slice(&[f32::NAN, 1.0], [2], &gpu);
    let y = Tensor::from_slice(&[0.5, f32::NAN], [2], &gpu);
    for f in [Expr::max, Expr::min] as [fn(&Expr, Expr) -> Expr; 2] {
        let got = x.zip(&y, |a, b| f(&a, b)).to_vec().expect("read");
        assert!(got.iter().all(|v| v.is_nan()), "{got:?}");
    }
    for (name, f) in UNARY.into_iter().filter(|(name, _)| *name != "recip") {
        let got = x.map(f).to_vec().expect("read");
        assert!(got[0].is_nan() && !got[1].is_nan(), "{name}: {got:?}");
    }
    assert!(x.max(&[0], false).item().expect("read").is_nan());
}

#[test]
fn every_length_and_rank_of_broadcast_agrees_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    for n in SIZES {
        assert_same(&format!("flat {n}"), &gpu, (1e-6, 1e-5), |device| {
            tensor(&[n], 1, device).zip(&tensor(&[n], 2, device), |a, b| a * b + 0.25)
        });
        assert_same(&format!("scalar {n}"), &gpu, (1e-6, 1e-5), |device| {
            &tensor(&[n], 1, device) - &tensor(&[], 2, device)
        });
    }
    let cases: [(&[usize], &[usize]); 9] = [
        (&[], &[]),
        (&[7], &[3, 1]),
        (&[2, 5, 7], &[5, 1]),
        (&[3, 1, 5], &[1, 4, 1]),
        (&[2, 3, 1, 5], &[2, 1, 4, 1]),
        (&[2, 16, 17, 13], &[16, 1, 1]),
        (&[2, 1, 3, 1, 5], &[1, 4, 1, 3, 1]),
        (&[2, 1, 3, 1, 2, 1], &[1, 3, 1, 2, 1, 5]),
        (&[1, 3, 1, 2, 1, 257], &[2, 1, 3, 1, 2, 1]),
    ];
    for (a, b) in cases {
        assert_same(&format!("{a:?} with {b:?}"), &gpu, (1e-6, 1e-5), |device| {
            tensor(a, 1, device).zip(&tensor(b, 2, device), |a, b| a * 0.3 + b)
        });
    }
}

#[test]
fn seven_inputs_fit_into_one_kernel() {
    let Some(gpu) = gpu() else { return };
    let shapes: [&[usize]; 7] =
        [&[2, 3, 5], &[3, 1], &[5], &[2, 1, 1], &[1], &[2, 3, 1], &[2, 1, 5]];
    assert_same("seven", &gpu, (1e-6, 1e-5), |device| {
        let x: Vec<Tensor> = (0..7).map(|k| tensor(shapes[k], k as u32, device)).collect();
        let sum = (0..7).map(|k| Expr::input(k) * (0.1 + k as f64)).reduce(|a, b| a + b);
        pointwise(&x.iter().collect::<Vec<_>>(), &sum.expect("seven"))
    });
}

#[test]
fn a_grid_beyond_65535_workgroups_covers_every_element() {
    let Some(gpu) = gpu() else { return };
    let n = 65_536 * 256 + 3;
    let x = Tensor::from_slice(&vec![1.5; n], [n], &gpu);
    let strided = (&x + &Tensor::scalar(0.5, &gpu)).to_vec().expect("read");
    assert!(strided.iter().all(|v| *v == 2.0));
    let moved = x.pad(&[(1, 0)]).to_vec().expect("read");
    assert!(moved[0] == 0.0 && moved[1..].iter().all(|v| *v == 1.5));
    assert_close("sum", &x.sum_all().to_vec().expect("read"), &[1.5 * n as f64], 0.0, 2e-7);
}

/// (shape, axes): short, long, contiguous, strided, split into parts, rank 0 to 6.
const REDUCTIONS: [(&[usize], &[usize]); 18] = [
    (&[1], &[0]),
    (&[31], &[0]),
    (&[257], &[0]),
    (&[1_100_003], &[0]),
    (&[4, 5], &[0, 1]),
    (&[1009, 3], &[0]),
    (&[3, 1009], &[0]),
    (&[3, 1009], &[1]),
    (&[70_001, 5], &[0]),
    (&[5, 70_001], &[1]),
    (&[2, 100, 3000], &[1]),
    (&[8, 6, 32, 33], &[0, 2, 3]),
    (&[8, 6, 32, 33], &[2, 3]),
    (&[8, 700, 4, 4], &[1]),
    (&[300, 2, 2], &[1, 2]),
    (&[2, 3, 2, 5, 4, 3], &[0, 2, 4]),
    (&[2, 3, 2, 5, 4, 3], &[1, 3, 5]),
    (&[70_000, 3], &[1]),
];

#[test]
fn sums_agree_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    for (shape, axes) in REDUCTIONS {
        let n: usize = axes.iter().map(|&k| shape[k]).product();
        // Values in [-1, 1): a few units in the last place of a partial sum.
        let absolute = 3e-7 * (n as f64).sqrt();
        assert_same(&format!("sum of {shape:?} over {axes:?}"), &gpu, (absolute, 1e-6), |device| {
            tensor(shape, 1, device).sum(axes, false)
        });
        assert_same(&format!("mean of {shape:?} over {axes:?}"), &gpu, (0.0, 2e-6), |device| {
            (tensor(shape, 1, device) + 2.0).mean(axes, true)
        });
    }
}

#[test]
fn maxima_agree_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    for (shape, axes) in REDUCTIONS {
        assert_same(&format!("max of {shape:?} over {axes:?}"), &gpu, (0.0, 0.0), |device| {
            let negative: Vec<f32> =
                values(shape.iter().product(), 1).iter().map(|v| v - 3.0).collect();
            Tensor::from_slice(&negative, shape, device).max(axes, false)
        });
    }
    for (shape, axis) in [(&[257, 15][..], 1), (&[2, 13, 9, 9], 1), (&[5, 7], 0), (&[300], 0)] {
        // Steps of 1/8, so that there are equals.
        let of = |device: &_| (tensor(shape, 1, device) * 8.0).round().argmax(axis, false);
        let want = of(&semgan::Device::reference()).to_indices().expect("read");
        assert_eq!(of(&gpu).to_indices().expect("read"), want, "argmax of {shape:?}");
    }
}

#[test]
fn a_long_sum_keeps_its_digits() {
    let Some(gpu) = gpu() else { return };
    // A running f32 sum would stand still at 2^24.
    let n = (1 << 24) + 8192;
    let ones = Tensor::full(1.0, [n], &gpu);
    assert_eq!(ones.sum_all().item().expect("read"), n as f32);
}

#[test]
fn indices_make_the_round_trip() {
    let Some(gpu) = gpu() else { return };
    for n in SIZES {
        let indices: Vec<i32> = (0..n as i32).map(|i| i * 7 - 3).collect();
        let there = Tensor::from_indices(&indices, [n], &gpu);
        assert_eq!(there.to_indices().expect("read"), indices);
        let reals = values(n, 3);
        let there = Tensor::from_slice(&reals, [n], &gpu);
        let want: Vec<f64> = reals.iter().map(|v| f64::from(*v)).collect();
        assert_close("round trip", &there.to_vec().expect("read"), &want, 0.0, 0.0);
    }
}
