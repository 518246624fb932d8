//! Sizes at the edge: tensors that a kernel cannot bind at once, empty ones, ranks 0 to 6, numbers of
//! elements, inputs and summands that a device does not hold.

use semgan::autograd::grad;
use semgan::ops::conv::Conv2d;
use semgan::ops::pointwise::{Expr, MAX_INPUTS, pointwise};
use semgan::ops::resample::pool::Pool2d;
use semgan::ops::resample::resize::Resize;
use semgan::ops::resample::upfirdn2d::Upfirdn2d;
use semgan::{Device, Tensor};

use crate::common::{assert_close, assert_same, gpu, own_gpu, tensor, values};

/// A function of two tensors, their shapes, and a name.
type Case = (&'static str, [&'static [usize]; 2], fn(&Tensor, &Tensor) -> Tensor);

/// Every family that falls into parts; each holds a tensor of more than 1,024 elements.
const LARGE: [Case; 26] = [
    ("flat", [&[5000], &[5000]], |a, b| a * b),
    ("one sample", [&[1, 2, 704], &[2, 704]], |a, b| a * b),
    ("broadcast", [&[9, 5, 64], &[5, 1]], |a, b| a + b),
    ("odd rows", [&[400, 5], &[400, 1]], |a, b| a - b),
    ("conv2d", [&[7, 3, 8, 16], &[5, 3, 3, 3]], |x, w| x.conv2d(w, &Conv2d::padded(1))),
    ("conv2d to many channels", [&[30, 2, 4, 8], &[24, 2, 3, 3]], |x, w| {
        x.conv2d(w, &Conv2d::padded(1))
    }),
    ("conv_transpose2d", [&[7, 3, 8, 16], &[3, 5, 3, 3]], |x, w| {
        x.conv_transpose2d(w, &Conv2d::padded(1), [0, 0])
    }),
    ("matmul", [&[100, 32], &[32, 24]], |a, b| a.matmul(b)),
    ("matmul of a batch", [&[6, 16, 32], &[6, 32, 16]], |a, b| a.matmul(b)),
    ("matmul with one b", [&[6, 16, 32], &[1, 32, 16]], |a, b| a.matmul_t(b, false, false)),
    ("matmul of transposed", [&[300, 16], &[300, 12]], |a, b| a.matmul_t(b, true, false)),
    ("sum of rows", [&[64, 64], &[]], |a, b| a.sum(&[1], false) * b),
    ("sum of columns", [&[64, 64], &[]], |a, b| a.sum(&[0], false) * b),
    ("sum of all", [&[64, 65], &[]], |a, b| a.sum_all() * b),
    ("max of rows", [&[64, 64], &[]], |a, b| a.max(&[1], false) * b),
    ("permute", [&[16, 4, 32], &[]], |a, b| a.permute(&[0, 2, 1]) * b),
    ("crop", [&[16, 4, 32], &[]], |a, b| a.pad(&[(0, 0), (-1, 1), (-3, 3)]) * b),
    ("expand", [&[1, 20], &[]], |a, b| a.expand([128, 20]) * b),
    ("flip", [&[16, 4, 32], &[]], |a, b| a.flip(&[2]) * b),
    ("concat", [&[64, 32], &[64, 8]], |a, b| Tensor::cat(&[a, b], 1)),
    ("upfirdn2d", [&[4, 4, 16, 16], &[3, 3]], |x, k| {
        let blur = Upfirdn2d { up: [1, 1], down: [1, 1], pad: [1, 1, 1, 1] };
        x.upfirdn2d(&k.detach(), &blur)
    }),
    ("resize", [&[1, 16, 16, 8], &[]], |x, b| x.resize([12, 16], Resize::HalfPixel) * b),
    ("affine_warp", [&[3, 2, 16, 16], &[]], |x, b| {
        let turned = |k: f64| [[0.8, -0.2 * k, 1.0], [0.1, 0.9, -k]];
        x.affine_warp(&[turned(1.0), turned(2.0), turned(3.0)], [16, 16]) * b
    }),
    ("max_pool2d", [&[4, 8, 8, 8], &[]], |x, b| x.max_pool2d(&pool()) * b),
    ("softmax", [&[40, 48], &[]], |x, b| x.softmax(1) * b),
    ("norm", [&[8, 4, 64], &[]], |x, b| x.standardize(&[2], 1e-5) * b),
];

