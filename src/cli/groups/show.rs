//! `semgan groups` itself: the table, the maps and the similarities.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::{CommonArgs, Opened};
use crate::cli::pictures::NoiseMode;
use crate::edit::figures::{groups_sheet, similarity_sheet};
use crate::edit::sarigan::{Editor, LayerGroups, group_maps, layer_groups, parse_layers};
use crate::sample::{parse_seeds, save_png};
use crate::{Error, Result};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    common: CommonArgs,
    /// Seeds of the pictures of --outdir, like 0-3,7
    #[arg(long, default_value = "0-3")]
    seeds: String,
    /// A key (convs.3), a resolution (both its layers) or all
    #[arg(long, default_value = "all")]
    layer: String,
}

/// Most rows of a sheet.
const MAX_SEEDS: usize = 64;

/// A line of the table.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    layer: &'a LayerGroups,
    groups: usize,
    non_empty: usize,
    largest: usize,
    median: f64,
    smallest: usize,
    ungrouped: usize,
}

impl<'a> Line<'a> {
    fn new(layer: &'a LayerGroups) -> Self {
        let mut sizes: Vec<usize> = layer.sizes.iter().copied().filter(|&n| n > 0).collect();
        sizes.sort_unstable();
        let n = sizes.len();
        let at = |k: usize| sizes.get(k).copied().unwrap_or(0);
        Self {
            layer,
            groups: layer.sizes.len(),
            non_empty: n,
            largest: at(n.saturating_sub(1)),
            median: (at(n.saturating_sub(1) / 2) + at(n / 2)) as f64 / 2.0,
            smallest: at(0),
            ungrouped: layer.ungrouped(),
        }
    }

    fn cells(&self) -> [String; 13] {
        let layer = self.layer;
        let number = |v: f64| format!("{v:.4}");
        let mean = |v: Option<f64>| v.map_or("-".into(), number);
        [
            layer.layer.clone(),
            layer.resolution.to_string(),
            layer.channels.to_string(),
            self.groups.to_string(),
            self.non_empty.to_string(),
            self.largest.to_string(),
            self.median.to_string(),
            self.smallest.to_string(),
            self.ungrouped.to_string(),
            mean(layer.similarity_inside),
            mean(layer.similarity_between),
            number(layer.target_share),
            number(1.0 / self.groups as f64),
        ]
    }
}

pub(super) fn run(network: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let seeds = parse_seeds(&args.seeds)?;
    if seeds.len() > MAX_SEEDS {
        let reason = format!("{} rows are too many for a sheet; {MAX_SEEDS} at most", seeds.len());
        return Err(Error::config("--seeds", reason).into());
    }
    let opened = args.common.open(network, NoiseMode::Const)?;
    let editor = Editor::new(&opened.trained, opened.look);
    let shown = parse_layers(editor.g, &args.layer)?;
    let layers = layer_groups(&editor)?;
    let layers: Vec<&LayerGroups> = shown.iter().map(|&k| &layers[k]).collect();
    if let Some(dir) = &args.common.outdir {
        save(dir, args, (&opened, &editor), &seeds, (&shown, &layers))?;
        say!("{} pictures in {}", 2 * layers.len(), dir.display());
    }
    let lines: Vec<Line<'_>> = layers.into_iter().map(Line::new).collect();
    let mut out = std::io::stdout().lock();
    if args.common.json {
        let config = editor.g.config();
        let report = json!({
            "network": opened.source, "rule": config.rule, "form": config.form, "layers": lines,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        table(&mut out, &lines)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(out: &mut impl Write, lines: &[Line<'_>]) -> std::io::Result<()> {
    const HEAD: [&str; 13] = [
        "layer", "size", "channels", "groups", "used", "largest", "median", "smallest", "none",
        "inside", "between", "target", "1/g",
    ];
    let rows = lines.iter().map(Line::cells);
    for cells in std::iter::once(HEAD.map(str::to_owned)).chain(rows) {
        write!(out, "{:9}", cells[0])?;
        for (cell, head) in cells.iter().zip(HEAD).skip(1) {
            write!(out, " {cell:>width$}", width = head.len().max(7))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes both pictures of every layer.
fn save(
    dir: &Path,
    args: &Args,
    (opened, editor): (&Opened, &Editor<'_>),
    seeds: &[u64],
    (shown, layers): (&[usize], &[&LayerGroups]),
) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let maps = |&seed: &u64| group_maps(editor, seed, shown);
    let maps: Vec<_> = seeds.iter().map(maps).collect::<Result<_>>()?;
    let psi = opened.look.psi.to_string();
    for (k, layer) in layers.iter().enumerate() {
        let rows: Vec<_> = maps.iter().map(|(picture, maps)| (picture, &maps[k][..])).collect();
        let source = [("network", opened.source.as_str()), ("layer", &layer.layer)];
        let of_seeds = [("seeds", args.seeds.as_str()), ("psi", &psi)];
        let sheets = [
            ("groups", groups_sheet(layer, seeds, &rows), [&of_seeds[..], &source].concat()),
            ("similarity", similarity_sheet(layer), source.to_vec()),
        ];
        for (name, sheet, text) in sheets {
            save_png(dir.join(format!("{name}-{}.png", layer.layer)), &sheet, &text)?;
        }
    }
    Ok(())
}
