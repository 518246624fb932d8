//! How the dashboard looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph};

use super::board::Board;
use crate::cli::plot::Range;
use crate::memory::human;
use crate::train::stats::duration;

/// Title of a chart, and its curves with their labels.
type Panel = (&'static str, &'static [(&'static str, &'static str)]);

const PANELS: [Panel; 3] = [
    ("scores", &[("real", "Loss/scores/real"), ("fake", "Loss/scores/fake")]),
    ("losses", &[("G", "Loss/G/loss"), ("D", "Loss/D/loss")]),
    ("s/kimg", &[("", "Timing/sec_per_kimg")]),
];

/// Newest values that are listed, with their names for people.
const VALUES: [(&str, &str); 11] = [
    ("score real", "Loss/scores/real"),
    ("score fake", "Loss/scores/fake"),
    ("loss G", "Loss/G/loss"),
    ("loss D", "Loss/D/loss"),
    ("r1 penalty", "Loss/r1_penalty"),
    ("path length", "Loss/pl_mean"),
    ("augment p", "Progress/augment"),
    ("s/kimg", "Timing/sec_per_kimg"),
    ("host GB", "Resources/cpu_mem_gb"),
    ("device GB", "Resources/peak_gpu_mem_gb"),
    ("step", "Progress/step"),
];

const COLORS: [Color; 2] = [Color::Cyan, Color::Yellow];
/// Width of the list of values.
const LIST: u16 = 26;

/// The whole screen.
pub(super) fn draw(frame: &mut Frame, board: &Board, is_stopping: bool) {
    let list = VALUES.len() as u16 + 2;
    let rows = [
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Fill(1),
        Constraint::Max(list),
        Constraint::Length(1),
    ];
    let [head, gauge, charts, below, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(title(board), head);
    frame.render_widget(progress(board), gauge);
    let thirds = Layout::horizontal([Constraint::Fill(1); PANELS.len()]).split(charts);
    for (panel, &area) in PANELS.iter().zip(thirds.iter()) {
        chart(frame, area, board, panel);
    }
    let columns = [Constraint::Length(LIST), Constraint::Fill(1)];
    let [values, log] = Layout::horizontal(columns).areas(below);
    frame.render_widget(newest(board), values);
    frame.render_widget(lines(board, log), log);
    frame.render_widget(hints(board, is_stopping), foot);
}

fn title(board: &Board) -> Line<'static> {
    Line::from(vec![
        " semgan ".bold().reversed(),
        format!(" {} ", board.curves.name).bold(),
        format!("on {}", board.device).dim(),
    ])
}

/// How far, how fast, how long yet, and what this process holds.
fn progress(board: &Board) -> Gauge<'static> {
    let kimg = |images: u64| images as f64 / 1000.0;
    let speed = board.sec_per_kimg().map_or("-".into(), |s| format!("{s:.1}"));
    let left = board.seconds_left().map_or("-".into(), duration);
    let elapsed = duration(board.elapsed.as_secs_f64());
    let label = format!(
        "{:.1}% of {} kimg   {speed} s/kimg   {elapsed} < {left}   {}",
        board.done() * 100.0,
        kimg(board.total),
        human(board.host_bytes)
    );
    let title = format!(" {:.3} kimg ", kimg(board.images));
    let style = Style::new().fg(Color::Blue).bg(Color::Black);
    let block = Block::bordered().title(title).border_style(Style::new().dim());
    Gauge::default().block(block).ratio(board.done()).label(label).gauge_style(style)
}

fn chart(frame: &mut Frame, area: Rect, board: &Board, (title, curves): &Panel) {
    let points = |name: &str| {
        let points = board.curves.get(name).unwrap_or_default().iter();
        points.filter(|p| p[1].is_finite()).map(|p| (p[0], p[1])).collect::<Vec<_>>()
    };
    let found: Vec<_> = curves.iter().map(|(label, name)| (*label, points(name))).collect();
    let all = || found.iter().flat_map(|(_, points)| points);
    let y = Range::around(all().map(|p| p.1).collect(), 4);
    let x = Range::exact(0.0, all().map(|p| p.0).fold(0.0, f64::max), 4);
    let mut heads = vec![Span::raw(format!(" {title} "))];
    let labels = curves.iter().zip(COLORS).filter(|((label, _), _)| !label.is_empty());
    heads.extend(labels.map(|((label, _), color)| format!("{label} ").fg(color)));
    let lines = found.iter().zip(COLORS).map(|((_, points), color)| {
        let marker = Marker::Braille;
        let line = Dataset::default().data(points).marker(marker).graph_type(GraphType::Line);
        line.style(Style::new().fg(color))
    });
    let chart = Chart::new(lines.collect())
        .block(Block::bordered().title(Line::from(heads)).border_style(Style::new().dim()))
        .x_axis(axis(&x, area.width > 40))
        .y_axis(axis(&y, area.height > 6))
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// With the ends of the range as labels where there is room.
fn axis(range: &Range, has_labels: bool) -> Axis<'static> {
    let labels = if has_labels { range.ends().to_vec() } else { Vec::new() };
    let axis = Axis::default().bounds([range.low, range.high]).style(Style::new().dim());
    axis.labels(labels)
}