fn pool() -> Pool2d {
    Pool2d::tiles(2)
}

/// y, and its gradients where there are any.
fn with_gradients(f: fn(&Tensor, &Tensor) -> Tensor, a: &Tensor, b: &Tensor) -> Vec<Tensor> {
    let (a, b) = (a.tracked(), b.tracked());
    let y = f(&a, &b);
    let g = tensor(y.shape(), 3, y.device());
    let grads = grad(&[&y], &[Some(&g)], &[&a, &b], false);
    [Some(y)].into_iter().chain(grads).flatten().collect()
}

#[test]
fn tensors_over_the_binding_limit_are_computed_in_parts() {
    let Some(gpu) = own_gpu() else { return };
    gpu.set_binding_limit(4096);
    for (name, [a, b], f) in LARGE {
        assert!(a.iter().product::<usize>() > 1024 || name == "expand", "{name} is small");
        let on = |device| with_gradients(f, &tensor(a, 1, device), &tensor(b, 2, device));
        let (got, want) = (on(&gpu), on(&Device::reference()));
        assert_eq!(got.len(), want.len(), "{name}");
        for (k, (got, want)) in got.iter().zip(&want).enumerate() {
            let got = got.to_vec().unwrap_or_else(|e| panic!("{name}: {e}"));
            let want = want.to_vec_f64().expect("read");
            assert_close(&format!("{name}, {k}"), &got, &want, 2e-5, 1e-5);
        }
    }
}

#[test]
fn parts_and_the_whole_are_equal_to_the_bit() {
    let Some(gpu) = own_gpu() else { return };
    for (name, [a, b], f) in LARGE.into_iter().filter(|case| case.0.starts_with("conv2d")) {
        let run = || f(&tensor(a, 1, &gpu), &tensor(b, 2, &gpu)).to_vec().expect("read");
        gpu.set_binding_limit(u64::MAX);
        let whole = run();
        gpu.set_binding_limit(4096);
        assert_eq!(run(), whole, "{name}");
    }
}

#[test]
fn a_tensor_beyond_the_portable_binding_works() {
    let Some(gpu) = gpu() else { return };
    // 128 MiB is what every device binds; software drivers bind no more.
    let n = (32 << 20) + 77;
    let x = Tensor::from_slice(&values(n, 1), [n], &gpu);
    let y = x.map(|x| x * 2.0 + 1.0);
    let total: f64 = values(n, 1).iter().map(|v| f64::from(v * 2.0 + 1.0)).sum();
    assert_close("sum", &[y.sum_all().item().expect("read")], &[total], 0.0, 2e-6);
}

#[test]
#[should_panic(expected = "does not fall into parts")]
fn what_does_not_fall_into_parts_panics_with_the_sizes() {
    let Some(gpu) = own_gpu() else { panic!("does not fall into parts") };
    gpu.set_binding_limit(4096);
    let _ = tensor(&[40, 40], 1, &gpu).permute(&[1, 0]);
}

#[test]
#[should_panic(expected = "expand: [2147483648] has 2147483648 elements")]
fn too_many_elements_for_a_kernel_panic_with_their_number() {
    let Some(gpu) = own_gpu() else { panic!("expand: [2147483648] has 2147483648 elements") };
    let _ = Tensor::full(1.0, [1 << 16, 1 << 15], &gpu);
}

#[test]
#[should_panic(expected = "too many elements to count")]
fn a_shape_that_no_computer_holds_panics_instead_of_wrapping() {
    let _ = Tensor::full(1.0, [1 << 33, 1 << 33], &Device::cpu()).numel();
}

