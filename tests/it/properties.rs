//! Every operation at awkward shapes and attributes, drawn from a fixed seed and shrunk where one
//! fails: the judges of `verify::judge` on the CPU and the GPU.

mod dense;
mod images;
mod moved;
mod numbers;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestError, TestRunner};
use semgan::verify::Judge;
use semgan::{Device, Tensor};

use crate::common::own_gpu;
use crate::golden::{implementations, root};

/// Of everything that is drawn here.
const SEED: u64 = 20_251_120;

/// Products, or elements, that one case may take.
const WORK: usize = 150_000;

type Function = dyn Fn(&[Tensor]) -> Tensor;

/// An operation at one choice of shapes and attributes.
#[derive(Clone)]
struct Case {
    what: String,
    judge: Judge,
    f: Arc<Function>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.what, self.judge.shapes)
    }
}

fn case(
    what: impl fmt::Debug,
    shapes: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> Case {
    Case { what: format!("{what:?}"), judge: Judge::of(shapes), f: Arc::new(f) }
}

type Cases = BoxedStrategy<Case>;

/// File below `src/ops`, number of cases, how to draw one.
type Row = (&'static str, u32, fn() -> Cases);

const PROPERTIES: [Row; 20] = [
    ("as_index.rs", 8, numbers::as_index),
    ("cat.rs", 40, moved::cat),
    ("conv/conv2d.rs", 64, dense::conv2d),
    ("conv/conv2d_weight_grad.rs", 64, dense::conv2d_weight_grad),
    ("conv/conv_transpose2d.rs", 64, dense::conv_transpose2d),
    ("gather.rs", 80, moved::gather),
    ("linear/matmul.rs", 64, dense::matmul),
    ("movement.rs", 120, moved::movement),
    ("norm/softmax.rs", 32, numbers::softmax),
    ("optim/nonfinite.rs", 16, numbers::nonfinite),
    ("pointwise/mod.rs", 24, numbers::expressions),
    ("pointwise/sum.rs", 40, numbers::sums),
    ("random/philox.rs", 12, numbers::philox),
    ("reduce.rs", 60, numbers::reduce),
    ("resample/affine_warp.rs", 24, images::affine_warp),
    ("resample/grid_sample.rs", 16, images::grid_sample),
    ("resample/max_pool2d.rs", 40, images::max_pool2d),
    ("resample/taps.rs", 60, images::taps),
    ("resample/upfirdn2d.rs", 48, images::upfirdn2d),
    ("reshape.rs", 8, moved::reshape),
];

/// Operations without a definition in others.
const PRIMITIVE: [(&str, &str); 5] = [
    ("as_index.rs", "nothing else makes indices of numbers"),
    ("optim/nonfinite.rs", "a test of bits"),
    ("pointwise/mod.rs", "what definitions are made of; golden cases judge each function"),
    ("random/philox.rs", "integer arithmetic; the published test vectors judge it"),
    ("reshape.rs", "computes nothing"),
];

/// Tries the properties of the files whose name starts with `family`.
fn hold(family: &str) {
    let mut devices = vec![Device::cpu()];
    // Thousands of read-backs: not beside those of other tests.
    devices.extend(own_gpu());
    let rows = PROPERTIES.iter().filter(|row| row.0.starts_with(family));
    let failures: Vec<String> = rows.filter_map(|row| failure(row, &devices)).collect();
    assert!(failures.is_empty(), "seed {SEED}\n{}", failures.join("\n"));
}

fn failure((file, cases, draw): &Row, devices: &[Device]) -> Option<String> {
    let config = ProptestConfig {
        cases: *cases,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let run = |case: Case| {
        let f = case.f.clone();
        let checked = case.judge.check(devices, move |x| f(x));
        checked.map_err(|failure| TestCaseError::fail(failure.to_string()))
    };
    match TestRunner::new(config).run(&draw(), run) {
        Ok(()) => None,
        Err(TestError::Fail(why, case)) => Some(format!("{file}: {case:?}: {why}")),
        Err(TestError::Abort(why)) => Some(format!("{file}: no cases: {why}")),
    }
}

#[test]
fn convolutions_agree_with_their_judges() {
    hold("conv/");
}

#[test]
fn resampling_agrees_with_its_judges() {
    hold("resample/");
}

#[test]
fn movements_agree_with_their_judges() {
    ["cat", "gather", "movement", "reshape"].into_iter().for_each(hold);
}

#[test]
fn products_reductions_and_the_rest_agree_with_their_judges() {
    let families = ["as_index", "linear/", "norm/", "optim/", "pointwise/", "random/", "reduce"];
    families.into_iter().for_each(hold);
}

#[test]
fn every_operation_has_a_property_and_a_definition_or_a_reason() {
    let present = implementations();
    let listed: BTreeSet<_> = PROPERTIES.iter().map(|row| row.0.to_owned()).collect();
    let missing: Vec<_> = present.difference(&listed).collect();
    assert!(missing.is_empty(), "operations without a row of PROPERTIES: {missing:?}");
    let stale = |file: &&String| !root().join("src/ops").join(file).is_file();
    assert_eq!(listed.iter().find(stale), None, "a row of PROPERTIES without a file");
    let is_defined = |file: &&String| {
        let text = std::fs::read_to_string(root().join("src/ops").join(file)).expect("UTF-8");
        text.contains("fn definition(")
    };
    let undefined: BTreeSet<_> = present.iter().filter(|f| !is_defined(f)).cloned().collect();
    let excused: BTreeSet<_> = PRIMITIVE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(undefined, excused, "operations without a definition, and the list of them");
}

/// Sizes from 1 on that miss, hit and pass what kernels are cut into.
fn size(max: usize) -> impl Strategy<Value = usize> {
    const SIZES: [usize; 16] = [1, 2, 3, 4, 5, 7, 8, 9, 13, 17, 31, 64, 65, 255, 256, 257];
    select(SIZES.into_iter().filter(|&n| n <= max).collect::<Vec<_>>())
}

/// `rank` sizes of at most `numel` elements together.
fn shape(rank: std::ops::Range<usize>, numel: usize) -> impl Strategy<Value = Vec<usize>> {
    let few = move |s: &Vec<usize>| s.iter().product::<usize>() <= numel;
    prop::collection::vec(size(257), rank).prop_filter("too many elements", few)
}

fn pair<T: Clone + fmt::Debug + 'static>(of: &[T]) -> impl Strategy<Value = [T; 2]> + use<T> {
    prop::array::uniform2(select(of.to_vec()))
}

/// `[N, C, H, W]`: planes, lines, single samples, many channels.
fn image(numel: usize) -> impl Strategy<Value = [usize; 4]> {
    let sides = prop_oneof![
        4 => (size(17), size(17)),
        1 => (Just(1), size(257)),
        1 => (size(257), Just(1)),
    ];
    let few = move |s: &[usize; 4]| s.iter().product::<usize>() <= numel;
    (select(vec![1, 3, 2]), select(vec![1, 2, 5]), sides)
        .prop_map(|(n, c, (h, w))| [n, c, h, w])
        .prop_filter("too many elements", few)
}
