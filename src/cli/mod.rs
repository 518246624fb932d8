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
mod data;
mod demo;
mod devices;
mod doctor;
mod groups;
mod sample;
mod train;
mod verify;
mod watch;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Device;

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
    Sample(sample::Args),
    Groups(groups::Args),
    Data(data::Args),
    Devices(devices::Args),
    Doctor(doctor::Args),
    Bench(bench::Args),
    Verify(verify::Args),
}

/// Where to compute; flattened into every command that does.
#[derive(clap::Args, Debug, Clone)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, gpu:N, gpu:NAME or reference; `semgan devices` lists what is there
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
}

impl DeviceArgs {
    /// The device; says on stderr which one and why.
    pub fn open(&self) -> crate::Result<Device> {
        let (device, why) = Device::select(&self.device)?;
        say!("{why}");
        Ok(device)
    }
}

/// How far samples may be from the mean; flattened into every command that makes them.
#[derive(clap::Args, Debug, Clone, Copy)]
struct Truncation {
    /// Truncation psi: 1 is the network's whole variety, 0 the mean picture
    #[arg(
        long = "trunc",
        default_value_t = 1.0,
        value_name = "PSI",
        allow_negative_numbers = true
    )]
    psi: f64,
}

impl Truncation {
    fn psi(self) -> crate::Result<f64> {
        if self.psi.is_finite() {
            return Ok(self.psi);
        }
        Err(crate::Error::config("--trunc", format!("{} is not a number", self.psi)))
    }
}

/// Parses the arguments, runs the command and reports its error.
pub fn main() -> ExitCode {
    prepare_process();
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Groups(args) => groups::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
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
