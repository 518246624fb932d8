//! Matrix products, convolutions and resampling at sizes that `properties.rs` does not reach: the
//! native forms and kernels against the twins, and independence of the number of threads.

use semgan::device::Family;
use semgan::ops::conv::Conv2d;
use semgan::ops::resample::upfirdn2d::Upfirdn2d;
use semgan::{Device, Tensor};

use crate::common;

type F = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// An operation at one choice of shapes and attributes.
struct Case {
    name: String,
    shapes: Vec<Vec<usize>>,
    f: F,
}

fn case(
    name: String,
    shapes: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
) -> Case {
    Case { name, shapes: shapes.iter().map(|s| s.to_vec()).collect(), f: Box::new(f) }
}

impl Case {
    fn run(&self, device: &Device) -> Vec<f32> {
        let seeded = |(k, shape): (usize, &Vec<usize>)| common::tensor(shape, k as u32, device);
        let inputs: Vec<Tensor> = self.shapes.iter().enumerate().map(seeded).collect();
        (self.f)(&inputs).to_vec().expect("read")
    }
}

fn same(k: usize) -> Conv2d {
    Conv2d { padding: [k / 2, k / 2], ..Conv2d::default() }
}

/// x, (outputs, kernel), attributes.
type Convolution = ([usize; 4], (usize, [usize; 2]), Conv2d);

fn convolutions() -> [Convolution; 7] {
    let plain = Conv2d::default();
    [
        ([1, 7, 33, 29], (13, [3, 3]), same(3)),
        ([3, 65, 9, 8], (17, [3, 3]), Conv2d { stride: [2, 2], ..plain }),
        ([16, 24, 4, 4], (40, [3, 3]), same(3)),
        ([5, 6, 16, 16], (9, [1, 1]), plain),
        ([2, 32, 70, 70], (8, [4, 4]), Conv2d { stride: [2, 2], padding: [1, 1], ..plain }),
        ([2, 16, 12, 12], (16, [3, 3]), Conv2d { groups: 16, ..same(3) }),
        ([1, 96, 20, 20], (48, [5, 5]), Conv2d { groups: 2, dilation: [2, 1], ..same(5) }),
    ]
}

/// Below, at and above a tile's sides and depth, every size of tile, and sums in parts.
fn tiled_convolutions() -> Vec<Convolution> {
    let plain = Conv2d::default();
    vec![
        ([1, 127, 8, 8], (129, [3, 3]), same(3)),
        ([1, 128, 9, 7], (128, [1, 1]), plain),
        ([1, 16, 13, 5], (64, [3, 3]), same(3)),
        ([3, 65, 1, 1], (70, [1, 1]), plain),
        ([1, 1000, 4, 4], (8, [3, 3]), same(3)),
        ([3, 1, 16, 16], (5, [5, 5]), same(5)),
        ([2, 60, 7, 6], (66, [3, 3]), Conv2d { groups: 3, ..same(3) }),
        ([2, 33, 9, 8], (34, [3, 3]), Conv2d { stride: [2, 1], dilation: [2, 2], ..same(3) }),
        ([1, 24, 9, 9], (20, [3, 3]), Conv2d { stride: [2, 2], dilation: [2, 4], ..same(5) }),
        ([1, 48, 10, 11], (40, [2, 2]), Conv2d { stride: [3, 3], ..plain }),
        ([1, 20, 12, 9], (24, [4, 3]), Conv2d { stride: [4, 3], dilation: [6, 2], ..same(11) }),
        ([1, 3, 92, 92], (129, [3, 3]), same(3)),
        ([1, 129, 92, 92], (3, [3, 3]), same(3)),
        ([2, 912, 5, 5], (129, [3, 3]), same(3)),
        ([2, 129, 5, 5], (912, [3, 3]), same(3)),
    ]
}

