//! `semgan doctor`: does this device compute correctly, hold what it says and run as fast as it
//! should? A table for a bug report.

#![expect(clippy::disallowed_methods, reason = "this measures time")]

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use super::DeviceArgs;
use super::bench::seconds;
use crate::memory::human;
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;
use crate::{Device, Error, Result, verify};

/// Checks a device in about a minute: numbers, memory, speed
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Memory that is filled and read back, in GiB; half of what is free at most
    #[arg(long, default_value_t = 2.0, value_name = "GIB")]
    memory: f64,
}

/// What a check found: a line for the table, and what is wrong.
type Check = fn(&Args, &Device) -> Result<Finding>;

struct Finding {
    text: String,
    wrong: Option<String>,
}

impl Finding {
    fn good(text: impl Into<String>) -> Result<Self> {
        Ok(Self { text: text.into(), wrong: None })
    }

    /// Good where `wrong` is empty.
    fn unless(wrong: Option<String>, text: impl Into<String>) -> Result<Self> {
        Ok(Self { text: text.into(), wrong })
    }
}

const CHECKS: [(&str, Check); 10] = [
    ("operators: value, gradient, second order", goldens),
    ("two runs of one computation", repeats),
    ("memory", memory),
    ("matmul 1024 x 1024 x 1024", matmul),
    ("conv2d 3x3, 4 x 128 x 32 x 32", conv),
    ("conv2d 3x3, 16 x 128 x 8 x 8", small_conv),
    ("pointwise, 64 MiB to 64 MiB", pointwise),
    ("sum of 64 MiB", sum),
    ("a small operation among many", small_operation),
    ("reading back 16 MiB", read_back),
];

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !(args.memory > 0.0 && args.memory.is_finite()) {
        let reason = format!("{} is not above 0", args.memory);
        return Err(Error::config("--memory", reason).into());
    }
    let mut device = args.device.open()?;
    let mut out = std::io::stdout().lock();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "semgan {}, {os} {arch}, {threads} threads\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "| {} | {} |\n| --- | --- |", device.describe(), described(&device))?;
    // What panics in a check is its finding.
    std::panic::set_hook(Box::new(|_| ()));
    let mut problems = Vec::new();
    for (name, check) in CHECKS {
        let attempt = std::panic::AssertUnwindSafe(|| check(args, &device));
        let found = match std::panic::catch_unwind(attempt) {
            Ok(Ok(finding)) => finding,
            Ok(Err(error)) => Finding { text: "error".into(), wrong: Some(error.to_string()) },
            Err(_) => Finding { text: "panic".into(), wrong: Some("the program panicked".into()) },
        };
        writeln!(out, "| {name} | {} |", found.text)?;
        out.flush()?;
        problems.extend(found.wrong.map(|wrong| format!("{name}: {wrong}")));
        // A fault of the device stays with it; the next check gets a new one.
        if device.sync().is_err() {
            device = args.device.select()?.0;
        }
    }
    writeln!(out)?;
    if problems.is_empty() {
        writeln!(out, "healthy")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "not healthy:")?;
    problems.iter().try_for_each(|problem| writeln!(out, "- {problem}"))?;
    Ok(ExitCode::FAILURE)
}

/// Driver and limits, or the kind of a host device.
fn described(device: &Device) -> String {
    let Device::Gpu(gpu) = device else { return format!("{} kernels", device.kernels()) };
    let report = gpu.report();
    format!(
        "{}, {}, {} kernels, tuning {}, {} a tensor, {} a buffer",
        report.device_type,
        report.driver,
        report.kernels,
        device.tuning().unwrap_or_else(|| "off".into()),
        human(report.max_binding_bytes),
        human(report.max_buffer_bytes)
    )
}

fn goldens(_: &Args, device: &Device) -> Result<Finding> {
    let results =
        verify::built_in().map(|(name, bytes)| verify::check_built_in(name, bytes, device));
    let results: Vec<_> = results.collect();
    let failures: Vec<String> =
        results.iter().filter_map(|r| r.as_ref().err().map(ToString::to_string)).collect();
    let text = format!("{} of {} cases pass", results.len() - failures.len(), results.len());
    Finding::unless((!failures.is_empty()).then(|| failures.join("\n  ")), text)
}

/// Numbers without order in [-1, 1).
fn noise(shape: &[usize], device: &Device) -> Tensor {
    let value = |k: usize| (k.wrapping_mul(2_654_435_761) >> 8 & 0xffff) as f32 / 32768.0 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_slice(&values, shape, device)
}

