//! Numbers back on the host. This is where a GPU is waited for, and where its errors surface.

use super::{Buffer, Tensor};
use crate::Result;
use crate::device::{Device, Download, Dtype, HostData};

/// A tensor's numbers on their way to the host.
pub struct Pending<T = f32>(Source<T>);

enum Source<T> {
    Ready(Vec<T>),
    Gpu(Download),
}

impl<T: bytemuck::AnyBitPattern> Pending<T> {
    /// The numbers, if they are there. Never blocks.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn poll(&self) -> Result<Option<Vec<T>>> {
        match &self.0 {
            Source::Ready(values) => Ok(Some(values.clone())),
            Source::Gpu(download) => download.poll(),
        }
    }

    /// The numbers. Waits for them.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn wait(self) -> Result<Vec<T>> {
        match self.0 {
            Source::Ready(values) => Ok(values),
            Source::Gpu(download) => download.wait(),
        }
    }
}

impl Tensor {
    /// Starts to read the numbers, rounded to f32, without waiting for the device.
    ///
    /// # Panics
    /// When the tensor holds indices.
    pub fn read_async(&self) -> Pending {
        assert_ne!(self.dtype(), Dtype::I32, "real numbers of indices; use to_indices");
        let range = self.range();
        let values = match (&self.storage().buffer, self.device()) {
            (Buffer::Gpu(_), Device::Gpu(gpu)) => return Pending(Source::Gpu(gpu.download(self))),
            (Buffer::Host(buffer), Device::Cpu(host) | Device::Reference(host)) => {
                host.count_read(self.dtype().bytes() * self.numel() as u64);
                match &buffer.data {
                    HostData::F32(v) => v[range].to_vec(),
                    HostData::F64(v) => v[range].iter().map(|&x| x as f32).collect(),
                    HostData::I32(_) => unreachable!("checked above"),
                }
            }
            _ => unreachable!("a tensor lives on its device"),
        };
        Pending(Source::Ready(values))
    }

    /// The numbers, rounded to f32. Waits for the device.
    ///
    /// # Errors
    /// What the device reported about this or an earlier operation.
    ///
    /// # Panics
    /// When the tensor holds indices.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        self.read_async().wait()
    }

    /// The numbers in f64 (exact on every device). Waits for the device.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn to_vec_f64(&self) -> Result<Vec<f64>> {
        if let (Buffer::Host(buffer), Dtype::F64) = (&self.storage().buffer, self.dtype())
            && let HostData::F64(v) = &buffer.data
        {
            return Ok(v[self.range()].to_vec());
        }
        if self.dtype() == Dtype::I32 {
            return Ok(self.to_indices()?.into_iter().map(f64::from).collect());
        }
        Ok(self.to_vec()?.into_iter().map(f64::from).collect())
    }

    /// Starts to read indices or labels, without waiting for the device.
    ///
    /// # Panics
    /// When the tensor holds real numbers.
    pub fn read_indices_async(&self) -> Pending<i32> {
        assert_eq!(self.dtype(), Dtype::I32, "indices of real numbers; use to_vec");
        match (&self.storage().buffer, self.device()) {
            (Buffer::Gpu(_), Device::Gpu(gpu)) => Pending(Source::Gpu(gpu.download(self))),
            (Buffer::Host(buffer), _) => match &buffer.data {
                HostData::I32(v) => Pending(Source::Ready(v[self.range()].to_vec())),
                _ => unreachable!("checked above"),
            },
            _ => unreachable!("a tensor lives on its device"),
        }
    }

    /// The indices or labels. Waits for the device.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    ///
    /// # Panics
    /// When the tensor holds real numbers.
    pub fn to_indices(&self) -> Result<Vec<i32>> {
        self.read_indices_async().wait()
    }

    /// The only number of a tensor with one element.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    ///
    /// # Panics
    /// When there are more.
    #[track_caller]
    pub fn item(&self) -> Result<f32> {
        assert_eq!(self.numel(), 1, "item of a tensor of shape {:?}", self.shape());
        Ok(self.to_vec()?[0])
    }
}
