//! The axes of a movement: how each runs over the input, and which can share one index.

use crate::tensor::Shape;

/// How one axis of the output runs over the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) size: usize,
    /// The input's axis; `None` repeats the input.
    pub(super) source: Option<usize>,
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) dilation: i64,
}

impl Axis {
    pub(super) fn whole(size: usize, source: usize) -> Self {
        Self { size, source: Some(source), start: 0, step: 1, dilation: 1 }
    }

    pub(super) fn repeat(size: usize) -> Self {
        Self { size, source: None, start: 0, step: 0, dilation: 1 }
    }

    /// Index on the input's axis of size `n`, or `None` for a zero.
    pub(super) fn index(&self, i: usize, n: usize) -> Option<usize> {
        let j = i as i64 * self.step + self.start;
        let inside = j % self.dilation == 0 && (0..n as i64).contains(&(j / self.dilation));
        inside.then_some((j / self.dilation) as usize)
    }

    /// A field of the kernel.
    pub(super) fn bounded(value: i64) -> i32 {
        i32::try_from(value).expect("a size beyond 31 bits")
    }
}

/// An axis of the output over an axis of the input of size `n`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) axis: Axis,
    pub(super) n: usize,
    pub(super) stride: usize,
}

impl Path {
    pub(super) const NOWHERE: Self = Self {
        axis: Axis { size: 1, source: None, start: 0, step: 0, dilation: 1 },
        n: 1,
        stride: 0,
    };

    /// The paths of all axes, neighbours joined where one index can serve both: fewer divisions.
    pub(super) fn merged(axes: &[Axis], x: &Shape) -> Vec<Self> {
        let strides = x.strides();
        let path = |axis: &Axis| {
            let (n, stride) = axis.source.map_or((1, 0), |s| (x[s], strides[s]));
            Self { axis: *axis, n, stride }
        };
        let mut merged: Vec<Self> = Vec::new();
        for path in axes.iter().map(path) {
            match merged.last_mut().and_then(|outer| outer.join(path)) {
                Some(joined) => *merged.last_mut().expect("joined with it") = joined,
                None => merged.push(path),
            }
        }
        merged
    }

    fn join(&self, inner: Self) -> Option<Self> {
        let (a, b) = (self.axis, inner.axis);
        if a.source.is_none() && b.source.is_none() {
            return Some(Self { axis: Axis::repeat(a.size * b.size), ..inner });
        }
        // Whole rows of the input, from any row on.
        let is_whole = b.source.is_some() && b == Axis::whole(inner.n, b.source?);
        let is_plain = a.source.is_some() && (a.step, a.dilation) == (1, 1);
        if !(is_whole && is_plain && self.stride == inner.n * inner.stride) {
            return None;
        }
        let axis = Axis { size: a.size * b.size, start: a.start * inner.n as i64, ..b };
        Some(Self { axis, n: self.n * inner.n, stride: inner.stride })
    }
}
