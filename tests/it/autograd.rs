//! The tape: known derivatives, second order, aliasing, and finite differences.

use semgan::autograd::{backward, grad, vjp_of};
use semgan::{Device, Tensor};

fn values(shape: &[usize], seed: u32) -> Vec<f32> {
    let n = shape.iter().product::<usize>() as u32;
    (0..n).map(|k| ((k * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).collect()
}

fn tensor(shape: &[usize], seed: u32, device: &Device) -> Tensor {
    Tensor::from_slice(&values(shape, seed), shape, device)
}

/// Largest difference between the gradient of `sum(f(x)²)/2` and its central differences.
fn finite_difference_error(shape: &[usize], f: impl Fn(&Tensor) -> Tensor) -> f64 {
    let device = Device::reference();
    let x = tensor(shape, 1, &device).tracked();
    let loss = |x: &Tensor| f(x).square().sum_all() * 0.5;
    let slope = grad(&[&loss(&x)], &[None], &[&x], false)[0].clone().expect("depends on x");
    let slope = slope.to_vec_f64().expect("read");
    let base = values(shape, 1);
    let at = |k: usize, step: f64| {
        let bump: Vec<f32> = (0..base.len()).map(|i| f32::from(i == k)).collect();
        let bump = Tensor::from_slice(&bump, shape, &device) * step;
        loss(&(&x.detach() + &bump)).to_vec_f64().expect("read")[0]
    };
    let error = |k: usize| (slope[k] - (at(k, 1e-5) - at(k, -1e-5)) / 2e-5).abs();
    (0..base.len()).map(error).fold(0.0, f64::max)
}

#[test]
fn first_and_second_order_agree_with_finite_differences() {
    type F = fn(&Tensor) -> Tensor;
    let cases: [(&str, F); 8] = [
        ("softplus", |x| x.softplus()),
        ("rsqrt", |x| (x.square() + 0.5).rsqrt()),
        ("broadcast", |x| x * x.mean(&[1], true).sigmoid()),
        ("permute, slice", |x| x.permute(&[1, 0]).narrow(0, 1, 3).exp()),
        ("strided, flipped", |x| {
            let every_other = semgan::ops::movement::SliceRange { start: 4, end: -1, step: -2 };
            x.slice(&[(0..3).into(), every_other]).tanh()
        }),
        ("pad", |x| x.pad(&[(1, -1), (-2, 3)]).sigmoid()),
        ("cat, repeat, roll", |x| Tensor::cat(&[x, &x.roll(2, 1).square()], 0).repeat(&[2, 1])),
        ("var, max", |x| x.var(&[0], true, true) + x.max(&[1], true)),
    ];
    for (name, f) in cases {
        let first = finite_difference_error(&[3, 5], f);
        assert!(first < 1e-6, "{name}: first order off by {first:e}");
        let second = finite_difference_error(&[3, 5], |x| {
            let x = if x.is_tracked() { x.clone() } else { x.tracked() };
            let y = f(&x).square().sum_all();
            grad(&[&y], &[None], &[&x], true)[0].clone().expect("depends on x")
        });
        assert!(second < 1e-5, "{name}: second order off by {second:e}");
    }
}

#[test]
fn replaying_a_definition_counts_a_tensor_passed_twice_once_per_place() {
    let device = Device::reference();
    let x = tensor(&[4], 2, &device).tracked();
    let product = |t: &[Tensor]| &t[0] * &t[1];
    let g = Tensor::full(1.0, [4], &device);
    let twice = vjp_of(product, &[x.clone(), x.clone()], &g, &[true, true]);
    for gradient in twice {
        let gradient = gradient.expect("both were asked for").to_vec().expect("read");
        assert_eq!(gradient, x.to_vec().expect("read"));
    }
}

#[test]
fn a_long_chain_is_walked_and_dropped_without_recursion() {
    let x = Tensor::scalar(1.0, &Device::cpu()).tracked();
    let y = (0..200_000).fold(x.clone(), |y, _| y + 1.0);
    let g = grad(&[&y], &[None], &[&x], false)[0].clone().expect("depends on x");
    assert_eq!(g.item().expect("read"), 1.0);
}

/// Gradients of a chain with respect to the 30 terms in it, and how many tensors are held at most.
fn gradients_of_a_chain(consumes: bool) -> (Vec<Vec<f32>>, u64) {
    const N: usize = 1000;
    let device = Device::cpu();
    let terms: Vec<Tensor> = (0..30).map(|k| tensor(&[N], k, &device).tracked()).collect();
    let start = tensor(&[N], 30, &device);
    let y = terms.iter().fold(start, |y, term| (y + term).tanh()).sum_all();
    let inputs: Vec<&Tensor> = terms.iter().collect();
    let found = match consumes {
        true => backward(y, None, &inputs),
        false => grad(&[&y], &[None], &inputs, false),
    };
    let peak = device.counters().peak_bytes;
    let read = |g: Option<Tensor>| g.expect("depends on it").to_vec().expect("read");
    (found.into_iter().map(read).collect(), peak / (4 * N as u64))
}

#[test]
fn backward_gives_what_grad_gives_and_frees_on_the_way() {
    let ((kept, all), (consumed, less)) = (gradients_of_a_chain(false), gradients_of_a_chain(true));
    assert_eq!(consumed, kept);
    // The forward pass leaves 91, two of which backward frees for each gradient that it makes.
    assert!(all >= 91 + 30 && less <= 91 + 5, "{all} tensors, {less} with backward");
}

#[test]
fn what_was_not_asked_for_costs_nothing() {
    let device = Device::cpu();
    let (x, w) = (tensor(&[4, 4], 1, &device).tracked(), tensor(&[4, 4], 2, &device).tracked());
    let y = (&x * &w).sum_all();
    let dispatches = |inputs: &[&Tensor]| {
        let before = device.counters().dispatches;
        grad(&[&y], &[None], inputs, false);
        device.counters().dispatches - before
    };
    assert!(dispatches(&[&x]) < dispatches(&[&x, &w]));
}
