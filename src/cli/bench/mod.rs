//! `semgan bench`: how fast a device trains and samples.

#![expect(clippy::disallowed_methods, reason = "this measures time")]

mod sample;
mod step;

use std::io::Write;
use std::process::ExitCode;

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::device::Device;
use crate::models::sarigan::Config;

/// Measures speed
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Step(step::Args),
    Sample(sample::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Step(args) => step::run(args)?,
        What::Sample(args) => sample::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn at_least_one() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Named network sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// Learns on two CPU cores
    Tiny,
    /// Half the published channels
    Small,
    /// The published table: StyleGAN2's config e, channel multiplier 1
    Published,
    /// Twice as wide from 64x64 on: config f, channel multiplier 2
    Wide,
}

impl Preset {
    pub(super) fn config(self, res: usize) -> Config {
        match self {
            Self::Tiny => Config::tiny(res),
            Self::Small => Config::small(res),
            Self::Wide => Config::wide(res),
            Self::Published => Config::published(res),
        }
    }
}

/// The result on stdout: on one line, or for people.
fn print_report(report: &Value, on_one_line: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match on_one_line {
        true => writeln!(out, "{report}")?,
        false => writeln!(out, "{report:#}")?,
    }
    Ok(())
}

/// The operations that took most of the time, on stderr.
fn print_profile(device: &Device) {
    for (name, cost) in device.profile().table().into_iter().take(40) {
        let ms = cost.time.as_secs_f64() * 1e3;
        let (speed, bandwidth) = (cost.speed(), cost.bandwidth());
        let calls = cost.calls;
        say!("{ms:9.1} ms {calls:6} calls {speed:7.1} GFLOP/s {bandwidth:6.1} GB/s  {name}");
    }
}
