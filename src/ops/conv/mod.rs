//! Convolutions of images: [`conv2d`], its transpose, and the gradient of its weight. Each one's
//! gradients are the other two, so the family is closed under differentiation.
//!
//! All three share [`Conv2d`] and the index rule of a cross-correlation along one axis: output `o`
//! and tap `k` meet input `o * stride + k * dilation - padding`. Weights are laid out as PyTorch's.
//! On the CPU all three are matrix products over gathered columns (`columns.rs`), on GPUs over
//! columns that are gathered tile by tile (`shaders/common/gemm.wgsl`, `linear/tiling.rs`).

mod columns;
pub mod conv2d;
pub mod conv2d_weight_grad;
pub mod conv_transpose2d;
mod subgroup;

use std::iter::StepBy;
use std::ops::Range;
use std::slice::Iter;

use crate::device::Launch;
use crate::ops::movement::SliceRange;
use crate::tensor::{Shape, Tensor};

/// How a convolution steps over its input; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Input elements between neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros before and behind each axis.
    pub padding: [usize; 2],
    /// Input elements between neighbouring taps.
    pub dilation: [usize; 2],
    /// Channels are cut into this many independent convolutions.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2d {
    /// Stride 1 with zeros on all sides.
    pub fn padded(padding: usize) -> Self {
        Self { padding: [padding, padding], ..Self::default() }
    }

    /// A stride in both directions and no padding.
    pub fn strided(stride: usize) -> Self {
        Self { stride: [stride, stride], ..Self::default() }
    }

    /// Height and width of the output; `None` where the taps reach beyond the padded input.
    fn output_size(&self, input: &[usize], kernel: &[usize]) -> Option<[usize; 2]> {
        let size = |a: usize| {
            let reach = self.dilation[a] * (kernel[a] - 1) + 1;
            let room = (input[a] + 2 * self.padding[a]).checked_sub(reach)?;
            Some(room / self.stride[a] + 1)
        };
        Some([size(0)?, size(1)?])
    }

    /// Where tap `k` of output 0 lies along an axis.
    fn offset(&self, axis: usize, k: usize) -> isize {
        (k * self.dilation[axis]) as isize - self.padding[axis] as isize
    }

    /// What a tap meets, for outputs of a height and width: `[N, groups, C / groups, outputs]`.
    fn met_by(&self, tap: [usize; 2], x: &Tensor, size: [usize; 2]) -> Tensor {
        let sides = self.padding.map(|n| (n as isize, n as isize));
        let padded = x.pad(&[(0, 0), (0, 0), sides[0], sides[1]]);
        let along =
            |a: usize| SliceRange::strided(tap[a] * self.dilation[a], self.stride[a], size[a]);
        let met = padded.slice(&[(0..x.size(0)).into(), (0..x.size(1)).into(), along(0), along(1)]);
        met.reshape([x.size(0), self.groups, x.size(1) / self.groups, size[0] * size[1]])
    }

    /// Checks what `input`, `weight` and `output`, seen as those of a `conv2d`, must have in common.
    #[track_caller]
    fn check(&self, name: &str, input: &Shape, weight: &Shape, output: &Shape) {
        let shapes = [input, weight, output];
        assert!(
            shapes.iter().all(|s| s.len() == 4)
                && self.groups > 0
                && input[1] == weight[1] * self.groups
                && output[1] == weight[0]
                && weight[0].is_multiple_of(self.groups)
                && input[0] == output[0]
                && self.output_size(&input[2..], &weight[2..]).as_ref().map(|s| &s[..])
                    == Some(&output[2..]),
            "{name}: input {input:?}, weight {weight:?} and output {output:?} do not fit {self:?}"
        );
    }

    /// The sizes that all three kernels take.
    fn params(&self, launch: Launch, input: &Shape, weight: &Shape, output: &Shape) -> Launch {
        [
            ("samples", input[0]),
            ("groups", self.groups),
            ("channels_in", weight[1]),
            ("channels_out", weight[0] / self.groups),
            ("height_in", input[2]),
            ("width_in", input[3]),
            ("height_out", output[2]),
            ("width_out", output[3]),
            ("kernel_y", weight[2]),
            ("kernel_x", weight[3]),
            ("stride_y", self.stride[0]),
            ("stride_x", self.stride[1]),
            ("padding_y", self.padding[0]),
            ("padding_x", self.padding[1]),
            ("dilation_y", self.dilation[0]),
            ("dilation_x", self.dilation[1]),
        ]
        .into_iter()
        .fold(launch, |launch, (name, value)| launch.param(name, value))
    }
}

/// The taps of a kernel, row by row.
fn taps([kh, kw]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..kh).flat_map(move |ky| (0..kw).map(move |kx| [ky, kx]))
}

/// The `i < len` with `0 <= i * stride + offset < n`.
fn inside(stride: usize, offset: isize, len: usize, n: usize) -> Range<usize> {
    // First i at which the position has reached `limit`.
    let first = |limit: isize| {
        let missing = (limit - offset).max(0) as usize;
        missing.div_ceil(stride).min(len)
    };
    let start = first(0);
    start..first(n as isize).max(start)
}

/// The outputs of a line that meet an input in one tap, and those inputs.
fn met<T>(
    stride: usize,
    offset: isize,
    len: usize,
    x: &[T],
) -> (Range<usize>, StepBy<Iter<'_, T>>) {
    let at = inside(stride, offset, len, x.len());
    let first = (at.start * stride).saturating_add_signed(offset).min(x.len());
    (at, x[first..].iter().step_by(stride))
}
