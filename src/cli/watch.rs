//! How a run shows on a terminal, and what ends it early.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::train::Watch;
use crate::{Error, Result, memory};

/// A way to show a run.
pub(super) trait Show: Watch {
    /// Exit code for the signal that ended the run, where one did.
    fn signal(&self) -> Option<ExitCode>;
    /// Gives the terminal back.
    fn clear(&mut self);
}

/// A progress bar on a terminal, plain lines elsewhere; signals stop the run after its step.
pub(super) struct Terminal {
    bar: ProgressBar,
    /// Images that an earlier process had shown.
    earlier: u64,
    signals: Signals,
    /// When the run ends in any case.
    limit: Option<Duration>,
    elapsed: Duration,
}

impl Terminal {
    /// For a run that has shown `earlier` images, and takes no longer than `limit`.
    pub(super) fn new(earlier: u64, limit: Option<Duration>) -> Result<Self> {
        let signals = Signals::listen()?;
        let bar = if std::io::stderr().is_terminal() {
            let style = "{wide_bar} {percent}%  {msg}  {elapsed_precise} < {eta_precise}";
            ProgressBar::new(1).with_style(bar_style(style))
        } else {
            ProgressBar::hidden()
        };
        Ok(Self { bar, earlier, signals, limit, elapsed: Duration::ZERO })
    }
}

impl Show for Terminal {
    fn signal(&self) -> Option<ExitCode> {
        self.signals.exit_code()
    }

    fn clear(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Signals that ask for an end. The first one is noticed here, the second one ends the process, or
/// is noticed too.
#[derive(Clone)]
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    /// Whether another one came since [`Signals::take`].
    new: Arc<AtomicBool>,
    /// 128 + number of the signal that came.
    code: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on; the second one ends the process.
    pub(super) fn listen() -> Result<Self> {
        Self::register(true)
    }

    /// From now on; for those who have something to do before the second one ends the process.
    pub(super) fn listen_twice() -> Result<Self> {
        Self::register(false)
    }

    fn register(ends: bool) -> Result<Self> {
        let signals = Self { stop: Arc::default(), new: Arc::default(), code: Arc::default() };
        for number in [SIGINT, SIGTERM] {
            signals
                .listen_to(number, ends)
                .map_err(Error::io("listen for signals of", "system"))?;
        }
        Ok(signals)
    }

    fn listen_to(&self, number: i32, ends: bool) -> std::io::Result<()> {
        let status = 128 + number;
        if ends {
            flag::register_conditional_shutdown(number, status, self.stop.clone())?;
        }
        flag::register_usize(number, self.code.clone(), status as usize)?;
        flag::register(number, self.new.clone())?;
        flag::register(number, self.stop.clone())?;
        Ok(())
    }

    /// Whether one came.
    pub(super) fn came(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether one came since the last call.
    pub(super) fn take(&self) -> bool {
        self.new.swap(false, Ordering::Relaxed)
    }

    /// As if a key that means an end sent one.
    pub(super) fn raise(&self) {
        self.code.store((128 + SIGINT) as usize, Ordering::Relaxed);
        self.new.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Exit code for the one that came.
    pub(super) fn exit_code(&self) -> Option<ExitCode> {
        let code = self.code.load(Ordering::Relaxed) as u8;
        (code > 0).then(|| ExitCode::from(code))
    }

    /// Ends the process at once, as a second signal does.
    pub(super) fn exit_now(&self) -> ! {
        low_level::exit(self.code.load(Ordering::Relaxed) as i32)
    }
}

/// A bar for steps of known number, shown on a terminal once they take longer than two seconds.
pub(super) struct Steps(ProgressBar);

impl Steps {
    /// Of so many steps.
    pub(super) fn new(length: usize) -> Self {
        let style = bar_style("{wide_bar} {pos}/{len}  {msg}  {elapsed_precise} < {eta_precise}");
        let hidden = ProgressDrawTarget::hidden();
        Self(ProgressBar::with_draw_target(Some(length as u64), hidden).with_style(style))
    }

    /// So many steps are done.
    pub(super) fn at(&self, step: usize, message: String) {
        self.0.set_message(message);
        self.0.set_position(step as u64);
        if self.0.is_hidden() && self.0.elapsed() > Duration::from_secs(2) {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The look of a progress bar.
pub(super) fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar())
}

impl Watch for Terminal {
    fn line(&mut self, text: &str) {
        // Who waits for minutes only watches the bar; log.txt has the lines.
        if self.limit.is_none() {
            self.bar.suspend(|| say!("{text}"));
        }
    }

    fn progress(&mut self, images: u64, total: u64, elapsed: Duration) {
        self.elapsed = elapsed;
        let (position, length) = match self.limit {
            Some(limit) => {
                (elapsed.as_millis().min(limit.as_millis()) as u64, limit.as_millis() as u64)
            }
            None => (images, total),
        };
        self.bar.set_length(length);
        self.bar.set_position(position);
        let own = images.saturating_sub(self.earlier).max(1);
        let per_kimg = elapsed.as_secs_f64() / (own as f64 / 1000.0);
        let gigabytes = memory::host_bytes() as f64 / (1u64 << 30) as f64;
        let kimg = images as f64 / 1000.0;
        self.bar.set_message(format!("{kimg:.1} kimg  {per_kimg:.1} s/kimg  {gigabytes:.2} GB"));
    }

    fn stops(&self) -> bool {
        self.signals.came() || self.limit.is_some_and(|limit| self.elapsed >= limit)
    }
}
