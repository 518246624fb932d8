//! The CPU as a device: pooled buffers in host memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::profile::{Profile, Work};
use super::{Counters, Dtype};
use crate::tensor::Shape;

/// Numbers of one tensor or slab in host memory.
#[derive(Debug)]
pub(crate) enum HostData {
    /// `cpu`.
    F32(Vec<f32>),
    /// `reference`.
    F64(Vec<f64>),
    /// Indices and labels on both.
    I32(Vec<i32>),
}

/// Buffers of finished tensors by length, kept for the next tensor of that length.
#[derive(Default, Debug)]
struct Free {
    f32: HashMap<usize, Vec<Vec<f32>>>,
    f64: HashMap<usize, Vec<Vec<f64>>>,
    i32: HashMap<usize, Vec<Vec<i32>>>,
}

/// Pool and counters of the two host devices.
#[derive(Default, Debug)]
pub struct Host {
    free: Mutex<Free>,
    dispatches: AtomicU64,
    bytes_allocated: AtomicU64,
    bytes_read_back: AtomicU64,
    bytes_in_use: AtomicU64,
    peak_bytes: AtomicU64,
    pub(super) profile: Profile,
}

fn take<T: Clone + Default>(free: &mut HashMap<usize, Vec<Vec<T>>>, len: usize) -> Option<Vec<T>> {
    free.get_mut(&len)?.pop()
}

impl Host {
    /// A buffer whose contents are whatever its last owner left.
    pub(crate) fn alloc(self: &Arc<Self>, dtype: Dtype, len: usize) -> HostBuffer {
        let mut free = self.free.lock().expect("a thread panicked in the pool");
        let reused = match dtype {
            Dtype::F32 => take(&mut free.f32, len).map(HostData::F32),
            Dtype::F64 => take(&mut free.f64, len).map(HostData::F64),
            Dtype::I32 => take(&mut free.i32, len).map(HostData::I32),
        };
        drop(free);
        let data = reused.unwrap_or_else(|| {
            self.bytes_allocated.fetch_add(dtype.bytes() * len as u64, Ordering::Relaxed);
            match dtype {
                Dtype::F32 => HostData::F32(vec![0.0; len]),
                Dtype::F64 => HostData::F64(vec![0.0; len]),
                Dtype::I32 => HostData::I32(vec![0; len]),
            }
        });
        let buffer = HostBuffer { data, host: self.clone() };
        let used = self.bytes_in_use.fetch_add(buffer.bytes(), Ordering::Relaxed) + buffer.bytes();
        self.peak_bytes.fetch_max(used, Ordering::Relaxed);
        buffer
    }

    /// Runs one operation's work, counted and, where asked for, timed.
    #[expect(clippy::disallowed_methods, reason = "only while profiling")]
    pub(crate) fn dispatch(&self, name: &str, shape: &Shape, work: Work, run: impl FnOnce()) {
        self.dispatches.fetch_add(1, Ordering::Relaxed);
        if !self.profile.is_on() {
            return run();
        }
        let start = Instant::now();
        run();
        self.profile.record(format!("{name} {shape:?}"), start.elapsed(), work);
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        self.bytes_read_back.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            dispatches: get(&self.dispatches),
            bytes_allocated: get(&self.bytes_allocated),
            bytes_read_back: get(&self.bytes_read_back),
            peak_bytes: get(&self.peak_bytes),
            ..Counters::default()
        }
    }
}

/// A buffer that returns to its pool when dropped.
#[derive(Debug)]
pub(crate) struct HostBuffer {
    pub(crate) data: HostData,
    host: Arc<Host>,
}

impl HostBuffer {
    fn bytes(&self) -> u64 {
        match &self.data {
            HostData::F32(v) => 4 * v.len() as u64,
            HostData::F64(v) => 8 * v.len() as u64,
            HostData::I32(v) => 4 * v.len() as u64,
        }
    }
}

impl Drop for HostBuffer {
    fn drop(&mut self) {
        self.host.bytes_in_use.fetch_sub(self.bytes(), Ordering::Relaxed);
        let Ok(mut free) = self.host.free.lock() else { return };
        match &mut self.data {
            HostData::F32(v) => free.f32.entry(v.len()).or_default().push(std::mem::take(v)),
            HostData::F64(v) => free.f64.entry(v.len()).or_default().push(std::mem::take(v)),
            HostData::I32(v) => free.i32.entry(v.len()).or_default().push(std::mem::take(v)),
        }
    }
}