fn newest(board: &Board) -> Paragraph<'static> {
    let line = |(label, name): &(&'static str, &str)| {
        let value = board.curves.get(name)?.last()?[1];
        let digits = if *label == "step" { 0 } else { 4 };
        let label = format!("{label:<12}").dim();
        Some(Line::from(vec![label, Span::raw(format!("{value:>12.digits$}"))]))
    };
    let lines: Vec<Line> = VALUES.iter().filter_map(line).collect();
    let block = Block::bordered().title(" newest tick ").border_style(Style::new().dim());
    Paragraph::new(lines).block(block)
}

/// The end of the log, as much as fits.
fn lines(board: &Board, area: Rect) -> Paragraph<'static> {
    let room = usize::from(area.height.saturating_sub(2));
    let start = board.lines.len().saturating_sub(room);
    let lines: Vec<Line> = board.lines.range(start..).map(|l| Line::raw(squeezed(l))).collect();
    let block = Block::bordered().title(" log.txt ").border_style(Style::new().dim());
    Paragraph::new(lines).block(block)
}

/// Without the spaces that align columns.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hints(board: &Board, is_stopping: bool) -> Line<'static> {
    let key = match is_stopping {
        true => " saving after this step; q again: exit at once ".reversed(),
        false => " q: save and stop ".reversed(),
    };
    let picture = board.picture.as_ref().map(|path| format!("  pictures: {}", path.display()));
    Line::from(vec![key, picture.unwrap_or_default().dim()])
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::plot::Curves;

    fn screen(board: &Board, size: [u16; 2], is_stopping: bool) -> String {
        let mut terminal = Terminal::new(TestBackend::new(size[0], size[1])).expect("a terminal");
        terminal.draw(|frame| draw(frame, board, is_stopping)).expect("drawn");
        terminal.backend().to_string()
    }

    fn board() -> Board {
        let mut board = Board { device: "cpu".into(), ..Board::default() };
        let mut curves = Curves::named(Path::new("runs/00003-test/stats.jsonl"));
        board.line("tick 0     kimg 1.0");
        board.progress(2000, 8000, Duration::from_secs(60));
        for kimg in 1..=2 {
            let kimg = f64::from(kimg);
            let values = [("Progress/kimg", kimg), ("Loss/G/loss", 0.5 * kimg)];
            curves.push(values.into_iter());
        }
        board.curves = curves.into();
        board.picture = Some("runs/00003-test/fakes000002.png".into());
        board.host_bytes = 300 << 20;
        board
    }

    #[test]
    fn a_screen_shows_all_that_is_known() {
        let text = screen(&board(), [100, 30], false);
        for part in [
            "semgan  00003-test on cpu",
            "2.000 kimg",
            "25.0% of 8 kimg   30.0 s/kimg   1m 00s < 3m 00s   300 MiB",
            "scores real fake",
            "losses G D",
            "loss G            1.0000",
            "tick 0 kimg 1.0",
            "q: save and stop",
            "runs/00003-test/fakes000002.png",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        // Braille: a curve is drawn.
        assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{text}");
    }

    #[test]
    fn who_stops_is_told_what_happens() {
        let text = screen(&board(), [100, 30], true);
        assert!(text.contains("saving after this step; q again: exit at once"), "{text}");
    }

    #[test]
    fn nothing_known_and_no_room_are_no_reason_to_fail() {
        for size in [[1, 1], [20, 5], [80, 24], [300, 100]] {
            screen(&Board::default(), size, false);
            screen(&board(), size, true);
        }
    }
}
