//! The terminal while it is ours. It is given back when the screen is dropped, and before a panic
//! speaks.

use std::io::{self, Stderr, stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

/// Whether the terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);

/// A screen of its own, on standard error as all that is for people.
pub(super) struct Screen(Terminal<CrosstermBackend<Stderr>>);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let terminal = Terminal::new(CrosstermBackend::new(stderr()))?;
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            earlier(info);
        }));
        OURS.store(true, Ordering::SeqCst);
        let screen = Self(terminal);
        enable_raw_mode()?;
        execute!(stderr(), EnterAlternateScreen)?;
        Ok(screen)
    }

    /// Draws, unless a panic has taken the screen away.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if OURS.load(Ordering::SeqCst) {
            self.0.draw(draw)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Once, whoever comes first. What fails cannot be told to anybody.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}
