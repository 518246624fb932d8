//! Where drivers differ: each trap that a software driver has shown, as a test that holds on all.

use semgan::autograd::grad;
use semgan::ops::pointwise::Expr;
use semgan::{Device, Tensor};

use crate::common::{assert_close, gpu};

/// f at each of the numbers, on the GPU.
fn on_gpu(x: &[f32], f: fn(Expr) -> Expr) -> Option<Vec<f32>> {
    Some(Tensor::from_slice(x, [x.len()], &gpu()?).map(f).to_vec().expect("read"))
}

fn in_f64(x: &[f32], f: fn(Expr) -> Expr) -> Vec<f64> {
    let x = Tensor::from_slice(x, [x.len()], &Device::reference());
    x.map(f).to_vec_f64().expect("read")
}

/// |gpu - f64| <= absolute + relative |f64|
#[track_caller]
fn agrees(what: &str, x: &[f32], f: fn(Expr) -> Expr, absolute: f64, relative: f64) {
    let Some(got) = on_gpu(x, f) else { return };
    assert_close(what, &got, &in_f64(x, f), absolute, relative);
}

#[test]
fn what_is_not_finite_is_found_by_its_bits() {
    let Some(gpu) = gpu() else { return };
    let starts = Tensor::from_indices(&[0, 64, 65, 1000], [4], &gpu);
    let bad_segments = |numbers: &[f32]| {
        let slab = Tensor::from_slice(numbers, [1000], &gpu);
        slab.nonfinite_segments(&starts).to_vec().expect("read")
    };
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (at, segment) in [(0, 0), (63, 0), (64, 1), (65, 2), (999, 2)] {
            let mut numbers = vec![f32::MAX; 1000];
            numbers[at] = bad;
            let mut want = [0.0; 3];
            want[segment] = 1.0;
            assert_eq!(bad_segments(&numbers), want, "{bad} at {at}");
        }
    }
    for fine in [f32::MAX, f32::MIN, 1e-40, -0.0] {
        assert_eq!(bad_segments(&[fine; 1000]), [0.0; 3], "{fine}");
    }
}

#[test]
fn relu_and_clamp_do_not_hide_a_nan() {
    let functions: [fn(Expr) -> Expr; 4] =
        [|x| x.max(0.0), |x| x.min(5.0), |x| x.max(-1.0).min(1.0), |x| x.leaky_relu(0.2)];
    for f in functions {
        let Some(got) = on_gpu(&[f32::NAN, 0.25], f) else { return };
        assert!(got[0].is_nan() && got[1] == 0.25, "{got:?}");
    }
}

#[test]
fn tanh_of_large_numbers_is_one() {
    agrees("tanh", &[15.0, -15.0, 100.0, -1e10, 1e30, f32::MAX, f32::MIN], |x| x.tanh(), 0.0, 1e-7);
    agrees("tanh near 0", &[1e-6, 1e-3, 0.1, 0.6, 0.63, -0.62], |x| x.tanh(), 0.0, 2e-6);
}

#[test]
fn the_logarithm_of_zero_and_below_is_finite() {
    let Some(got) = on_gpu(&[0.0, -1.0, -1e30, 1e-45], |x| x.log()) else { return };
    assert!(got.iter().all(|v| *v < -80.0 && v.is_finite()), "{got:?}");
    agrees("log", &[1.2e-38, 1e-20, 0.5, 1.0, 2.0, 1e30], |x| x.log(), 1e-7, 1e-6);
}

#[test]
fn exponentials_neither_overflow_nor_lose_more_than_the_stated_digits() {
    let x: Vec<f32> = (-860..=860).map(|k| k as f32 / 10.0).collect();
    agrees("exp", &x, |x| x.exp(), 0.0, 5e-6);
    let Some(got) = on_gpu(&[1e4, -1e4, f32::NAN], |x| x.exp()) else { return };
    assert!(got[0].is_finite() && got[1] == 0.0 && got[2].is_nan(), "{got:?}");
}

#[test]
fn softplus_and_its_derivatives_stand_arguments_of_800() {
    let Some(gpu) = gpu() else { return };
    let x = Tensor::from_slice(&[800.0, -800.0, 0.0, 30.0, -30.0], [5], &gpu).tracked();
    let y = x.softplus();
    let first = grad(&[&y], &[None], &[&x], true)[0].clone().expect("depends on x");
    let second = grad(&[&first], &[None], &[&x], false)[0].clone().expect("so does its slope");
    let read = |t: &Tensor| t.to_vec().expect("read");
    let small = (-30f64).exp();
    assert_close("value", &read(&y), &[800.0, 0.0, 2f64.ln(), 30.0, small], 1e-37, 5e-6);
    assert_close("slope", &read(&first), &[1.0, 0.0, 0.5, 1.0, small], 1e-37, 5e-6);
    assert_close("curvature", &read(&second), &[0.0, 0.0, 0.25, small, small], 1e-12, 5e-6);
}

#[test]
fn a_sine_keeps_its_digits_away_from_zero() {
    let x: Vec<f32> = (0..2000).map(|k| 30.0 * (k as f32 - 1000.0) + 0.37).collect();
    agrees("sin", &x, |x| x.sin(), 1e-6, 0.0);
    agrees("cos", &x, |x| x.cos(), 1e-6, 0.0);
}

#[test]
fn powers_and_roots_keep_their_digits() {
    let x: Vec<f32> = (1..400).map(|k| (k as f32 / 20.0).powi(3)).collect();
    agrees("pow", &x, |x| x.powf(2.5), 0.0, 5e-6);
    agrees("sqrt", &x, |x| x.sqrt(), 0.0, 2e-7);
    agrees("rsqrt", &x, |x| x.rsqrt(), 0.0, 1e-6);
    agrees("recip", &x, |x| x.recip(), 0.0, 2e-7);
}

#[test]
fn a_number_below_the_normal_ones_is_itself_or_zero() {
    let Some(got) = on_gpu(&[1e-40, -1e-40], |x| x * 2.0) else { return };
    let is_fair = |got: f32, want: f32| got == 0.0 || (got - want).abs() < 1e-44;
    assert!(is_fair(got[0], 2e-40) && is_fair(got[1], -2e-40), "{got:?}");
}
