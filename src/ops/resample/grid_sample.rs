//! Images read at any positions: a composition of pointwise expressions and gathers, so that the
//! derivatives with respect to image and grid, of any order, are compositions too.

use super::image_sizes;
use crate::ops::pointwise::{Expr, pointwise};
use crate::tensor::Tensor;

/// What is read beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// 0.
    Zeros,
    /// The nearest border sample.
    Border,
    /// The image mirrored at its border: at the outer edge of the border samples, or, with aligned
    /// corners, at their centres.
    Reflection,
}

/// Cut to the samples' centres; the derivative is 0 where it cuts.
fn cut(position: &Expr, size: f64) -> Expr {
    position.max(0.0).min(size - 1.0)
}

/// Position in samples of a coordinate in −1 .. 1.
fn position(u: &Expr, size: f64, beyond: Beyond, align_corners: bool) -> Expr {
    let position = match align_corners {
        true => (u.clone() + 1.0) * ((size - 1.0) / 2.0),
        false => ((u.clone() + 1.0) * size - 1.0) * 0.5,
    };
    // The mirrors, and the distance between them.
    let (low, span) = if align_corners { (0.0, size - 1.0) } else { (-0.5, size) };
    match beyond {
        Beyond::Zeros => position,
        Beyond::Border => cut(&position, size),
        Beyond::Reflection if span == 0.0 => Expr::number(0.0),
        Beyond::Reflection => {
            let distance = (position - low).abs();
            let turns = (distance.clone() * (1.0 / span)).floor();
            let rest = distance - turns.clone() * span;
            let is_odd = turns.clone() - 2.0 * (turns * 0.5).floor();
            cut(&(is_odd.select(span - rest.clone(), rest) + low), size)
        }
    }
}

impl Tensor {
    /// `[N, C, H, W]` read bilinearly at each position of the grid `[N, H', W', 2]`, whose (x, y)
    /// run from −1 at the left and upper edge to 1: the border samples' outer edges, or, if
    /// `align_corners`, their centres. PyTorch: `F.grid_sample`.
    ///
    /// The image's gradient costs every output for each of its samples, and a GPU refuses it beyond
    /// 32,768 positions; an affine grid that needs no gradient is fast, without that limit, as
    /// [`Tensor::affine_warp`].
    ///
    /// # Panics
    /// When the shapes do not fit, or a plane has more than 2²⁴ samples.
    #[track_caller]
    pub fn grid_sample(&self, grid: &Self, beyond: Beyond, align_corners: bool) -> Self {
        let [n, c, h, w] = image_sizes("grid_sample", self);
        let &[grids, oh, ow, 2] = &grid.shape()[..] else {
            panic!("grid_sample: grid of shape {:?}, not [N, H, W, 2]", grid.shape());
        };
        let fits = grids == n && h * w <= 1 << 24;
        assert!(fits, "grid_sample: x {:?}, grid {:?}", self.shape(), grid.shape());
        let sizes = [w as f64, h as f64];
        let [px, py] = [0, 1].map(|k| {
            let u = grid.narrow(3, k, 1).reshape([n, 1, oh * ow]);
            u.map(|u| position(&u, sizes[k], beyond, align_corners))
        });
        let planes = self.reshape([n, c, h * w]);
        let neighbour = |dx: f64, dy: f64| {
            let place = px.detach().zip(&py.detach(), |px, py| {
                let (ix, iy) = (px.floor() + dx, py.floor() + dy);
                let inside =
                    |i: &Expr, size: f64| i.greater(-0.5) * Expr::number(size - 0.5).greater(i);
                let is_inside = inside(&ix, sizes[0]) * inside(&iy, sizes[1]);
                // An index outside reads 0.
                is_inside.select(iy * sizes[0] + ix, -1.0)
            });
            planes.gather(2, &place.expand([n, c, oh * ow]).as_index())
        };
        let [p, q, r, s, x, y] = Expr::inputs();
        let (x, y) = (x.clone() - x.floor(), y.clone() - y.floor());
        let upper = p * (1.0 - x.clone()) + q * x.clone();
        let lower = r * (1.0 - x.clone()) + s * x;
        let value = upper * (1.0 - y.clone()) + lower * y;
        let [p, q] = [0.0, 1.0].map(|dx| neighbour(dx, 0.0));
        let [r, s] = [0.0, 1.0].map(|dx| neighbour(dx, 1.0));
        let value = pointwise(&[&p, &q, &r, &s, &px, &py], &value);
        value.reshape([n, c, oh, ow])
    }

    /// The grid `[N, H, W, 2]` at which [`Tensor::grid_sample`] reads an image along affine maps
    /// `[N, 2, 3]` of (x, y, 1). PyTorch: `F.affine_grid`.
    ///
    /// # Panics
    /// When this is no `[N, 2, 3]`.
    #[track_caller]
    pub fn affine_grid(&self, [h, w]: [usize; 2], align_corners: bool) -> Self {
        let shape = self.shape();
        assert!(shape.len() == 3 && shape[1..] == [2, 3], "affine_grid: maps of shape {shape:?}");
        let coordinate = |i: usize, size: usize| match (align_corners, size) {
            (true, 1) => 0.0,
            (true, _) => (2 * i) as f64 / (size - 1) as f64 - 1.0,
            (false, _) => (2 * i + 1) as f64 / size as f64 - 1.0,
        };
        let point = |at: usize| [coordinate(at % w, w), coordinate(at / w, h), 1.0];
        let points: Vec<f64> = (0..h * w).flat_map(point).collect();
        let points = Self::from_f64(&points, [h * w, 3], self.device());
        points.matmul_t(self, false, true).reshape([shape[0], h, w, 2])
    }
}
