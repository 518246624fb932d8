//! `semgan train --tui`: a run on a whole terminal, drawn by a thread of its own, so that keys are
//! heard and the picture moves while a step takes its time.

#![expect(clippy::disallowed_methods, reason = "keys are heard on a thread")]

mod board;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::board::Board;
use self::screen::Screen;
use super::watch::{Show, Signals};
use crate::train::stats::Collector;
use crate::train::{Run, Watch};
use crate::{Error, Result};

/// From one picture to the next.
const FRAME: Duration = Duration::from_millis(100);

/// The run as it stands, and the thread that shows it.
pub(super) struct Dashboard {
    board: Arc<Mutex<Board>>,
    signals: Signals,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dashboard {
    /// Refuses to start where nobody could see it or press a key.
    pub(super) fn check() -> Result<()> {
        if io::stderr().is_terminal() && io::stdin().is_terminal() {
            return Ok(());
        }
        let reason = "needs a terminal for standard input and error; without it, lines are printed";
        Err(Error::config("--tui", reason))
    }

    /// Takes the terminal, until it is cleared or dropped.
    pub(super) fn new(run: &Run) -> Result<Self> {
        let board = Arc::new(Mutex::new(Board::new(run)));
        let signals = Signals::listen_twice()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let screen = Screen::open().map_err(Error::io("draw on", "terminal"))?;
        let shown = (board.clone(), signals.clone(), is_over.clone());
        let thread = thread::spawn(move || show(screen, &shown.0, &shown.1, &shown.2));
        Ok(Self { board, signals, is_over, thread: Some(thread) })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been told by its hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.close();
    }
}

impl Watch for Dashboard {
    fn line(&mut self, text: &str) {
        self.board().line(text);
    }

    fn progress(&mut self, images: u64, total: u64, elapsed: Duration) {
        self.board().progress(images, total, elapsed);
    }

    fn stops(&self) -> bool {
        self.signals.came()
    }

    fn tick(&mut self, stats: &Collector) {
        self.board().tick(stats);
    }

    fn picture(&mut self, path: &Path) {
        self.board().picture = Some(path.to_owned());
    }
}

impl Show for Dashboard {
    fn signal(&self) -> Option<ExitCode> {
        self.signals.exit_code()
    }

    fn clear(&mut self) {
        self.close();
        // The screen is gone with all that was on it.
        if let Some(line) = self.board().lines.back() {
            say!("{line}");
        }
    }
}

/// Draws until the run is over. The second wish to stop ends the process.
fn show(mut screen: Screen, board: &Mutex<Board>, signals: &Signals, is_over: &AtomicBool) {
    let mut wishes = 0;
    while !is_over.load(Ordering::Relaxed) {
        let board = board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A terminal that went away does not end a run.
        let _ = screen.draw(|frame| view::draw(frame, &board, signals.came()));
        if wants_to_stop() {
            signals.raise();
        }
        wishes += usize::from(signals.take());
        if wishes > 1 {
            drop(screen);
            signals.exit_now();
        }
    }
}

/// Waits for keys, for the time of a frame at most.
fn wants_to_stop() -> bool {
    match event::poll(FRAME) {
        Ok(true) => matches!(event::read(), Ok(Event::Key(key)) if stops(key)),
        Ok(false) => false,
        Err(_) => {
            thread::sleep(FRAME);
            false
        }
    }
}

fn stops(key: KeyEvent) -> bool {
    let is_control_c =
        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_known = is_control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
    is_known && key.kind == KeyEventKind::Press
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_keys_stop_a_run() {
        let key = |code, modifiers| stops(KeyEvent::new(code, modifiers));
        let (plain, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert!(key(KeyCode::Char('q'), plain) && key(KeyCode::Esc, plain));
        assert!(key(KeyCode::Char('c'), control));
        assert!(!key(KeyCode::Char('c'), plain) && !key(KeyCode::Enter, plain));
    }
}
