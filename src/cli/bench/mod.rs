//! `semgan bench`: how fast a device trains and samples.

#![expect(clippy::disallowed_methods, reason = "this measures time")]

mod ops;
mod sample;
mod step;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Subcommand;
use clap::builder::{RangedU64ValueParser, TypedValueParser};
use serde_json::Value;

use crate::Result;
use crate::device::Device;

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
    Ops(ops::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Step(args) => step::run(args)?,
        What::Sample(args) => sample::run(args)?,
        What::Ops(args) => ops::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn at_least_one() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::new().range(1..)
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

/// Least time of a round, and of all rounds together, in seconds.
const ROUND: f64 = 0.002;
const ROUNDS: f64 = 0.4;

/// Seconds of a call: the best and the median of a few rounds, each of so many calls that the wait
/// at its end does not count. What compiles does so before.
pub(super) fn seconds<T>(device: &Device, call: impl Fn() -> T) -> Result<[f64; 2]> {
    let round = |calls: u32| -> Result<f64> {
        let start = Instant::now();
        (0..calls).for_each(|_| drop(call()));
        device.sync()?;
        Ok(start.elapsed().as_secs_f64() / f64::from(calls))
    };
    round(1)?;
    let calls = (ROUND / round(1)?).clamp(1.0, 100.0) as u32;
    let (start, mut rounds) = (Instant::now(), Vec::new());
    while rounds.len() < 3 || start.elapsed().as_secs_f64() < ROUNDS {
        rounds.push(round(calls)?);
    }
    rounds.sort_by(f64::total_cmp);
    Ok([rounds[0], rounds[rounds.len() / 2]])
}
