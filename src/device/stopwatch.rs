//! How long a GPU computed, by its own clock: time stamps around every pass, read when all is done.

use std::time::Duration;

/// Passes of one submit that are timed; later ones are not.
const MAX_PASSES: u32 = 1024;

/// Stamps the passes of every submit while it exists.
pub(super) struct Stopwatch {
    device: wgpu::Device,
    /// Nanoseconds of a tick.
    period: f64,
    stamps: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    /// Passes of the submit that is being recorded.
    passes: u32,
    /// First and last tick of every pass of earlier submits.
    kept: Vec<wgpu::Buffer>,
}

impl Stopwatch {
    /// `None` where the adapter has no time stamps.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Option<Self> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let stamps = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stopwatch"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * MAX_PASSES,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = buffer(device, u64::from(MAX_PASSES), usage);
        let period = f64::from(queue.get_timestamp_period());
        Some(Self { device: device.clone(), period, stamps, resolved, passes: 0, kept: Vec::new() })
    }

    /// Where the next pass writes its stamps.
    pub(super) fn pass(&mut self) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let first = 2 * self.passes;
        self.passes += 1;
        (first < 2 * MAX_PASSES).then_some(wgpu::ComputePassTimestampWrites {
            query_set: &self.stamps,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        })
    }

    /// Records that the submit's stamps are kept, behind its passes.
    pub(super) fn end(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let passes = std::mem::take(&mut self.passes).min(MAX_PASSES);
        if passes == 0 {
            return;
        }
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        let kept = buffer(&self.device, passes.into(), usage);
        encoder.resolve_query_set(&self.stamps, 0..2 * passes, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &kept, 0, kept.size());
        self.kept.push(kept);
    }

    /// The sum over all passes; every submit has ended.
    pub(super) fn read(self) -> Option<Duration> {
        for kept in &self.kept {
            // What fails here shows below.
            kept.map_async(wgpu::MapMode::Read, .., |_| ());
        }
        self.device.poll(wgpu::PollType::wait_indefinitely()).ok()?;
        let mut ticks = 0;
        for kept in &self.kept {
            let view = kept.get_mapped_range(..).ok()?;
            let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
            ticks += stamps.chunks_exact(2).map(|s| s[1].saturating_sub(s[0])).sum::<u64>();
        }
        Some(Duration::from_nanos((ticks as f64 * self.period) as u64))
    }
}

/// Room for the two stamps of each pass.
fn buffer(device: &wgpu::Device, passes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("stopwatch"),
        size: 16 * passes,
        usage,
        mapped_at_creation: false,
    })
}
