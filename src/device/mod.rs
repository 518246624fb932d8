//! Where tensors live and work is done: a GPU through wgpu, or the CPU in one of two precisions.
//!
//! [`Device`] is one of three. `gpu` records dispatches on one queue ([`Gpu`]); `cpu` runs the
//! twins in f32 on all threads, with fast native forms of the heavy operations; `reference` runs
//! the same twins in f64 and judges the other two. Only `ops` calls into this module.

mod adapter;
mod family;
mod fault;
mod governor;
mod gpu;
mod host;
pub mod kernel;
mod launch;
mod pipeline;
mod pool;
pub mod profile;
mod readback;
mod record;
mod stopwatch;
mod tally;
pub mod tuning;

use std::sync::Arc;
use std::time::Duration;

pub use adapter::{AdapterReport, adapters};
pub use family::Family;
pub use fault::Failure;
pub use gpu::Gpu;
pub use host::Host;
pub(crate) use host::{HostBuffer, HostData};
pub use launch::{Kernel, Launch, Param};
pub(crate) use pool::GpuBuffer;
pub(crate) use readback::Download;
pub use tuning::Tuning;

use crate::Result;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit floating point: every real tensor on `gpu` and `cpu`.
    F32,
    /// 64-bit floating point: every real tensor on `reference`.
    F64,
    /// 32-bit signed integers: indices and labels; never on the tape.
    I32,
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        if self == Self::F64 { 8 } else { 4 }
    }
}

/// What a device has done since the process started; differences of two readings tell the cost of
/// what happened between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernels launched (twins or native forms run, on the CPU).
    pub dispatches: u64,
    /// Command buffers handed to the queue.
    pub submits: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Bind groups kept for the next dispatch like it.
    pub held_groups: u64,
    /// Bytes asked of the system; buffers reused from the pool do not count.
    pub bytes_allocated: u64,
    /// Bytes copied from the device to the host.
    pub bytes_read_back: u64,
    /// Largest number of bytes held by tensors at one time.
    pub peak_bytes: u64,
}

impl Counters {
    /// What happened since an earlier reading; the peak and what is held are those of now.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            dispatches: self.dispatches - earlier.dispatches,
            submits: self.submits - earlier.submits,
            pipelines: self.pipelines - earlier.pipelines,
            bind_groups: self.bind_groups - earlier.bind_groups,
            held_groups: self.held_groups,
            bytes_allocated: self.bytes_allocated - earlier.bytes_allocated,
            bytes_read_back: self.bytes_read_back - earlier.bytes_read_back,
            peak_bytes: self.peak_bytes,
        }
    }
}

/// A place for tensors. Cheap to clone; equal when tensors may meet in one operation.
#[derive(Clone, Debug)]
pub enum Device {
    /// Twins in f32, threaded, with native forms of the heavy operations.
    Cpu(Arc<Host>),
    /// Twins in f64: the judge.
    Reference(Arc<Host>),
    /// Kernels through wgpu.
    Gpu(Arc<Gpu>),
}

impl Device {
    /// A `cpu` device with its own pool and counters.
    pub fn cpu() -> Self {
        Self::Cpu(Arc::default())
    }

    /// A `reference` device with its own pool and counters.
    pub fn reference() -> Self {
        Self::Reference(Arc::default())
    }

    /// Element type of real tensors here.
    pub fn float(&self) -> Dtype {
        if matches!(self, Self::Reference(_)) { Dtype::F64 } else { Dtype::F32 }
    }

