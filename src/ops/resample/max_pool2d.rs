//! Maximum over windows: which sample it is (no gradient), and that sample picked. The transpose of
//! picking collects, for each sample, what the windows that picked it hold.

use std::ops::Range;

use super::image_sizes;
use super::pad::Pad;
use super::pool::Pool2d;
use crate::device::{Device, Dtype, Launch};
use crate::kernel;
use crate::ops::movement::SliceRange;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// Largest sample of each window of `[N, C, H, W]`; padding never wins. The gradient goes to
    /// the first of equals. PyTorch: `F.max_pool2d`.
    ///
    /// # Panics
    /// When this is no image, no window fits, or the padding is more than half a window.
    #[track_caller]
    pub fn max_pool2d(&self, pool: &Pool2d) -> Self {
        let [_, _, h, w] = image_sizes("max_pool2d", self);
        let index = apply(MaxIndex { pool: *pool }, &[&self.detach()]);
        apply(Pick { pool: *pool, size: [h, w] }, &[self, &index])
    }
}

/// The window's samples inside an axis of size `n`.
fn inside(pool: &Pool2d, axis: usize, window: usize, n: usize) -> Range<usize> {
    let start = window * pool.stride[axis];
    let end = (start + pool.kernel[axis]).saturating_sub(pool.padding[axis]);
    start.saturating_sub(pool.padding[axis])..end.min(n)
}

/// The windows, of `count` along an axis, that cover sample `i`.
fn covering(pool: &Pool2d, axis: usize, i: usize, count: usize) -> Range<usize> {
    let place = i + pool.padding[axis];
    let first = (place + 1).saturating_sub(pool.kernel[axis]).div_ceil(pool.stride[axis]);
    first..(place / pool.stride[axis] + 1).min(count)
}

fn geometry(launch: Launch, pool: &Pool2d, [h, w]: [usize; 2], [oh, ow]: [usize; 2]) -> Launch {
    let launch = launch.param("in_y", h).param("in_x", w).param("out_y", oh).param("out_x", ow);
    ["y", "x"].into_iter().enumerate().fold(launch, |launch, (k, axis)| {
        launch
            .param(format!("kernel_{axis}"), pool.kernel[k])
            .param(format!("stride_{axis}"), pool.stride[k])
            .param(format!("padding_{axis}"), pool.padding[k])
    })
}

/// Place of the first largest sample of each window, within its plane.
struct MaxIndex {
    pool: Pool2d,
}

impl Op for MaxIndex {
    fn name(&self) -> &'static str {
        "max_index"
    }

    /// The first of the places that hold the window's maximum.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (h, w) = (x[0].size(2), x[0].size(3));
        let places: Vec<f32> = (0..h * w).map(|k| k as f32).collect();
        let places = Tensor::from_slice(&places, [1, 1, h, w], x[0].device());
        let samples = self.samples(&x[0], f64::from(f32::MIN));
        let max = samples.iter().cloned().reduce(|a, b| a.maximum(&b))?;
        let of_max = samples.iter().zip(self.samples(&places, 0.0)).map(|(x, place)| {
            let [x_k, max_k, place_k] = Expr::inputs();
            let value = x_k.equal(max_k).select(place_k, (h * w) as f64);
            pointwise(&[x, &max, &place], &value)
        });
        Some(of_max.reduce(|a, b| a.minimum(&b))?.as_index())
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        let windows = |axis: usize| self.pool.windows(axis, x[0][2 + axis]);
        x[0].with(2, windows(0)).with(3, windows(1))
    }

    fn dtype(&self, _device: &Device) -> Dtype {
        Dtype::I32
    }

    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        y.numel() * self.pool.kernel[0] * self.pool.kernel[1]
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        let SliceMut::I32(y) = y else { unreachable!("indices were asked for") };
        let shape = self.shape(&[x[0].shape]);
        let (h, w) = (x[0].shape[2], x[0].shape[3]);
        for (y, at) in y.iter_mut().zip(rows) {
            let (plane, oy, ox) =
                (at / (shape[2] * shape[3]), at / shape[3] % shape[2], at % shape[3]);
            let value = |i: usize| x[0].at(plane * h * w + i);
            let columns = inside(&self.pool, 1, ox, w);
            let places = inside(&self.pool, 0, oy, h)
                .flat_map(|iy| columns.clone().map(move |ix| iy * w + ix));
            let better = |best: usize, i: usize| {
                let wins = value(i) > value(best) || value(i).is_nan();
                if wins { i } else { best }
            };
            *y = places.reduce(better).expect("a window meets the image") as i32;
        }
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let (size, out) = ([x[0].size(2), x[0].size(3)], [y.size(2), y.size(3)]);
        let launch = Launch::new(kernel!("resample/max_index"))
            .bind("x", x[0])
            .bind("y", y)
            .param("len", y.numel())
            .rounds(self.pool.kernel[0] * (self.pool.kernel[1] + 1));
        vec![geometry(launch, &self.pool, size, out).elements(y.numel(), 64)]
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut::planes(x))
    }

    fn vjp(&self, _x: &[Tensor], _y: &Tensor, _g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        // Piecewise constant.
        vec![None]
    }
}

