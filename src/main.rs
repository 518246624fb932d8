//! The `semgan` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    semgan::cli::main()
}
