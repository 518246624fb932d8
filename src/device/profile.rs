//! Where time goes: seconds per operation, summed while profiling is on.

use std::collections::BTreeMap;
use std::ops::Add;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one call moves and computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Of its inputs and outputs.
    pub bytes: u64,
    /// Floating-point operations.
    pub flops: u64,
}

/// Calls and time of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often it ran.
    pub calls: u64,
    /// In all.
    pub time: Duration,
    /// In all.
    pub work: Work,
}

impl Cost {
    /// Gigabytes per second.
    pub fn bandwidth(&self) -> f64 {
        self.per_second(self.work.bytes) / 1e9
    }

    /// GFLOP/s.
    pub fn speed(&self) -> f64 {
        self.per_second(self.work.flops) / 1e9
    }

    fn per_second(&self, amount: u64) -> f64 {
        if amount == 0 { 0.0 } else { amount as f64 / self.time.as_secs_f64() }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let work = Work {
            bytes: self.work.bytes + other.work.bytes,
            flops: self.work.flops + other.work.flops,
        };
        Self { calls: self.calls + other.calls, time: self.time + other.time, work }
    }
}

/// A table of costs by operation; empty and free of charge until switched on.
#[derive(Debug, Default)]
pub struct Profile {
    on: AtomicBool,
    costs: Mutex<BTreeMap<String, Cost>>,
}

impl Profile {
    /// Starts with an empty table, or stops.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
        if let Ok(mut costs) = self.costs.lock() {
            costs.clear();
        }
    }

    /// Whether calls are being recorded.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self, name: String, time: Duration, work: Work) {
        if let Ok(mut costs) = self.costs.lock() {
            let cost = costs.entry(name).or_default();
            *cost = *cost + Cost { calls: 1, time, work };
        }
    }

    /// Operations by falling time.
    pub fn table(&self) -> Vec<(String, Cost)> {
        let costs = self.costs.lock().map(|costs| costs.clone()).unwrap_or_default();
        let mut table: Vec<(String, Cost)> = costs.into_iter().collect();
        table.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.time));
        table
    }
}
