//! Transposed convolution: what a `conv2d` of the same attributes does to gradients.

use std::ops::Range;

use rayon::prelude::*;

use super::columns::{Columns, Target};
use super::conv2d_weight_grad::Conv2dWeightGrad;
use super::{Conv2d, inside, subgroup};
use crate::device::{Family, Launch};
use crate::kernel;
use crate::ops::linear::tiling::Tiling;
use crate::ops::movement::zero_inserted;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Transposed convolution of `[N, C, H, W]` with w `[C, O / groups, kh, kw]`;
    /// `output_padding` adds rows and columns behind. PyTorch: `F.conv_transpose2d`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn conv_transpose2d(&self, w: &Self, conv: &Conv2d, output_padding: [usize; 2]) -> Self {
        let (x, weight) = (self.shape(), w.shape());
        assert!(
            x.len() == 4 && weight.len() == 4,
            "conv_transpose2d: ranks other than 4 (x {x:?}, weight {weight:?})"
        );
        if (0..2).any(|a| output_padding[a] >= conv.stride[a]) {
            // Zeros behind x add whole strides to the output.
            let more = |a: usize| (0, (output_padding[a] / conv.stride[a]) as isize);
            let rest = [0, 1].map(|a| output_padding[a] % conv.stride[a]);
            return self.pad(&[(0, 0), (0, 0), more(0), more(1)]).conv_transpose2d(w, conv, rest);
        }
        let size = |a: usize| {
            let reach = conv.dilation[a] * (weight[2 + a] - 1) + 1 + output_padding[a];
            ((x[2 + a] - 1) * conv.stride[a] + reach).saturating_sub(2 * conv.padding[a])
        };
        apply(ConvTranspose2d { conv: *conv, size: [size(0), size(1)] }, &[self, w])
    }
}

/// The transpose of the `conv2d` whose input has height and width `size`.
pub(super) struct ConvTranspose2d {
    pub(super) conv: Conv2d,
    pub(super) size: [usize; 2],
}

impl Op for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    /// Zeros between the samples, then a convolution with the reversed kernel.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (x, w, conv) = (&x[0], &x[1], &self.conv);
        let spread = zero_inserted(x, conv.stride);
        let sides = |a: usize| {
            let reach = (conv.dilation[a] * (w.size(2 + a as isize) - 1)) as isize;
            let before = reach - conv.padding[a] as isize;
            let whole = self.size[a] as isize + reach;
            (before, whole - before - spread.size(2 + a as isize) as isize)
        };
        let [c, o, kh, kw] = [0, 1, 2, 3].map(|k| w.size(k));
        let w = w.reshape([conv.groups, c / conv.groups, o, kh, kw]).transpose(1, 2);
        let w = w.reshape([conv.groups * o, c / conv.groups, kh, kw]).flip(&[2, 3]);
        let conv = Conv2d { stride: [1, 1], padding: [0, 0], ..*conv };
        Some(spread.pad(&[(0, 0), (0, 0), sides(0), sides(1)]).conv2d(&w, &conv))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (x, w) = (x[0], x[1]);
        assert!(x.len() == 4 && w.len() == 4, "conv_transpose2d: x {x:?}, weight {w:?}");
        let y = Shape::from([x[0], w[1] * self.conv.groups, self.size[0], self.size[1]]);
        self.conv.check("conv_transpose2d (of output, weight, x)", &y, w, x);
        y
    }

    fn flops(&self, x: &[&Shape], _y: &Shape) -> usize {
        2 * x[0].numel() * x[1].numel() / x[1][0]
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], x[1], y, rows));
    }

    /// One stride-1 correlation per phase of the output (positions that share their remainder by
    /// the stride), because all positions of a phase are met by the same taps.
    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let (x, w) = (x[0], x[1]);
        let [sy, sx] = self.conv.stride;
        for (py, px) in (0..sy).flat_map(|py| (0..sx).map(move |px| (py, px))) {
            let steps = |a: usize, phase: usize| {
                (self.size[a].saturating_sub(phase)).div_ceil(self.conv.stride[a])
            };
            let positions = [steps(0, py), steps(1, px)];
            let rows = self.taps(0, py, w.shape[2]);
            let cols = self.taps(1, px, w.shape[3]);
            if positions.contains(&0) {
                continue;
            }
            let pairs = || rows.iter().flat_map(|y| cols.iter().map(move |x| (y, x)));
            let offsets = pairs().map(|(y, x)| [y.1, x.1]).collect();
            let indices: Vec<usize> = pairs().map(|(y, x)| y.0 * w.shape[3] + x.0).collect();
            let columns = Columns::new(x, self.conv.groups, offsets, [1, 1], positions);
            let target = Target { plane: self.size, first: [py, px], step: self.conv.stride };
            columns.times(&self.gathered(w, &indices), &target, y);
        }
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let channels = y.size(1) / self.conv.groups;
        match Family::of(y.device()) {
            Family::Tiles => self.in_tiles(x, y),
            Family::Subgroup { size } if subgroup::is_filled_by(channels) => {
                vec![self.conv.correlate_back(x, y, size)]
            }
            Family::Subgroup { .. } => vec![self.in_registers(x, y)],
        }
    }

    fn cut(&self, _x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut { inputs: vec![Some(0), None], output: Some(0) })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let (x, w) = (&x[0], &x[1]);
        let grad_w = || {
            let kernel = [w.size(2), w.size(3)];
            apply(Conv2dWeightGrad { conv: self.conv, kernel }, &[g, x])
        };
        vec![needs[0].then(|| g.conv2d(w, &self.conv)), needs[1].then(grad_w)]
    }
}

