//! `semgan bench ops`: how fast single operations are, beside the most that the device could do.

mod roofline;
mod shapes;

use std::io::Write;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::roofline::Roofline;
use super::{print_report, seconds};
use crate::cli::DeviceArgs;
use crate::device::profile::Work;
use crate::tensor::Tensor;
use crate::{Device, Error};

/// Single operations at the shapes of networks, with their share of what the device could do
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Only operations whose name contains one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Networks whose shapes are taken
    #[arg(long, value_enum, default_value_t = Shapes::Small)]
    shapes: Shapes,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shapes {
    /// A SariGAN for 32x32 pictures, batch 16
    Small,
    /// A StyleGAN2 for 256x256 pictures, batch 16: only GPUs finish in reasonable time
    Large,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let device = args.device.open()?;
    let roofline = Roofline::measure(&device)?;
    let (filters, json) = (&args.filters, args.json);
    let mut bench = Bench { device, filters, roofline, json, rows: Vec::new() };
    bench.head()?;
    match args.shapes {
        Shapes::Small => shapes::small(&mut bench)?,
        Shapes::Large => shapes::large(&mut bench)?,
    }
    if bench.rows.is_empty() {
        let reason = format!("no operation of these shapes has any of {filters:?} in its name");
        return Err(Error::config("FILTER", reason).into());
    }
    if !args.json {
        return Ok(());
    }
    let report = json!({
        "device": bench.device.describe(),
        "kernels": bench.device.kernels(),
        "shapes": format!("{:?}", args.shapes).to_lowercase(),
        "peak_gflops": bench.roofline.flops / 1e9,
        "copy_gigabytes_per_second": bench.roofline.bytes / 1e9,
        "operations": bench.rows,
    });
    print_report(&report, true)
}

/// Measures row after row, and prints each at once where a person reads.
struct Bench<'a> {
    device: Device,
    filters: &'a [String],
    roofline: Roofline,
    json: bool,
    rows: Vec<Value>,
}

impl Bench<'_> {
    fn head(&self) -> std::io::Result<()> {
        if self.json {
            return Ok(());
        }
        let Roofline { flops, bytes } = self.roofline;
        let mut out = std::io::stdout().lock();
        let (flops, bytes) = (flops / 1e9, bytes / 1e9);
        writeln!(out, "roofline: {flops:.1} GFLOP/s of multiply-adds, {bytes:.1} GB/s of copying")?;
        let (best, median, speed, share) = ("best ms", "median ms", "speed", "of roofline");
        writeln!(out, "{:56} {best:>9} {median:>9} {speed:>15} {share:>11}", "operation")
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|part| name.contains(part))
    }

    /// Numbers without order in [-1, 1).
    fn tensor(&self, shape: &[usize]) -> Tensor {
        let value = |k: usize| ((k * 7919) % 1009) as f32 / 504.5 - 1.0;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        Tensor::from_slice(&values, shape, &self.device)
    }

    /// One operation. Its speed counts multiply-adds, or bytes where it has none.
    fn row<T>(&mut self, name: &str, work: Work, call: impl Fn() -> T) -> anyhow::Result<()> {
        if !self.is_wanted(name) {
            return Ok(());
        }
        let [best, median] = seconds(&self.device, call)?;
        let share = self.roofline.seconds(work) / best;
        let (gflops, gigabytes) = (work.flops as f64 / best / 1e9, work.bytes as f64 / best / 1e9);
        self.rows.push(json!({
            "name": name,
            "best_ms": best * 1e3,
            "median_ms": median * 1e3,
            "gflops": gflops,
            "gigabytes_per_second": gigabytes,
            "share_of_roofline": share,
        }));
        if self.json {
            return Ok(());
        }
        let speed = match work.flops {
            0 => format!("{gigabytes:.1} GB/s   "),
            _ => format!("{gflops:.1} GFLOP/s"),
        };
        let (best, median, share) = (best * 1e3, median * 1e3, share * 100.0);
        let mut out = std::io::stdout().lock();
        Ok(writeln!(out, "{name:56} {best:9.3} {median:9.3} {speed:>15} {share:10.1}%")?)
    }
}
