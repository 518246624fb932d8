//! Convolutions on the CPU as matrix products: for each tap and channel, the inputs that it brings
//! to a run of output positions are gathered into one row of a matrix ("im2col").
//!
//! Positions are cut into pieces that stay in a core's cache: parts of one sample, or several whole
//! samples where planes are small. Pieces depend on shapes only.

use std::ops::Range;

use rayon::prelude::*;

use super::{Conv2d, inside};
use crate::ops::Slice;
use crate::ops::linear::gemm::{Matrix, Shared, for_each_task, gemm, with_scratch};

/// Elements of gathered columns that a core works on at a time.
const PIECE: usize = 192 * 1024;
/// Positions of a piece: enough to fill the product's registers, not more than pay.
const PIECE_POSITIONS: Range<usize> = 48..384;
/// Channels of the input whose weight gradient one task computes.
const BLOCK: usize = 32;
/// Fewest positions that are worth a partial sum.
const PART: usize = 512;

/// What each tap brings to each position: input `position * stride + tap`.
pub(super) struct Columns<'a> {
    x: &'a [f32],
    samples: usize,
    groups: usize,
    /// Of one group.
    channels: usize,
    size: [usize; 2],
    taps: Vec<[isize; 2]>,
    stride: [usize; 2],
    positions: [usize; 2],
}

/// Where a product's positions stand in an output plane.
pub(super) struct Target {
    pub(super) plane: [usize; 2],
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
}

/// `len` positions from `start` on, of each of the samples.
struct Piece {
    samples: Range<usize>,
    start: usize,
    len: usize,
}

impl Piece {
    fn total(&self) -> usize {
        self.samples.len() * self.len
    }
}

impl<'a> Columns<'a> {
    pub(super) fn new(
        x: Slice<'a>,
        groups: usize,
        taps: Vec<[isize; 2]>,
        stride: [usize; 2],
        positions: [usize; 2],
    ) -> Self {
        let [samples, channels, height, width] = x.shape[..] else { unreachable!("an image") };
        let (x, channels, size) = (x.f32(), channels / groups, [height, width]);
        Self { x, samples, groups, channels, size, taps, stride, positions }
    }

    /// The columns of a convolution with a kernel of the given height and width.
    pub(super) fn of_conv2d(
        conv: &Conv2d,
        x: Slice<'a>,
        kernel: &[usize],
        positions: [usize; 2],
    ) -> Self {
        let tap = |k: usize| [conv.offset(0, k / kernel[1]), conv.offset(1, k % kernel[1])];
        let taps = (0..kernel[0] * kernel[1]).map(tap).collect();
        Self::new(x, conv.groups, taps, conv.stride, positions)
    }

    /// Writes `w · columns` to the target's positions of y, with w `[groups, O, channels, taps]`.
    pub(super) fn times(&self, w: &[f32], target: &Target, y: &mut [f32]) {
        let plane = target.plane[0] * target.plane[1];
        let outputs = y.len() / (self.samples * self.groups * plane);
        let fan = self.channels * self.taps.len();
        let pieces = self.pieces(fan);
        let y = Shared::new(y);
        let work = self.samples * self.area() * self.groups * outputs * fan;
        for_each_task(self.groups * pieces.len(), work, |task| {
            let (group, piece) = (task / pieces.len(), &pieces[task % pieces.len()]);
            let w = Matrix::new(&w[group * outputs * fan..], outputs, fan, fan);
            let total = piece.total();
            with_scratch([fan * total, outputs * total], |[columns, product]| {
                gemm(w, self.matrix(group, piece, columns), product, false);
                for (k, values) in product.chunks_exact(piece.len).enumerate() {
                    let (o, n) = (k / piece.samples.len(), k % piece.samples.len());
                    let plane_index = (piece.samples.start + n) * self.groups * outputs;
                    let start = (plane_index + group * outputs + o) * plane;
                    self.place(values, piece.start, target, start, &y);
                }
            });
        });
    }

