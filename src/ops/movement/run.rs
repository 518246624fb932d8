//! The native form of a movement: rows that are copied, filled, or read one by one.

use super::axis::Axis;
use crate::tensor::Shape;

/// An axis of the output over (merged) axes of the input.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) axis: Axis,
    /// Size and stride of the input's axis; 1 and 0 where it is repeated.
    n: usize,
    stride: usize,
}

impl Run {
    /// The output's axes, neighbours that move together merged.
    pub(super) fn merged(axes: &[Axis], x: &Shape) -> Vec<Self> {
        let strides = x.strides();
        let mut runs: Vec<Self> = Vec::new();
        for &axis in axes.iter().filter(|a| a.size != 1 || a.start != 0) {
            let (n, stride) = axis.source.map_or((1, 0), |s| (x[s], strides[s]));
            let run = Self { axis, n, stride };
            let whole = |r: &Self| {
                r.axis.source.is_none() || r.axis == Axis::whole(r.n, r.axis.source.unwrap_or(0))
            };
            match runs.last_mut() {
                Some(last)
                    if whole(last)
                        && whole(&run)
                        && last.axis.source.is_some() == axis.source.is_some()
                        && last.stride == stride * n =>
                {
                    last.axis.size *= axis.size;
                    last.n *= n;
                    last.stride = stride;
                }
                _ => runs.push(run),
            }
        }
        runs
    }

    /// Where the input begins for a row of the outer axes; `None` for a row of zeros.
    pub(super) fn offset(outer: &[Self], mut row: usize) -> Option<usize> {
        let mut offset = 0;
        for run in outer.iter().rev() {
            if run.axis.source.is_some() {
                offset += run.axis.index(row % run.axis.size, run.n)? * run.stride;
            }
            row /= run.axis.size;
        }
        Some(offset)
    }

    /// One row of the output along this axis.
    pub(super) fn copy(&self, x: &[f32], y: &mut [f32]) {
        let Axis { source, start, step, dilation, .. } = self.axis;
        if source.is_none() {
            return y.fill(x[0]);
        }
        if (step, dilation, self.stride) != (1, 1, 1) {
            for (i, y) in y.iter_mut().enumerate() {
                *y = self.axis.index(i, self.n).map_or(0.0, |j| x[j * self.stride]);
            }
            return;
        }
        // The part of the row that lies inside the input is one copy.
        let first = (-start).clamp(0, y.len() as i64) as usize;
        let end = (self.n as i64 - start).clamp(first as i64, y.len() as i64) as usize;
        y[..first].fill(0.0);
        y[end..].fill(0.0);
        // Cropped beyond its end there is no input to point at.
        if first < end {
            let from = (first as i64 + start) as usize;
            y[first..end].copy_from_slice(&x[from..from + end - first]);
        }
    }
}
