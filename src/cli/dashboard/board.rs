//! What is known of the run that is shown.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::plot::Curves;
use crate::memory;
use crate::train::Run;
use crate::train::stats::Collector;

/// Lines of the log that are kept.
const LINES: usize = 200;

/// A run as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    /// Where it trains.
    pub(super) device: String,
    /// Statistics of all ticks, those of earlier sessions included.
    pub(super) curves: Arc<Curves>,
    /// Newest last.
    pub(super) lines: VecDeque<String>,
    /// Newest pictures of the network.
    pub(super) picture: Option<PathBuf>,
    /// Pictures shown, by earlier sessions, so far, and in all.
    pub(super) earlier: u64,
    pub(super) images: u64,
    pub(super) total: u64,
    pub(super) elapsed: Duration,
    /// Of this process.
    pub(super) host_bytes: u64,
}

impl Board {
    /// Before the first step of this session.
    pub(super) fn new(run: &Run) -> Self {
        // A new run has no statistics yet.
        let curves = Curves::read(&run.folder).unwrap_or_else(|_| Curves::named(&run.folder));
        Self {
            device: run.state.device().describe(),
            curves: Arc::new(curves),
            earlier: run.state.images,
            images: run.state.images,
            total: run.options.images(),
            ..Self::default()
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.lines.push_back(text.to_owned());
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    pub(super) fn progress(&mut self, images: u64, total: u64, elapsed: Duration) {
        (self.images, self.total, self.elapsed) = (images, total, elapsed);
        self.host_bytes = memory::host_bytes();
    }

    pub(super) fn tick(&mut self, stats: &Collector) {
        Arc::make_mut(&mut self.curves).push(stats.means());
    }

    /// Part of the run that is done.
    pub(super) fn done(&self) -> f64 {
        (self.images as f64 / self.total.max(1) as f64).min(1.0)
    }

    /// Seconds for a thousand pictures in this session; `None` before its first step.
    pub(super) fn sec_per_kimg(&self) -> Option<f64> {
        let own = self.images.saturating_sub(self.earlier);
        (own > 0).then(|| self.elapsed.as_secs_f64() / own as f64 * 1000.0)
    }

    /// Seconds until the end at that speed.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.images) as f64 / 1000.0;
        self.sec_per_kimg().map(|seconds| seconds * left)
    }
}
