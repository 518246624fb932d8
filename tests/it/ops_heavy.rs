//! Matrix products, convolutions and resampling (`resample.rs` lists most of its cases):
//! derivatives of both orders by finite differences, the native forms and kernels against the
//! twins, and independence of the number of threads.

use semgan::autograd::grad;
use semgan::device::Family;
use semgan::ops::conv::Conv2d;
use semgan::ops::resample::upfirdn2d::Upfirdn2d;
use semgan::{Device, Tensor};

use crate::common;

type F = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// An operation of two inputs at one choice of shapes and attributes.
pub(crate) struct Case {
    name: String,
    shapes: Vec<Vec<usize>>,
    /// Inputs from this one on are constants.
    constants_from: usize,
    f: F,
}

pub(crate) fn case(
    name: String,
    shapes: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
) -> Case {
    let shapes: Vec<Vec<usize>> = shapes.iter().map(|s| s.to_vec()).collect();
    Case { name, constants_from: shapes.len(), shapes, f: Box::new(f) }
}

impl Case {
    fn inputs(&self, device: &Device) -> Vec<Tensor> {
        let seeded = |(k, shape): (usize, &Vec<usize>)| common::tensor(shape, k as u32, device);
        self.shapes.iter().enumerate().map(seeded).collect()
    }

    fn run(&self, device: &Device) -> Vec<f32> {
        (self.f)(&self.inputs(device)).to_vec().expect("read")
    }

    /// Largest difference between the gradient of `loss` and its central differences, over all
    /// elements of all inputs.
    fn finite_difference_error(&self, loss: impl Fn(&[Tensor]) -> Tensor) -> f64 {
        let device = Device::reference();
        let inputs = self.inputs(&device);
        let tracked: Vec<Tensor> = inputs.iter().map(Tensor::tracked).collect();
        let wanted: Vec<&Tensor> = tracked.iter().take(self.constants_from).collect();
        let slopes = grad(&[&loss(&tracked)], &[None], &wanted, false);
        let mut worst = 0.0f64;
        for (k, slope) in slopes.iter().enumerate() {
            let slope = slope.as_ref().expect("depends on it").to_vec_f64().expect("read");
            for (i, slope) in slope.iter().enumerate() {
                let at = |step: f64| {
                    let bump: Vec<f32> =
                        (0..inputs[k].numel()).map(|j| f32::from(i == j)).collect();
                    let bump = Tensor::from_slice(&bump, inputs[k].shape(), &device) * step;
                    let mut moved: Vec<Tensor> = inputs.clone();
                    moved[k] = &moved[k] + &bump;
                    loss(&moved).to_vec_f64().expect("read")[0]
                };
                worst = worst.max((slope - (at(1e-4) - at(-1e-4)) / 2e-4).abs());
            }
        }
        worst
    }

    /// `Σ f(x)² / 2`: linear operations get a second derivative.
    fn energy(&self, x: &[Tensor]) -> Tensor {
        (self.f)(x).square().sum_all() * 0.5
    }

    /// The squared length of all gradients of the energy.
    fn slope(&self, x: &[Tensor]) -> Tensor {
        let tracked = |x: &Tensor| if x.is_tracked() { x.clone() } else { x.tracked() };
        let x: Vec<Tensor> = x.iter().map(tracked).collect();
        let wanted: Vec<&Tensor> = x.iter().take(self.constants_from).collect();
        let slopes = grad(&[&self.energy(&x)], &[None], &wanted, true);
        let squares = slopes.into_iter().map(|g| g.expect("depends on it").square().sum_all());
        squares.reduce(|a, b| &a + &b).expect("an input") * 1e-2
    }
}

fn same(k: usize) -> Conv2d {
    Conv2d { padding: [k / 2, k / 2], ..Conv2d::default() }
}

/// x, (outputs, kernel), attributes.
type Convolution = ([usize; 4], (usize, [usize; 2]), Conv2d);

fn convolutions(small: bool) -> Vec<Convolution> {
    let plain = Conv2d::default();
    let mut cases = vec![
        ([1, 2, 1, 1], (3, [1, 1]), plain),
        ([3, 2, 4, 4], (2, [3, 3]), same(3)),
        ([1, 5, 5, 4], (1, [2, 3]), Conv2d { stride: [2, 1], ..plain }),
        ([1, 2, 6, 7], (2, [3, 2]), Conv2d { dilation: [2, 2], padding: [1, 2], ..plain }),
        ([2, 3, 4, 5], (6, [3, 3]), Conv2d { groups: 3, ..same(3) }),
        ([1, 2, 3, 3], (2, [3, 1]), Conv2d { padding: [0, 3], stride: [1, 2], ..plain }),
        ([2, 2, 6, 6], (3, [3, 3]), Conv2d { stride: [2, 2], ..plain }),
        ([1, 2, 7, 5], (2, [1, 1]), Conv2d { stride: [3, 2], padding: [1, 0], ..plain }),
        ([1, 1, 8, 8], (1, [2, 2]), Conv2d { stride: [3, 3], dilation: [3, 4], ..plain }),
    ];
    if !small {
        cases.extend([
            ([1, 7, 33, 29], (13, [3, 3]), same(3)),
            ([3, 65, 9, 8], (17, [3, 3]), Conv2d { stride: [2, 2], ..plain }),
            ([16, 24, 4, 4], (40, [3, 3]), same(3)),
            ([5, 6, 16, 16], (9, [1, 1]), plain),
            ([2, 32, 70, 70], (8, [4, 4]), Conv2d { stride: [2, 2], padding: [1, 1], ..plain }),
            ([2, 16, 12, 12], (16, [3, 3]), Conv2d { groups: 16, ..same(3) }),
            ([1, 96, 20, 20], (48, [5, 5]), Conv2d { groups: 2, dilation: [2, 1], ..same(5) }),
        ]);
        cases.extend(large_tiles());
    }
    cases
}

