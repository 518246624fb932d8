//! Products of matrices, batched, with either factor read transposed, so that gradients need no
//! transposed copies.

use std::ops::Range;

use super::gemm::{Matrix, Shared, for_each_task, gemm};
use super::tiling::Tiling;
use crate::device::{Family, Launch};
use crate::kernel;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Product of the last two axes; the axes before them broadcast. PyTorch: `torch.matmul`.
    ///
    /// # Panics
    /// When a rank is below 2 or the sizes do not fit.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        self.matmul_t(other, false, false)
    }

    /// As [`Tensor::matmul`], of this tensor's transposed matrices if `ta`, and the other's if
    /// `tb`. PyTorch: `a.mT @ b.mT`.
    ///
    /// # Panics
    /// As [`Tensor::matmul`].
    #[track_caller]
    pub fn matmul_t(&self, other: &Self, ta: bool, tb: bool) -> Self {
        let (a, b) = (self.shape(), other.shape());
        assert!(a.len() >= 2 && b.len() >= 2, "matmul: ranks below 2 ({a:?}, {b:?})");
        let (a_batch, a_matrix) = a.split_at(a.len() - 2);
        let (b_batch, b_matrix) = b.split_at(b.len() - 2);
        let inner = a_matrix[usize::from(!ta)];
        if inner > Launch::MAX_ROUNDS {
            return self.matmul_in_parts(other, ta, tb, inner);
        }
        let batch = Shape::from(a_batch).broadcast(&b_batch.into());
        let batch = batch.unwrap_or_else(|| panic!("matmul: batches differ ({a:?}, {b:?})"));
        let rows = a_matrix[usize::from(ta)];
        let y_shape = [&batch[..], &[rows, b_matrix[usize::from(!tb)]]].concat();
        let stack = |x: &Self, axes: &[usize], matrix: &[usize]| {
            let (whole, n) = (batch.numel(), axes.iter().product());
            if n == whole || n == 1 {
                return x.reshape([n, matrix[0], matrix[1]]);
            }
            let spread = x.expand([&batch[..], matrix].concat());
            spread.reshape([whole, matrix[0], matrix[1]])
        };
        // One matrix for the whole batch: the batch becomes rows.
        let folded = !ta && b_batch.iter().all(|&n| n == 1);
        let a = match folded {
            true => self.reshape([1, a_batch.iter().product::<usize>() * rows, a_matrix[1]]),
            false => stack(self, a_batch, a_matrix),
        };
        let y = apply(Matmul { ta, tb }, &[&a, &stack(other, b_batch, b_matrix)]);
        y.reshape(y_shape)
    }

    /// The product as a sum over pieces of the inner axis, each short enough for a kernel's loop.
    fn matmul_in_parts(&self, other: &Self, ta: bool, tb: bool, inner: usize) -> Self {
        let piece = |start: usize| {
            let n = Launch::MAX_ROUNDS.min(inner - start);
            let a = self.narrow(if ta { -2 } else { -1 }, start, n);
            a.matmul_t(&other.narrow(if tb { -1 } else { -2 }, start, n), ta, tb)
        };
        let pieces = (0..inner).step_by(Launch::MAX_ROUNDS).map(piece);
        pieces.reduce(|a, b| a + b).expect("at least one piece")
    }

    /// `x wᵀ + b` over the last axis, with w `[out, in]`. PyTorch: `F.linear`.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[track_caller]
    pub fn linear(&self, w: &Self, b: Option<&Self>) -> Self {
        let rank = self.shape().len();
        assert!(rank >= 1, "linear: x of rank 0, w {:?}", w.shape());
        let y_shape = self.shape().with(rank - 1, w.size(0));
        let rows = self.reshape([self.numel() / self.size(-1), self.size(-1)]);
        let y = rows.matmul_t(w, false, true).reshape(y_shape);
        b.map_or_else(|| y.clone(), |b| &y + b)
    }
}

