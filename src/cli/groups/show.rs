//! `semgan groups` itself: the table, the maps and the similarities.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::{NetworkArgs, Opened};
use crate::edit::sarigan::{LayerGroups, activation_maps, layer_groups, parse_layers};
use crate::sample::{Plane, Rgb, Sampler, Sheet, cell_side, parse_seeds, save_png};
use crate::{Error, Result};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    network: NetworkArgs,
    /// Seeds of the pictures of --outdir, like 0-3,7
    #[arg(long, default_value = "0-3")]
    seeds: String,
    /// A key (convs.3), a resolution (both its layers) or all
    #[arg(long, default_value = "all")]
    layer: String,
}

/// Most rows of a sheet.
const MAX_SEEDS: usize = 64;
/// Least side of a picture of similarities.
const SIMILARITY_SIDE: usize = 512;
/// Width of the lines between groups, in pixels.
const LINE: usize = 2;

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
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seeds = parse_seeds(&args.seeds)?;
    if seeds.len() > MAX_SEEDS {
        let reason = format!("{} rows are too many for a sheet; {MAX_SEEDS} at most", seeds.len());
        return Err(Error::config("--seeds", reason).into());
    }
    let opened = args.network.open()?;
    let g = &opened.network.model;
    let sampler = Sampler::new(g, &opened.mean);
    let shown = parse_layers(g, &args.layer)?;
    let layers = layer_groups(g, sampler.groups())?;
    let layers: Vec<&LayerGroups> = shown.iter().map(|&k| &layers[k]).collect();
    let mut files = Vec::new();
    if let Some(dir) = &args.network.outdir {
        files = save(dir, args, &opened, &seeds, (&shown, &layers))?;
        say!("{} pictures in {}", files.len(), dir.display());
    }
    let lines: Vec<Line<'_>> = layers.into_iter().map(Line::new).collect();
    let mut out = std::io::stdout().lock();
    if args.network.json {
        let config = g.config();
        let report = json!({
            "network": opened.source, "rule": config.rule, "form": config.form, "layers": lines,
            "files": files,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        table(&mut out, &lines)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(out: &mut impl Write, lines: &[Line<'_>]) -> std::io::Result<()> {
    writeln!(
        out,
        "{:9} {:>4} {:>8} {:>6} {:>4} {:>7} {:>6} {:>8} {:>7}  {:>10} {:>7}  {:>6} {:>6}",
        "layer",
        "size",
        "channels",
        "groups",
        "used",
        "largest",
        "median",
        "smallest",
        "outside",
        "similarity",
        "between",
        "target",
        "1/g"
    )?;
    for line in lines {
        let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.4}"));
        writeln!(
            out,
            "{:9} {:>4} {:>8} {:>6} {:>4} {:>7} {:>6} {:>8} {:>7}  {:>10} {:>7}  {:>6.4} {:>6.4}",
            line.layer.layer,
            line.layer.resolution,
            line.layer.channels,
            line.groups,
            line.non_empty,
            line.largest,
            line.median,
            line.smallest,
            line.ungrouped,
            number(line.layer.similarity_inside),
            number(line.layer.similarity_between),
            line.layer.target_share,
            1.0 / line.groups as f64
        )?;
    }
    Ok(())
}

/// Writes both pictures of every layer, and returns their names.
fn save(
    dir: &Path,
    args: &Args,
    opened: &Opened,
    seeds: &[u64],
    (shown, layers): (&[usize], &[&LayerGroups]),
) -> Result<Vec<String>> {
    let sampler = Sampler::new(&opened.network.model, &opened.mean);
    let psi = args.network.psi;
    let maps = |&seed: &u64| activation_maps(&sampler, seed, psi, shown);
    let maps: Vec<_> = seeds.iter().map(maps).collect::<Result<_>>()?;
    let psi = psi.to_string();
    let mut files = Vec::new();
    for (k, layer) in layers.iter().enumerate() {
        let rows: Vec<_> = maps.iter().map(|(picture, maps)| (picture, &maps[k][..])).collect();
        let source = [("network", opened.source.as_str()), ("layer", &layer.layer)];
        let of_seeds = [("seeds", args.seeds.as_str()), ("psi", &psi)];
        let sheets = [
            ("groups", heat_sheet(layer, seeds, &rows), [&of_seeds[..], &source].concat()),
            ("similarity", similarity_sheet(layer), source.to_vec()),
        ];
        for (name, sheet, text) in sheets {
            let file = format!("{name}-{}.png", layer.layer);
            save_png(dir.join(&file), &sheet, &text)?;
            files.push(file);
        }
    }
    Ok(files)
}

/// A row per seed: the picture, then the map of each group over it.
fn heat_sheet(layer: &LayerGroups, seeds: &[u64], rows: &[(&Rgb, &[Plane])]) -> Rgb {
    let groups = layer.non_empty();
    let columns = groups.iter().map(|&i| format!("g{i} n{}", layer.sizes[i]));
    let columns: Vec<String> = std::iter::once(String::new()).chain(columns).collect();
    let labels: Vec<String> = seeds.iter().map(|seed| format!("seed {seed}")).collect();
    let side = cell_side(rows[0].0.width);
    let mut sheet = Sheet::new(side, &columns, &labels);
    for (row, (picture, maps)) in rows.iter().enumerate() {
        let picture = picture.nearest(side);
        sheet.place(0, row, &picture);
        for (k, &i) in groups.iter().enumerate() {
            let map = maps[i].resized(side);
            sheet.place(k + 1, row, &map.scaled(map.range()).over(&picture));
        }
    }
    sheet.into_picture()
}

/// All channels against all, sorted by group, with a line between groups and their numbers beside.
fn similarity_sheet(layer: &LayerGroups) -> Rgb {
    let order = layer.sorted();
    let (n, pixels) = (order.len(), SIMILARITY_SIDE.div_ceil(order.len()));
    // Where each channel begins.
    let mut starts = vec![0; n];
    for k in 1..n {
        let is_new = layer.assignment[order[k]] != layer.assignment[order[k - 1]];
        starts[k] = starts[k - 1] + pixels + if is_new { LINE } else { 0 };
    }
    let at = |a: usize, b: usize| layer.similarity.values[order[a] * n + order[b]];
    let pairs = (0..n * n).map(|k| (k / n, k % n));
    let others: Vec<f32> = pairs.clone().filter(|(a, b)| a != b).map(|(a, b)| at(a, b)).collect();
    let (low, high) = Plane { size: 0, values: others }.range();
    let sorted = Plane::new(pairs.map(|(a, b)| at(a, b)).collect()).scaled((low, high)).colored();
    let side = starts[n - 1] + pixels;
    let mut matrix = Rgb { width: side, height: side, pixels: vec![255; 3 * side * side] };
    for (k, color) in sorted.pixels.chunks_exact(3).enumerate() {
        for pixel in 0..pixels * pixels {
            let y = starts[k / n] + pixel / pixels;
            let x = starts[k % n] + pixel % pixels;
            matrix.pixels[3 * (y * side + x)..][..3].copy_from_slice(color);
        }
    }
    let title = format!("{} similarity {low:.2} to {high:.2}", layer.layer);
    let mut sheet = Sheet::new(side, &[title], &["    ".into()]);
    sheet.place(0, 0, &matrix);
    let mut blocks: Vec<(Option<usize>, usize, usize)> = Vec::new();
    for (&c, &start) in order.iter().zip(&starts) {
        match blocks.last_mut() {
            Some((group, _, end)) if *group == layer.assignment[c] => *end = start + pixels,
            _ => blocks.push((layer.assignment[c], start, start + pixels)),
        }
    }
    for (group, start, end) in blocks {
        let label = group.map_or("none".into(), |i| format!("g{i}"));
        sheet.mark(0, (start + end) / 2, &label);
    }
    sheet.into_picture()
}
