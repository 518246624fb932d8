//! The one queue: dispatches and uploads are recorded in the order of the program and handed over
//! when the governor says so or something is read back. Nothing here changes what is computed.

#![expect(
    clippy::disallowed_methods,
    reason = "the governor needs times; a browser gives it a clock of its own"
)]

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::fault::{Failure, Faults};
use super::governor::{self, Governor};
use super::pipeline::{Bound, Pipelines};
use super::pool::GpuBuffer;
use super::stopwatch::Stopwatch;
use super::tally::Tally;
use super::{Dtype, Kernel, Param};
use crate::Result;
use crate::kernel;

/// A dynamic uniform offset is a multiple of this on every adapter.
const SLOT: usize = 256;
/// Slots of one submit.
const SLOTS: usize = 4096;
/// Submits that may wait in the queue; more would only hold memory.
const MAX_IN_FLIGHT: usize = 3;
/// Staged bytes of one submit.
const MAX_STAGED: u64 = 64 << 20;

/// One dispatch, its tensors resolved to buffers.
pub(super) struct Dispatch<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) overrides: &'a [(&'static str, f64)],
    pub(super) params: &'a [(Cow<'static, str>, Param)],
    pub(super) buffers: Vec<Bound<'a>>,
    pub(super) workgroups: [u32; 3],
    pub(super) cost: u64,
}

/// A submit that the device may still be working on.
struct InFlight {
    number: u32,
    index: wgpu::SubmissionIndex,
    cost: u64,
    at: Instant,
}

/// A handed-over submit, to be waited for.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) number: u32,
    pub(super) index: wgpu::SubmissionIndex,
}

/// Waits with an end. Progress is what the queue reports; silence for the limit is a fault.
#[derive(Clone)]
pub(super) struct Patience {
    device: wgpu::Device,
    faults: Faults,
    /// Number of the last submit that ended.
    ended: Arc<AtomicU32>,
    limit_millis: Arc<AtomicU32>,
}

impl Patience {
    fn has_ended(&self, number: u32) -> bool {
        self.ended.load(Ordering::Acquire) >= number
    }

    pub(super) fn set_limit(&self, limit: Duration) {
        let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        self.limit_millis.store(millis.max(1), Ordering::Relaxed);
    }

    fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_millis.load(Ordering::Relaxed).into())
    }

    /// Blocks until an answer that has arrived is delivered, which may be up to another thread that
    /// polled first; or records a fault.
    pub(super) fn until(&self, is_delivered: impl Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        while !is_delivered() {
            if start.elapsed() > self.limit() {
                self.faults.device("the queue ended without an answer: restart the program");
                break;
            }
            if let Err(error) = self.device.poll(wgpu::PollType::Poll) {
                self.faults.device(error.to_string());
                break;
            }
            std::thread::yield_now();
        }
        self.faults.check()
    }

    /// Blocks until the submit ended, or records a fault.
    pub(super) fn wait(&self, index: &wgpu::SubmissionIndex) -> Result<()> {
        let limit = self.limit();
        loop {
            let before = self.ended.load(Ordering::Acquire);
            let patient = wgpu::PollType::Wait {
                submission_index: Some(index.clone()),
                timeout: Some(limit),
            };
            match self.device.poll(patient) {
                Ok(_) => return self.faults.check(),
                Err(wgpu::PollError::Timeout) if self.ended.load(Ordering::Acquire) > before => {}
                Err(wgpu::PollError::Timeout) => {
                    self.faults.device(format!(
                        "no progress for {} s; the driver hangs or the GPU is far too slow for \
                         this: restart the program, update the driver, or use --device cpu",
                        limit.as_secs_f32()
                    ));
                    return self.faults.check();
                }
                Err(error) => {
                    self.faults.device(error.to_string());
                    return self.faults.check();
                }
            }
        }
    }
}

/// Where a read-back goes to: the numbers, then the sentinel.
pub(super) struct ReadBack<'a> {
    pub(super) from: Option<(&'a GpuBuffer, u64, u64)>,
    pub(super) staging: &'a GpuBuffer,
}

