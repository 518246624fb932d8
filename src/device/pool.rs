//! Buffers on a GPU: one wgpu buffer per tensor, kept for the next tensor of its size class.
//!
//! A buffer goes back the moment its last handle is dropped, although recorded work may still read
//! it: whoever gets it next is recorded later on the same queue, so the old readers come first.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tally::Tally;

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Tensor,
    ReadBack,
}

impl Use {
    fn flags(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Self::Tensor => U::STORAGE | U::COPY_SRC | U::COPY_DST,
            Self::ReadBack => U::MAP_READ | U::COPY_DST,
        }
    }
}

/// Smallest buffer; classes are multiples of it, which is also the offset that every adapter allows.
const GRAIN: u64 = 256;

/// Bytes of the class that a request falls into: four classes per power of two, so that at most a
/// fifth of a large buffer is unused.
fn class(bytes: u64) -> u64 {
    let step = (bytes.max(1).next_power_of_two() / 8).max(GRAIN);
    bytes.max(1).next_multiple_of(step)
}

/// Idle buffers by use, size class and number. The lowest number goes first, so that equal steps
/// take equal buffers and find their bind groups again.
type Free = HashMap<(Use, u64), BTreeMap<u64, wgpu::Buffer>>;

#[derive(Debug)]
pub(super) struct Pool {
    device: wgpu::Device,
    max_bytes: u64,
    /// Bytes of all buffers together, idle ones included, that may be held.
    limit: AtomicU64,
    held: AtomicU64,
    free: Mutex<Free>,
    made: AtomicU64,
    nothing: wgpu::Buffer,
    tally: Arc<Tally>,
}

impl Pool {
    pub(super) fn new(device: &wgpu::Device, tally: &Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            device: device.clone(),
            max_bytes: device.limits().max_buffer_size,
            limit: AtomicU64::new(u64::MAX),
            held: AtomicU64::new(0),
            free: Mutex::default(),
            made: AtomicU64::new(0),
            nothing: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("nothing"),
                size: GRAIN,
                usage: Use::Tensor.flags(),
                mapped_at_creation: false,
            }),
            tally: tally.clone(),
        })
    }

    /// A buffer of at least `bytes`, whose contents are whatever its last owner left. `None` where
    /// the device has no room for it.
    pub(super) fn take(self: &Arc<Self>, usage: Use, bytes: u64) -> Option<GpuBuffer> {
        if bytes > self.max_bytes {
            return None;
        }
        let bytes = class(bytes).min(self.max_bytes);
        let reused = self.lock().get_mut(&(usage, bytes)).and_then(BTreeMap::pop_first);
        let (id, raw) = reused.or_else(|| self.make(usage, bytes))?;
        if usage == Use::Tensor {
            self.tally.hold(bytes);
        }
        Some(GpuBuffer { raw, id, bytes, usage, pool: self.clone() })
    }

    fn make(&self, usage: Use, bytes: u64) -> Option<(u64, wgpu::Buffer)> {
        if self.held.load(Ordering::Relaxed) + bytes > self.limit.load(Ordering::Relaxed) {
            return None;
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let raw = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(if usage == Use::Tensor { "tensor" } else { "read-back" }),
            size: bytes,
            usage: usage.flags(),
            mapped_at_creation: false,
        });
        // Native drivers have answered by now: this does not wait.
        if pollster::block_on(scope.pop()).is_some() {
            return None;
        }
        self.tally.allocated(bytes);
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Some((self.made.fetch_add(1, Ordering::Relaxed), raw))
    }

    /// Stands in for a buffer that there is no room for: after such a fault nothing is recorded.
    pub(super) fn nothing(self: &Arc<Self>, usage: Use) -> GpuBuffer {
        GpuBuffer { raw: self.nothing.clone(), id: u64::MAX, bytes: 0, usage, pool: self.clone() }
    }

    /// Gives idle buffers back to the system.
    pub(super) fn trim(&self) {
        for ((_, bytes), idle) in self.lock().drain() {
            self.held.fetch_sub(bytes * idle.len() as u64, Ordering::Relaxed);
        }
    }

    /// From now on the buffers together hold no more than this.
    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that returns to its pool when dropped.
#[derive(Debug)]
pub(crate) struct GpuBuffer {
    pub(super) raw: wgpu::Buffer,
    /// Tells buffers apart in the cache of bind groups.
    pub(super) id: u64,
    bytes: u64,
    usage: Use,
    pool: Arc<Pool>,
}

impl Drop for GpuBuffer {
    fn drop(&mut self) {
        if self.usage == Use::Tensor {
            self.pool.tally.release(self.bytes);
        }
        let mut free = self.pool.lock();
        free.entry((self.usage, self.bytes)).or_default().insert(self.id, self.raw.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn classes_hold_their_requests_in_whole_grains_and_waste_little() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3_000_001, 134_217_729]) {
            let held = class(bytes);
            assert!(held >= bytes.max(1) && held.is_multiple_of(256), "{bytes} in {held}");
            assert!(held <= 256 || held - bytes <= (bytes / 4).max(256), "{bytes} in {held}");
            assert_eq!(class(held), held);
        }
    }
}
