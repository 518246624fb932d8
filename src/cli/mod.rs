//! The command line: one file per subcommand, each with its `Args` and `run`.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage. A
//! closed pipe is no failure.

/// Prints a line for people on stderr. Where nobody listens any more, the work goes on.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod bench;
mod dashboard;
mod data;
mod demo;
mod devices;
mod doctor;
mod export;
mod factorise;
mod groups;
mod import;
mod info;
mod interpolate;
mod mix;
mod networks;
mod perceptual;
mod pictures;
mod plot;
mod ppl;
mod profile;
mod project;
mod runs;
mod sample;
mod separability;
mod stats;
mod train;
mod tune;
mod variation;
mod verify;
mod watch;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::device::{AdapterReport, Tuning};
use crate::{Device, Error, Result};

/// Semantic GANs that train and run on any GPU.
#[derive(Parser, Debug)]
#[command(name = "semgan", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Args),
    Train(Box<train::Args>),
    Runs(runs::Args),
    Plot(plot::Args),
    Sample(sample::Args),
    Mix(mix::Args),
    Interpolate(interpolate::Args),
    #[command(alias = "factorize")]
    Factorise(factorise::Args),
    Stats(stats::Args),
    Variation(variation::Args),
    Project(project::Args),
    Groups(groups::Args),
    Ppl(ppl::Args),
    Separability(separability::Args),
    Import(import::Args),
    Export(export::Args),
    Info(info::Args),
    Data(data::Args),
    Devices(devices::Args),
    Doctor(doctor::Args),
    Bench(bench::Args),
    Tune(tune::Args),
    Verify(verify::Args),
}

/// Where to compute; flattened into every command that does.
#[derive(clap::Args, Debug, Clone)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, gpu:N, gpu:NAME or reference; `semgan devices` lists what is there
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// Table of kernel forms that `semgan tune` measured, or off [default: this GPU's, where there
    /// is one]
    #[arg(long, value_name = "FILE|off")]
    pub tuning: Option<PathBuf>,
}

impl DeviceArgs {
    /// The device; says on stderr which one and why, and which kernels were measured for it.
    pub fn open(&self) -> Result<Device> {
        let (device, why) = self.select()?;
        say!("{why}");
        if let Some(table) = device.tuning() {
            say!("tuning: {table}");
        }
        Ok(device)
    }

    /// As [`DeviceArgs::open`], without a word.
    fn select(&self) -> Result<(Device, String)> {
        let (device, why) = Device::select(&self.device)?;
        let given = self.tuning.as_deref();
        match (&device, given) {
            (_, Some(path)) if path == Path::new("off") => {}
            (Device::Gpu(gpu), _) => device.set_tuning(tuning_of(gpu.report(), given)?.as_ref()),
            (_, None) => {}
            (_, Some(_)) => {
                let reason =
                    format!("{} has one form of every kernel: leave it out", device.kind());
                return Err(Error::config("--tuning", reason));
            }
        }
        Ok((device, why))
    }
}

/// The table in a file, or in the place where `semgan tune` leaves it, if it is there.
fn tuning_of(report: &AdapterReport, given: Option<&Path>) -> Result<Option<Tuning>> {
    let usual = || Tuning::usual_path(report).filter(|path| path.exists());
    let path = given.map(Path::to_owned).or_else(usual);
    path.map(|path| Tuning::load(&path, report)).transpose()
}

/// Parses the arguments, runs the command and reports its error.
pub fn main() -> ExitCode {
    prepare_process();
    let cli = Cli::parse_from(dashed(std::env::args_os()));
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Mix(args) => mix::run(&args),
        Command::Interpolate(args) => interpolate::run(&args),
        Command::Factorise(args) => factorise::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Variation(args) => variation::run(&args),
        Command::Project(args) => project::run(&args),
        Command::Groups(args) => groups::run(&args),
        Command::Ppl(args) => ppl::run(&args),
        Command::Separability(args) => separability::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    result.unwrap_or_else(|error| {
        // All files are written under their name; what has none is stdout.
        match error.downcast_ref::<std::io::Error>() {
            Some(e) if e.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Some(e) => say!("error: cannot write to standard output: {e}"),
            None => say!("error: {error}"),
        }
        ExitCode::FAILURE
    })
}

/// Arguments in which flags may be written with `_` for `-`, as in other programs of the field.
fn dashed(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    args.map(|arg| match arg.to_str() {
        Some(text) if text.starts_with("--") => {
            let (flag, value) = text.split_at(text.find('=').unwrap_or(text.len()));
            format!("{}{value}", flag.replace('_', "-")).into()
        }
        _ => arg,
    })
}

/// What the system expects of a program, before anything else runs.
fn prepare_process() {
    // Without this a file-size limit kills the process; with it, writing reports an error.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    // Mesa's drivers complain on stderr where it is missing, as in containers.
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread has been started.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_may_be_written_with_underscores() {
        let given = ["semgan", "--noise_mode=a_b", "--batch_gpu", "my_file", "--", "-x_y"];
        let wanted = ["semgan", "--noise-mode=a_b", "--batch-gpu", "my_file", "--", "-x_y"];
        assert!(dashed(given.into_iter().map(OsString::from)).eq(wanted));
    }
}
