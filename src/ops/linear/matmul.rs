//! Products of matrices, batched, with either factor read transposed, so that gradients need no
//! transposed copies, and with a factor and a bias, so that a layer is one operation.

use std::borrow::Cow;
use std::ops::Range;

use super::gemm::{Matrix, Shared, for_each_task, scaled_gemm};
use super::tiling::Tiling;
use crate::device::{Family, Launch};
use crate::kernel;
use crate::ops::pointwise::{Deferred, Expr};
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
        self.product(other, None, Matmul { ta, tb, ..Matmul::PLAIN })
    }

    /// With a bias that fits the product's last axis, of any shape of so many elements.
    #[track_caller]
    fn product(&self, other: &Self, bias: Option<&Self>, op: Matmul) -> Self {
        let Matmul { ta, tb, .. } = op;
        let (a, b) = (self.shape(), other.shape());
        assert!(a.len() >= 2 && b.len() >= 2, "matmul: ranks below 2 ({a:?}, {b:?})");
        let (a_batch, a_matrix) = a.split_at(a.len() - 2);
        let (b_batch, b_matrix) = b.split_at(b.len() - 2);
        let inner = a_matrix[usize::from(!ta)];
        if inner > Launch::MAX_ROUNDS {
            return self.product_in_parts(other, bias, op, inner);
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
        let b = stack(other, b_batch, b_matrix);
        let y = match bias {
            None => apply(op, &[&a, &b]),
            Some(bias) => apply(op, &[&a, &b, &bias.reshape([1, 1, bias.numel()])]),
        };
        y.reshape(y_shape)
    }

    /// The product as a sum over pieces of the inner axis, each short enough for a kernel's loop;
    /// the first has the bias.
    fn product_in_parts(
        &self,
        other: &Self,
        bias: Option<&Self>,
        op: Matmul,
        inner: usize,
    ) -> Self {
        let piece = |start: usize| {
            let n = Launch::MAX_ROUNDS.min(inner - start);
            let a = self.narrow(if op.ta { -2 } else { -1 }, start, n);
            let b = other.narrow(if op.tb { -1 } else { -2 }, start, n);
            a.product(&b, bias.filter(|_| start == 0), op)
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
        self.scaled_linear(w, b, [1.0, 1.0])
    }

    /// `alpha x wᵀ + beta b` over the last axis, with w `[out, in]`. PyTorch: `torch.addmm`.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[track_caller]
    pub fn scaled_linear(&self, w: &Self, b: Option<&Self>, [alpha, beta]: [f64; 2]) -> Self {
        let rank = self.shape().len();
        assert!(rank >= 1, "linear: x of rank 0, w {:?}", w.shape());
        let y_shape = self.shape().with(rank - 1, w.size(0));
        let rows = self.reshape([self.numel() / self.size(-1), self.size(-1)]);
        rows.product(w, b, Matmul { tb: true, alpha, beta, ..Matmul::PLAIN }).reshape(y_shape)
    }

    /// `x² wᵀ`, or `x² (w²)ᵀ` if `both`, of matrices, without a tensor of squares. PyTorch:
    /// `F.linear(x.square(), w)`.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[track_caller]
    pub fn linear_of_squares(&self, w: &Self, both: bool) -> Self {
        self.product(w, None, Matmul { tb: true, squared: [true, both], ..Matmul::PLAIN })
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

/// `alpha a b + beta bias`: `[B, M, K]` times `[B, K, N]`; a factor may be stored transposed, or have
/// B = 1. The bias `[1, 1, N]` is a third input, or none.
#[derive(Clone, Copy)]
struct Matmul {
    ta: bool,
    tb: bool,
    alpha: f64,
    beta: f64,
    /// Whether each factor's elements stand for their squares.
    squared: [bool; 2],
}

impl Matmul {
    const PLAIN: Self = Self { ta: false, tb: false, alpha: 1.0, beta: 0.0, squared: [false; 2] };

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

    /// One matrix of a factor with these elements, untransposed.
    fn matrix<'a>(x: &'a [f32], shape: &Shape, batch: usize, transposed: bool) -> Matrix<'a> {
        let [step, ..] = Self::strides(shape, transposed);
        let (rows, cols) = (shape[1], shape[2]);
        let matrix = Matrix::new(&x[batch * step..], rows, cols, cols);
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
        // Without a bias the kernel binds one all the same, and reads none.
        let (bias, beta) = x.get(2).map_or((x[1], 0.0), |bias| (*bias, self.beta));
        launch
            .bind("a", x[0])
            .bind("b", x[1])
            .bind("bias", bias)
            .param("alpha", self.alpha)
            .param("beta", beta)
            .param("a_squared", usize::from(self.squared[0]))
            .param("b_squared", usize::from(self.squared[1]))
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
    fn lines<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let [m, k, n] = self.sizes(x[0].shape, x[1].shape);
        let (sa, sb) = (Self::strides(x[0].shape, self.ta), Self::strides(x[1].shape, self.tb));
        let (a, b) = (T::of(&x[0]), T::of(&x[1]));
        let power = self.squared.map(|squared| move |x: f64| if squared { x * x } else { x });
        let under = |j: usize| x.get(2).map_or(0.0, |bias| self.beta * bias.at(j));
        let mut sums = vec![0.0; n];
        for (y, row) in y.chunks_exact_mut(n).zip(rows) {
            let (batch, i) = (row / m, row % m);
            sums.fill(0.0);
            for p in 0..k {
                let a = power[0](a[batch * sa[0] + i * sa[1] + p * sa[2]].f64());
                let b = b[batch * sb[0] + p * sb[1]..].iter().step_by(sb[2]);
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * power[1](b.f64()));
            }
            for (j, (y, sum)) in y.iter_mut().zip(&sums).enumerate() {
                *y = T::from_f64(self.alpha * sum + under(j));
            }
        }
    }
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    /// All products, summed, and the bias.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let [m, k, n] = self.sizes(x[0].shape(), x[1].shape());
        let factor = |k: usize| if self.squared[k] { x[k].square() } else { x[k].clone() };
        let a = if self.ta { factor(0).transpose(1, 2) } else { factor(0) };
        let b = if self.tb { factor(1) } else { factor(1).transpose(1, 2) };
        let products = a.reshape([a.size(0), m, 1, k]) * b.reshape([b.size(0), 1, n, k]);
        let y = products.sum(&[3], false) * self.alpha;
        Some(x.get(2).map_or_else(|| y.clone(), |bias| &y + bias * self.beta))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (a, b) = (x[0], x[1]);
        let [m, k, n] = self.sizes(a, b);
        let fits = k == b[1 + usize::from(self.tb)];
        let [ta, tb] = [self.ta, self.tb].map(|t| if t { "ᵀ" } else { "" });
        assert!(fits, "matmul: inner sizes differ ({a:?}{ta}, {b:?}{tb})");
        let bias = x.get(2).map_or(n, |bias| bias.numel());
        assert!(bias == n, "matmul: a bias of {bias} for {n} columns ({a:?}{ta}, {b:?}{tb})");
        [a[0].max(b[0]), m, n].into()
    }

    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        2 * y.numel() * self.sizes(x[0], x[1])[1]
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x, y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let [m, k, n] = self.sizes(x[0].shape, x[1].shape);
        // Eight blocks of rows, but none so low that packing b outweighs the product.
        let block = m.div_ceil(8).max(MIN_ROWS);
        let blocks = m.div_ceil(block);
        let batches = y.len() / (m * n);
        let y = Shared::new(y);
        let factor = |k: usize| match self.squared[k] {
            true => Cow::Owned(x[k].f32().iter().map(|x| x * x).collect()),
            false => Cow::Borrowed(x[k].f32()),
        };
        let (a, b): (Cow<[f32]>, Cow<[f32]>) = (factor(0), factor(1));
        for_each_task(batches * blocks, batches * m * n * k, |task| {
            let (batch, start) = (task / blocks, task % blocks * block);
            let rows = block.min(m - start);
            let a = Self::matrix(&a, x[0].shape, batch, self.ta).narrow(start, rows);
            // SAFETY: each task has its own rows.
            let y = unsafe { y.part((batch * m + start) * n, rows * n) };
            let bias = x.get(2).map(Slice::f32);
            if let Some(bias) = bias {
                let under = |row: &mut [f32]| {
                    row.iter_mut().zip(bias).for_each(|(y, b)| *y = self.beta as f32 * b);
                };
                y.chunks_exact_mut(n).for_each(under);
            }
            let b = Self::matrix(&b, x[1].shape, batch, self.tb);
            scaled_gemm(self.alpha as f32, a, b, y, bias.is_some());
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
            (false, false, _) => {
                let inputs = [Some(1), None, None][..x.len()].to_vec();
                Cut { inputs, output: Some(1) }
            }
            // Both lie row after row of the inner axis, which is summed over.
            (false, true, false) if x.len() == 2 => Cut { inputs: vec![Some(1); 2], output: None },
            (false, true, _) => return None,
        })
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        Deferred::compute_all(self.deferred_vjp(x, y, g, needs))
    }

    fn deferred_vjp(
        &self,
        x: &[Tensor],
        _y: &Tensor,
        g: &Tensor,
        needs: &[bool],
    ) -> Vec<Option<Deferred>> {
        let (a, b) = (&x[0], &x[1]);
        // The factor that is no g stays squared; a squared one's own gradient is 2 x times more.
        let product = |[a, b]: [&Tensor; 2], [ta, tb]: [bool; 2], squared| {
            apply(Self { ta, tb, squared, ..*self }, &[a, b])
        };
        let of = |k: usize, grad: Tensor| {
            let [x_k, grad_k] = Expr::inputs();
            let slope = if self.squared[k] { 2.0 * x_k } else { Expr::number(1.0) };
            Deferred::new(&[&x[k], &grad], &(slope * grad_k))
        };
        let [p, q] = self.squared;
        let grad_a = || match self.ta {
            false => product([g, b], [false, !self.tb], [false, q]),
            true => product([b, g], [self.tb, true], [q, false]),
        };
        let grad_b = || match self.tb {
            false => product([a, g], [!self.ta, false], [p, false]),
            true => product([g, a], [true, self.ta], [false, p]),
        };
        let grad_bias = || g.scaled_sum(self.beta, &[0, 1], true).into();
        let mut grads = vec![needs[0].then(|| of(0, grad_a())), needs[1].then(|| of(1, grad_b()))];
        grads.extend(needs.get(2).map(|needed| needed.then(grad_bias)));
        grads
    }
}
