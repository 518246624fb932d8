//! `semgan runs`: how the runs in a folder stand.

#![expect(clippy::disallowed_methods, reason = "says how long ago a run changed")]

use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::train::stats::duration;
use crate::train::status::{self, Status};
use crate::{Error, Result};

/// Lists training runs: what each does, how far it is, how fast, and its newest pictures
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder of the runs' folders
    #[arg(long, value_name = "DIR", default_value = "runs")]
    outdir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const HEADS: [&str; COLUMNS] =
    ["run", "state", "system", "res", "kimg", "s/kimg", "fid", "changed", "pictures"];
const COLUMNS: usize = 9;
/// Columns of numbers.
const RIGHT: std::ops::RangeInclusive<usize> = 3..=6;
/// Width of the table on a terminal.
const WIDTH: usize = 100;

type Row = [String; COLUMNS];

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runs = status::all(&args.outdir)?;
    let mut out = stdout().lock();
    if args.json {
        let all: Vec<Value> = runs.iter().map(described).collect();
        writeln!(out, "{:#}", Value::Array(all))?;
        return Ok(ExitCode::SUCCESS);
    }
    if runs.is_empty() {
        let reason = format!("no runs in {}; semgan train begins one", args.outdir.display());
        return Err(Error::config("--outdir", reason).into());
    }
    let is_short = out.is_terminal();
    let rows = runs.iter().map(|(folder, status)| row(folder, status, is_short)).collect();
    table(rows, is_short).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let broken = runs.iter().filter_map(|(_, status)| status.as_ref().err());
    broken.for_each(|error| say!("broken: {error}"));
    Ok(ExitCode::SUCCESS)
}

/// A run for programs.
fn described((folder, status): &(PathBuf, Result<Status>)) -> Value {
    let mut run = match status {
        Ok(status) => serde_json::to_value(status).expect("a status is plain data"),
        Err(error) => json!({ "state": "broken", "error": error.to_string() }),
    };
    run["run"] = json!(name(folder));
    run["folder"] = json!(folder);
    run
}

/// A run for people; in short, with the names of pictures instead of their paths.
fn row(folder: &Path, status: &Result<Status>, is_short: bool) -> Row {
    let Ok(status) = status else {
        let mut row = Row::default();
        (row[0], row[1]) = (name(folder), "broken".into());
        return row;
    };
    let shown = |path: &PathBuf| if is_short { name(path) } else { path.display().to_string() };
    let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.1}"));
    [
        name(folder),
        status.state.name().into(),
        status.system.into(),
        status.res.to_string(),
        format!("{}/{}", short(status.kimg), short(status.total_kimg)),
        number(status.sec_per_kimg),
        number(status.fid),
        age(status.changed),
        status.picture.as_ref().map_or(String::new(), shown),
    ]
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Thousands of pictures, to a tenth where that says more than nothing.
fn short(kimg: f64) -> String {
    let digits = if kimg < 1.0 { 3 } else { 1 };
    let text = format!("{kimg:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Time since `seconds` after 1970, in its largest unit.
fn age(seconds: f64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = duration((now.as_secs_f64() - seconds).max(0.0));
    let largest = age.split(' ').next().unwrap_or_default();
    format!("{largest} ago")
}

/// Aligned lines without the columns that are empty; in short, at most [`WIDTH`] wide.
fn table(mut rows: Vec<Row>, is_short: bool) -> Vec<String> {
    let used: Vec<usize> =
        (0..COLUMNS).filter(|&c| rows.iter().any(|row| !row[c].is_empty())).collect();
    rows.insert(0, HEADS.map(str::to_owned));
    let width = |rows: &[Row], c: usize| rows.iter().map(|r| r[c].chars().count()).max();
    let widths = |rows: &[Row]| used.iter().map(|&c| width(rows, c).unwrap_or(0)).collect();
    let mut wide: Vec<usize> = widths(&rows);
    let total = wide.iter().sum::<usize>() + 2 * (used.len() - 1);
    if is_short && total > WIDTH {
        let room = wide[0].saturating_sub(total - WIDTH).max(12);
        rows.iter_mut().for_each(|row| row[0] = cut(&row[0], room));
        wide = widths(&rows);
    }
    let cell = |row: &Row, c: usize, width: usize| match RIGHT.contains(&c) {
        true => format!("{:>width$}", row[c]),
        false => format!("{:<width$}", row[c]),
    };
    let line = |row: &Row| {
        let cells = used.iter().zip(&wide).map(|(&c, &width)| cell(row, c, width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Text of at most so many letters.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, kimg: &str) -> Row {
        let mut row = Row::default();
        row[0] = name.into();
        row[1] = "running".into();
        row[4] = kimg.into();
        row[8] = "fakes000001.png".into();
        row
    }

    #[test]
    fn a_table_leaves_out_what_no_run_has() {
        let lines = table(vec![row("a", "1/10"), row("bc", "0.032/1")], false);
        let want = [
            "run  state       kimg  pictures",
            "a    running     1/10  fakes000001.png",
            "bc   running  0.032/1  fakes000001.png",
        ];
        assert_eq!(lines, want);
    }

    #[test]
    fn long_names_are_cut_on_terminals_alone() {
        let name = "n".repeat(120);
        let lines = table(vec![row(&name, "1/10")], true);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert!(lines[1].contains("…  running"), "{lines:?}");
        assert!(table(vec![row(&name, "1/10")], false)[1].starts_with(&name));
    }
}
