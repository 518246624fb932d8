//! What a GPU has done, counted from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Counters;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) dispatches: AtomicU64,
    pub(super) submits: AtomicU64,
    pub(super) pipelines: AtomicU64,
    pub(super) bind_groups: AtomicU64,
    held_groups: AtomicU64,
    bytes_read_back: AtomicU64,
    bytes_allocated: AtomicU64,
    bytes_in_use: AtomicU64,
    peak_bytes: AtomicU64,
}

impl Tally {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn allocated(&self, bytes: u64) {
        self.bytes_allocated.fetch_add(bytes, Relaxed);
    }

    pub(super) fn read_back(&self, bytes: u64) {
        self.bytes_read_back.fetch_add(bytes, Relaxed);
    }

    pub(super) fn hold_groups(&self, count: usize) {
        self.held_groups.store(count as u64, Relaxed);
    }

    pub(super) fn hold(&self, bytes: u64) {
        let used = self.bytes_in_use.fetch_add(bytes, Relaxed) + bytes;
        self.peak_bytes.fetch_max(used, Relaxed);
    }

    pub(super) fn release(&self, bytes: u64) {
        self.bytes_in_use.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.bytes_in_use.load(Relaxed)
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            dispatches: self.dispatches.load(Relaxed),
            submits: self.submits.load(Relaxed),
            pipelines: self.pipelines.load(Relaxed),
            bind_groups: self.bind_groups.load(Relaxed),
            held_groups: self.held_groups.load(Relaxed),
            bytes_allocated: self.bytes_allocated.load(Relaxed),
            bytes_read_back: self.bytes_read_back.load(Relaxed),
            peak_bytes: self.peak_bytes.load(Relaxed),
        }
    }
}
