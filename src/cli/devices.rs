//! `semgan devices`: what could compute, and what `auto` would take.

use std::io::Write;
use std::process::ExitCode;

use super::tuning_of;
use crate::device::{AdapterReport, Tuning, adapters};
use crate::memory::human;

/// Lists the GPUs with their drivers, limits and features
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let found = adapters();
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for a in &found {
        let mib = |bytes: u64| bytes >> 20;
        let auto = if a.is_auto { "  <- auto" } else { "" };
        let subgroups = match a.subgroup_sizes {
            Some((least, most)) if least == most => format!("subgroups of {least}"),
            Some((least, most)) => format!("subgroups of {least} to {most}"),
            None => "no subgroups".into(),
        };
        let has = |yes: bool, what: &str| if yes { what.to_owned() } else { format!("no {what}") };
        writeln!(out, "gpu:{} {} ({}, {}){auto}", a.index, a.name, a.backend, a.device_type)?;
        writeln!(out, "  driver    {}", a.driver)?;
        if let Some(bytes) = a.memory_bytes {
            writeln!(out, "  memory    {}", human(bytes))?;
        }
        writeln!(
            out,
            "  limits    {} MiB a tensor, {} MiB a buffer, {} invocations and {} KiB a workgroup",
            mib(a.max_binding_bytes),
            mib(a.max_buffer_bytes),
            a.max_workgroup_invocations,
            a.max_workgroup_bytes >> 10
        )?;
        writeln!(
            out,
            "  features  {}, {subgroups}, {} cooperative-matrix forms, {}",
            has(a.has_f16, "f16"),
            a.cooperative_matrices,
            has(a.has_timestamps, "time stamps")
        )?;
        writeln!(out, "  kernels   {}", a.kernels)?;
        writeln!(out, "  tuning    {}", tuning(a))?;
    }
    let auto = if found.iter().any(|a| a.is_auto) { "" } else { "  <- auto" };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "cpu {threads} threads, f32{auto}")?;
    writeln!(out, "reference {threads} threads, f64 (for checking)")?;
    Ok(ExitCode::SUCCESS)
}

/// The table of kernel forms that commands use, or what is wrong with it.
fn tuning(report: &AdapterReport) -> String {
    match (tuning_of(report, None), Tuning::usual_path(report)) {
        (Ok(Some(table)), Some(path)) => format!("{} ({table})", path.display()),
        (Ok(_), _) => format!("none; measure with `semgan tune --device gpu:{}`", report.index),
        (Err(error), _) => error.to_string(),
    }
}
