//! Upsample by zeros, pad, filter, keep every d-th sample: the resampler of the StyleGAN family.
//!
//! Along an axis, output `o` and tap `t` meet input `(o * down + t - before) / up` where that is
//! whole. The transpose has the same form with `up` and `down` exchanged and the kernel reversed.

mod passes;

use std::ops::Range;

use crate::device::Launch;
use crate::kernel;
use crate::ops::conv::Conv2d;
use crate::ops::linear::gemm::{Shared, for_each_task, with_scratch};
use crate::ops::movement::zero_inserted;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// Neighbours along an axis that one invocation of the tiled kernel makes.
const TILE: usize = 4;

/// Attributes of [`Tensor::upfirdn2d`]. Pairs are (horizontal, vertical), as in the published code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upfirdn2d {
    /// Each sample is followed by `up - 1` zeros.
    pub up: [usize; 2],
    /// Every `down`-th sample is kept.
    pub down: [usize; 2],
    /// Zeros left, right, above, below; negative counts crop.
    pub pad: [isize; 4],
}

impl Default for Upfirdn2d {
    fn default() -> Self {
        Self { up: [1, 1], down: [1, 1], pad: [0; 4] }
    }
}

impl Upfirdn2d {
    /// Filters at the same resolution; the padding (before, behind) is that of both axes.
    pub fn blur((before, behind): (isize, isize)) -> Self {
        Self { pad: [before, behind, before, behind], ..Self::default() }
    }

    /// Filters and doubles the resolution.
    pub fn doubled(pad: (isize, isize)) -> Self {
        Self { up: [2, 2], ..Self::blur(pad) }
    }

    /// Filters and halves the resolution.
    pub fn halved(pad: (isize, isize)) -> Self {
        Self { down: [2, 2], ..Self::blur(pad) }
    }
}

impl Tensor {
    /// Each plane of `[N, C, H, W]` upsampled, padded, convolved with the constant `kernel`
    /// `[kh, kw]`, and downsampled. Published code: `upfirdn2d`.
    ///
    /// # Panics
    /// When the shapes do not fit or nothing would be left.
    #[track_caller]
    pub fn upfirdn2d(&self, kernel: &Self, attributes: &Upfirdn2d) -> Self {
        apply(Resample { attributes: *attributes, reversed: false }, &[self, kernel])
    }
}

/// `reversed` correlates with the kernel instead of convolving.
struct Resample {
    attributes: Upfirdn2d,
    reversed: bool,
}

/// The outputs and inputs of an axis that meet in one tap: of the outputs of one phase (every
/// `phases`-th), `count` from `output` on; of the inputs, from `input` on in the axis's steps.
struct Meetings {
    phase: usize,
    output: usize,
    input: usize,
    count: usize,
}

/// One axis: sizes and steps.
#[derive(Clone, Copy)]
struct Axis {
    up: usize,
    down: usize,
    before: isize,
    taps: usize,
    size_in: usize,
    size_out: usize,
}

/// What the tiled kernel is compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tiled {
    up: usize,
    down: usize,
    odd: usize,
}

impl Axis {
    /// The input that output `o` and tap `t` meet.
    fn input(&self, o: usize, t: usize) -> Option<usize> {
        let position = usize::try_from((o * self.down + t) as isize - self.before).ok()?;
        let i = position / self.up;
        (position % self.up == 0 && i < self.size_in).then_some(i)
    }

    /// What meets in tap `t`.
    fn meetings(&self, t: usize) -> Meetings {
        let [phases, _] = self.steps();
        let first = (0..self.size_out).find(|&o| self.input(o, t).is_some());
        let first = first.unwrap_or(self.size_out);
        let (phase, output) = (first % phases, first / phases);
        let met = (first..self.size_out).step_by(phases).map_while(|o| self.input(o, t));
        Meetings { phase, output, input: self.input(first, t).unwrap_or(0), count: met.count() }
    }

    /// Distances between neighbouring outputs, and inputs, that meet in one tap.
    fn steps(&self) -> [usize; 2] {
        let gcd = (1..=self.up.min(self.down))
            .rfind(|d| self.up.is_multiple_of(*d) && self.down.is_multiple_of(*d))
            .expect("1 divides");
        [self.up / gcd, self.down / gcd]
    }