impl ConvTranspose2d {
    /// Positions of a phase, all samples taken together.
    fn phase(&self, samples: usize) -> usize {
        let [height, width] = [0, 1].map(|a| self.size[a].div_ceil(self.conv.stride[a]));
        samples * height * width
    }

    fn in_registers(&self, x: &[&Tensor], y: &Tensor) -> Launch {
        let [sy, sx] = self.conv.stride;
        let channels = (y.size(1) / self.conv.groups).div_ceil(8);
        let tiles = sy * sx * self.phase(y.size(0)).div_ceil(8) * self.conv.groups * channels;
        let launch = Launch::new(kernel!("conv/conv_transpose2d"))
            .bind("x", x[0])
            .bind("w", x[1])
            .bind("y", y)
            .elements(tiles, 64);
        self.conv.params(launch, y.shape(), x[1].shape(), x[0].shape())
    }

    /// One product per group and phase.
    fn in_tiles(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let (w, conv) = (x[1].shape(), &self.conv);
        let steps = [0, 1].map(|a| self.tap_step(a));
        let taps = w[2].div_ceil(steps[0][0]) * w[3].div_ceil(steps[1][0]);
        let size = [w[1], w[0] / conv.groups * taps, self.phase(y.size(0))];
        let products = conv.groups * conv.stride[0] * conv.stride[1];
        let Some(tiling) = Tiling::choose(products, size) else {
            return vec![self.in_registers(x, y)];
        };
        let launch = Launch::new(kernel!("conv/conv_transpose2d_tiles"))
            .bind("x", x[0])
            .bind("w", x[1])
            .param("tap_step_y", steps[0][0])
            .param("tap_step_x", steps[1][0])
            .param("tap_shift_y", steps[0][1])
            .param("tap_shift_x", steps[1][1]);
        tiling.launches(conv.params(launch, y.shape(), w, x[0].shape()), y)
    }

    /// From a tap to the next that meets the same phase, along an axis, and how many inputs before
    /// the former's the latter's lies.
    fn tap_step(&self, axis: usize) -> [usize; 2] {
        let (stride, dilation) = (self.conv.stride[axis], self.conv.dilation[axis]);
        let step = (1..=stride).find(|step| (step * dilation).is_multiple_of(stride));
        let step = step.expect("a whole stride at the latest");
        [step, step * dilation / stride]
    }

    /// The taps that meet outputs of a phase along an axis, each with the input that it brings to
    /// the phase's first output.
    fn taps(&self, axis: usize, phase: usize, kernel: usize) -> Vec<(usize, isize)> {
        let stride = self.conv.stride[axis] as isize;
        let position = |k: usize| phase as isize - self.conv.offset(axis, k);
        (0..kernel)
            .filter(|&k| position(k) % stride == 0)
            .map(|k| (k, position(k) / stride))
            .collect()
    }

    /// The weight of each group as `[O / groups, C / groups, taps]`, for the given taps.
    fn gathered(&self, w: Slice, taps: &[usize]) -> Vec<f32> {
        let (to, area) = (w.shape[1], w.shape[2] * w.shape[3]);
        let from = w.shape[0] / self.conv.groups;
        let w = w.f32();
        let mut gathered = vec![0.0; self.conv.groups * to * from * taps.len()];
        // Eight rows at a time, so that whole cache lines are read.
        let row_len = (from * taps.len()).max(1);
        gathered.par_chunks_mut(8 * row_len).enumerate().for_each(|(block, rows)| {
            for c in 0..from {
                for (k, row) in rows.chunks_exact_mut(row_len).enumerate() {
                    let (group, o) = ((8 * block + k) / to, (8 * block + k) % to);
                    let w = &w[((group * from + c) * to + o) * area..][..area];
                    let row = row[c * taps.len()..].iter_mut();
                    row.zip(taps).for_each(|(to, &tap)| *to = w[tap]);
                }
            }
        });
        gathered
    }

    /// Rows of y: one line of one channel of one sample.
    fn lines<T: Float>(&self, x: Slice, w: Slice, y: &mut [T], rows: Range<usize>) {
        let [_, c, height, width] = x.shape[..] else { unreachable!("checked by shape") };
        let [_, per_group, kh, kw] = w.shape[..] else { unreachable!("checked by shape") };
        let [lines, len] = self.size;
        let (groups, from) = (self.conv.groups, c / self.conv.groups);
        let (x, w, stride) = (T::of(&x), T::of(&w), self.conv.stride[1]);
        let mut sums = vec![0.0; len];
        for (y, row) in y.chunks_exact_mut(len).zip(rows) {
            let (channel, line) = (row / lines, row % lines);
            let (n, to) = (channel / (per_group * groups), channel % (per_group * groups));
            let (group, to) = (to / per_group, to % per_group);
            sums.fill(0.0);
            for (ky, iy) in self.taps(0, line % self.conv.stride[0], kh) {
                let iy = iy + (line / self.conv.stride[0]) as isize;
                if !(0..height as isize).contains(&iy) {
                    continue;
                }
                for channel in group * from..(group + 1) * from {
                    let x = &x[((n * c + channel) * height + iy as usize) * width..][..width];
                    let w = &w[((channel * per_group + to) * kh + ky) * kw..][..kw];
                    for (kx, w) in w.iter().enumerate() {
                        let offset = self.conv.offset(1, kx);
                        let at = inside(stride, offset, width, len);
                        let first = (at.start * stride).saturating_add_signed(offset).min(len);
                        let sums = sums[first..].iter_mut().step_by(stride);
                        sums.zip(&x[at]).for_each(|(sum, x)| *sum += w.f64() * x.f64());
                    }
                }
            }
            y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::from_f64(sum));
        }
    }
}
