//! Panels of curves: where they lie, and what is drawn in each.

use tiny_skia::Rect;

use super::axis::Axis;
use super::canvas::{Canvas, Ink, LETTER, Line, text_width};
use super::curves::{Curves, Point, pieces, smooth};
use crate::sample::Rgb;
use crate::{Error, Result};

/// Title of a panel, and its curves with their labels.
type Panel = (&'static str, &'static [(&'static str, &'static str)]);

const PANELS: [Panel; 8] = [
    ("Scores", &[("real", "Loss/scores/real"), ("fake", "Loss/scores/fake")]),
    ("Generator loss", &[("", "Loss/G/loss")]),
    ("Discriminator loss", &[("", "Loss/D/loss")]),
    ("R1 penalty", &[("", "Loss/r1_penalty")]),
    ("Path length penalty", &[("", "Loss/pl_penalty")]),
    ("Augmentation probability", &[("", "Progress/augment")]),
    ("Seconds per kimg", &[("", "Timing/sec_per_kimg")]),
    ("Memory, GB", &[("host", "Resources/cpu_mem_gb"), ("device", "Resources/peak_gpu_mem_gb")]),
];

/// Colours of runs, or of the curves of one run: told apart by people who see fewer, too.
const INKS: [Ink; 8] = [
    [0x2b, 0x6c, 0xc4],
    [0xdf, 0x6a, 0x1c],
    [0x1f, 0x8f, 0x6b],
    [0xb3, 0x4f, 0xa8],
    [0xc0, 0x93, 0x12],
    [0x2a, 0xa5, 0xc9],
    [0xc8, 0x3a, 0x46],
    [0x5b, 0x63, 0x70],
];
const TEXT: Ink = [0x2b, 0x30, 0x38];
const FAINT: Ink = [0x78, 0x80, 0x8a];
const GRID: Ink = [0xe4, 0xe7, 0xeb];

/// Around the picture and between panels, in pixels.
const GAP: f32 = 24.0;
/// Left of a panel, for its numbers.
const LEFT: f32 = 62.0;
/// Above a panel, for its title, and below it, for its numbers.
const ABOVE: f32 = 26.0;
const BELOW: f32 = 24.0;
/// Height of a row of panels where none is asked for.
const ROW: f32 = 300.0;
/// Pixels from one tick to the next at least.
const TICKS: [f32; 2] = [60.0, 44.0];

/// The curves of all runs; of one run in a colour per curve, of more in a colour per run.
///
/// # Errors
/// When the panels do not fit.
pub(super) fn draw(runs: &[Curves], width: usize, height: Option<usize>) -> Result<Rgb> {
    let panels: Vec<&Panel> = PANELS.iter().filter(|panel| says_something(runs, panel)).collect();
    let columns = if panels.len() > 4 && width >= 1100 { 3 } else { 2.min(panels.len().max(1)) };
    let rows = panels.len().div_ceil(columns).max(1);
    let top = GAP + (LETTER[1] + 6.0) * runs.len() as f32;
    let height = height.unwrap_or((top + ROW * rows as f32 + GAP) as usize);
    let size = [
        (width as f32 - GAP) / columns as f32,
        (height as f32 - top - GAP - LETTER[1]) / rows as f32,
    ];
    let too_small = |pixels: usize| {
        let reason = format!("{pixels} pixels are too few for {rows} rows of panels");
        Error::config("--height", reason)
    };
    if size[1] < ABOVE + BELOW + 60.0 {
        return Err(too_small(height));
    }
    let mut canvas = Canvas::new(width, height).ok_or_else(|| too_small(height))?;
    legend(&mut canvas, runs);
    for (k, panel) in panels.iter().enumerate() {
        let [x, y] = [(k % columns) as f32 * size[0], top + (k / columns) as f32 * size[1]];
        let [w, h] = [size[0] - LEFT - GAP, size[1] - ABOVE - BELOW - GAP / 2.0];
        let frame = Rect::from_xywh(x + LEFT + GAP / 2.0, y + ABOVE, w, h);
        let frame = frame.ok_or_else(|| too_small(height))?;
        draw_panel(&mut canvas, frame, runs, panel);
    }
    let note = "thousands of pictures shown (kimg)";
    let at = [(width as f32 - text_width(note)) / 2.0, height as f32 - GAP - 4.0];
    canvas.text(at, note, FAINT, false);
    Ok(canvas.into_picture())
}

/// Whether any curve of a panel is more than zeros.
fn says_something(runs: &[Curves], (_, curves): &Panel) -> bool {
    let is_some = |points: &[Point]| points.iter().any(|p| p[1].is_finite() && p[1] != 0.0);
    runs.iter().any(|run| curves.iter().any(|(_, name)| run.get(name).is_some_and(is_some)))
}

