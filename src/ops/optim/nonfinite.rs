//! Which segments of a slab hold a NaN or an infinity.

use std::ops::Range;

use crate::device::Launch;
use crate::kernel;
use crate::ops::{Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// For each segment of a flat tensor 1 where it holds a number that is not finite, else 0;
    /// `starts` is where each segment begins, with the tensor's length at the end. A test of bits,
    /// because drivers fold comparisons with NaN away.
    ///
    /// # Panics
    /// When `starts` has fewer than two entries.
    #[track_caller]
    pub fn nonfinite_segments(&self, starts: &Self) -> Self {
        apply(Nonfinite, &[self, starts])
    }
}

struct Nonfinite;

impl Op for Nonfinite {
    fn name(&self) -> &'static str {
        "nonfinite"
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let n = x[1].numel();
        assert!(n > 1, "nonfinite: {n} segment starts");
        [n - 1].into()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| Self::segments(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let launch = Launch::new(kernel!("optim/nonfinite"))
            .bind("x", x[0])
            .bind("starts", x[1])
            .bind("y", y)
            .param("segments", y.numel());
        vec![launch.groups(y.numel())]
    }

    /// A flag: constant wherever it has a derivative.
    fn vjp(&self, _x: &[Tensor], _y: &Tensor, _g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![None, None]
    }
}

impl Nonfinite {
    fn segments<T: Float>(x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let (values, starts) = (T::of(&x[0]), x[1].i32());
        for (y, k) in y.iter_mut().zip(rows) {
            let segment = &values[starts[k] as usize..starts[k + 1] as usize];
            let bad = segment.iter().any(|v| !v.f64().is_finite());
            *y = T::from_f64(f64::from(u8::from(bad)));
        }
    }
}