    /// Inputs that would lie before the first that output 0 meets.
    fn first_input(&self) -> isize {
        self.before.div_euclid(self.up as isize) + isize::from(self.odd() > 0)
    }

    /// Zeros between samples that output 0 meets before its first input.
    fn odd(&self) -> usize {
        (-self.before).rem_euclid(self.up as isize) as usize
    }

    /// How the kernel that makes tiles of neighbours sees it, if it does.
    fn tiled(&self) -> Option<Tiled> {
        let fits = self.up.max(self.down) <= 2 && self.taps <= 4;
        fits.then(|| Tiled { up: self.up, down: self.down, odd: self.odd() })
    }

    /// The axis untouched.
    fn identity(size: usize) -> Self {
        Self { up: 1, down: 1, before: 0, taps: 1, size_in: size, size_out: size }
    }
}

impl Resample {
    /// The vertical and the horizontal axis.
    fn axes(&self, x: &Shape, kernel: &Shape) -> [Axis; 2] {
        let Upfirdn2d { up, down, pad } = self.attributes;
        [(0, 1), (1, 0)].map(|(axis, pair)| {
            let (size_in, taps) = (x[2 + axis], kernel[axis]);
            let [before, behind] = [pad[2 * pair], pad[2 * pair + 1]];
            let (up, down) = (up[pair], down[pair]);
            let room = (size_in * up) as isize + before + behind - taps as isize;
            let size_out = if room < 0 { 0 } else { room as usize / down + 1 };
            Axis { up, down, before, taps, size_in, size_out }
        })
    }

    /// The kernel as it is correlated with the padded samples.
    fn taps<T: Float>(&self, kernel: Slice) -> Vec<T> {
        let kernel = T::of(&kernel).iter().copied();
        if self.reversed { kernel.collect() } else { kernel.rev().collect() }
    }

    /// Rows of y: one line of one plane.
    fn lines<T: Float>(&self, x: Slice, kernel: Slice, y: &mut [T], rows: Range<usize>) {
        let [vertical, horizontal] = self.axes(x.shape, kernel.shape);
        let (taps, x) = (self.taps::<T>(kernel), T::of(&x));
        let len = horizontal.size_out;
        for (y, row) in y.chunks_exact_mut(len).zip(rows) {
            let (plane, line) = (row / vertical.size_out, row % vertical.size_out);
            for (ox, y) in y.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (ty, taps) in taps.chunks_exact(horizontal.taps).enumerate() {
                    let Some(iy) = vertical.input(line, ty) else { continue };
                    let x = &x[(plane * vertical.size_in + iy) * horizontal.size_in..];
                    for (tx, tap) in taps.iter().enumerate() {
                        if let Some(ix) = horizontal.input(ox, tx) {
                            sum += tap.f64() * x[ix].f64();
                        }
                    }
                }
                *y = T::from_f64(sum);
            }
        }
    }
}

