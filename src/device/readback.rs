//! Numbers on their way to the host.

use std::sync::{Arc, OnceLock};

use super::gpu::Gpu;
use super::pool::GpuBuffer;
use super::record::Ticket;
use crate::{Error, Result};

/// A copy that the device makes when it gets there.
pub(crate) struct Download {
    gpu: Arc<Gpu>,
    staging: GpuBuffer,
    bytes: u64,
    ticket: Ticket,
    mapped: Arc<OnceLock<std::result::Result<(), wgpu::BufferAsyncError>>>,
}

impl Download {
    pub(super) fn new(gpu: &Arc<Gpu>, staging: GpuBuffer, bytes: u64, ticket: Ticket) -> Self {
        let mapped = Arc::new(OnceLock::new());
        let outcome = mapped.clone();
        // After a fault there is nothing to read, perhaps not even a buffer to read into.
        if gpu.faults.is_none() {
            // The sentinel's word lies behind the numbers.
            staging.raw.map_async(wgpu::MapMode::Read, ..bytes + 4, move |result| {
                outcome.get_or_init(|| result);
            });
        }
        gpu.tally().read_back(bytes);
        Self { gpu: gpu.clone(), staging, bytes, ticket, mapped }
    }

    /// The numbers, if they are there already.
    pub(crate) fn poll<T: bytemuck::AnyBitPattern>(&self) -> Result<Option<Vec<T>>> {
        if let Err(error) = self.gpu.device.poll(wgpu::PollType::Poll) {
            self.gpu.faults.device(error.to_string());
        }
        self.gpu.faults.check()?;
        self.mapped.get().map(|_| self.take()).transpose()
    }

    /// The numbers. Waits for them, but not for ever.
    pub(crate) fn wait<T: bytemuck::AnyBitPattern>(&self) -> Result<Vec<T>> {
        self.gpu.wait(&self.ticket)?;
        self.gpu.patience.until(|| self.mapped.get().is_some())?;
        self.take()
    }

    fn take<T: bytemuck::AnyBitPattern>(&self) -> Result<Vec<T>> {
        let fault = |reason: String| Error::Device { reason };
        match self.mapped.get() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(fault(format!("read-back: {error}"))),
            None => return Err(fault("read-back: asked for before its answer was there".into())),
        }
        let view = self.staging.raw.get_mapped_range(..self.bytes + 4);
        let view = view.map_err(|e| fault(format!("read-back: {e}")))?;
        let (numbers, word) = view.split_at(self.bytes as usize);
        let (reached, wanted) = (bytemuck::pod_read_unaligned::<u32>(word), self.ticket.number);
        if reached != wanted {
            self.gpu.faults.device(format!(
                "the driver lost work without an error: submit {reached} of {wanted} was the last \
                 to run; results are not to be trusted: restart, or update the driver"
            ));
        }
        self.gpu.faults.check()?;
        Ok(bytemuck::cast_slice(numbers).to_vec())
    }
}

impl Drop for Download {
    /// The buffer goes back to the pool, where it must not be mapped.
    fn drop(&mut self) {
        self.staging.raw.unmap();
    }
}
