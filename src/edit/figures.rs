//! Sheets that show groups and edits, as the paper's figures do.

use super::sarigan::{LayerGroups, Strip};
use crate::sample::{Plane, Rgb, Sheet, cell_side};

/// Least side of a picture of similarities.
const SIMILARITY_SIDE: usize = 512;
/// Width of the lines between groups, in pixels.
const LINE: usize = 2;

/// Figure 3: a row per seed with the picture, then the map of each group over it.
///
/// # Panics
/// When there are no rows.
pub fn groups_sheet(layer: &LayerGroups, seeds: &[u64], rows: &[(&Rgb, &[Plane])]) -> Rgb {
    let groups = layer.non_empty();
    let columns = groups.iter().map(|&i| format!("g{i} n{}", layer.sizes[i]));
    let columns: Vec<String> = std::iter::once(String::new()).chain(columns).collect();
    let labels: Vec<String> = seeds.iter().map(|seed| format!("seed {seed}")).collect();
    let side = cell_side(rows[0].0.width);
    let mut sheet = Sheet::new(side, &columns, &labels);
    for (row, (picture, maps)) in rows.iter().enumerate() {
        let picture = picture.resized(side);
        sheet.place(0, row, &picture);
        for (k, &i) in groups.iter().enumerate() {
            let map = maps[i].resized(side);
            sheet.place(k + 1, row, &map.scaled(map.range()).over(&picture));
        }
    }
    sheet.into_picture()
}

/// All channels against all, sorted by group, with a line between groups and their numbers beside.
pub fn similarity_sheet(layer: &LayerGroups) -> Rgb {
    let (order, n) = (layer.sorted(), layer.channels);
    let pixels = SIMILARITY_SIDE.div_ceil(n);
    // Where each channel begins, and where a group's name stands.
    let (mut starts, mut names, mut end) = (Vec::new(), Vec::new(), 0);
    for run in order.chunk_by(|&a, &b| layer.assignment[a] == layer.assignment[b]) {
        let name = layer.assignment[run[0]].map_or("none".into(), |i| format!("g{i}"));
        names.push((end + run.len() * pixels / 2, name));
        starts.extend((0..run.len()).map(|k| end + k * pixels));
        end += run.len() * pixels + LINE;
    }
    let side = end - LINE;
    // A channel with itself does not stretch the scale.
    let mut others = layer.similarity.clone();
    others.values.iter_mut().step_by(n + 1).for_each(|v| *v = 0.0);
    let (low, high) = others.range();
    let colors = layer.similarity.scaled((low, high)).colored();
    let mut matrix = Rgb { width: side, height: side, pixels: vec![255; 3 * side * side] };
    for (&row, &top) in order.iter().zip(&starts) {
        for (&column, &left) in order.iter().zip(&starts) {
            let color = &colors.pixels[3 * (row * n + column)..][..3];
            for y in top..top + pixels {
                let line = &mut matrix.pixels[3 * (y * side + left)..][..3 * pixels];
                line.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(color));
            }
        }
    }
    let title = format!("{} similarity {low:.2} to {high:.2}", layer.layer);
    let mut sheet = Sheet::new(side, &[title], &[" ".repeat(4)]);
    sheet.place(0, 0, &matrix);
    names.iter().for_each(|(y, name)| sheet.mark(0, *y, name));
    sheet.into_picture()
}

/// Figures 4 and 5: where the groups are active, the steps and the picture whose codes were taken;
/// below each step its difference from the first, all on one scale.
pub fn edit_sheet([own, from]: [u64; 2], strip: &Strip, other: &Rgb) -> Rgb {
    const BRIGHT: [u8; 3] = [255, 255, 255];
    let steps = strip.steps.iter().map(|step| format!("t {:.2}", step.t));
    let from = format!("seed {from}");
    let columns: Vec<String> = ["map".to_owned()].into_iter().chain(steps).chain([from]).collect();
    let most = strip.steps.iter().map(|step| step.change.range().1).fold(0.0, f32::max);
    let rows = [format!("seed {own}"), format!("0 to {most:.1}")];
    let side = cell_side(other.width);
    let mut sheet = Sheet::new(side, &columns, &rows);
    sheet.mark(1, side / 2 - 16, "change");
    let map = strip.map.resized(side);
    let mut first = map.scaled(map.range()).over(&strip.steps[0].picture.resized(side));
    first.outline(&strip.region, BRIGHT);
    sheet.place(0, 0, &first);
    for (k, step) in strip.steps.iter().enumerate() {
        sheet.place(k + 1, 0, &step.picture.resized(side));
        let mut change = step.change.scaled((0.0, most)).colored().resized(side);
        change.outline(&strip.region, BRIGHT);
        sheet.place(k + 1, 1, &change);
    }
    sheet.place(columns.len() - 1, 0, &other.resized(side));
    sheet.into_picture()
}
