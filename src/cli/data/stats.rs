//! `semgan data stats`: a set in numbers.

use std::io::{self, Write};
use std::path::PathBuf;

use super::bar::Bar;
use crate::data::{Layout, Statistics};

/// Counts what is in a data set: sizes, formats, colours, classes
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder, zip or LMDB folder
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
}

/// Sizes and classes that are listed; the rest is summed up.
const MAX_LISTED: usize = 20;

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let bar = Bar::new();
    let statistics = Statistics::of(&args.data, |done, all| bar.set(done, all));
    bar.clear();
    print(&statistics?, &mut io::stdout().lock())?;
    Ok(())
}

fn print(s: &Statistics, out: &mut impl Write) -> io::Result<()> {
    let layout = match s.layout {
        Some(Layout::Zip) => "zip",
        Some(Layout::Lmdb) => "LMDB",
        Some(Layout::CelebAMask) => "CelebAMask-HQ",
        Some(Layout::Folder) | None => "folder",
    };
    writeln!(out, "layout      {layout}")?;
    writeln!(out, "pictures    {} ({} broken)", s.pictures, s.broken)?;
    writeln!(out, "bytes       {}", s.bytes)?;
    let sizes = s.sizes.iter().map(|((w, h), n)| (format!("{w}x{h}"), *n));
    list("size", sizes, s.pictures, out)?;
    list("format", s.formats.iter().map(|(f, n)| ((*f).to_owned(), *n)), s.pictures, out)?;
    list("channels", s.channels.iter().map(|(c, n)| (c.clone(), *n)), s.pictures, out)?;
    let three = |v: [f64; 3]| format!("{:.3} {:.3} {:.3}", v[0], v[1], v[2]);
    writeln!(out, "mean        {} (red, green, blue; 0 to 255)", three(s.mean))?;
    writeln!(out, "deviation   {}", three(s.deviation))?;
    list("class", s.classes.iter().map(|(c, n)| (c.to_string(), *n)), s.pictures, out)?;
    if s.maps > 0 {
        writeln!(out, "label maps  {}", s.maps)?;
        for (class, share) in &s.map_shares {
            writeln!(out, "label       {class:<12} {:.3}% of pixels", 100.0 * share)?;
        }
    }
    Ok(())
}

/// The most frequent first.
fn list(
    what: &str,
    counts: impl Iterator<Item = (String, u64)>,
    all: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (name, count) in counts.iter().take(MAX_LISTED) {
        let share = 100.0 * *count as f64 / all.max(1) as f64;
        writeln!(out, "{what:<11} {name:<12} {count} ({share:.1}%)")?;
    }
    if counts.len() > MAX_LISTED {
        writeln!(out, "{what:<11} and {} more", counts.len() - MAX_LISTED)?;
    }
    Ok(())
}