    /// `cpu`, `reference` or `gpu`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Reference(_) => "reference",
            Self::Gpu(_) => "gpu",
        }
    }

    /// Whether this is a GPU in name only, a driver that runs kernels on the processor: barriers and
    /// workgroup memory are dear there, loads of neighbours no cheaper than others.
    pub fn is_software(&self) -> bool {
        matches!(self, Self::Gpu(gpu) if gpu.report().is_software())
    }

    /// `cpu`, `reference` or the GPU's name and backend.
    pub fn describe(&self) -> String {
        match self {
            Self::Gpu(gpu) => format!("{} ({})", gpu.report().name, gpu.report().backend),
            _ => self.kind().into(),
        }
    }

    /// Memory for tensors: what is free on the host, for a GPU of its own all of it. `None` where
    /// the system does not tell.
    pub fn memory_bytes(&self) -> Option<u64> {
        match self {
            Self::Gpu(gpu) if !self.is_software() => gpu.report().memory_bytes,
            _ => crate::memory::available_bytes(),
        }
    }

    /// Largest piece of a tensor that a kernel binds; `None` without limit.
    pub fn max_tensor_bytes(&self) -> Option<u64> {
        match self {
            Self::Gpu(gpu) => Some(gpu.max_binding_bytes()),
            _ => None,
        }
    }

    /// Which form of the heavy operations runs here.
    pub fn kernels(&self) -> String {
        match self {
            Self::Cpu(_) => "native".into(),
            Self::Reference(_) => "twins".into(),
            Self::Gpu(gpu) => gpu.family().to_string(),
        }
    }

    /// Lets a GPU run another form of the heavy kernels than its adapter suggests. Results differ
    /// in their last bits.
    pub fn set_family(&self, family: Family) {
        if let Self::Gpu(gpu) = self {
            gpu.set_family(family);
        }
    }

    /// Lets a GPU run the forms of kernels that were measured on it, or again the usual ones. See
    /// [`tuning`] for what that changes.
    pub fn set_tuning(&self, table: Option<&Tuning>) {
        if let Self::Gpu(gpu) = self {
            gpu.tuner.set(table);
        }
    }

    /// The measured table that a GPU runs by, in short; `None` where there is none.
    pub fn tuning(&self) -> Option<String> {
        if let Self::Gpu(gpu) = self { gpu.tuner.name() } else { None }
    }

    /// Runs `work` while a GPU measures every form of the kernels that it meets.
    pub fn tune<T>(&self, work: impl FnOnce() -> T) -> (T, Option<Tuning>) {
        let Self::Gpu(gpu) = self else { return (work(), None) };
        gpu.tuner.measure();
        let result = work();
        let table = gpu.tuner.measured(gpu.report());
        gpu.tuner.set(None);
        (result, Some(table))
    }

    /// The table of costs by operation, or by kernel on a GPU.
    pub fn profile(&self) -> &profile::Profile {
        match self {
            Self::Cpu(host) | Self::Reference(host) => &host.profile,
            Self::Gpu(gpu) => &gpu.profile,
        }
    }

    /// Runs `work`, and tells how long the device computed for it: by time stamps on a GPU, where
    /// the adapter has them. On the CPU the table of costs begins anew.
    ///
    /// # Errors
    /// Those of `work`, and what the device reported.
    pub fn busy<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Option<Duration>)> {
        let profile = match self {
            Self::Gpu(gpu) => return gpu.busy(work),
            Self::Cpu(host) | Self::Reference(host) => &host.profile,
        };
        profile.switch(true);
        let result = work();
        let spent = profile.table().iter().map(|(_, cost)| cost.time).sum();
        profile.switch(false);
        Ok((result?, Some(spent)))
    }

    /// What has been done here since the process started.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Cpu(host) | Self::Reference(host) => host.counters(),
            Self::Gpu(gpu) => gpu.counters(),
        }
    }

    /// Hands recorded work to the queue without waiting for it. Only needed where the device would
    /// idle otherwise, for the device submits on its own when enough has gathered.
    pub fn flush(&self) {
        if let Self::Gpu(gpu) = self {
            gpu.flush();
        }
    }

    /// Waits until everything asked for so far is done.
    ///
    /// # Errors
    /// The first thing that the device reported.
    pub fn sync(&self) -> Result<()> {
        match self {
            Self::Cpu(_) | Self::Reference(_) => Ok(()),
            Self::Gpu(gpu) => gpu.sync(),
        }
    }

    /// The most that buffers of a GPU may hold together, idle ones included. More is refused as if
    /// the device were full.
    pub fn set_memory_limit(&self, bytes: u64) {
        if let Self::Gpu(gpu) = self {
            gpu.set_memory_limit(bytes);
        }
    }

    /// The most that a kernel of a GPU may bind of one tensor; never more than the driver allows.
    /// Larger tensors are computed in parts.
    pub fn set_binding_limit(&self, bytes: u64) {
        if let Self::Gpu(gpu) = self {
            gpu.set_binding_limit(bytes);
        }
    }

    /// Makes a GPU fail at its dispatch of that number (from 0, see [`Counters::dispatches`]): for
    /// tests of what stands above.
    pub fn fail_at(&self, dispatch: u64, failure: Failure) {
        if let Self::Gpu(gpu) = self {
            gpu.fail_at(dispatch, failure);
        }
    }

    /// How long a wait may go on without any progress before it is an error; 60 seconds at first.
    pub fn set_time_limit(&self, limit: Duration) {
        if let Self::Gpu(gpu) = self {
            gpu.set_time_limit(limit);
        }
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cpu(_), Self::Cpu(_)) | (Self::Reference(_), Self::Reference(_)) => true,
            (Self::Gpu(a), Self::Gpu(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
