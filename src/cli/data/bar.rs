//! How far a command is, for those who wait.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::cli::watch::bar_style;

/// Before this, nobody needs to know how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// A bar on stderr that appears after a while, on a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let style = "{wide_bar} {percent}%  {elapsed_precise} < {eta_precise}";
        Self(ProgressBar::hidden().with_style(bar_style(style)))
    }

    pub(super) fn set(&self, done: u64, all: u64) {
        let bar = &self.0;
        bar.set_length(all);
        if bar.is_hidden() && bar.elapsed() > PATIENCE && std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_position(done);
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
