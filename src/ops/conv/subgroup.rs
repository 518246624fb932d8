//! Convolutions for [`Family::Subgroup`](crate::device::Family): seen by phases of the output,
//! `conv2d` and `conv_transpose2d` are one correlation. It has two kernels: one for anything, and
//! one for rows of neighbours.

use super::Conv2d;
use crate::device::{Kernel, Launch, tuning};
use crate::kernel;
use crate::tensor::{Shape, Tensor};

/// What a subgroup makes of one thing (channels here), each value of it known to all by broadcast.
pub(super) const HEIGHT: usize = 64;
/// The same in the kernel for rows.
const HEIGHT_IN_ROWS: usize = 32;
/// What an invocation makes of the other (positions here).
pub(super) const WIDTH: usize = 8;

/// The kernels: one for single positions, and one for rows of neighbours that meet three taps.
#[derive(Clone, Copy)]
enum Form {
    Positions,
    Rows,
}

/// What takes x to y.
struct Correlation<'a> {
    x: &'a Tensor,
    w: &'a Tensor,
    y: &'a Tensor,
    groups: usize,
    /// Channels in a group of x, and of y.
    channels: [usize; 2],
    /// Elements of w between channels of x, and of y.
    pitch: [usize; 2],
    /// Remainders that tell positions of y apart which other taps meet.
    phases: [usize; 2],
    /// Elements of x between neighbouring positions of a phase.
    step: [usize; 2],
    /// Elements of x between taps, times `phases`.
    tap: [i32; 2],
    /// Element of x that the first tap brings to the first position, times `phases`.
    origin: [i32; 2],
}

/// Whether tiles so large, some four times as fast, are full enough to pay for these channels.
pub(super) fn is_filled_by(channels: usize) -> bool {
    channels > 8
}

impl Conv2d {
    /// `conv2d` on a device with subgroups of `size`.
    pub(super) fn correlate(&self, x: &[&Tensor], y: &Tensor, size: u32) -> Launch {
        let (x, w) = (x[0], x[1]);
        let taps = w.size(2) * w.size(3);
        let correlation = Correlation {
            x,
            w,
            y,
            groups: self.groups,
            channels: [w.size(1), w.size(0) / self.groups],
            pitch: [taps, w.size(1) * taps],
            phases: [1, 1],
            step: self.stride,
            tap: self.dilation.map(|d| d as i32),
            origin: self.padding.map(|p| -(p as i32)),
        };
        correlation.launch(size)
    }

    /// `conv_transpose2d` on a device with subgroups of `size`.
    pub(super) fn correlate_back(&self, x: &[&Tensor], y: &Tensor, size: u32) -> Launch {
        let (x, w) = (x[0], x[1]);
        let taps = w.size(2) * w.size(3);
        let correlation = Correlation {
            x,
            w,
            y,
            groups: self.groups,
            channels: [w.size(0) / self.groups, w.size(1)],
            pitch: [w.size(1) * taps, taps],
            phases: self.stride,
            step: [1, 1],
            tap: self.dilation.map(|d| -(d as i32)),
            origin: self.padding.map(|p| p as i32),
        };
        correlation.launch(size)
    }
}

impl Correlation<'_> {
    fn launch(&self, size: u32) -> Launch {
        let in_form = |form| self.launch_in(form, size);
        let one = |form| vec![in_form(form)];
        in_form(tuning::choose(self.y, "conv/correlate", &self.sizes(), &self.forms(), one))
    }

    /// The forms that there are, the usual one first.
    fn forms(&self) -> Vec<(&'static str, Form)> {
        let width = self.y.size(-1);
        let is_dense = self.phases[1] == 1 && self.step[1] <= 2 && self.tap[1].abs() == 1;
        let mut forms = vec![("positions", Form::Positions)];
        if is_dense && self.w.size(3) == 3 {
            // Where runs hang over the edge, full tiles of single positions do less.
            let fits = 5 * width.next_multiple_of(WIDTH) <= 6 * width;
            forms.insert(usize::from(!fits), ("rows", Form::Rows));
        }
        forms
    }

    /// Groups and all shapes.
    fn sizes(&self) -> Vec<usize> {
        let shapes = [self.x, self.w, self.y].into_iter().flat_map(|t| t.shape().to_vec());
        std::iter::once(self.groups).chain(shapes).collect()
    }

    fn launch_in(&self, form: Form, size: u32) -> Launch {
        let [n, _, height, width] = self.y.shape()[..] else { unreachable!("an image") };
        let lines = n * height.div_ceil(self.phases[0]);
        let launch = |kernel: Kernel| Launch::new(kernel.for_subgroups_of(size));
        // Positions of a phase, edges of tiles included.
        let (launch, positions, height) = match form {
            Form::Rows => {
                let launch = launch(kernel!("conv/correlate_rows_subgroup"));
                let positions = lines * width.next_multiple_of(WIDTH);
                (launch.constant("STEP", self.step[1]), positions, HEIGHT_IN_ROWS)
            }
            Form::Positions => {
                let launch = launch(kernel!("conv/correlate_subgroup"));
                (launch, lines * width.div_ceil(self.phases[1]), HEIGHT)
            }
        };
        let tiles = positions.div_ceil(WIDTH * size as usize);
        let tiles = tiles * self.channels[1].div_ceil(height) * self.groups;
        let launch = launch
            .bind("x", self.x)
            .bind("w", self.w)
            .bind("y", self.y)
            .groups(tiles * self.phases[0] * self.phases[1]);
        self.params(launch, self.x.shape(), self.w.shape(), self.y.shape())
    }

    fn params(&self, launch: Launch, x: &Shape, w: &Shape, y: &Shape) -> Launch {
        let sizes = [
            ("samples", x[0]),
            ("groups", self.groups),
            ("channels_in", self.channels[0]),
            ("channels_out", self.channels[1]),
            ("height_in", x[2]),
            ("width_in", x[3]),
            ("height_out", y[2]),
            ("width_out", y[3]),
            ("kernel_y", w[2]),
            ("kernel_x", w[3]),
            ("phases_y", self.phases[0]),
            ("phases_x", self.phases[1]),
            ("step_y", self.step[0]),
            ("step_x", self.step[1]),
            ("weight_in", self.pitch[0]),
            ("weight_out", self.pitch[1]),
        ];
        let launch = sizes.into_iter().fold(launch, |launch, (name, n)| launch.param(name, n));
        let offsets = [
            ("tap_y", self.tap[0]),
            ("tap_x", self.tap[1]),
            ("origin_y", self.origin[0]),
            ("origin_x", self.origin[1]),
        ];
        offsets.into_iter().fold(launch, |launch, (name, n)| launch.param(name, n))
    }
}
