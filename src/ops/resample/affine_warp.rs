//! Images read along an affine map, one map per sample: y(o) = Σ over i of hat(A o + t − i) x(i),
//! with offsets o and i from the centres of y and x, and hat(v) = max(0, 1 − |v₁|) max(0, 1 −
//! |v₂|).
//!
//! That is bilinear sampling with zeros outside. The transpose adds the same products up over o:
//! those within a parallelogram around A⁻¹ (i − t), so that it is gathered too, in a fixed order.
//! [`Tensor::grid_sample`] does the same along any grid, but slowly where its image needs a
//! gradient.

use std::ops::Range;
use std::sync::Arc;

use super::grid_sample::Beyond;
use super::image_sizes;
use crate::device::Launch;
use crate::kernel;
use crate::ops::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// An affine map of the plane: the first two columns of a row are its matrix, the third is the
/// translation. Horizontal before vertical.
pub type Affine = [[f64; 3]; 2];

impl Tensor {
    /// `[N, C, H, W]` read along `maps`, one for each sample: the pixel at offset o (right, down)
    /// from the centre of the result, of size (H', W'), is read at offset A o + t from this image's
    /// centre, bilinearly, zeros outside. The maps are constants. PyTorch: `F.affine_grid` and
    /// `F.grid_sample`.
    ///
    /// # Panics
    /// When there is not one map per sample, or a map has no inverse.
    #[track_caller]
    pub fn affine_warp(&self, maps: &[Affine], size: [usize; 2]) -> Self {
        let [n, _, h, w] = image_sizes("affine_warp", self);
        assert_eq!(maps.len(), n, "affine_warp: maps for x of shape {:?}", self.shape());
        for map in maps {
            assert!(determinant(map).is_normal(), "affine_warp: a map without inverse: {map:?}");
        }
        let maps = maps.iter().map(Map::new).collect();
        apply(AffineWarp { maps, from: [h, w], to: size, transposed: false }, &[self])
    }
}

/// A map and its inverse, which are all that either direction needs.
#[derive(Clone, Copy)]
struct Map {
    forward: Affine,
    inverse: Affine,
}

fn determinant([[a, b, _], [c, d, _]]: &Affine) -> f64 {
    a * d - b * c
}

impl Map {
    fn new(forward: &Affine) -> Self {
        let [[a, b, s], [c, d, t]] = *forward;
        let [a, b, c, d] = [d, -b, -c, a].map(|v| v / determinant(forward));
        let inverse = [[a, b, -(a * s + b * t)], [c, d, -(c * s + d * t)]];
        Self { forward: *forward, inverse }
    }

    /// Where the elements that meet the one at the origin are centred, as a map, and how far from
    /// there they lie, horizontally and vertically.
    fn meeting(&self, transposed: bool) -> (Affine, [f64; 2]) {
        if transposed {
            return (self.inverse, self.inverse.map(|row| row[0].abs() + row[1].abs()));
        }
        (self.forward, [1.0; 2])
    }
}

fn mapped(map: &Affine, [x, y]: [f64; 2]) -> [f64; 2] {
    map.map(|[a, b, t]| a * x + b * y + t)
}

fn centre(size: usize) -> f64 {
    (size - 1) as f64 / 2.0
}

#[derive(Clone)]
struct AffineWarp {
    maps: Arc<[Map]>,
    /// Height and width of what is read and of what is written.
    from: [usize; 2],
    to: [usize; 2],
    /// Whether x is indexed by o and y by i.
    transposed: bool,
}

