//! How much work goes into one submit. Too little wastes the queue's overhead; too much runs into
//! the driver's watchdog, which takes the whole device away, and makes a desktop stutter.

#![expect(
    clippy::disallowed_methods,
    reason = "submits are sized by time; a browser gives it a clock of its own"
)]

use std::ops::Range;
use std::time::{Duration, Instant};

/// Work of one submit before anything was measured: short even on a slow integrated GPU.
const START: u64 = 200_000_000;
const LIMITS: Range<u64> = 50_000_000..1 << 50;

/// What a submit costs, in units of roughly one floating-point operation: memory traffic weighs
/// several operations per byte, and every dispatch has a price of its own.
pub(super) fn cost(flops: u64, bytes: u64) -> u64 {
    flops + 8 * bytes + 2_000_000
}

#[derive(Debug)]
pub(super) struct Governor {
    budget: u64,
    target: Range<Duration>,
    last_end: Instant,
}

impl Governor {
    /// A software driver has no watchdog, so its submits may be longer.
    pub(super) fn new(is_software: bool) -> Self {
        let millis = if is_software { 250..500 } else { 50..100 };
        let target = Duration::from_millis(millis.start)..Duration::from_millis(millis.end);
        Self { budget: START, target, last_end: Instant::now() }
    }

    pub(super) fn is_due(&self, cost: u64) -> bool {
        cost >= self.budget
    }

    /// Takes note of work of known cost, submitted at that time at the earliest, that was just seen
    /// to end. `is_prompt` says that we waited for it, so that the time is the device's, not ours.
    pub(super) fn ended(&mut self, cost: u64, submitted: Instant, is_prompt: bool) {
        let now = Instant::now();
        let took = now - submitted.max(self.last_end);
        self.last_end = now;
        // Submits cut short by a read-back tell little.
        if cost < self.budget / 2 {
            return;
        }
        let full = took.mul_f64(self.budget as f64 / cost as f64);
        if full < self.target.start {
            self.budget = (self.budget * 2).min(LIMITS.end);
        } else if full > self.target.end && is_prompt {
            self.budget = (self.budget / 2).max(LIMITS.start);
        }
    }
}