/// Enough channels for tiles of 32, full and partial in each direction, where rows of 8 neighbours
/// fit and where they do not.
fn large_tiles() -> Vec<Convolution> {
    let plain = Conv2d::default();
    vec![
        ([4, 32, 8, 8], (64, [3, 3]), same(3)),
        ([2, 13, 7, 16], (40, [3, 3]), same(3)),
        ([1, 9, 9, 15], (33, [2, 3]), Conv2d { stride: [2, 1], dilation: [3, 1], ..same(3) }),
        ([3, 30, 6, 8], (20, [3, 3]), Conv2d { groups: 2, ..same(3) }),
        ([1, 10, 5, 24], (10, [1, 3]), Conv2d { padding: [0, 2], ..plain }),
        ([16, 32, 4, 4], (32, [3, 3]), same(3)),
        ([3, 12, 1, 1], (20, [1, 1]), plain),
        ([2, 11, 1, 1], (70, [3, 3]), same(3)),
        ([1, 10, 1, 9], (12, [1, 3]), Conv2d { dilation: [1, 3], ..plain }),
        ([2, 33, 13, 11], (12, [3, 2]), Conv2d { stride: [3, 2], padding: [2, 1], ..plain }),
        ([1, 40, 10, 16], (36, [3, 3]), Conv2d { groups: 4, stride: [2, 2], ..same(3) }),
    ]
}

fn conv_cases(small: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (x, (o, k), conv) in convolutions(small) {
        let name = |op: &str| format!("{op} {x:?} -> {o} {k:?} {conv:?}");
        let w = [o, x[1] / conv.groups, k[0], k[1]];
        cases.push(case(name("conv2d"), &[&x, &w], move |t| t[0].conv2d(&t[1], &conv)));
        let size = [0, 1].map(|a| {
            let room = x[2 + a] + 2 * conv.padding[a] - conv.dilation[a] * (k[a] - 1) - 1;
            (room / conv.stride[a] + 1, room % conv.stride[a])
        });
        let (y, rest) = ([x[0], o, size[0].0, size[1].0], size.map(|s| s.1));
        cases.push(case(name("conv_transpose2d"), &[&y, &w], move |t| {
            t[0].conv_transpose2d(&t[1], &conv, rest)
        }));
        cases.push(case(name("conv2d_weight_grad"), &[&x, &y], move |t| {
            t[0].conv2d_weight_grad(&t[1], k, &conv)
        }));
    }
    cases
}

fn matmul_cases(small: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut shapes: Vec<(&[usize], &[usize])> = vec![
        (&[3, 5], &[5, 2]),
        (&[2, 3, 4], &[2, 4, 3]),
        (&[2, 1, 3, 2], &[4, 2, 3]),
        (&[3, 2, 4], &[4, 3]),
        (&[2, 3], &[3, 3, 1]),
        (&[1, 1], &[1, 1]),
    ];
    if !small {
        shapes.push((&[257, 129], &[129, 65]));
        shapes.push((&[3, 130, 33], &[3, 33, 31]));
        shapes.push((&[16, 128], &[128, 128]));
        shapes.push((&[64, 32], &[32, 128]));
        shapes.push((&[9, 1], &[1, 100]));
        shapes.push((&[2, 3, 33, 7], &[3, 7, 65]));
    }
    for (a, b) in shapes {
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let stored = |s: &[usize], transposed: bool| {
                let mut s = s.to_vec();
                let rank = s.len();
                if transposed {
                    s.swap(rank - 1, rank - 2);
                }
                s
            };
            let shapes = [stored(a, ta), stored(b, tb)];
            let name = format!("matmul {a:?} {ta} {b:?} {tb}");
            cases
                .push(case(name, &[&shapes[0], &shapes[1]], move |t| t[0].matmul_t(&t[1], ta, tb)));
        }
    }
    cases.push(case("linear".into(), &[&[2, 3, 4], &[5, 4], &[5]], |t| {
        t[0].linear(&t[1], Some(&t[2]))
    }));
    cases
}

