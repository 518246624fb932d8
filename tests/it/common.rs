//! What the tests share: devices, awkward numbers, and one way to compare.

use std::sync::OnceLock;

use semgan::{Device, Tensor};

/// The GPU of this process, software included. Without one the test fails, unless
/// `SEMGAN_SKIP_GPU=1` asks to skip: nobody notices a test that skips by itself.
#[track_caller]
pub(crate) fn gpu() -> Option<Device> {
    static GPU: OnceLock<Option<Device>> = OnceLock::new();
    let device = GPU.get_or_init(|| Device::select("gpu").ok().map(|(device, _)| device));
    required(device.clone())
}

/// A GPU with counters, pool and pipelines of its own.
#[track_caller]
pub(crate) fn own_gpu() -> Option<Device> {
    required(Device::select("gpu").ok().map(|(device, _)| device))
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
fn required(device: Option<Device>) -> Option<Device> {
    if device.is_none() {
        let skip = std::env::var("SEMGAN_SKIP_GPU").is_ok_and(|v| v == "1");
        assert!(skip, "no GPU adapter: run ./test.sh, or set SEMGAN_SKIP_GPU=1 to go without");
        println!("skipped: no GPU adapter and SEMGAN_SKIP_GPU=1");
    }
    device
}

/// Numbers in [-1, 1), the same in every run, without order.
pub(crate) fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

pub(crate) fn tensor(shape: &[usize], seed: u32, device: &Device) -> Tensor {
    Tensor::from_slice(&values(shape.iter().product(), seed), shape, device)
}

/// Asserts |got - want| <= `absolute` + `relative` * |want|, and says where it is worst.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f32], want: &[f64], absolute: f64, relative: f64) {
    assert_eq!(got.len(), want.len(), "{what}: number of elements");
    // How far outside its limit an element is; a NaN that should not be there is outside.
    let excess = |k: usize| {
        let (got, want) = (f64::from(got[k]), want[k]);
        if got == want || (got.is_nan() && want.is_nan()) {
            return 0.0;
        }
        let ratio = (got - want).abs() / (absolute + relative * want.abs());
        if ratio.is_nan() { f64::INFINITY } else { ratio }
    };
    let mut bad: Vec<(usize, f64)> =
        (0..got.len()).map(|k| (k, excess(k))).filter(|(_, excess)| *excess > 1.0).collect();
    bad.sort_by(|a, b| b.1.total_cmp(&a.1));
    let worst: Vec<String> = (bad.iter().take(5))
        .map(|(k, excess)| {
            format!("[{k}] got {:e}, want {:e}, {excess:.1} times its limit", got[*k], want[*k])
        })
        .collect();
    assert!(bad.is_empty(), "{what}: {} of {} differ:\n{}", bad.len(), got.len(), worst.join("\n"));
}

/// Runs `f` on the GPU and on the reference, and compares.
#[track_caller]
pub(crate) fn assert_same(
    what: &str,
    gpu: &Device,
    tolerance: (f64, f64),
    f: impl Fn(&Device) -> Tensor,
) {
    let got = f(gpu);
    let want = f(&Device::reference());
    assert_eq!(got.shape(), want.shape(), "{what}: shape");
    let got = got.to_vec().unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_close(what, &got, &want.to_vec_f64().expect("read"), tolerance.0, tolerance.1);
}
