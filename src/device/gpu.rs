//! A GPU through wgpu: Vulkan, Metal or DX12.
//!
//! Operations are recorded in program order on one queue and nothing waits until numbers are read
//! back; errors surface there too. The parts: [`super::adapter`] chooses, [`super::kernel`] checks
//! texts, `pipeline` compiles and binds, `pool` keeps buffers, `record` records and submits,
//! `governor` sizes the submits, `readback` waits; [`super::tuning`] chooses among forms of a kernel,
//! and `stopwatch` reads the device's own clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::adapter::AdapterReport;
use super::family::Family;
use super::fault::{Failure, Fault, Faults};
use super::governor;
use super::pipeline::Bound;
use super::pool::{GpuBuffer, Pool, Use};
use super::profile::{Profile, Work};
use super::readback::Download;
use super::record::{Dispatch, Patience, ReadBack, Recorder, Ticket};
use super::tally::Tally;
use super::tuning::Tuner;
use super::{Counters, Launch};
use crate::tensor::{Buffer, Shape, Tensor};
use crate::{Error, Result};

/// One opened adapter with its queue, pool and pipelines.
pub struct Gpu {
    report: AdapterReport,
    limits: wgpu::Limits,
    max_binding: AtomicU64,
    family: Mutex<Family>,
    pub(super) device: wgpu::Device,
    pub(super) faults: Faults,
    pub(super) patience: Patience,
    tally: Arc<Tally>,
    pool: Arc<Pool>,
    recorder: Mutex<Recorder>,
    pub(super) profile: Profile,
    pub(super) tuner: Tuner,
}