#[test]
fn empty_tensors_go_through_every_family() {
    let Some(gpu) = gpu() else { return };
    for device in [gpu, Device::cpu(), Device::reference()] {
        let none = |shape: &[usize]| Tensor::from_slice(&[], shape, &device);
        let some = |shape: &[usize]| tensor(shape, 1, &device);
        let image = none(&[0, 3, 8, 8]);
        let empty = [
            &image + &some(&[3, 1, 1]),
            image.conv2d(&some(&[5, 3, 3, 3]), &Conv2d::padded(1)),
            image.conv_transpose2d(&some(&[3, 5, 3, 3]), &Conv2d::padded(1), [0, 0]),
            image.max_pool2d(&pool()),
            image.permute(&[1, 0, 2, 3]),
            image.flip(&[2]),
            image.narrow(1, 1, 2),
            image.sum(&[1], true),
            image.softmax(1),
            none(&[0, 4]).matmul(&some(&[4, 6])),
            Tensor::cat(&[&none(&[0, 4]), &none(&[0, 4])], 0),
        ];
        for (k, y) in empty.iter().enumerate() {
            assert_eq!(y.to_vec().expect("read"), Vec::<f32>::new(), "{k}: {y:?}");
            assert_eq!(y.numel(), 0, "{k}");
        }
        // Nothing to add up is zero.
        let zeros =
            [none(&[0, 4]).sum(&[0], false), none(&[2, 0]).matmul(&none(&[0, 2])).reshape([4])];
        for (k, y) in zeros.iter().enumerate() {
            assert_eq!(y.to_vec().expect("read"), [0.0; 4], "{k} on {}", device.kind());
        }
        let both = Tensor::cat(&[&none(&[0, 4]), &some(&[2, 4])], 0);
        assert_eq!(both.to_vec().expect("read"), values(8, 1));
    }
}

#[test]
#[should_panic(expected = "max of no elements")]
fn the_largest_of_nothing_panics() {
    let _ = Tensor::from_slice(&[], [0, 4], &Device::cpu()).max(&[0], false);
}

#[test]
fn ranks_go_from_0_to_6() {
    let Some(gpu) = gpu() else { return };
    for rank in 0..=6 {
        let shape = &[2, 3, 1, 2, 2, 3][..rank];
        assert_same(&format!("rank {rank}"), &gpu, (1e-6, 1e-5), |device| {
            let x = tensor(shape, 1, device);
            let order: Vec<usize> = (0..rank).rev().collect();
            let moved = x.permute(&order).exp() * 0.5;
            &moved + moved.sum(&order, true)
        });
    }
}

#[test]
#[should_panic(expected = "rank 7")]
fn rank_7_panics() {
    let x = tensor(&[2; 7], 1, &Device::cpu());
    let _ = x.permute(&[6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn any_number_of_inputs_goes_into_one_expression() {
    let Some(gpu) = gpu() else { return };
    for n in [MAX_INPUTS, MAX_INPUTS + 1, 9, 20] {
        assert_same(&format!("{n} inputs and their gradients"), &gpu, (1e-5, 1e-5), |device| {
            let x: Vec<Tensor> =
                (0..n).map(|k| tensor(&[3, 5][k % 2..], k as u32, device).tracked()).collect();
            // Deep on the left, then all of it once more.
            let chain = (0..n).map(|k| Expr::input(k) * (1.0 + k as f64)).reduce(|a, b| a + b);
            let chain = chain.expect("at least one");
            let mixed = (0..n).map(Expr::input).reduce(|a, b| a.max(b * 0.3)).expect("one");
            let expr = chain.sigmoid() * mixed + chain;
            let y = pointwise(&x.iter().collect::<Vec<_>>(), &expr);
            let grads = grad(&[&y], &[None], &x.iter().collect::<Vec<_>>(), true);
            let flat = grads.iter().flatten().map(|g| g.reshape([g.numel()]));
            let all: Vec<Tensor> = flat.chain([y.reshape([y.numel()])]).collect();
            Tensor::cat(&all.iter().collect::<Vec<_>>(), 0)
        });
    }
}

#[test]
fn long_sums_of_either_sign_stay_within_the_stated_error() {
    let Some(gpu) = gpu() else { return };
    // 16 million numbers in [-1, 1), whose sum is 4,468: one unit in the last place is 4.9e-4.
    let n = 1 << 24;
    let numbers = values(n, 7);
    let want: f64 = numbers.iter().map(|v| f64::from(*v)).sum();
    let x = Tensor::from_slice(&numbers, [n], &gpu);
    assert_close("sum", &[x.sum_all().item().expect("read")], &[want], 4.9e-4, 0.0);
    let square: f64 = numbers.iter().map(|v| f64::from(*v).powi(2)).sum();
    assert_close("squares", &[x.square().sum_all().item().expect("read")], &[square], 0.0, 2e-7);
}
