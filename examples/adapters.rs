//! Lists the adapters as JSON, as `--device gpu:N` counts them; exit status 1 where there is none.

use std::process::ExitCode;

#[expect(clippy::print_stdout, reason = "it is what a program does")]
fn main() -> ExitCode {
    let adapters = semgan::device::adapters();
    for adapter in &adapters {
        println!("{}", serde_json::json!(adapter));
    }
    ExitCode::from(u8::from(adapters.is_empty()))
}
