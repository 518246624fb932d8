//! `semgan data check`: everything that is wrong with a set.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::bar::Bar;
use crate::data::{Finding, Severity, check};

/// Names everything that is wrong with a data set, file by file
///
/// Reads and decodes every file. Exit code 1 means that there are problems; warnings and notes do
/// not count.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder, zip or LMDB folder
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bar = Bar::new();
    let report = check(&args.data, |done, all| bar.set(done, all));
    bar.clear();
    let report = report?;
    let mut out = std::io::stdout().lock();
    for Finding { severity, name, reason, fix } in &report.findings {
        let severity = match severity {
            Severity::Problem => "problem",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        writeln!(out, "{severity}: {name}: {reason}; fix: {fix}")?;
    }
    let [problems, warnings, notes] =
        [Severity::Problem, Severity::Warning, Severity::Note].map(|s| report.count(s));
    let maps =
        if report.maps > 0 { format!(" and {} label maps", report.maps) } else { String::new() };
    let pictures = report.pictures;
    writeln!(
        out,
        "{pictures} pictures{maps}: {problems} problems, {warnings} warnings, {notes} notes"
    )?;
    Ok(if problems > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