/// Rows and columns that a subgroup makes.
fn subgroup_tile(size: u32) -> [usize; 2] {
    [32, 8 * size as usize]
}

/// Tiles of so many rows and columns that cover all of y.
fn tiles(y: &Tensor, [rows, cols]: [usize; 2]) -> usize {
    y.size(0) * y.size(1).div_ceil(rows) * y.size(2).div_ceil(cols)
}

/// Whether the large tiles of subgroups, some four times as fast, are full enough to pay.
fn fills_subgroups(y: &Tensor, size: u32) -> bool {
    let tile = subgroup_tile(size);
    tiles(y, tile) * tile[0] * tile[1] < 4 * tiles(y, [8, 8]) * 64
}

/// Fewest rows of y that are worth a task of their own.
const MIN_ROWS: usize = 64;

/// `[B, M, K]` times `[B, K, N]`; a factor may be stored transposed, or have B = 1.
struct Matmul {
    ta: bool,
    tb: bool,
}

impl Matmul {
    /// (M, K, N).
    fn sizes(&self, a: &Shape, b: &Shape) -> [usize; 3] {
        let (ta, tb) = (usize::from(self.ta), usize::from(self.tb));
        [a[1 + ta], a[2 - ta], b[2 - tb]]
    }

    /// Distances in elements between a factor's matrices, rows and columns, seen untransposed.
    fn strides(x: &Shape, transposed: bool) -> [usize; 3] {
        let batch = if x[0] == 1 { 0 } else { x[1] * x[2] };
        if transposed { [batch, 1, x[2]] } else { [batch, x[2], 1] }
    }