impl Gpu {
    pub(super) fn open(adapter: &wgpu::Adapter, report: AdapterReport) -> Result<Arc<Self>> {
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("semgan"),
            required_features: adapter.features() - wgpu::Features::all_experimental_mask(),
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|e| Error::Device { reason: format!("{}: {e}", report.name) })?;
        let (tally, faults) = (Arc::<Tally>::default(), Faults::default());
        let pool = Pool::new(&device, &tally);
        capture(&device, &faults);
        let is_software = report.is_software();
        let sentinel = pool.take(Use::Tensor, 4).unwrap_or_else(|| pool.nothing(Use::Tensor));
        let family = Mutex::new(report.kernels);
        let recorder = Recorder::new(&device, queue, is_software, sentinel, &tally, &faults);
        Ok(Arc::new(Self {
            report,
            max_binding: AtomicU64::new(device.limits().max_storage_buffer_binding_size),
            limits: device.limits(),
            family,
            device,
            faults,
            patience: recorder.patience(),
            tally,
            pool,
            recorder: Mutex::new(recorder),
            profile: Profile::default(),
            tuner: Tuner::default(),
        }))
    }

    /// What adapter this is.
    pub fn report(&self) -> &AdapterReport {
        &self.report
    }

    pub(super) fn counters(&self) -> Counters {
        self.tally.counters()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn set_time_limit(&self, limit: Duration) {
        self.patience.set_limit(limit);
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which form of the heavy kernels runs here.
    pub(crate) fn family(&self) -> Family {
        *self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_family(&self, family: Family) {
        *self.family.lock().unwrap_or_else(PoisonError::into_inner) = family;
    }

    /// Bytes of the largest tensor that a kernel binds.
    pub(crate) fn max_binding_bytes(&self) -> u64 {
        self.max_binding.load(Ordering::Relaxed)
    }

    pub(super) fn set_binding_limit(&self, bytes: u64) {
        let most = self.limits.max_storage_buffer_binding_size;
        self.max_binding.store(bytes.min(most), Ordering::Relaxed);
    }

    pub(super) fn set_memory_limit(&self, bytes: u64) {
        self.pool.set_limit(bytes);
    }

    pub(super) fn fail_at(&self, dispatch: u64, failure: Failure) {
        self.recorder().fail_at(dispatch, failure);
    }

    /// An uninitialised buffer for a tensor, which has a name in the error where there is no room.
    pub(crate) fn alloc(&self, bytes: u64, tensor: impl fmt::Display) -> Buffer {
        Buffer::Gpu(Arc::new(self.take(Use::Tensor, bytes, tensor)))
    }

    fn take(&self, usage: Use, bytes: u64, tensor: impl fmt::Display) -> GpuBuffer {
        let reused = self.pool.take(usage, bytes);
        let made = reused.or_else(|| {
            self.faults.check().ok()?;
            // Idle buffers of other sizes make room, once nothing reads them any more.
            self.recorder().settle();
            self.pool.trim();
            self.pool.take(usage, bytes)
        });
        made.unwrap_or_else(|| {
            self.faults.record(Fault::Memory {
                tensor: tensor.to_string(),
                requested_bytes: bytes,
                used_bytes: self.tally.used_bytes(),
            });
            self.pool.nothing(usage)
        })
    }

    /// A buffer with these numbers, there when the operations recorded next run.
    pub(crate) fn upload<T: bytemuck::NoUninit>(&self, values: &[T], shape: &Shape) -> Buffer {
        let data = bytemuck::cast_slice(values);
        let name = format_args!("upload {shape:?}");
        let buffer = Arc::new(self.take(Use::Tensor, data.len() as u64, name));
        self.recorder().upload(data, &buffer);
        Buffer::Gpu(buffer)
    }

    /// Records a launch of an operation; while profiling, runs it alone and takes the time.
    ///
    /// # Panics
    /// When the launch does not fit its kernel or the device: a mistake in an operation.
    #[expect(clippy::disallowed_methods, reason = "only while profiling")]
    pub(crate) fn launch(self: &Arc<Self>, op: &str, launch: &Launch) {
        if !self.profile.is_on() {
            return self.enqueue(launch);
        }
        // A fault surfaces at the next read-back, with or without profiling.
        let _ = self.sync();
        let start = Instant::now();
        self.enqueue(launch);
        let _ = self.sync();
        let shape = launch.buffers.last().map(|(_, y)| y.shape().clone()).unwrap_or_default();
        let label = format!("{op} {shape:?} by {}", launch.kernel.name);
        let work = Work { bytes: launch.bytes(), flops: launch.flops };
        self.profile.record(label, start.elapsed(), work);
    }

    pub(super) fn enqueue(&self, launch: &Launch) {
        let most = self.limits.max_compute_workgroups_per_dimension;
        let (name, grid) = (&launch.kernel.name, launch.workgroups);
        assert!(grid.iter().all(|n| (1..=most).contains(n)), "{name}: grid {grid:?}");
        self.recorder().dispatch(&Dispatch {
            kernel: &launch.kernel,
            overrides: &launch.overrides,
            params: &launch.params,
            buffers: launch.buffers.iter().map(|(b, t)| self.bound(name, b, t)).collect(),
            workgroups: grid,
            cost: governor::cost(launch.flops, launch.bytes()),
        });
    }

    fn bound<'a>(&self, kernel: &str, name: &'a str, tensor: &'a Tensor) -> Bound<'a> {
        let offset = tensor.byte_offset();
        // Up to a whole vec4, so that a kernel may read and write the last ones as such.
        let bytes = (tensor.numel() as u64 * tensor.dtype().bytes()).next_multiple_of(16);
        let grain = u64::from(self.limits.min_storage_buffer_offset_alignment);
        assert_eq!(offset % grain, 0, "{kernel}: `{name}` starts between two {grain}-byte grains");
        Bound { name, buffer: buffer(tensor), offset, bytes, dtype: tensor.dtype() }
    }

    /// Hands recorded work to the queue.
    pub(super) fn flush(&self) {
        self.recorder().flush();
    }

    /// Starts to copy a tensor to the host.
    pub(crate) fn download(self: &Arc<Self>, tensor: &Tensor) -> Download {
        let bytes = tensor.numel() as u64 * tensor.dtype().bytes();
        self.read(Some((buffer(tensor), tensor.byte_offset(), bytes)))
    }

    /// Waits until everything recorded so far has run.
    pub(super) fn sync(self: &Arc<Self>) -> Result<()> {
        self.read(None).wait::<u32>().map(|_| ())
    }

    fn read(self: &Arc<Self>, from: Option<(&GpuBuffer, u64, u64)>) -> Download {
        let bytes = from.map_or(0, |(_, _, bytes)| bytes);
        let staging = self.take(Use::ReadBack, bytes + 4, "a read-back");
        let ticket = self.recorder().submit(Some(&ReadBack { from, staging: &staging }));
        Download::new(self, staging, bytes, ticket)
    }

    /// Runs `work`, and tells how long the queue computed for it.
    pub(super) fn busy<T>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Option<Duration>)> {
        self.sync()?;
        self.recorder().start_watch();
        let result = work().and_then(|result| self.sync().map(|()| result));
        let spent = self.recorder().stop_watch();
        Ok((result?, spent))
    }

    /// Waits for a submit.
    pub(super) fn wait(&self, ticket: &Ticket) -> Result<()> {
        let waited = self.patience.wait(&ticket.index);
        self.recorder().retire(true);
        waited
    }
}

fn buffer(tensor: &Tensor) -> &GpuBuffer {
    match &tensor.storage().buffer {
        Buffer::Gpu(buffer) => buffer,
        Buffer::Host(_) => unreachable!("a tensor of a GPU lives on it"),
    }
}

/// Keeps the first error of the driver instead of panicking with it.
fn capture(device: &wgpu::Device, faults: &Faults) {
    let kept = faults.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| kept.device(error.to_string())));
    let kept = faults.clone();
    device.set_device_lost_callback(move |_, message| {
        kept.device(format!(
            "the device was lost ({message}): the driver was reset or the GPU removed; start \
             again, with a smaller --batch if a watchdog did it"
        ));
    });
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({}, {})", self.report.name, self.report.backend)
    }
}
