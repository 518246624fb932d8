//! The gradient of `conv2d` with respect to its weight: a correlation of input and output gradient.

use std::ops::Range;

use super::columns::Columns;
use super::conv_transpose2d::ConvTranspose2d;
use super::{Conv2d, inside, met, subgroup, taps};
use crate::device::{Family, Launch};
use crate::kernel;
use crate::ops::linear::tiling::{INVOCATIONS, Tiling};
use crate::ops::reduce;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Gradient of `<g, self.conv2d(w, conv)>` with respect to w of height and width `kernel`.
    /// PyTorch: `torch.nn.grad.conv2d_weight`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn conv2d_weight_grad(&self, g: &Self, kernel: [usize; 2], conv: &Conv2d) -> Self {
        apply(Conv2dWeightGrad { conv: *conv, kernel }, &[self, g])
    }
}

/// Subgroups that keep the threads of a processor busy.
const SUBGROUPS: usize = 32;

/// From x and g to the shape of the weight.
pub(super) struct Conv2dWeightGrad {
    pub(super) conv: Conv2d,
    pub(super) kernel: [usize; 2],
}

impl Op for Conv2dWeightGrad {
    fn name(&self) -> &'static str {
        "conv2d_weight_grad"
    }

    /// For each tap a product of g and what the tap meets, summed over the samples.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (x, g) = (&x[0], &x[1]);
        let (shape, groups) = (self.shape(&[x.shape(), g.shape()]), self.conv.groups);
        let size = [g.size(2), g.size(3)];
        let g = g.reshape([g.size(0), groups, g.size(1) / groups, size[0] * size[1]]);
        let of_tap = |tap: [usize; 2]| {
            let products = g.matmul_t(&self.conv.met_by(tap, x, size), false, true);
            products.sum(&[0], false).reshape([shape[0] * shape[1], 1])
        };
        let columns: Vec<Tensor> = taps(self.kernel).map(of_tap).collect();
        Some(Tensor::cat(&columns.iter().collect::<Vec<_>>(), 1).reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let (x, g) = (x[0], x[1]);
        assert!(x.len() == 4 && g.len() == 4, "conv2d_weight_grad: x {x:?}, g {g:?}");
        let w = Shape::from([g[1], x[1] / self.conv.groups, self.kernel[0], self.kernel[1]]);
        self.conv.check("conv2d_weight_grad", x, &w, g);
        w
    }

    fn flops(&self, x: &[&Shape], y: &Shape) -> usize {
        2 * x[1].numel() * y.numel() / y[0]
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], x[1], y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let size = [x[1].shape[2], x[1].shape[3]];
        let columns = Columns::of_conv2d(&self.conv, x[0], &self.kernel, size);
        columns.correlate(x[1].f32(), x[1].shape[1], y);
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        match Family::of(y.device()) {
            Family::Tiles => self.in_tiles(x, y),
            Family::Subgroup { size } if self.fills_subgroups(y) => self.in_subgroups(x, y, size),
            Family::Subgroup { .. } => self.in_registers(x, y),
        }
    }

    fn cut(&self, _x: &[&Shape], _y: &Shape) -> Option<Cut> {
        // A sum over the samples.
        Some(Cut { inputs: vec![Some(0); 2], output: None })
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, u: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let (x, g) = (&x[0], &x[1]);
        let grad_x = || {
            let size = [x.size(2), x.size(3)];
            apply(ConvTranspose2d { conv: self.conv, size }, &[g, u])
        };
        vec![needs[0].then(grad_x), needs[1].then(|| x.conv2d(u, &self.conv))]
    }
}

impl Conv2dWeightGrad {
    fn in_registers(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let tiles = self.tiles(y, [8, 8]);
        let launch = Launch::new(kernel!("conv/conv2d_weight_grad"));
        self.in_parts(x, y, INVOCATIONS.div_ceil(tiles), |parts| launch.elements(parts * tiles, 64))
    }