fn upfirdn2d_cases(small: bool) -> Vec<Case> {
    let of = |up, down, pad| Upfirdn2d { up, down, pad };
    let mut list: Vec<([usize; 4], Vec<usize>, Upfirdn2d)> = vec![
        ([1, 2, 1, 1], vec![1, 1], of([1, 1], [1, 1], [0; 4])),
        ([2, 1, 4, 5], vec![4, 4], of([1, 1], [1, 1], [2, 1, 1, 2])),
        ([1, 2, 3, 4], vec![4, 3], of([2, 2], [1, 1], [2, 1, 2, 1])),
        ([1, 1, 6, 5], vec![2, 4], of([1, 1], [2, 2], [1, 1, 0, 1])),
        ([1, 1, 5, 6], vec![3, 4], of([3, 2], [2, 3], [2, 0, 1, 3])),
        ([1, 1, 7, 8], vec![2, 3], of([1, 2], [1, 1], [-1, -2, 3, -3])),
    ];
    if !small {
        list.push(([3, 5, 33, 31], vec![4, 4], of([1, 1], [1, 1], [1, 1, 1, 1])));
        list.push(([2, 7, 16, 19], vec![4, 4], of([2, 2], [1, 1], [2, 1, 2, 1])));
        list.push(([2, 7, 32, 35], vec![12, 12], of([2, 2], [4, 4], [-3, 5, 6, 4])));
    }
    let mut cases = Vec::new();
    for (x, kernel, attributes) in list {
        let name = |kind: &str| format!("upfirdn2d {kind} {x:?} {kernel:?} {attributes:?}");
        let arbitrary = case(name("arbitrary"), &[&x, &kernel], move |t| {
            t[0].upfirdn2d(&t[1].detach(), &attributes)
        });
        let parts = [vec![kernel[0], 1], vec![1, kernel[1]]];
        let product = case(name("separable"), &[&x, &parts[0], &parts[1]], move |t| {
            t[0].upfirdn2d(&t[1].detach().matmul(&t[2].detach()), &attributes)
        });
        cases.extend([arbitrary, product].map(|case| Case { constants_from: 1, ..case }));
    }
    cases
}

fn cases(small: bool) -> Vec<Case> {
    let families = [conv_cases, matmul_cases, upfirdn2d_cases, crate::resample::cases];
    families.into_iter().flat_map(|cases| cases(small)).collect()
}

#[test]
fn both_orders_agree_with_finite_differences() {
    for case in cases(true) {
        let first = case.finite_difference_error(|x| case.energy(x));
        assert!(first < 1e-6, "{}: first order off by {first:e}", case.name);
        let second = case.finite_difference_error(|x| case.slope(x));
        assert!(second < 1e-5, "{}: second order off by {second:e}", case.name);
    }
}

/// Panics where a device's values are further from the reference's than 1e-4 of the largest.
fn compare(case: &Case, device: &Device) {
    let (got, want) = (case.run(device), case.run(&Device::reference()));
    assert_eq!(got.len(), want.len(), "{}", case.name);
    let largest = want.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
        let near = (got - want).abs() <= 1e-4 * largest;
        assert!(near, "{} on {}: {got} for {want} at {k}", case.name, device.kind());
    }
}

#[test]
fn native_forms_agree_with_the_twins() {
    cases(false).iter().for_each(|case| compare(case, &Device::cpu()));
}

#[test]
fn kernels_agree_with_the_twins() {
    let Some(device) = common::gpu() else { return };
    cases(false).iter().for_each(|case| compare(case, &device));
}

#[test]
fn every_adapter_can_run_the_kernels_for_gpus() {
    let Some(device) = common::own_gpu() else { return };
    device.set_family(Family::Tiles);
    let cases = conv_cases(false).into_iter().chain(matmul_cases(false));
    cases.for_each(|case| compare(&case, &device));
}

#[test]
fn two_runs_of_a_kernel_are_equal_to_the_bit() {
    let Some(device) = common::gpu() else { return };
    for case in conv_cases(false).into_iter().chain(matmul_cases(false)) {
        assert!(case.run(&device) == case.run(&device), "{}: bits differ", case.name);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| case.run(&Device::cpu()))
    };
    for case in cases(false) {
        assert!(run(1, &case) == run(3, &case), "{}: bits differ", case.name);
    }
}

#[test]
fn a_transposed_convolution_may_be_padded_by_whole_strides() {
    // Along one axis: y[o stride + k dilation - padding] += x[o] w[k].
    let conv = Conv2d { dilation: [2, 1], padding: [1, 0], ..Conv2d::default() };
    let (x, w, mut want) = ([1.0, 2.0, 3.0], [5.0, 7.0], [0.0; 4]);
    for (o, k) in [(1, 0), (2, 0), (0, 1), (1, 1), (2, 1)] {
        want[o + 2 * k - 1] += x[o] * w[k];
    }
    let device = Device::reference();
    let x = Tensor::from_slice(&x, [1, 1, 3, 1], &device);
    let w = Tensor::from_slice(&w, [1, 1, 2, 1], &device);
    let y = x.conv_transpose2d(&w, &conv, [1, 0]);
    assert_eq!(y.to_vec().expect("read"), want);
}
