//! The GPU device itself: recording, pooling, waiting, failing.

use std::time::{Duration, Instant};

use semgan::autograd::grad;
use semgan::device::{Counters, adapters};
use semgan::{Device, Error, Tensor};

use crate::common::{gpu, own_gpu, tensor};

/// A small training step: all families, recorded and differentiated.
fn step(x: &Tensor) -> Tensor {
    let x = x.tracked();
    let h = (x.permute(&[1, 0]) * 0.7).tanh();
    let y = Tensor::cat(&[&h, &h.square()], 1).softplus();
    let loss = (&y - y.mean(&[1], true)).square().sum_all();
    grad(&[&loss], &[None], &[&x], true)[0].clone().expect("depends on x")
}

fn numbers(t: &Tensor) -> Vec<u32> {
    t.to_vec().expect("read").into_iter().map(f32::to_bits).collect()
}

#[test]
fn two_runs_are_equal_to_the_bit() {
    let Some(gpu) = gpu() else { return };
    let run = || numbers(&step(&tensor(&[129, 65], 1, &gpu)));
    assert_eq!(run(), run());
}

#[test]
fn results_do_not_depend_on_where_submits_fall() {
    let Some(gpu) = own_gpu() else { return };
    let chain = |flush: bool| {
        (0..50).fold(tensor(&[33, 65], 1, &gpu), |x, _| {
            if flush {
                gpu.flush();
            }
            step(&x) * 0.1 + &x
        })
    };
    assert_eq!(numbers(&chain(false)), numbers(&chain(true)));
}

#[test]
fn a_repeated_step_makes_nothing_new() {
    let Some(gpu) = own_gpu() else { return };
    let x = tensor(&[64, 96], 1, &gpu);
    let run = || {
        let before = gpu.counters();
        numbers(&step(&x));
        (before, gpu.counters())
    };
    let (_, after_first) = run();
    let _ = [run(), run(), run()];
    let (before, after) = run();
    assert_eq!(after.pipelines, after_first.pipelines);
    assert_eq!(after.bytes_allocated, before.bytes_allocated);
    assert_eq!(after.peak_bytes, before.peak_bytes);
    assert_eq!(after.bytes_read_back - before.bytes_read_back, 4 * 64 * 96);
    assert!(after.dispatches > before.dispatches && after.submits == before.submits + 1);
}

#[test]
fn pipelines_do_not_depend_on_sizes() {
    let Some(gpu) = own_gpu() else { return };
    numbers(&step(&tensor(&[64, 96], 1, &gpu)));
    let before = gpu.counters().pipelines;
    numbers(&step(&tensor(&[128, 35], 1, &gpu)));
    assert_eq!(gpu.counters().pipelines, before);
}

#[test]
fn an_upload_does_not_overtake_the_readers_of_a_recycled_buffer() {
    let Some(gpu) = own_gpu() else { return };
    let n = 1 << 16;
    for round in 0..20 {
        let first = Tensor::from_slice(&vec![1.0; n], [n], &gpu);
        let copy = &first + 0.5;
        // Its buffer goes to `second`, whose numbers must arrive behind the addition.
        drop(first);
        let second = Tensor::from_slice(&vec![2.0; n], [n], &gpu);
        let both = (&copy + &second).to_vec().expect("read");
        assert!(both.iter().all(|v| *v == 3.5), "round {round}");
    }
}

#[test]
fn reading_has_a_form_that_never_blocks() {
    let Some(gpu) = gpu() else { return };
    let pending = (tensor(&[1000], 1, &gpu) * 0.0 + 1.0).read_async();
    let values = loop {
        if let Some(values) = pending.poll().expect("no fault") {
            break values;
        }
        std::thread::yield_now();
    };
    assert_eq!(values, vec![1.0; 1000]);
    let host = Tensor::scalar(2.0, &Device::cpu()).read_async();
    assert_eq!(host.poll().expect("no fault"), Some(vec![2.0]));
}