    fn in_tiles(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let groups = self.conv.groups;
        let positions = x[1].numel() / x[1].size(1);
        let size = [y.size(0) / groups, positions, y.numel() / y.size(0)];
        let Some(tiling) = Tiling::choose(groups, size) else {
            return self.in_registers(x, y);
        };
        let kernel = kernel!("conv/conv2d_weight_grad_tiles");
        let launch = Launch::new(kernel).bind("x", x[0]).bind("g", x[1]);
        tiling.launches(self.conv.params(launch, x[0].shape(), y.shape(), x[1].shape()), y)
    }

    fn in_subgroups(&self, x: &[&Tensor], y: &Tensor, size: u32) -> Vec<Launch> {
        let tiles = self.tiles(y, [subgroup::WIDTH * size as usize, subgroup::HEIGHT]);
        let kernel = kernel!("conv/conv2d_weight_grad_subgroup").for_subgroups_of(size);
        let launch = Launch::new(kernel);
        self.in_parts(x, y, SUBGROUPS.div_ceil(tiles), |parts| launch.groups(parts * tiles))
    }

    /// Tiles of so many channels and weights of one channel.
    fn tiles(&self, y: &Tensor, [channels, weights]: [usize; 2]) -> usize {
        let (groups, fan) = (self.conv.groups, y.numel() / y.size(0));
        groups * (y.size(0) / groups).div_ceil(channels) * fan.div_ceil(weights)
    }

    /// The launch of a kernel, given without bindings and parameters, for about so many parts, and
    /// the sum of the parts.
    fn in_parts(
        &self,
        x: &[&Tensor],
        y: &Tensor,
        wanted: usize,
        launch: impl FnOnce(usize) -> Launch,
    ) -> Vec<Launch> {
        // Each of 64 positions at least.
        let (lines, width) = (x[1].size(0) * x[1].size(2), x[1].size(3));
        let parts = wanted.min((lines * width).div_ceil(64));
        // And enough that no invocation goes round its loops too often.
        let parts = parts.max((lines * width).div_ceil(Launch::MAX_ROUNDS)).min(lines);
        let run = lines.div_ceil(parts);
        let parts = lines.div_ceil(run);
        let launch =
            launch(parts).bind("x", x[0]).bind("g", x[1]).param("parts", parts).param("run", run);
        let launch = self.conv.params(launch, x[0].shape(), y.shape(), x[1].shape());
        reduce::in_parts(self.name(), parts, y, |to| launch.bind("y", to))
    }

    /// Whether the large tiles of subgroups are full enough to pay.
    fn fills_subgroups(&self, y: &Tensor) -> bool {
        let (channels, fan) = (y.size(0) / self.conv.groups, y.numel() / y.size(0));
        subgroup::is_filled_by(channels.min(fan))
    }

    /// Rows of y: one line of one channel of one output's weight.
    fn lines<T: Float>(&self, x: Slice, g: Slice, y: &mut [T], rows: Range<usize>) {
        let [samples, c, height, width] = x.shape[..] else { unreachable!("checked by shape") };
        let [_, o, lines, len] = g.shape[..] else { unreachable!("checked by shape") };
        let ([kh, kw], conv) = (self.kernel, &self.conv);
        let fan = c / conv.groups;
        let (x, g) = (T::of(&x), T::of(&g));
        for (y, row) in y.chunks_exact_mut(kw).zip(rows) {
            let (to, from, ky) = (row / kh / fan, row / kh % fan, row % kh);
            let from = to / (o / conv.groups) * fan + from;
            let heights = inside(conv.stride[0], conv.offset(0, ky), lines, height);
            for (kx, y) in y.iter_mut().enumerate() {
                let offset = conv.offset(1, kx);
                let mut sum = 0.0;
                for (n, oy) in (0..samples).flat_map(|n| heights.clone().map(move |oy| (n, oy))) {
                    let iy = (oy * conv.stride[0]) as isize + conv.offset(0, ky);
                    let x = &x[((n * c + from) * height + iy as usize) * width..][..width];
                    let g = &g[((n * o + to) * lines + oy) * len..][..len];
                    let (at, x) = met(conv.stride[1], offset, len, x);
                    sum += g[at].iter().zip(x).map(|(g, x)| g.f64() * x.f64()).sum::<f64>();
                }
                *y = T::from_f64(sum);
            }
        }
    }
}