impl MaxIndex {
    /// What all windows have at each place inside them; `outside` where that is padding.
    fn samples(&self, x: &Tensor, outside: f64) -> Vec<Tensor> {
        let Pool2d { kernel, stride, padding } = self.pool;
        let [above, left] = padding.map(|n| n as isize);
        let padded = x.pad2d([left, left, above, above], Pad::Constant(outside));
        let along = |axis: usize, start: usize| {
            let count = self.pool.windows(axis, x.shape()[2 + axis]);
            SliceRange::strided(start, stride[axis], count)
        };
        let [n, c] = [0, 1].map(|k| SliceRange::from(0..x.size(k)));
        let places = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx)));
        places.map(|(ky, kx)| padded.slice(&[n, c, along(0, ky), along(1, kx)])).collect()
    }
}

/// y[plane, window] = x[plane, index[plane, window]].
struct Pick {
    pool: Pool2d,
    size: [usize; 2],
}

impl Op for Pick {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    /// Each window's sample, gathered from its plane.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (shape, [h, w]) = (x[1].shape(), self.size);
        let flat = |x: &Tensor, len: usize| x.reshape([shape[0], shape[1], len]);
        let picked = flat(&x[0], h * w).gather(2, &flat(&x[1], shape[2] * shape[3]));
        Some(picked.reshape(shape))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        x[1].clone()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        // The planes in rows, one index per output.
        let launch = Launch::new(kernel!("gather"))
            .bind("x", x[0])
            .bind("index", x[1])
            .bind("y", y)
            .param("len", y.numel())
            .param("size", self.size[0] * self.size[1])
            .param("picked", y.size(2) * y.size(3))
            .param("inner", 1usize)
            .param("shared_index", 0usize);
        vec![launch.elements(y.numel(), 256)]
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut::planes(x))
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![Some(apply(Unpick { pool: self.pool, size: self.size }, &[g, &x[1]])), None]
    }
}

impl Pick {
    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let (values, index) = (T::of(&x[0]), x[1].i32());
        let windows = x[1].shape[2] * x[1].shape[3];
        for (y, at) in y.iter_mut().zip(rows) {
            *y = values[at / windows * self.size[0] * self.size[1] + index[at] as usize];
        }
    }
}

/// y[plane, i] = Σ of x[plane, window] over the windows whose index is i.
struct Unpick {
    pool: Pool2d,
    size: [usize; 2],
}

impl Op for Unpick {
    fn name(&self) -> &'static str {
        "max_unpool2d"
    }

    /// Each window's number, scattered to its plane.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        let (shape, [h, w]) = (x[0].shape(), self.size);
        let flat = |x: &Tensor| x.reshape([shape[0], shape[1], shape[2] * shape[3]]);
        let planes = flat(&x[0]).scatter_add(2, &flat(&x[1]), h * w);
        Some(planes.reshape([shape[0], shape[1], h, w]))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].with(2, self.size[0]).with(3, self.size[1])
    }

    fn flops(&self, x: &[&Shape], _y: &Shape) -> usize {
        x[0].numel() * self.pool.kernel[0] * self.pool.kernel[1]
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let windows = [x[0].size(2), x[0].size(3)];
        let [rows, columns] = [0, 1].map(|k| self.pool.kernel[k].div_ceil(self.pool.stride[k]));
        let launch = Launch::new(kernel!("resample/max_unpool2d"))
            .bind("x", x[0])
            .bind("index", x[1])
            .bind("y", y)
            .param("len", y.numel())
            .rounds(rows * (columns + 1));
        vec![geometry(launch, &self.pool, self.size, windows).elements(y.numel(), 64)]
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut::planes(x))
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![Some(apply(Pick { pool: self.pool, size: self.size }, &[g, &x[1]])), None]
    }
}

impl Unpick {
    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let (values, index) = (T::of(&x[0]), x[1].i32());
        let ([h, w], oh, ow) = (self.size, x[0].shape[2], x[0].shape[3]);
        for (y, at) in y.iter_mut().zip(rows) {
            let (plane, place) = (at / (h * w), at % (h * w));
            let columns = covering(&self.pool, 1, place % w, ow);
            let windows = covering(&self.pool, 0, place / w, oh)
                .flat_map(|wy| columns.clone().map(move |wx| (plane * oh + wy) * ow + wx));
            let hits = windows.filter(|&at| index[at] as usize == place);
            *y = T::from_f64(hits.map(|at| values[at].f64()).sum());
        }
    }
}