impl Op for AffineWarp {
    fn name(&self) -> &'static str {
        "affine_warp"
    }

    /// Sampling along the maps' grid.
    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        if self.transposed {
            return None;
        }
        // Offsets from the centres in units of half an image.
        let half = |[h, w]: [usize; 2]| [w as f64 / 2.0, h as f64 / 2.0, 1.0];
        let (from, to) = (half(self.from), half(self.to));
        let entry = |k: usize, v: &f64| v * to[k % 3] / from[k / 3 % 2];
        let maps = self.maps.iter().flat_map(|map| map.forward.as_flattened());
        let maps: Vec<f64> = maps.enumerate().map(|(k, v)| entry(k, v)).collect();
        let maps = Tensor::from_f64(&maps, [self.maps.len(), 2, 3], x[0].device());
        Some(x[0].grid_sample(&maps.affine_grid(self.to, false), Beyond::Zeros, false))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        assert!(self.to[0] * self.to[1] > 0, "affine_warp: {:?} to {:?}", x[0], self.to);
        x[0].with(2, self.to[0]).with(3, self.to[1])
    }

    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        let met =
            |map: &Map| map.meeting(self.transposed).1.iter().map(|r| 2.0 * r).product::<f64>();
        let mean = self.maps.iter().map(met).sum::<f64>() / self.maps.len() as f64;
        y.numel() * (10.0 * mean) as usize
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.lines(x[0], y, rows));
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let mut table = Vec::new();
        let mut rounds = 0;
        for map in &self.maps[..] {
            let (centre, reach) = map.meeting(self.transposed);
            // No more than there is to read.
            let along = |k: usize| (2.0 * reach[k] + 3.0).min(self.from[1 - k] as f64) as usize;
            rounds = rounds.max(along(0) * along(1));
            let numbers = [map.forward.as_flattened(), centre.as_flattened(), &reach].concat();
            table.extend(numbers.into_iter().map(|v| v as f32));
        }
        let maps = Tensor::from_slice(&table, [self.maps.len(), 14], y.device());
        let launch = Launch::new(kernel!("resample/affine_warp"))
            .bind("x", x[0])
            .bind("maps", &maps)
            .bind("y", y)
            .param("len", y.numel())
            .param("channels", y.size(1))
            .param("transposed", usize::from(self.transposed))
            .param("from_y", self.from[0])
            .param("from_x", self.from[1])
            .param("to_y", self.to[0])
            .param("to_x", self.to[1])
            .rounds(rounds);
        vec![launch.elements(y.numel(), 64)]
    }

    fn cut(&self, x: &[&Shape], _y: &Shape) -> Option<Cut> {
        Some(Cut::planes(x))
    }

    fn of_rows(&self, rows: Range<usize>) -> Option<Box<dyn Op>> {
        // One map serves the channels of one sample.
        let maps = if self.maps.len() == 1 { self.maps.clone() } else { self.maps[rows].into() };
        Some(Box::new(Self { maps, ..self.clone() }))
    }

    fn vjp(&self, _x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let (maps, transposed) = (self.maps.clone(), !self.transposed);
        vec![Some(apply(Self { maps, from: self.to, to: self.from, transposed }, &[g]))]
    }
}

impl AffineWarp {
    /// Rows of y: one line of one plane.
    fn lines<T: Float>(&self, x: Slice, y: &mut [T], rows: Range<usize>) {
        let [from, to] = [self.from, self.to].map(|size| size.map(centre));
        let (channels, x) = (x.shape[1], T::of(&x));
        for (y, row) in y.chunks_exact_mut(self.to[1]).zip(rows) {
            let (plane, line) = (row / self.to[0], row % self.to[0]);
            let x = &x[plane * self.from[0] * self.from[1]..];
            let map = &self.maps[plane / channels];
            let (middle, reach) = map.meeting(self.transposed);
            for (column, y) in y.iter_mut().enumerate() {
                let written = [column as f64 - to[1], line as f64 - to[0]];
                let [mx, my] = mapped(&middle, written);
                let mut sum = 0.0;
                for iy in near(my + from[0], reach[1], self.from[0]) {
                    for ix in near(mx + from[1], reach[0], self.from[1]) {
                        let read = [ix as f64 - from[1], iy as f64 - from[0]];
                        let (o, i) =
                            if self.transposed { (read, written) } else { (written, read) };
                        let at = mapped(&map.forward, o);
                        let hat = |k: usize| (1.0 - (at[k] - i[k]).abs()).max(0.0);
                        sum += hat(0) * hat(1) * x[iy * self.from[1] + ix].f64();
                    }
                }
                *y = T::from_f64(sum);
            }
        }
    }
}

/// The places of an axis that are at most `reach` from a position.
fn near(position: f64, reach: f64, size: usize) -> Range<usize> {
    // Rounding must not lose one: what lies beyond has weight 0.
    let reach = reach + 1.0 / 64.0;
    let first = (position - reach).ceil().max(0.0) as usize;
    let end = (position + reach).floor().min(size as f64 - 1.0) + 1.0;
    first..end.max(0.0) as usize
}