/// Names of the runs, each with its colour where there are several.
fn legend(canvas: &mut Canvas, runs: &[Curves]) {
    for (k, run) in runs.iter().enumerate() {
        let y = GAP / 2.0 + k as f32 * (LETTER[1] + 6.0);
        if runs.len() == 1 {
            canvas.text([GAP / 2.0 + LEFT, y], &run.name, TEXT, true);
            continue;
        }
        let x = GAP / 2.0 + LEFT;
        let middle = y + LETTER[1] / 2.0;
        canvas.line(&[[x, middle], [x + 24.0, middle]], bold(ink(k), false));
        canvas.text([x + 34.0, y], &run.name, TEXT, true);
    }
}

fn ink(k: usize) -> Ink {
    INKS[k % INKS.len()]
}

fn bold(ink: Ink, dashed: bool) -> Line {
    Line { ink, alpha: 1.0, width: 2.0, dashed }
}

/// The look of a curve: of run `r`, the `c`th of its panel.
fn look(runs: usize, r: usize, c: usize) -> Line {
    if runs == 1 { bold(ink(c), false) } else { bold(ink(r), c > 0) }
}

fn draw_panel(canvas: &mut Canvas, frame: Rect, runs: &[Curves], panel: &Panel) {
    let (title, curves) = panel;
    let found = |r: usize| {
        let of_run = curves.iter().enumerate();
        of_run.filter_map(move |(c, (_, name))| Some((look(runs.len(), r, c), runs[r].get(name)?)))
    };
    let found: Vec<(Line, &[Point])> = (0..runs.len()).flat_map(found).collect();
    let all = || found.iter().flat_map(|(_, points)| points.iter());
    let kimg = all().map(|p| p[0]).fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(x), b.max(x)));
    let ticks = [frame.width() / TICKS[0], frame.height() / TICKS[1]].map(|n| n as usize);
    // The first tick has its own place, short of zero only where it covers little.
    let start = if kimg.0 < kimg.1 * 0.2 || kimg.0 == kimg.1 { 0.0 } else { kimg.0 };
    let axes = [
        Axis::exact(start, kimg.1, ticks[0]),
        Axis::around(all().map(|p| p[1]).collect(), ticks[1]),
    ];
    heading(canvas, frame, title, curves, runs.len());
    grid(canvas, frame, &axes);
    canvas.clip(Some(frame));
    for (line, points) in found {
        draw_curve(canvas, frame, &axes, line, points);
    }
    canvas.clip(None);
}

/// The title at the left, what the curves are at the right.
fn heading(canvas: &mut Canvas, frame: Rect, title: &str, curves: &[(&str, &str)], runs: usize) {
    let y = frame.top() - ABOVE + 2.0;
    canvas.text([frame.left(), y], title, TEXT, true);
    let mut right = frame.right();
    for (c, (label, _)) in curves.iter().enumerate().rev().filter(|(_, (l, _))| !l.is_empty()) {
        right -= text_width(label);
        let line = look(runs, 0, c);
        let ink = if runs == 1 { line.ink } else { FAINT };
        canvas.text([right, y], label, ink, false);
        let middle = y + LETTER[1] / 2.0;
        let sample = [[right - 28.0, middle], [right - 6.0, middle]];
        canvas.line(&sample, Line { ink, ..line });
        right -= 44.0;
    }
}

/// Lines at the ticks, and their numbers.
fn grid(canvas: &mut Canvas, frame: Rect, [x, y]: &[Axis; 2]) {
    let thin = Line { ink: GRID, alpha: 1.0, width: 1.0, dashed: false };
    for (value, label) in x.ticks() {
        let at = place(frame, [x, y], [value, y.low])[0].round() + 0.5;
        canvas.line(&[[at, frame.top()], [at, frame.bottom()]], thin);
        let left = at - text_width(&label) / 2.0;
        canvas.text([left, frame.bottom() + 5.0], &label, FAINT, false);
    }
    for (value, label) in y.ticks() {
        let at = place(frame, [x, y], [x.low, value])[1].round() + 0.5;
        canvas.line(&[[frame.left(), at], [frame.right(), at]], thin);
        let left = frame.left() - 8.0 - text_width(&label);
        canvas.text([left.max(0.0), at - LETTER[1] / 2.0 - 1.0], &label, FAINT, false);
    }
}

fn place(frame: Rect, [x, y]: [&Axis; 2], point: Point) -> [f32; 2] {
    let [x, y] = [x.place(point[0]), y.place(point[1])].map(|v| v.clamp(-4.0, 5.0) as f32);
    [frame.left() + x * frame.width(), frame.bottom() - y * frame.height()]
}

/// Faint as it is, and a smooth line over it.
fn draw_curve(canvas: &mut Canvas, frame: Rect, axes: &[Axis; 2], line: Line, points: &[Point]) {
    let [x, y] = axes;
    let mut draw = |points: &[Point], line: Line| {
        for piece in pieces(points) {
            let placed: Vec<_> = piece.iter().map(|&p| place(frame, [x, y], p)).collect();
            canvas.line(&placed, line);
        }
    };
    match smooth(points) {
        Some(smoothed) => {
            draw(points, Line { alpha: 0.28, width: 1.0, dashed: false, ..line });
            draw(&smoothed, line);
        }
        None => draw(points, line),
    }
}