/// Enough channels for tiles of 32, full and partial in each direction, where rows of 8 neighbours
/// fit and where they do not.
fn subgroup_convolutions() -> Vec<Convolution> {
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

fn conv_cases() -> Vec<Case> {
    let mut cases = cases_of(&convolutions());
    cases.extend(cases_of(&subgroup_convolutions()));
    cases
}

fn cases_of(convolutions: &[Convolution]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(x, (o, k), conv) in convolutions {
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

fn matmul_cases() -> Vec<Case> {
    products_of(&[
        (&[64, 32], &[32, 128]),
        (&[9, 1], &[1, 100]),
        (&[2, 3, 33, 7], &[3, 7, 65]),
        (&[257, 129], &[129, 65]),
        (&[3, 130, 33], &[3, 33, 31]),
        (&[16, 128], &[128, 128]),
    ])
}

/// As [`tiled_convolutions`].
fn tiled_products() -> Vec<Case> {
    products_of(&[
        (&[20, 16], &[16, 20]),
        (&[64, 63], &[63, 65]),
        (&[127, 130], &[130, 129]),
        (&[3, 1000], &[1000, 5]),
        (&[130, 65, 17], &[130, 17, 66]),
        (&[257, 20], &[20, 5600]),
        (&[5600, 17], &[17, 63]),
        (&[40, 20], &[20, 16_400]),
        (&[16_400, 20], &[20, 40]),
    ])
}

fn products_of(shapes: &[(&[usize], &[usize])]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(a, b) in shapes {
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
    cases
}

fn upfirdn2d_cases() -> Vec<Case> {
    let of = |up, down, pad| Upfirdn2d { up, down, pad };
    let list: [([usize; 4], [usize; 2], Upfirdn2d); 3] = [
        ([3, 5, 33, 31], [4, 4], of([1, 1], [1, 1], [1, 1, 1, 1])),
        ([2, 7, 16, 19], [4, 4], of([2, 2], [1, 1], [2, 1, 2, 1])),
        ([2, 7, 32, 35], [12, 12], of([2, 2], [4, 4], [-3, 5, 6, 4])),
    ];
    let mut cases = Vec::new();
    for (x, kernel, attributes) in list {
        let name = |kind: &str| format!("upfirdn2d {kind} {x:?} {kernel:?} {attributes:?}");
        let parts = [[kernel[0], 1], [1, kernel[1]]];
        cases.push(case(name("arbitrary"), &[&x, &kernel], move |t| {
            t[0].upfirdn2d(&t[1], &attributes)
        }));
        cases.push(case(name("separable"), &[&x, &parts[0], &parts[1]], move |t| {
            t[0].upfirdn2d(&t[1].matmul(&t[2]), &attributes)
        }));
    }
    cases
}

fn cases() -> Vec<Case> {
    [conv_cases, matmul_cases, upfirdn2d_cases].into_iter().flat_map(|cases| cases()).collect()
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
    cases().iter().for_each(|case| compare(case, &Device::cpu()));
}

#[test]
fn kernels_agree_with_the_twins() {
    let Some(device) = common::gpu() else { return };
    cases().iter().for_each(|case| compare(case, &device));
}

#[test]
fn tiles_agree_with_the_twins_and_with_themselves() {
    let Some(device) = common::own_gpu() else { return };
    device.set_family(Family::Tiles);
    let mut all = cases_of(&tiled_convolutions());
    all.extend(tiled_products());
    all.extend(conv_cases());
    all.extend(matmul_cases());
    for case in all {
        compare(&case, &device);
        assert!(case.run(&device) == case.run(&device), "{}: bits differ", case.name);
    }
}

#[test]
fn two_runs_of_a_kernel_are_equal_to_the_bit() {
    let Some(device) = common::gpu() else { return };
    for case in conv_cases().into_iter().chain(matmul_cases()) {
        assert!(case.run(&device) == case.run(&device), "{}: bits differ", case.name);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| case.run(&Device::cpu()))
    };
    for case in cases() {
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
