//! Matrix products on slices, on the calling thread, and what their callers need to share work
//! between threads: scratch memory and an output that several threads write.
//!
//! Callers cut their work into pieces that depend on shapes only, never on the number of threads;
//! so results do not either.

use std::cell::RefCell;
use std::marker::PhantomData;

use rayon::prelude::*;

/// A matrix inside a slice: element (i, j) stands at `i * row + j * col`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row: usize,
    pub(crate) col: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `cols` elements, `row` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize, row: usize) -> Self {
        Self { data, rows, cols, row, col: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }

    /// `rows` rows from `start` on.
    pub(crate) fn narrow(self, start: usize, rows: usize) -> Self {
        Self { data: &self.data[start * self.row..], rows, ..self }
    }

    fn is_inside(&self) -> bool {
        let last = self.rows.saturating_sub(1) * self.row + self.cols.saturating_sub(1) * self.col;
        self.rows * self.cols == 0 || last < self.data.len()
    }
}

/// `y = a b`, or `y += a b` with `accumulate`; y is contiguous and row-major.
pub(crate) fn gemm(a: Matrix, b: Matrix, y: &mut [f32], accumulate: bool) {
    scaled_gemm(1.0, a, b, y, accumulate);
}

/// `y = alpha a b`, or `y += alpha a b` with `accumulate`.
pub(crate) fn scaled_gemm(alpha: f32, a: Matrix, b: Matrix, y: &mut [f32], accumulate: bool) {
    assert!(a.is_inside() && b.is_inside(), "a matrix beyond its slice");
    assert!(a.cols == b.rows && y.len() == a.rows * b.cols, "matrices that do not fit");
    // SAFETY: all three operands lie inside their slices, as just checked.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            y.as_mut_ptr(),
            1,
            b.cols as isize,
            accumulate,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Below this many multiplications one thread is faster than two.
const PARALLEL_FROM: usize = 128 * 1024;

/// Calls `f` for each task, from all threads where the work is worth it.
pub(crate) fn for_each_task(tasks: usize, multiplications: usize, f: impl Fn(usize) + Send + Sync) {
    if tasks == 1 || multiplications < PARALLEL_FROM {
        (0..tasks).for_each(f);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(f);
    }
}

/// Lends `N` buffers that this thread keeps; they hold whatever their last user left.
pub(crate) fn with_scratch<const N: usize>(lens: [usize; N], f: impl FnOnce([&mut [f32]; N])) {
    thread_local! {
        static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let total = lens.iter().sum();
        if scratch.len() < total {
            scratch.resize(total, 0.0);
        }
        let mut rest = &mut scratch[..];
        f(lens.map(|len| rest.split_off_mut(..len).expect("resized")));
    });
}

/// An output whose disjoint parts are written by several threads.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is `part`, whose callers promise disjoint ranges.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(y: &'a mut [f32]) -> Self {
        Self { start: y.as_mut_ptr(), len: y.len(), owner: PhantomData }
    }

    /// `len` elements from `start` on.
    ///
    /// # Safety
    /// No other part that is alive overlaps this one.
    #[expect(clippy::mut_from_ref, reason = "callers promise that parts are disjoint")]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start + len <= self.len, "a part beyond the output");
        // SAFETY: inside the slice that `new` borrowed; disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
