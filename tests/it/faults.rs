//! What goes wrong on a device, made to happen: every fault is an error that says what to do, and
//! nothing that was saved is lost.

use std::ops::Range;
use std::time::Duration;

use semgan::device::{Failure, Kernel, Launch};
use semgan::ops::{Op, Slice, SliceMut, apply};
use semgan::train::snapshot;
use semgan::{Error, Shape, Tensor};

use crate::common::{own_gpu, tensor};
use crate::runs::{Place, Until};

/// An operation that runs a given text.
struct Custom(&'static str);

impl Op for Custom {
    fn name(&self) -> &'static str {
        "custom"
    }
    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }
    fn twin(&self, _x: &[Slice], _y: SliceMut, _rows: Range<usize>) {
        unreachable!("for the GPU only")
    }
    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let kernel = Kernel::new("custom", self.0);
        let launch = Launch::new(kernel).param("rounds", 60_000_usize);
        vec![launch.bind("x", x[0]).bind("y", y).groups(2000)]
    }
    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor, _: &[bool]) -> Vec<Option<Tensor>> {
        vec![None]
    }
}

/// Takes a second or two on a processor, and longer than the test waits on anything.
const SLOW: &str = "
struct Params { rounds: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main() {
    var v = x[0];
    for (var k = 0u; k < params.rounds; k += 1u) {
        v = sqrt(v + f32(k & 7u));
    }
    y[0] = v;
}";

#[test]
fn a_full_device_names_the_tensor_and_what_lowers_it() {
    let Some(gpu) = own_gpu() else { return };
    gpu.set_memory_limit(3 << 20);
    let x = tensor(&[512, 512], 1, &gpu);
    let kept: Vec<Tensor> = (0..3).map(|k| &x + f64::from(k)).collect();
    match kept[2].to_vec() {
        Err(Error::OutOfMemory { tensor, requested_bytes, used_bytes }) => {
            assert_eq!(tensor, "pointwise [512, 512]");
            assert_eq!((requested_bytes, used_bytes), (1 << 20, (2 << 20) + 256));
        }
        other => panic!("{other:?}"),
    }
    let error = x.to_vec().expect_err("the first fault stays").to_string();
    assert!(error.contains("2 MiB in use") && error.contains("--batch-gpu"), "{error}");
}

#[test]
fn idle_buffers_make_room_for_tensors_of_another_size() {
    let Some(gpu) = own_gpu() else { return };
    gpu.set_memory_limit(9 << 20);
    for n in [700_000, 800_000, 950_000, 700_000] {
        let y = Tensor::full(0.5, [n], &gpu) * 2.0;
        assert_eq!(y.narrow(0, 0, 3).to_vec().expect("room"), [1.0; 3], "{n}");
    }
}

#[test]
fn a_tensor_larger_than_any_buffer_is_out_of_memory() {
    let Some(gpu) = own_gpu() else { return };
    let huge = Tensor::full(1.0, [1 << 15, (1 << 16) - 1], &gpu);
    let error = huge.to_vec().expect_err("8 GiB in one buffer");
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
}

#[test]
fn lost_work_is_noticed_though_the_driver_says_nothing() {
    let Some(gpu) = own_gpu() else { return };
    gpu.fail_at(5, Failure::Skipped);
    let y = (0..10).fold(tensor(&[100], 1, &gpu), |y, _| y * 1.5);
    let error = y.to_vec().expect_err("five of ten never ran").to_string();
    assert!(error.contains("lost work without an error"), "{error}");
}

#[test]
fn a_device_lost_in_the_middle_of_a_step_leaves_the_snapshot_and_the_run() {
    let Some(gpu) = own_gpu() else { return };
    let place = Place::new();
    let options = place.options(2);
    place.create(options.clone(), &gpu).train(&mut Until::end()).expect("two steps");
    let before = place.snapshots();
    let at = gpu.counters().dispatches + 1000;
    gpu.fail_at(at, Failure::Lost);
    let goes_on = |options: &mut semgan::train::Options| options.kimg *= 3.0;
    let run = place.resume(goes_on, &gpu).expect("resumed");
    let error = run.train(&mut Until::end()).expect_err("the device went away").to_string();
    assert!(error.contains("the device was lost"), "{error}");
    assert_eq!(place.snapshots(), before, "nothing was written behind the loss");
    let Some(fresh) = own_gpu() else { return };
    let run = place.resume(goes_on, &fresh).expect("resumed on a new device");
    run.train(&mut Until::end()).expect("the rest of the run");
    assert_eq!(snapshot::options(&place.newest()).expect("options").kimg, options.kimg * 3.0);
}

#[test]
fn a_wait_without_progress_ends_in_an_error() {
    let Some(gpu) = own_gpu() else { return };
    gpu.set_time_limit(Duration::from_millis(5));
    let x = Tensor::from_slice(&[1.0], [1], &gpu);
    let error = apply(Custom(SLOW), &[&x]).to_vec().expect_err("too slow");
    assert!(error.to_string().contains("no progress"), "{error}");
    // The first fault stays: what comes behind it is not to be trusted.
    assert!((&x + 1.0).to_vec().is_err());
}

#[test]
fn a_refused_kernel_is_reported_when_numbers_are_read() {
    let Some(gpu) = own_gpu() else { return };
    let x = Tensor::from_slice(&[1.0], [1], &gpu);
    let y = apply(Custom("@compute @workgroup_size(1)\nfn main() { nothing(); }"), &[&x]);
    match (&y + 1.0).to_vec() {
        Err(Error::Shader { kernel, log }) => {
            assert_eq!(kernel, "custom");
            assert!(log.contains("nothing"), "{log}");
            let (_, kept) = log.split_once("its text is in ").expect("a place");
            let text = std::fs::read_to_string(kept).expect("the refused text");
            assert!(text.contains("fn main() { nothing(); }"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
#[should_panic(expected = "custom: params [\"rounds\"] are given, the kernel has []")]
fn a_launch_that_does_not_fit_its_kernel_panics_with_both_lists() {
    let Some(gpu) = own_gpu() else {
        panic!("custom: params [\"rounds\"] are given, the kernel has []")
    };
    let x = Tensor::from_slice(&[1.0], [1], &gpu);
    let text = "@group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[0]; }";
    apply(Custom(text), &[&x]);
}
