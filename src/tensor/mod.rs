//! [`Tensor`]: a cheap handle on immutable numbers, with their shape, device and place on the tape.
//!
//! Contiguous and row-major; images are `[N, C, H, W]`. Nothing writes into a tensor after the
//! operation that made it, so handles may be cloned, sent and kept freely. What can be done with
//! tensors is in [`crate::ops`]; operators are in `arith.rs`.

mod arith;
mod read;
mod shape;

use std::fmt;
use std::sync::Arc;

pub use read::Pending;
pub use shape::Shape;

use crate::autograd::Node;
use crate::device::{Device, Dtype, GpuBuffer, HostBuffer, HostData};

/// A tensor. Cloning copies the handle, not the numbers.
#[derive(Clone)]
pub struct Tensor {
    value: Arc<Value>,
    node: Option<Arc<Node>>,
}

struct Value {
    shape: Shape,
    dtype: Dtype,
    device: Device,
    storage: Storage,
}

/// (buffer, offset): slabs hand out many tensors of one buffer.
#[derive(Clone)]
pub(crate) struct Storage {
    pub(crate) buffer: Buffer,
    /// In elements.
    pub(crate) offset: usize,
}

#[derive(Clone)]
pub(crate) enum Buffer {
    Host(Arc<HostBuffer>),
    Gpu(Arc<GpuBuffer>),
}

impl Tensor {
    /// Numbers from the host, rounded to the device's float type.
    ///
    /// # Panics
    /// When the number of values is not that of the shape.
    #[track_caller]
    pub fn from_slice(values: &[f32], shape: impl Into<Shape>, device: &Device) -> Self {
        let shape = shape.into();
        let n = values.len();
        assert_eq!(n, shape.numel(), "{n} values for a tensor of shape {shape:?}");
        match device {
            Device::Cpu(host) | Device::Reference(host) => {
                let mut buffer = host.alloc(device.float(), n);
                match &mut buffer.data {
                    HostData::F32(y) => y.copy_from_slice(values),
                    HostData::F64(y) => {
                        y.iter_mut().zip(values).for_each(|(y, &v)| *y = f64::from(v));
                    }
                    HostData::I32(_) => unreachable!("a float type was asked for"),
                }
                Self::whole(shape, device.float(), device, Buffer::Host(Arc::new(buffer)))
            }
            Device::Gpu(gpu) => {
                let buffer = gpu.upload(values, &shape);
                Self::whole(shape, Dtype::F32, device, buffer)
            }
        }
    }

    /// As [`Tensor::from_slice`], in full where the device computes in f64.
    ///
    /// # Panics
    /// When the number of values is not that of the shape.
    #[track_caller]
    pub fn from_f64(values: &[f64], shape: impl Into<Shape>, device: &Device) -> Self {
        let Device::Reference(host) = device else {
            let rounded: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            return Self::from_slice(&rounded, shape, device);
        };
        let (shape, n) = (shape.into(), values.len());
        assert_eq!(n, shape.numel(), "{n} values for a tensor of shape {shape:?}");
        let mut buffer = host.alloc(Dtype::F64, n);
        if let HostData::F64(y) = &mut buffer.data {
            y.copy_from_slice(values);
        }
        Self::whole(shape, Dtype::F64, device, Buffer::Host(Arc::new(buffer)))
    }

    /// Indices or labels from the host.
    ///
    /// # Panics
    /// When the number of values is not that of the shape.
    #[track_caller]
    pub fn from_indices(values: &[i32], shape: impl Into<Shape>, device: &Device) -> Self {
        let shape = shape.into();
        let n = values.len();
        assert_eq!(n, shape.numel(), "{n} indices for a tensor of shape {shape:?}");
        match device {
            Device::Cpu(host) | Device::Reference(host) => {
                let mut buffer = host.alloc(Dtype::I32, n);
                if let HostData::I32(y) = &mut buffer.data {
                    y.copy_from_slice(values);
                }
                Self::whole(shape, Dtype::I32, device, Buffer::Host(Arc::new(buffer)))
            }
            Device::Gpu(gpu) => {
                let buffer = gpu.upload(values, &shape);
                Self::whole(shape, Dtype::I32, device, buffer)
            }
        }
    }

    /// One number of rank 0.
    pub fn scalar(value: f32, device: &Device) -> Self {
        Self::from_slice(&[value], [], device)
    }

    /// The same number everywhere, stored once and broadcast.
    pub fn full(value: f32, shape: impl Into<Shape>, device: &Device) -> Self {
        Self::scalar(value, device).expand(shape)
    }

    /// A tensor on a GPU whose numbers the launches of an operation write.
    pub(crate) fn empty(op: &str, shape: impl Into<Shape>, dtype: Dtype, device: &Device) -> Self {
        let shape = shape.into();
        let Device::Gpu(gpu) = device else { unreachable!("host tensors come from their twins") };
        let n = shape.numel();
        assert!(n < 1 << 31, "{op}: {shape:?} has {n} elements, a tensor on a GPU below 2^31");
        let bytes = n as u64 * dtype.bytes();
        let buffer = gpu.alloc(bytes, format_args!("{op} {shape:?}"));
        Self::whole(shape, dtype, device, buffer)
    }

    fn whole(shape: Shape, dtype: Dtype, device: &Device, buffer: Buffer) -> Self {
        Self::new(shape, dtype, device, Storage { buffer, offset: 0 })
    }

    pub(crate) fn new(shape: Shape, dtype: Dtype, device: &Device, storage: Storage) -> Self {
        let value = Value { shape, dtype, device: device.clone(), storage };
        Self { value: Arc::new(value), node: None }
    }

    pub(crate) fn with_node(mut self, node: Option<Arc<Node>>) -> Self {
        self.node = node;
        self
    }

    pub(crate) fn into_node(self) -> Option<Arc<Node>> {
        self.node
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.value.storage
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.value.shape
    }

    /// Size of one axis; a negative axis counts from the back.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape()[self.shape().axis(axis)]
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        self.value.dtype
    }

    /// Where the numbers live.
    pub fn device(&self) -> &Device {
        &self.value.device
    }

    /// The same numbers as a leaf of the tape: gradients can be asked for it.
    #[must_use]
    pub fn tracked(&self) -> Self {
        self.detach().with_node(Some(Node::leaf()))
    }

    /// The same numbers off the tape.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.clone().with_node(None)
    }

    /// Whether operations on this tensor are recorded.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    /// Whether both are one variable: the same numbers at the same place on the tape.
    pub fn is_same(&self, other: &Self) -> bool {
        let node = |t: &Self| t.node.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.value, &other.value) && node(self) == node(other)
    }

    /// Part of a slab: `shape.numel()` elements from `offset`, sharing the buffer, off the tape.
    pub(crate) fn segment(&self, offset: usize, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert!(offset + shape.numel() <= self.numel(), "segment beyond its slab");
        let storage = Storage {
            buffer: self.storage().buffer.clone(),
            offset: self.storage().offset + offset,
        };
        Self::new(shape, self.dtype(), self.device(), storage)
    }

    pub(crate) fn byte_offset(&self) -> u64 {
        self.storage().offset as u64 * self.dtype().bytes()
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.storage().offset..self.storage().offset + self.numel()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({:?}, {:?}, {}", self.shape(), self.dtype(), self.device().kind())?;
        f.write_str(if self.is_tracked() { ", tracked)" } else { ")" })
    }
}
