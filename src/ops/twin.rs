//! The CPU side of [`super::apply`]: typed views of host buffers, and the threads over rows.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::Op;
use crate::device::profile::Work;
use crate::device::{Host, HostData};
use crate::tensor::{Buffer, Shape, Storage, Tensor};

/// f32 or f64: a twin is written once for both.
pub trait Float: Copy + Send + Sync + Default + PartialOrd + 'static {
    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Widens.
    fn f64(self) -> f64;
    /// The numbers of a slice of this type.
    fn of<'a>(x: &Slice<'a>) -> &'a [Self];
}

impl Float for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn of<'a>(x: &Slice<'a>) -> &'a [Self] {
        x.f32()
    }
}

impl Float for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
    fn of<'a>(x: &Slice<'a>) -> &'a [Self] {
        match x.data {
            Data::F64(v) => v,
            _ => panic!("an input of the reference device that is not f64"),
        }
    }
}

#[derive(Clone, Copy)]
enum Data<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I32(&'a [i32]),
}

/// An input as the twin sees it.
#[derive(Clone, Copy)]
pub struct Slice<'a> {
    /// Sizes of the axes.
    pub shape: &'a Shape,
    data: Data<'a>,
}

impl<'a> Slice<'a> {
    /// The numbers of an f32 input.
    ///
    /// # Panics
    /// When it holds another type.
    pub fn f32(&self) -> &'a [f32] {
        match self.data {
            Data::F32(v) => v,
            _ => panic!("an input of the cpu device that is not f32"),
        }
    }

    /// One number, widened.
    pub fn at(&self, index: usize) -> f64 {
        match self.data {
            Data::F32(v) => f64::from(v[index]),
            Data::F64(v) => v[index],
            Data::I32(v) => f64::from(v[index]),
        }
    }

    /// The numbers of an index input.
    ///
    /// # Panics
    /// When it holds another type.
    pub fn i32(&self) -> &'a [i32] {
        match self.data {
            Data::I32(v) => v,
            _ => panic!("an index input that is not i32"),
        }
    }
}

/// The part of the output that a twin writes: exactly the rows that it was asked for.
pub enum SliceMut<'a> {
    /// On `cpu`.
    F32(&'a mut [f32]),
    /// On `reference`.
    F64(&'a mut [f64]),
    /// Indices.
    I32(&'a mut [i32]),
}

/// Forwards a twin to its generic function: `twin!(y, |y| self.rows_of(x, y, rows))`.
#[macro_export]
macro_rules! twin {
    ($y:expr, |$out:ident| $body:expr) => {
        match $y {
            $crate::ops::SliceMut::F32($out) => $body,
            $crate::ops::SliceMut::F64($out) => $body,
            $crate::ops::SliceMut::I32(_) => unreachable!("a twin of real numbers"),
        }
    };
}

/// Below this many output elements one thread is faster than two.
const PARALLEL_FROM: usize = 16 * 1024;

pub(super) fn run(
    op: &dyn Op,
    x: &[&Tensor],
    shape: Shape,
    flops: u64,
    host: &Arc<Host>,
) -> Tensor {
    let device = x[0].device();
    let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
    let traffic = op.traffic(&shapes, &shape) as u64;
    let x: Vec<Slice> = x.iter().map(|x| slice(x)).collect();
    let dtype = op.dtype(device);
    let mut buffer = host.alloc(dtype, shape.numel());
    let rows = op.rows(&shape).max(1);
    let work = Work { bytes: traffic * dtype.bytes(), flops };
    let is_empty = shape.numel() == 0;
    host.dispatch(op.name(), &shape, work, || match &mut buffer.data {
        _ if is_empty => {}
        HostData::F32(y) => {
            if !op.native(&x, y) {
                split(y, rows, |y, rows| op.twin(&x, SliceMut::F32(y), rows));
            }
        }
        HostData::F64(y) => split(y, rows, |y, rows| op.twin(&x, SliceMut::F64(y), rows)),
        HostData::I32(y) => split(y, rows, |y, rows| op.twin(&x, SliceMut::I32(y), rows)),
    });
    Tensor::new(shape, dtype, device, Storage { buffer: Buffer::Host(Arc::new(buffer)), offset: 0 })
}

fn slice(x: &Tensor) -> Slice<'_> {
    let Buffer::Host(buffer) = &x.storage().buffer else {
        unreachable!("a tensor of a host device lives there")
    };
    let range = x.storage().offset..x.storage().offset + x.numel();
    let data = match &buffer.data {
        HostData::F32(v) => Data::F32(&v[range]),
        HostData::F64(v) => Data::F64(&v[range]),
        HostData::I32(v) => Data::I32(&v[range]),
    };
    Slice { shape: x.shape(), data }
}

/// Calls `f` on runs of whole rows, from all threads. Rows do not depend on each other, so the
/// result does not depend on the number of threads.
fn split<T: Send>(y: &mut [T], rows: usize, f: impl Fn(&mut [T], Range<usize>) + Sync) {
    let width = y.len() / rows;
    if y.len() < PARALLEL_FROM || rows == 1 {
        return f(y, 0..rows);
    }
    let run = rows.div_ceil(8 * rayon::current_num_threads()).max(1);
    y.par_chunks_mut(run * width).enumerate().for_each(|(k, y)| {
        f(y, k * run..(k * run + y.len() / width));
    });
}