impl Op for Resample {
    fn name(&self) -> &'static str {
        "upfirdn2d"
    }

    /// Zeros between the samples and around them, then a convolution with one channel.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let shape = self.shape(&[x[0].shape(), x[1].shape()]);
        let Upfirdn2d { up, down, pad: [left, right, above, below] } = self.attributes;
        let planes = x[0].reshape([shape[0] * shape[1], 1, x[0].size(2), x[0].size(3)]);
        let spread = zero_inserted(&planes, [up[1], up[0]]);
        let padded = spread.pad(&[(0, 0), (0, 0), (above, below), (left, right)]);
        let kernel = x[1].detach();
        let kernel = if self.reversed { kernel } else { kernel.flip(&[0, 1]) };
        let w = kernel.reshape([1, 1, kernel.size(0), kernel.size(1)]);
        let conv = Conv2d { stride: [down[1], down[0]], ..Conv2d::default() };
        Some(padded.conv2d(&w, &conv).reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (x, kernel) = (x[0], x[1]);
        let fits = x.len() == 4 && kernel.len() == 2;
        assert!(fits, "upfirdn2d: x {x:?}, kernel {kernel:?}; ranks 4 and 2 are needed");
        let [h, w] = self.axes(x, kernel).map(|a| a.size_out);
        assert!(
            h * w > 0,
            "upfirdn2d: nothing left (x {x:?}, kernel {kernel:?}, {:?})",
            self.attributes
        );
        [x[0], x[1], h, w].into()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], x[1], y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let axes = self.axes(x[0].shape, x[1].shape);
        let taps = self.taps::<f32>(x[1]);
        let passes = passes::of(&taps, axes);
        let size_out = axes.map(|a| a.size_out);
        let (len_in, len_out) = (axes[0].size_in * axes[1].size_in, size_out[0] * size_out[1]);
        let (x, planes) = (x[0].f32(), y.len() / len_out);
        let work = y.len() * taps.len();
        let y = Shared::new(y);
        for_each_task(planes, work, |plane| {
            let x = &x[plane * len_in..][..len_in];
            // SAFETY: each task has its own plane.
            let y = unsafe { y.part(plane * len_out, len_out) };
            // The product of the first of two passes, and a line.
            let middle = if passes.len() > 1 { passes[0].len_out() } else { 0 };
            with_scratch([middle, size_out[1]], |[middle, line]| match &passes[..] {
                [first, second] => {
                    first.run(x, middle, line);
                    second.run(middle, y, line);
                }
                whole => whole[0].run(x, y, line),
            });
        });
        true
    }

    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        let [vertical, horizontal] = self.axes(x[0], x[1]);
        let taps = (vertical.taps * horizontal.taps).div_ceil(vertical.up * horizontal.up);
        2 * y.numel() * taps
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let axes = self.axes(x[0].shape(), x[1].shape());
        let tiled = axes[0].tiled().filter(|form| axes[1].tiled() == Some(*form));
        let launch = tiled.map_or_else(|| by_element(axes, y), |form| in_tiles(form, axes, y));
        let launch = launch
            .bind("x", x[0])
            .bind("kernel", x[1])
            .bind("y", y)
            .param("reversed", usize::from(self.reversed));
        let params = |launch: Launch, (axis, name): (Axis, &str)| {
            launch
                .param(format!("taps_{name}"), axis.taps)
                .param(format!("in_{name}"), axis.size_in)
                .param(format!("out_{name}"), axis.size_out)
        };
        vec![axes.into_iter().zip(["y", "x"]).fold(launch, params)]
    }

    /// The transpose, with the padding that gives back the size of x. The kernel is a constant.
    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        let Cut { mut inputs, output } = Cut::planes(&x[..1]);
        inputs.push(None);
        Some(Cut { inputs, output })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let [vertical, horizontal] = self.axes(x[0].shape(), x[1].shape()).map(|a| {
            let taps = a.taps as isize;
            let before = taps - 1 - a.before;
            let behind =
                ((a.size_in - 1) * a.up) as isize + taps - (a.size_out * a.down) as isize - before;
            [before, behind]
        });
        let attributes = Upfirdn2d {
            up: self.attributes.down,
            down: self.attributes.up,
            pad: [horizontal[0], horizontal[1], vertical[0], vertical[1]],
        };
        let transposed = Self { attributes, reversed: !self.reversed };
        vec![needs[0].then(|| apply(transposed, &[g, &x[1]])), None]
    }
}

/// One invocation makes an element of four planes.
fn by_element(axes: [Axis; 2], y: &Tensor) -> Launch {
    let planes = y.size(0) * y.size(1);
    let steps = |launch: Launch, (axis, name): (Axis, &str)| {
        launch
            .param(format!("up_{name}"), axis.up)
            .param(format!("down_{name}"), axis.down)
            .param(format!("before_{name}"), axis.before as i32)
    };
    let launch = Launch::new(kernel!("resample/upfirdn2d")).param("planes", planes);
    let launch = axes.into_iter().zip(["y", "x"]).fold(launch, steps);
    launch.elements(planes.div_ceil(4) * axes[0].size_out * axes[1].size_out, 64)
}

/// One invocation makes a tile of neighbours.
fn in_tiles(form: Tiled, axes: [Axis; 2], y: &Tensor) -> Launch {
    let [rows, cols] = axes.map(|a| a.size_out.div_ceil(TILE));
    let [before_y, before_x] = axes.map(|a| a.first_input());
    let items = y.size(0) * y.size(1) * rows * cols;
    Launch::new(kernel!("resample/upfirdn2d_tiles"))
        .constant("UP", form.up)
        .constant("DOWN", form.down)
        .constant("ODD", form.odd)
        .param("items", items)
        .divisor("tiles_y", rows)
        .divisor("tiles_x", cols)
        .param("before_y", before_y as i32)
        .param("before_x", before_x as i32)
        .elements(items, 64)
}