fn repeats(_: &Args, device: &Device) -> Result<Finding> {
    let (x, w) = (noise(&[3, 37, 19, 23], device), noise(&[29, 37, 3, 3], device));
    let run = || x.conv2d(&w, &Conv2d::padded(1)).softplus().sum(&[0, 2], false).to_vec();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let is_equal = bits(run()?) == bits(run()?);
    let wrong = (!is_equal).then(|| "differ; training is not reproducible here".to_owned());
    Finding::unless(wrong, if is_equal { "equal to the bit" } else { "differ" })
}

/// Fills memory with tensors that differ, and looks whether each still holds its own number.
fn memory(args: &Args, device: &Device) -> Result<Finding> {
    const PIECE: usize = 16 << 20;
    let free = device.memory_bytes().unwrap_or(u64::MAX) / 2;
    let wanted = free.min((args.memory * (1u64 << 30) as f64) as u64);
    let count = (wanted as usize / (4 * PIECE)).max(1);
    let pieces: Vec<Tensor> =
        (0..count).map(|k| Tensor::full(1.0 + k as f32, [PIECE], device)).collect();
    let is_kept = |(k, piece): (usize, &Tensor)| -> Result<bool> {
        Ok((piece - (1.0 + k as f64)).abs().max(&[0], false).item()? == 0.0)
    };
    let kept = pieces.iter().enumerate().map(is_kept).collect::<Result<Vec<_>>>()?;
    let lost = kept.iter().filter(|kept| !**kept).count();
    let text = format!("{} written and read back", human((count * 4 * PIECE) as u64));
    let wrong = format!("{lost} of {count} pieces of 64 MiB hold other numbers than written");
    Finding::unless((lost > 0).then_some(wrong), text)
}

fn gigaflops(device: &Device, flops: usize, call: impl Fn() -> Tensor) -> Result<Finding> {
    let [seconds, _] = seconds(device, call)?;
    Finding::good(format!("{:.1} GFLOP/s ({:.2} ms)", flops as f64 / seconds / 1e9, seconds * 1e3))
}

fn gigabytes(device: &Device, bytes: usize, call: impl Fn() -> Tensor) -> Result<Finding> {
    let [seconds, _] = seconds(device, call)?;
    Finding::good(format!("{:.1} GB/s ({:.2} ms)", bytes as f64 / seconds / 1e9, seconds * 1e3))
}

fn matmul(_: &Args, device: &Device) -> Result<Finding> {
    let (a, b) = (noise(&[1024, 1024], device), noise(&[1024, 1024], device));
    gigaflops(device, 2 << 30, || a.matmul(&b))
}

fn conv(_: &Args, device: &Device) -> Result<Finding> {
    convolution(device, [4, 128, 32, 32])
}

fn small_conv(_: &Args, device: &Device) -> Result<Finding> {
    convolution(device, [16, 128, 8, 8])
}

fn convolution(device: &Device, [n, c, h, w]: [usize; 4]) -> Result<Finding> {
    let (x, weight) = (noise(&[n, c, h, w], device), noise(&[c, c, 3, 3], device));
    gigaflops(device, 18 * n * c * c * h * w, || x.conv2d(&weight, &Conv2d::padded(1)))
}

fn pointwise(_: &Args, device: &Device) -> Result<Finding> {
    let x = noise(&[16 << 20], device);
    gigabytes(device, 128 << 20, || x.map(|x| (x * 1.5 + 0.5).leaky_relu(0.2)))
}

fn sum(_: &Args, device: &Device) -> Result<Finding> {
    let x = noise(&[16 << 20], device);
    gigabytes(device, 64 << 20, || x.sum_all())
}

fn small_operation(_: &Args, device: &Device) -> Result<Finding> {
    const COUNT: usize = 2000;
    let x = noise(&[64], device);
    let [seconds, _] = seconds(device, || (0..COUNT).fold(x.clone(), |y, _| y * 0.999))?;
    Finding::good(format!("{:.1} us", seconds / COUNT as f64 * 1e6))
}

fn read_back(_: &Args, device: &Device) -> Result<Finding> {
    let x = noise(&[4 << 20], device);
    let start = Instant::now();
    let numbers = x.to_vec()?;
    let seconds = start.elapsed().as_secs_f64();
    let speed = (numbers.len() * 4) as f64 / seconds / 1e9;
    Finding::good(format!("{speed:.1} GB/s ({:.2} ms)", seconds * 1e3))
}
