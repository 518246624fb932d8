//! Random numbers are a function of (seed, stream, step, index) and the same everywhere.

use semgan::ops::random::{Draw, Stream, normals, uniforms};
use semgan::{Device, Shape};

use crate::common::gpu;

/// No multiple of a group of four, nor of a workgroup.
const N: usize = 100_003;

/// Every word of key and counter is in use.
fn draws() -> [Draw; 2] {
    let stream = Stream::TrainNoise.of(7);
    [
        Draw { seed: 0, stream, step: 0 },
        Draw { seed: 0xfedc_ba98_7654_3210, stream, step: 0x0123_4567_89ab_cdef },
    ]
}

/// Uniforms to the bit; normals as far as sine, cosine and logarithm agree.
fn agrees_with_the_host(device: &Device) {
    for draw in draws() {
        let got = draw.uniforms([N], device).to_vec().expect("read");
        assert!(got == uniforms(draw, N), "uniforms of {draw:?}");
        let got = draw.normals([N], device).to_vec().expect("read");
        for (k, (got, want)) in got.into_iter().zip(normals(draw, N)).enumerate() {
            assert!((got - want).abs() <= 2e-6, "normal {k} of {draw:?}: {got} for {want}");
        }
    }
}

/// More than one launch takes, of sizes that fill no group of four.
fn draws_at_once_are_each_their_own(device: &Device) {
    let [_, draw] = draws();
    let wanted: Vec<(Draw, Shape)> =
        (0..19).map(|k| (Draw { stream: 3 * k, ..draw }, [37 * k as usize + 1].into())).collect();
    for ((draw, shape), got) in wanted.iter().zip(Draw::normals_of_each(&wanted, device)) {
        let own = draw.normals(shape, device).to_vec().expect("read");
        assert_eq!(got.to_vec().expect("read"), own, "{draw:?}");
    }
}

#[test]
fn several_draws_in_one_pass_are_each_their_own() {
    draws_at_once_are_each_their_own(&Device::cpu());
    gpu().iter().for_each(draws_at_once_are_each_their_own);
}

#[test]
fn draws_on_the_host_devices_are_those_of_the_host() {
    agrees_with_the_host(&Device::cpu());
    agrees_with_the_host(&Device::reference());
}

#[test]
fn draws_on_the_gpu_are_those_of_the_host() {
    let Some(gpu) = gpu() else { return };
    agrees_with_the_host(&gpu);
}