    /// One matrix of a factor, untransposed.
    fn matrix(x: Slice<'_>, batch: usize, transposed: bool) -> Matrix<'_> {
        let [step, ..] = Self::strides(x.shape, transposed);
        let (rows, cols) = (x.shape[1], x.shape[2]);
        let matrix = Matrix::new(&x.f32()[batch * step..], rows, cols, cols);
        if transposed { matrix.transposed() } else { matrix }
    }

    fn in_registers(&self, x: &[&Tensor], y: &Tensor) -> Launch {
        let [batches, m, n] = y.shape()[..] else { unreachable!("checked by shape") };
        let tiles = batches * m.div_ceil(8) * n.div_ceil(8);
        let launch = self.params(Launch::new(kernel!("linear/matmul")), x, batches);
        launch.bind("y", y).elements(tiles, 64)
    }

    fn in_tiles(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let batches = y.size(0);
        let Some(tiling) = Tiling::choose(batches, self.sizes(x[0].shape(), x[1].shape())) else {
            return vec![self.in_registers(x, y)];
        };
        let launch = self.params(Launch::new(kernel!("linear/matmul_tiles")), x, batches);
        tiling.launches(launch, y)
    }

    /// The factors and sizes that both kernels take.
    fn params(&self, launch: Launch, x: &[&Tensor], batches: usize) -> Launch {
        let (a, b) = (x[0].shape(), x[1].shape());
        let [m, k, n] = self.sizes(a, b);
        let (sa, sb) = (Self::strides(a, self.ta), Self::strides(b, self.tb));
        launch
            .bind("a", x[0])
            .bind("b", x[1])
            .param("batches", batches)
            .param("m", m)
            .param("k", k)
            .param("n", n)
            .param("a_batch", sa[0])
            .param("a_row", sa[1])
            .param("a_col", sa[2])
            .param("b_batch", sb[0])
            .param("b_row", sb[1])
            .param("b_col", sb[2])
    }

    fn in_subgroups(&self, x: &[&Tensor], y: &Tensor, size: u32) -> Launch {
        let kernel = kernel!("linear/matmul_subgroup").for_subgroups_of(size);
        let launch = self.params(Launch::new(kernel), x, y.size(0));
        launch.bind("y", y).groups(tiles(y, subgroup_tile(size)))
    }

    /// Rows of y: one row of one product.
    fn lines<T: Float>(&self, a: Slice, b: Slice, y: &mut [T], rows: Range<usize>) {
        let [m, k, n] = self.sizes(a.shape, b.shape);
        let (sa, sb) = (Self::strides(a.shape, self.ta), Self::strides(b.shape, self.tb));
        let (a, b) = (T::of(&a), T::of(&b));
        let mut sums = vec![0.0; n];
        for (y, row) in y.chunks_exact_mut(n).zip(rows) {
            let (batch, i) = (row / m, row % m);
            sums.fill(0.0);
            for p in 0..k {
                let a = a[batch * sa[0] + i * sa[1] + p * sa[2]].f64();
                let b = b[batch * sb[0] + p * sb[1]..].iter().step_by(sb[2]);
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b.f64());
            }
            y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::from_f64(sum));
        }
    }
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    /// All products, summed.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let [m, k, n] = self.sizes(x[0].shape(), x[1].shape());
        let a = if self.ta { x[0].transpose(1, 2) } else { x[0].clone() };
        let b = if self.tb { x[1].clone() } else { x[1].transpose(1, 2) };
        let products = a.reshape([a.size(0), m, 1, k]) * b.reshape([b.size(0), 1, n, k]);
        Some(products.sum(&[3], false))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (a, b) = (x[0], x[1]);
        let [m, k, n] = self.sizes(a, b);
        let fits = k == b[1 + usize::from(self.tb)];
        let [ta, tb] = [self.ta, self.tb].map(|t| if t { "ᵀ" } else { "" });
        assert!(fits, "matmul: inner sizes differ ({a:?}{ta}, {b:?}{tb})");
        [a[0].max(b[0]), m, n].into()
    }

    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        2 * y.numel() * self.sizes(x[0], x[1])[1]
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], x[1], y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let [m, k, n] = self.sizes(x[0].shape, x[1].shape);
        // Eight blocks of rows, but none so low that packing b outweighs the product.
        let block = m.div_ceil(8).max(MIN_ROWS);
        let blocks = m.div_ceil(block);
        let batches = y.len() / (m * n);
        let y = Shared::new(y);
        for_each_task(batches * blocks, batches * m * n * k, |task| {
            let (batch, start) = (task / blocks, task % blocks * block);
            let rows = block.min(m - start);
            let a = Self::matrix(x[0], batch, self.ta).narrow(start, rows);
            // SAFETY: each task has its own rows.
            let y = unsafe { y.part((batch * m + start) * n, rows * n) };
            gemm(a, Self::matrix(x[1], batch, self.tb), y, false);
        });
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        match Family::of(y.device()) {
            Family::Tiles => self.in_tiles(x, y),
            Family::Subgroup { size } if fills_subgroups(y, size) => {
                vec![self.in_subgroups(x, y, size)]
            }
            Family::Subgroup { .. } => vec![self.in_registers(x, y)],
        }
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let batched = |x: &&Shape| (x[0] > 1).then_some(0);
        Some(match (y[0] > 1, self.ta, self.tb) {
            (true, ..) => Cut { inputs: x.iter().map(batched).collect(), output: Some(0) },
            (false, false, _) => Cut { inputs: vec![Some(1), None], output: Some(1) },
            // Both lie row after row of the inner axis, which is summed over.
            (false, true, false) => Cut { inputs: vec![Some(1); 2], output: None },
            (false, true, true) => return None,
        })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let (a, b) = (&x[0], &x[1]);
        let product = |a: &Tensor, b: &Tensor, ta, tb| apply(Self { ta, tb }, &[a, b]);
        let grad_a = || match self.ta {
            false => product(g, b, false, !self.tb),
            true => product(b, g, self.tb, true),
        };
        let grad_b = || match self.tb {
            false => product(a, g, !self.ta, false),
            true => product(g, a, true, self.ta),
        };
        vec![needs[0].then(grad_a), needs[1].then(grad_b)]
    }
}
