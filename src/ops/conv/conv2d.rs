//! Two-dimensional cross-correlation.

use std::ops::Range;

use super::columns::{Columns, Target};
use super::conv_transpose2d::ConvTranspose2d;
use super::conv2d_weight_grad::Conv2dWeightGrad;
use super::{Conv2d, met, subgroup, taps};
use crate::device::{Family, Launch};
use crate::kernel;
use crate::ops::linear::tiling::Tiling;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Cross-correlation of `[N, C, H, W]` with w `[O, C / groups, kh, kw]`. PyTorch: `F.conv2d`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn conv2d(&self, w: &Self, conv: &Conv2d) -> Self {
        apply(*conv, &[self, w])
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    /// A product of matrices for each tap.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (x, w) = (&x[0], &x[1]);
        let shape = self.shape(&[x.shape(), w.shape()]);
        let of_tap = |[ky, kx]: [usize; 2]| {
            let w = w.narrow(2, ky, 1).narrow(3, kx, 1);
            let w = w.reshape([self.groups, shape[1] / self.groups, w.size(1)]);
            w.matmul(&self.met_by([ky, kx], x, [shape[2], shape[3]]))
        };
        let sum = taps([w.size(2), w.size(3)]).map(of_tap).reduce(|a, b| a + b);
        Some(sum.expect("a kernel has taps").reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (x, w) = (x[0], x[1]);
        assert!(x.len() == 4 && w.len() == 4, "conv2d: ranks other than 4 (x {x:?}, weight {w:?})");
        let (c, fan) = (x[1], w[1] * self.groups);
        assert_eq!(c, fan, "conv2d: channels of x and weight (x {x:?}, weight {w:?}, {self:?})");
        let size = self.output_size(&x[2..], &w[2..]);
        let [h, width] = size.unwrap_or_else(|| {
            panic!("conv2d: the kernel is larger than x (x {x:?}, weight {w:?}, {self:?})")
        });
        let y = Shape::from([x[0], w[0], h, width]);
        self.check("conv2d", x, w, &y);
        y
    }

    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        2 * y.numel() * x[1].numel() / x[1][0]
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], x[1], y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let (x, w) = (x[0], x[1]);
        let size = self.output_size(&x.shape[2..], &w.shape[2..]).expect("checked by shape");
        let columns = Columns::of_conv2d(self, x, &w.shape[2..], size);
        columns.times(w.f32(), &Target { plane: size, first: [0, 0], step: [1, 1] }, y);
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let channels = y.size(1) / self.groups;
        match Family::of(y.device()) {
            Family::Tiles => self.in_tiles(x, y),
            Family::Subgroup { size } if subgroup::is_filled_by(channels) => {
                vec![self.correlate(x, y, size)]
            }
            Family::Subgroup { .. } => vec![self.in_registers(x, y)],
        }
    }

    fn cut(&self, _x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut { inputs: vec![Some(0), None], output: Some(0) })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let (x, w) = (&x[0], &x[1]);
        let grad_x = || {
            let size = [x.size(2), x.size(3)];
            apply(ConvTranspose2d { conv: *self, size }, &[g, w])
        };
        let grad_w = || {
            let kernel = [w.size(2), w.size(3)];
            apply(Conv2dWeightGrad { conv: *self, kernel }, &[x, g])
        };
        vec![needs[0].then(grad_x), needs[1].then(grad_w)]
    }
}

impl Conv2d {
    fn in_registers(&self, x: &[&Tensor], y: &Tensor) -> Launch {
        let [n, o, h, w] = y.shape()[..] else { unreachable!("checked by shape") };
        let tiles = (n * h * w).div_ceil(8) * self.groups * (o / self.groups).div_ceil(8);
        let launch =
            Launch::new(kernel!("conv/conv2d")).bind("x", x[0]).bind("w", x[1]).bind("y", y);
        self.params(launch.elements(tiles, 64), x[0].shape(), x[1].shape(), y.shape())
    }

    fn in_tiles(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let [n, o, h, w] = y.shape()[..] else { unreachable!("checked by shape") };
        let size = [o / self.groups, x[1].numel() / o, n * h * w];
        let Some(tiling) = Tiling::choose(self.groups, size) else {
            return vec![self.in_registers(x, y)];
        };
        let launch = Launch::new(kernel!("conv/conv2d_tiles")).bind("x", x[0]).bind("w", x[1]);
        tiling.launches(self.params(launch, x[0].shape(), x[1].shape(), y.shape()), y)
    }

    /// Rows of y: one line of one channel of one sample.
    fn lines<T: Float>(&self, x: Slice, w: Slice, y: &mut [T], rows: Range<usize>) {
        let [_, c, height, width] = x.shape[..] else { unreachable!("checked by shape") };
        let [o, fan, kh, kw] = w.shape[..] else { unreachable!("checked by shape") };
        let [lines, len] = self.output_size(&[height, width], &[kh, kw]).expect("checked by shape");
        let (x, w) = (T::of(&x), T::of(&w));
        let mut sums = vec![0.0; len];
        for (y, row) in y.chunks_exact_mut(len).zip(rows) {
            let (n, to, line) = (row / lines / o, row / lines % o, row % lines);
            let group = to / (o / self.groups);
            sums.fill(0.0);
            for (from, ky) in (0..fan).flat_map(|from| (0..kh).map(move |ky| (from, ky))) {
                let iy = (line * self.stride[0]) as isize + self.offset(0, ky);
                if !(0..height as isize).contains(&iy) {
                    continue;
                }
                let plane = n * c + group * fan + from;
                let x = &x[(plane * height + iy as usize) * width..][..width];
                for kx in 0..kw {
                    let w = w[((to * fan + from) * kh + ky) * kw + kx].f64();
                    let (at, x) = met(self.stride[1], self.offset(1, kx), len, x);
                    sums[at].iter_mut().zip(x).for_each(|(sum, x)| *sum += w * x.f64());
                }
            }
            y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::from_f64(sum));
        }
    }
}