    /// Writes `Σ positions g · columnsᵀ` to y, `[groups, O, channels, taps]`, with g
    /// `[samples, groups, O, positions]`.
    pub(super) fn correlate(&self, g: &[f32], outputs: usize, y: &mut [f32]) {
        let outputs = outputs / self.groups;
        let fan = self.channels * self.taps.len();
        let block = BLOCK.min(self.channels);
        let blocks = self.channels.div_ceil(block);
        let pieces = self.pieces(block * self.taps.len());
        // Partial sums over fixed runs of pieces, added in order, so that there are eight tasks.
        let most = (self.samples * self.area() / PART).clamp(1, pieces.len());
        let parts = 8usize.div_ceil(blocks * self.groups).min(most);
        let mut partial = vec![0.0; parts * y.len()];
        let sums = Shared::new(&mut partial);
        let work = y.len() * self.samples * self.area();
        for_each_task(parts * self.groups * blocks, work, |task| {
            let (part, group) = (task / blocks / self.groups, task / blocks % self.groups);
            let first = task % blocks * block;
            let channels = first..(first + block).min(self.channels);
            let run = part * pieces.len() / parts..(part + 1) * pieces.len() / parts;
            let rows = channels.len() * self.taps.len();
            let start = ((part * self.groups + group) * fan + first * self.taps.len()) * outputs;
            // SAFETY: each task has its own part, group and channels.
            let sum = unsafe { sums.part(start, rows * outputs) };
            for piece in &pieces[run] {
                let total = piece.total();
                with_scratch([rows * total, outputs * total], |[columns, lines]| {
                    self.fill(group, channels.clone(), piece, columns);
                    let g = self.lines(g, group, outputs, piece, lines);
                    gemm(Matrix::new(columns, rows, total, total), g.transposed(), sum, true);
                });
            }
        });
        self.add_parts(&mut partial, outputs, y);
    }