pub(super) struct Recorder {
    // Before the encoder that it locks, so that it is dropped first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    governor: Governor,
    patience: Patience,
    tally: Arc<Tally>,
    faults: Faults,
    uniforms: wgpu::Buffer,
    slots: Vec<u8>,
    sentinel: Arc<GpuBuffer>,
    in_flight: VecDeque<InFlight>,
    submits: u32,
    cost: u64,
    staged: u64,
    stopwatch: Option<Stopwatch>,
    /// What is to fail, and at which dispatch.
    failure: Option<(u64, Failure)>,
}

impl Recorder {
    pub(super) fn new(
        device: &wgpu::Device,
        queue: wgpu::Queue,
        is_software: bool,
        sentinel: GpuBuffer,
        tally: &Arc<Tally>,
        faults: &Faults,
    ) -> Self {
        let patience = Patience {
            device: device.clone(),
            faults: faults.clone(),
            ended: Arc::default(),
            limit_millis: Arc::new(AtomicU32::new(60_000)),
        };
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (SLOT * SLOTS) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            pass: None,
            encoder: None,
            device: device.clone(),
            queue,
            pipelines: Pipelines::new(device, tally),
            governor: Governor::new(is_software),
            patience,
            tally: tally.clone(),
            faults: faults.clone(),
            uniforms,
            slots: Vec::new(),
            sentinel: Arc::new(sentinel),
            in_flight: VecDeque::new(),
            submits: 0,
            cost: 0,
            staged: 0,
            stopwatch: None,
            failure: None,
        }
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience.clone()
    }

    /// Times every pass from now on, where the adapter can.
    pub(super) fn start_watch(&mut self) {
        self.stopwatch = Stopwatch::new(&self.device, &self.queue);
    }

    /// How long the passes took since then; every submit has ended.
    pub(super) fn stop_watch(&mut self) -> Option<Duration> {
        self.stopwatch.take()?.read()
    }

    pub(super) fn fail_at(&mut self, dispatch: u64, failure: Failure) {
        self.failure = Some((dispatch, failure));
    }

    fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Lost => {
                self.device.destroy();
                // Tells whoever listens for a loss.
                let _ = self.device.poll(wgpu::PollType::Poll);
            }
            Failure::Skipped => {
                self.pass = None;
                self.encoder = None;
                self.submits += 1;
            }
        }
    }

    /// Records one dispatch, and submits when enough has gathered. Nothing after a fault: what
    /// comes behind it is not to be trusted.
    pub(super) fn dispatch(&mut self, work: &Dispatch) {
        if !self.faults.is_none() {
            return;
        }
        let number = self.tally.dispatches.load(Ordering::Relaxed);
        if let Some((_, failure)) = self.failure.take_if(|(at, _)| number >= *at) {
            self.fail(failure);
        }
        // One slot stays free for the sentinel.
        if self.slots.len() / SLOT + work.params.len().div_ceil(SLOT / 4) + 2 > SLOTS {
            self.flush();
        }
        Tally::count(&self.tally.dispatches);
        self.record(work);
        self.cost += work.cost;
        if self.governor.is_due(self.cost) {
            self.flush();
        }
    }

    fn record(&mut self, work: &Dispatch) {
        let pipeline = match self.pipelines.get(work.kernel, work.overrides) {
            Ok(Some(pipeline)) => pipeline,
            Ok(None) => return,
            Err(error) => return self.faults.record(error),
        };
        let bound = pipeline.arrange(&work.buffers);
        let group = self.pipelines.group(&pipeline, &self.uniforms, &bound);
        let slot = self.slots.len() as u32;
        pipeline.encode(work.params, &mut self.slots);
        self.slots.resize(self.slots.len().next_multiple_of(SLOT), 0);
        let offsets: &[u32] = if pipeline.interface.params.is_empty() { &[] } else { &[slot] };
        let pass = self.pass();
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &group, offsets);
        let [x, y, z] = work.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }

    fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        let device = &self.device;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    fn pass(&mut self) -> &mut wgpu::ComputePass<'static> {
        if self.pass.is_none() {
            self.encoder();
            let encoder = self.encoder.as_mut().expect("just asked for");
            let timestamp_writes = self.stopwatch.as_mut().and_then(Stopwatch::pass);
            let pass = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            self.pass = Some(encoder.begin_compute_pass(&pass).forget_lifetime());
        }
        self.pass.as_mut().expect("just opened")
    }

    /// Records a copy of host data into a buffer. A write through the queue would overtake recorded
    /// readers of the buffer's last owner.
    pub(super) fn upload(&mut self, data: &[u8], to: &GpuBuffer) {
        if !self.faults.is_none() {
            return;
        }
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("upload"),
            size: (data.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT),
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        match staging.get_mapped_range_mut(..data.len() as u64) {
            Ok(mut view) => view.copy_from_slice(data),
            Err(error) => return self.faults.device(format!("upload: {error}")),
        }
        staging.unmap();
        self.encoder().copy_buffer_to_buffer(&staging, 0, &to.raw, 0, staging.size());
        self.staged += staging.size();
        self.cost += governor::cost(0, staging.size());
        if self.staged >= MAX_STAGED || self.governor.is_due(self.cost) {
            self.flush();
        }
    }

    /// Hands what was recorded to the queue.
    pub(super) fn flush(&mut self) {
        if self.encoder.is_some() {
            self.submit(None);
        }
    }

    /// Waits until nothing reads any buffer, and forgets the bind groups that hold them.
    pub(super) fn settle(&mut self) {
        self.flush();
        if let Some(newest) = self.in_flight.back().map(|s| s.index.clone()) {
            // A fault is kept for the next read-back.
            let _ = self.patience.wait(&newest);
        }
        self.retire(true);
        self.pipelines.forget_groups();
    }

    /// Hands over what was recorded, with the sentinel behind it and a read-back behind that.
    pub(super) fn submit(&mut self, read: Option<&ReadBack>) -> Ticket {
        self.make_room();
        self.submits += 1;
        let number = self.submits;
        self.mark(number);
        if let Some(read) = read.filter(|_| self.faults.is_none()) {
            let sentinel = self.sentinel.clone();
            let bytes = read.from.map_or(0, |(_, _, bytes)| bytes);
            let encoder = self.encoder();
            if let Some((buffer, offset, bytes)) = read.from {
                encoder.copy_buffer_to_buffer(&buffer.raw, offset, &read.staging.raw, 0, bytes);
            }
            encoder.copy_buffer_to_buffer(&sentinel.raw, 0, &read.staging.raw, bytes, 4);
        }
        self.encoder();
        let mut encoder = self.encoder.take().expect("just asked for");
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.end(&mut encoder);
        }
        let commands = encoder.finish();
        self.queue.write_buffer(&self.uniforms, 0, &self.slots);
        let index = self.queue.submit([commands]);
        let ended = self.patience.ended.clone();
        self.queue.on_submitted_work_done(move || {
            ended.fetch_max(number, Ordering::AcqRel);
        });
        Tally::count(&self.tally.submits);
        let at = Instant::now();
        self.in_flight.push_back(InFlight { number, index: index.clone(), cost: self.cost, at });
        (self.cost, self.staged) = (0, 0);
        self.slots.clear();
        Ticket { number, index }
    }

    /// Proof that every submit ran, in order: each raises the sentinel from its predecessor's
    /// number to its own, so that a lost one leaves it behind for good.
    fn mark(&mut self, number: u32) {
        let word = self.sentinel.clone();
        let params = [("before", number - 1), ("number", number)];
        self.record(&Dispatch {
            kernel: &kernel!("sentinel"),
            overrides: &[],
            params: &params.map(|(name, value)| (name.into(), Param::U32(value))),
            buffers: vec![Bound {
                name: "word",
                buffer: &word,
                offset: 0,
                bytes: 16,
                dtype: Dtype::I32,
            }],
            workgroups: [1, 1, 1],
            cost: 0,
        });
    }

    /// Waits while too many submits are in the queue.
    fn make_room(&mut self) {
        self.retire(false);
        while self.in_flight.len() >= MAX_IN_FLIGHT {
            let oldest = self.in_flight[0].index.clone();
            if self.patience.wait(&oldest).is_err() {
                // The fault is kept for the next read-back.
                self.in_flight.clear();
            }
            self.retire(true);
        }
    }

    /// Takes note of submits that ended meanwhile; `is_prompt` when we waited for the last of them.
    pub(super) fn retire(&mut self, is_prompt: bool) {
        let count = self.in_flight.iter().take_while(|s| self.patience.has_ended(s.number)).count();
        if let Some(first) = self.in_flight.front().filter(|_| count > 0).map(|s| s.at) {
            let cost = self.in_flight.drain(..count).map(|s| s.cost).sum();
            self.governor.ended(cost, first, is_prompt);
        }
    }
}
