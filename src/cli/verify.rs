//! `semgan verify`: golden cases on a device, which doubles as "does my GPU compute correctly?".

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::DeviceArgs;
use crate::{Device, verify};

/// Runs golden cases and compares every number
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder of golden cases, walked with its sub-folders, or a single case
    dir: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
    /// Only cases whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut device = args.device.open()?;
    let cases = verify::cases(&args.dir, args.filter.as_deref())?;
    // A case that panics is reported as a failure of that case.
    std::panic::set_hook(Box::new(|_| ()));
    let mut out = std::io::stdout().lock();
    let mut failed = 0;
    for path in &cases {
        if let Err(failure) = verify::check(path, &device) {
            failed += 1;
            writeln!(out, "{failure}")?;
            // A fault of the device stays with it; the next case gets a new one.
            if device.sync().is_err() {
                device = Device::select(&args.device.device)?.0;
            }
        }
    }
    writeln!(out, "{} passed, {failed} failed", cases.len() - failed)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