#[test]
fn threads_may_share_a_device() {
    let Some(gpu) = gpu() else { return };
    let work = |seed| numbers(&step(&tensor(&[17, 40 + seed as usize], seed, &gpu)));
    let alone: Vec<_> = (0..4).map(work).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || work(seed))).collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn many_small_dispatches_go_in_few_submits() {
    let Some(gpu) = own_gpu() else { return };
    let x = tensor(&[256], 1, &gpu);
    let y = (0..10_000).fold(x, |y, _| &y * 0.999);
    gpu.sync().expect("no fault");
    let Counters { dispatches, submits, .. } = gpu.counters();
    assert_eq!(dispatches, 10_000);
    assert!(submits < 120, "{submits} submits");
    assert_eq!(y.numel(), 256);
}

#[test]
fn device_strings_mean_what_the_help_says() {
    let Some(_) = gpu() else { return };
    let listed = adapters();
    assert_eq!(listed.iter().map(|a| a.index).collect::<Vec<_>>(), Vec::from_iter(0..listed.len()));
    assert!(serde_json::to_string(&listed).expect("plain data").contains(&listed[0].backend));
    for wanted in ["gpu", "gpu:0", &format!("gpu:{}", listed[0].backend.to_uppercase())] {
        let (device, why) = Device::select(wanted).expect(wanted);
        assert_eq!(device.kind(), "gpu");
        assert!(why.starts_with("device gpu:"), "{why}");
    }
    let (device, why) = Device::select("auto").expect("always something");
    let is_real = listed.iter().any(|a| a.is_auto);
    assert_eq!(device.kind(), if is_real { "gpu" } else { "cpu" }, "{why}");
    for wanted in ["gpu:99", "gpu:no such name"] {
        let error = Device::select(wanted).expect_err("none fits");
        assert!(matches!(error, Error::NoAdapter { .. }), "{error}");
    }
}

#[test]
fn a_device_string_without_meaning_is_refused_with_the_accepted_forms() {
    for wanted in ["", "cuda", "gpu:", "cpu:1", "auto:0"] {
        let error = Device::select(wanted).expect_err(wanted).to_string();
        assert!(error.starts_with("--device") && error.contains("gpu:NAME"), "{error}");
    }
    for wanted in ["cpu", "reference"] {
        assert_eq!(Device::select(wanted).expect(wanted).0.kind(), wanted);
    }
}

#[test]
fn a_profile_counts_what_each_dispatch_moves() {
    let devices = [Some(Device::cpu()), own_gpu()].into_iter().flatten();
    for device in devices {
        let parts: Vec<Tensor> = (1..=3).map(|seed| tensor(&[64, 10], seed, &device)).collect();
        let slab = Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0);
        let index = Tensor::from_indices(&[3, 190], [2], &device);
        device.profile().switch(true);
        let _ = Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0);
        let _ = slab.narrow(0, 3, 5);
        let _ = slab.index_select(0, &index);
        let cost = |name: &str| {
            let table = device.profile().table();
            let of = |(label, _): &&(String, _)| label.split(' ').next() == Some(name);
            let rows = table.iter().filter(of).map(|(_, cost)| *cost);
            let sum = rows.reduce(|a, b| a + b).unwrap_or_else(|| panic!("{name}: {table:?}"));
            (sum.work.bytes, sum.work.flops)
        };
        assert_eq!(cost("concat"), (2 * 4 * 1920, 0), "{device:?}");
        assert_eq!(cost("slice"), (2 * 4 * 50, 0), "{device:?}");
        assert_eq!(cost("gather"), (4 * (2 * 20 + 2), 0), "{device:?}");
        device.profile().switch(false);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "compares two times")]
fn a_device_is_busy_for_a_part_of_the_time() {
    for device in [Some(Device::cpu()), own_gpu()].into_iter().flatten() {
        let x = tensor(&[129, 65], 1, &device);
        let start = Instant::now();
        let (numbers, busy) = device.busy(|| step(&x).to_vec()).expect("computed");
        let all = start.elapsed();
        assert_eq!(numbers, step(&x).to_vec().expect("computed"));
        let busy = busy.expect("both tell");
        assert!(busy > Duration::ZERO && busy < all, "{device:?}: {busy:?} of {all:?}");
        let (_, nothing) = device.busy(|| Ok(())).expect("nothing fails");
        assert!(nothing.expect("both tell") < busy, "{device:?}: {nothing:?}");
    }
}
