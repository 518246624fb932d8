//! Convolutions for [`Family::Subgroup`](crate::device::Family): `conv2d` and `conv_transpose2d` are
//! one kernel, which correlates along positions of one phase.

use super::Conv2d;
use crate::device::Launch;
use crate::kernel;
use crate::tensor::{Shape, Tensor};

/// Channels of a tile.
pub(super) const CHANNELS: usize = 32;
/// Positions that an invocation makes.
pub(super) const POSITIONS: usize = 8;

/// What takes a correlation from x to y.
struct Correlation {
    /// Channels of y and x in a group.
    channels: [usize; 2],
    /// Elements of the weight between channels of y, and of x.
    pitch: [usize; 2],
    /// Phases of y, which stand for its positions' remainders.
    phases: [usize; 2],
    /// Elements of x between neighbouring positions of a phase.
    step: [usize; 2],
    /// Elements of x, times `phases`, between taps.
    tap: [i32; 2],
    /// The first tap's, at the first position of phase 0.
    origin: [i32; 2],
}

impl Conv2d {
    /// The launch of `conv2d`.
    pub(super) fn correlate(&self, x: &Tensor, w: &Tensor, y: &Tensor, size: u32) -> Vec<Launch> {
        let taps = w.size(2) * w.size(3);
        let correlation = Correlation {
            channels: [w.size(0) / self.groups, w.size(1)],
            pitch: [w.size(1) * taps, taps],
            phases: [1, 1],
            step: self.stride,
            tap: self.dilation.map(|d| d as i32),
            origin: self.padding.map(|p| -(p as i32)),
        };
        vec![self.launch_correlation(&correlation, [x, w, y], size)]
    }

    /// The launch of `conv_transpose2d`.
    pub(super) fn correlate_back(
        &self,
        x: &Tensor,
        w: &Tensor,
        y: &Tensor,
        size: u32,
    ) -> Vec<Launch> {
        let taps = w.size(2) * w.size(3);
        let correlation = Correlation {
            channels: [w.size(1), w.size(0) / self.groups],
            pitch: [taps, w.size(1) * taps],
            phases: self.stride,
            step: [1, 1],
            tap: self.dilation.map(|d| -(d as i32)),
            origin: self.padding.map(|p| p as i32),
        };
        vec![self.launch_correlation(&correlation, [x, w, y], size)]
    }

    fn launch_correlation(&self, how: &Correlation, [x, w, y]: [&Tensor; 3], size: u32) -> Launch {
        let positions = |a: usize| y.size(2 + a as isize).div_ceil(how.phases[a]);
        let positions = y.size(0) * positions(0) * positions(1);
        let tiles = positions.div_ceil(POSITIONS * size as usize);
        let tiles = tiles * how.channels[0].div_ceil(CHANNELS) * self.groups;
        let launch = Launch::new(kernel!("conv/correlate_subgroup").for_subgroups_of(size))
            .bind("x", x)
            .bind("w", w)
            .bind("y", y)
            .groups(tiles * how.phases[0] * how.phases[1]);
        how.params(launch, self.groups, x.shape(), w.shape(), y.shape())
    }
}

impl Correlation {
    fn params(&self, launch: Launch, groups: usize, x: &Shape, w: &Shape, y: &Shape) -> Launch {
        let sizes = [
            ("samples", x[0]),
            ("groups", groups),
            ("channels_in", self.channels[1]),
            ("channels_out", self.channels[0]),
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
            ("weight_in", self.pitch[1]),
            ("weight_out", self.pitch[0]),
        ];
        let launch = sizes.into_iter().fold(launch, |launch, (name, n)| launch.param(name, n));
        launch
            .param("tap_y", self.tap[0])
            .param("tap_x", self.tap[1])
            .param("origin_y", self.origin[0])
            .param("origin_x", self.origin[1])
    }
}