    fn area(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// The pieces for columns of `rows` rows.
    fn pieces(&self, rows: usize) -> Vec<Piece> {
        let area = self.area();
        let most = (PIECE / rows.max(1)).clamp(PIECE_POSITIONS.start, PIECE_POSITIONS.end);
        // Small inputs still make eight pieces.
        let most = most.min((self.samples * area).div_ceil(8)).max(PIECE_POSITIONS.start);
        if area > most {
            let len = area.div_ceil(area.div_ceil(most)).next_multiple_of(8);
            let starts = (0..area).step_by(len);
            let of_sample = |n: usize| {
                let part =
                    move |start| Piece { samples: n..n + 1, start, len: len.min(area - start) };
                starts.clone().map(part)
            };
            (0..self.samples).flat_map(of_sample).collect()
        } else {
            let samples = most / area;
            (0..self.samples)
                .step_by(samples)
                .map(|n| n..(n + samples).min(self.samples))
                .map(|samples| Piece { samples, start: 0, len: area })
                .collect()
        }
    }

    /// The gathered columns of a piece; x itself where there is nothing to gather.
    fn matrix<'s>(&'s self, group: usize, piece: &Piece, columns: &'s mut [f32]) -> Matrix<'s> {
        let (area, fan) = (self.area(), self.channels * self.taps.len());
        let plain = self.taps == [[0, 0]] && self.stride == [1, 1] && self.positions == self.size;
        if plain && piece.samples.len() == 1 {
            let plane = (piece.samples.start * self.groups + group) * self.channels;
            return Matrix::new(&self.x[plane * area + piece.start..], fan, piece.len, area);
        }
        self.fill(group, 0..self.channels, piece, columns);
        Matrix::new(columns, fan, piece.total(), piece.total())
    }

    /// Rows of y: taps of the channels; columns: the piece's positions.
    fn fill(&self, group: usize, channels: Range<usize>, piece: &Piece, y: &mut [f32]) {
        let area = self.size[0] * self.size[1];
        let mut lines = y.chunks_exact_mut(piece.len);
        for channel in channels {
            for tap in &self.taps {
                for n in piece.samples.clone() {
                    let plane = (n * self.groups + group) * self.channels + channel;
                    let line = lines.next().expect("a line per channel, tap and sample");
                    self.gather(&self.x[plane * area..][..area], tap, piece.start, line);
                }
            }
        }
    }

    /// What a tap brings from one plane to the positions from `start` on.
    fn gather(&self, x: &[f32], tap: &[isize; 2], start: usize, mut y: &mut [f32]) {
        let ([height, width], [sy, sx]) = (self.size, self.stride);
        let valid = inside(sx, tap[1], self.positions[1], width);
        if self.stride == [1, 1] && self.positions[1] == width {
            return self.shift(x, tap, valid, start, y);
        }
        for (row, cols) in self.runs(start, y.len()) {
            let y = y.split_off_mut(..cols.len()).expect("as long as the runs");
            let iy = (row * sy) as isize + tap[0];
            let from = valid.start.clamp(cols.start, cols.end);
            let to = valid.end.clamp(from, cols.end);
            if from == to || !(0..height as isize).contains(&iy) {
                y.fill(0.0);
                continue;
            }
            let (left, right) = (from - cols.start, to - cols.start);
            y[..left].fill(0.0);
            y[right..].fill(0.0);
            let first = iy as usize * width + (from * sx).strict_add_signed(tap[1]);
            let x = &x[first..];
            match sx {
                1 => y[left..right].copy_from_slice(&x[..right - left]),
                _ => y[left..right].iter_mut().zip(x.iter().step_by(sx)).for_each(|(y, x)| *y = *x),
            }
        }
    }

    /// [`Columns::gather`] where positions lie as inputs do: one copy, then zeros into the columns
    /// that wrapped around.
    fn shift(&self, x: &[f32], tap: &[isize; 2], valid: Range<usize>, start: usize, y: &mut [f32]) {
        let [height, width] = self.size;
        let rows = inside(1, tap[0], self.positions[0], height);
        let offset = tap[0] * width as isize + tap[1];
        let clip = |p: isize| p.clamp(start as isize, (start + y.len()) as isize) as usize - start;
        let from = clip((-offset).max((rows.start * width) as isize));
        let to = clip((x.len() as isize - offset).min((rows.end * width) as isize)).max(from);
        y[..from].fill(0.0);
        y[to..].fill(0.0);
        if from == to {
            return;
        }
        let first = (start + from).strict_add_signed(offset);
        y[from..to].copy_from_slice(&x[first..][..to - from]);
        for col in (0..valid.start).chain(valid.end..width) {
            let first = (col + width - start % width) % width;
            y.iter_mut().skip(first).step_by(width).for_each(|y| *y = 0.0);
        }
    }

    /// Writes a product's values for the positions from `start` on into the plane of y at `plane`.
    fn place(&self, mut values: &[f32], start: usize, target: &Target, plane: usize, y: &Shared) {
        // SAFETY of both parts: a task's positions and channels are its own.
        if target.step == [1, 1] && target.plane == self.positions {
            unsafe { y.part(plane + start, values.len()) }.copy_from_slice(values);
            return;
        }
        let [sy, sx] = target.step;
        for (row, cols) in self.runs(start, values.len()) {
            let line = plane + (target.first[0] + row * sy) * target.plane[1] + target.first[1];
            let values = values.split_off(..cols.len()).expect("as long as the runs");
            let part = unsafe { y.part(line + cols.start * sx, (cols.len() - 1) * sx + 1) };
            part.iter_mut().step_by(sx).zip(values).for_each(|(y, value)| *y = *value);
        }
    }

    /// The runs of positions inside one row that make up `len` positions from `start` on.
    fn runs(&self, start: usize, len: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (width, end) = (self.positions[1], start + len);
        (start / width..end.div_ceil(width)).map(move |row| {
            let first = row * width;
            (row, start.max(first) - first..end.min(first + width) - first)
        })
    }

    /// g of a piece, one output channel per row, gathered where the piece has several samples.
    fn lines<'s>(
        &self,
        g: &'s [f32],
        group: usize,
        outputs: usize,
        piece: &Piece,
        lines: &'s mut [f32],
    ) -> Matrix<'s> {
        let area = self.area();
        let plane = |n: usize, o: usize| ((n * self.groups + group) * outputs + o) * area;
        if piece.samples.len() == 1 {
            let start = plane(piece.samples.start, 0) + piece.start;
            return Matrix::new(&g[start..], outputs, piece.len, area);
        }
        for (k, line) in lines.chunks_exact_mut(area).enumerate() {
            let (o, n) = (k / piece.samples.len(), k % piece.samples.len());
            line.copy_from_slice(&g[plane(piece.samples.start + n, o)..][..area]);
        }
        Matrix::new(lines, outputs, piece.total(), piece.total())
    }

    /// y, `[groups, O, fan]`, from partial sums `[parts, groups, fan, O]`, added in order.
    fn add_parts(&self, partial: &mut [f32], outputs: usize, y: &mut [f32]) {
        const CHUNK: usize = 4096;
        let fan = self.channels * self.taps.len();
        let (sum, rest) = partial.split_at_mut(y.len());
        if !rest.is_empty() {
            sum.par_chunks_mut(CHUNK).enumerate().for_each(|(k, sum)| {
                for part in rest.chunks_exact(y.len()) {
                    sum.iter_mut().zip(&part[k * CHUNK..]).for_each(|(sum, part)| *sum += part);
                }
            });
        }
        // Eight rows at a time, so that whole cache lines are read.
        for (y, sum) in y.chunks_exact_mut(fan * outputs).zip(sum.chunks_exact(fan * outputs)) {
            y.par_chunks_mut(8 * fan).enumerate().for_each(|(block, y)| {
                for (k, sum) in sum.chunks_exact(outputs).enumerate() {
                    let sums = &sum[8 * block..];
                    y.iter_mut().skip(k).step_by(fan).zip(sums).for_each(|(y, sum)| *y = *sum);
                }
            });
        }
    }
}
