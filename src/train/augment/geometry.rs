//! Flips, turns, translations, scalings: one affine map per picture.

use std::f64::consts::FRAC_PI_2;

use super::{Matrix, diagonal, product};
use crate::ops::resample::pad::Pad;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

fn scaling(x: f64, y: f64) -> Matrix<3> {
    diagonal([x, y, 1.0])
}

fn translation(x: f64, y: f64) -> Matrix<3> {
    [[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]]
}

fn rotation(angle: f64) -> Matrix<3> {
    let (sin, cos) = angle.sin_cos();
    [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]
}

/// What is drawn for the geometry of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Mirrored.
    pub xflip: bool,
    /// Quarter turns.
    pub rotate90: u32,
    /// Translation by whole pixels: fractions of width and height.
    pub xint: [f64; 2],
    /// Isotropic scaling.
    pub scale: f64,
    /// Rotation before the anisotropic scaling, radians.
    pub rotate_pre: f64,
    /// Anisotropic scaling.
    pub aniso: f64,
    /// Rotation behind it, radians.
    pub rotate_post: f64,
    /// Translation: fractions of width and height.
    pub xfrac: [f64; 2],
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            xflip: false,
            rotate90: 0,
            xint: [0.0; 2],
            scale: 1.0,
            rotate_pre: 0.0,
            aniso: 1.0,
            rotate_post: 0.0,
            xfrac: [0.0; 2],
        }
    }
}

/// The inverse of an affine map.
pub fn inverted(map: &Matrix<3>) -> Matrix<3> {
    let [[a, b, s], [c, d, t], _] = *map;
    let determinant = a * d - b * c;
    let [a, b, c, d] = [d, -b, -c, a].map(|v| v / determinant);
    [[a, b, -(a * s + b * t)], [c, d, -(c * s + d * t)], [0.0, 0.0, 1.0]]
}

impl Geometry {
    /// The map from a pixel of the result to where it is read, both (x, y, 1) relative to the
    /// centre.
    pub fn inverse(&self, height: usize, width: usize) -> Matrix<3> {
        let (w, h) = (width as f64, height as f64);
        let whole = [self.xint[0] * w, self.xint[1] * h].map(f64::round_ties_even);
        let factors = [
            scaling(if self.xflip { -1.0 } else { 1.0 }, 1.0),
            rotation(FRAC_PI_2 * f64::from(self.rotate90)),
            translation(-whole[0], -whole[1]),
            scaling(1.0 / self.scale, 1.0 / self.scale),
            rotation(self.rotate_pre),
            scaling(1.0 / self.aniso, self.aniso),
            rotation(self.rotate_post),
            translation(-self.xfrac[0] * w, -self.xfrac[1] * h),
        ];
        factors.iter().fold(scaling(1.0, 1.0), |all, factor| product(&all, factor))
    }
}

/// Low-pass of the wavelet sym6.
const SYM6: [f64; 12] = [
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
];

/// Pixels that the filter takes off on each side.
const MARGIN: usize = SYM6.len() / 4 * 2;

/// Pictures `[N, C, H, W]` read along one map for each ([`Geometry::inverse`]): reflected beyond
/// their borders, at twice the resolution, low-pass filtered before and after.
///
/// # Panics
/// When there is not one map per picture, or a map has no inverse.
#[track_caller]
pub fn geometric(x: &Tensor, inverse: &[Matrix<3>]) -> Tensor {
    geometric_within(x, inverse, margins(inverse, x.size(2), x.size(3)))
}

/// The same with the margins of a batch that the pictures are part of.
#[track_caller]
pub(super) fn geometric_within(
    x: &Tensor,
    inverse: &[Matrix<3>],
    pad @ [left, right, above, below]: [isize; 4],
) -> Tensor {
    let [h, w] = [x.size(2), x.size(3)];
    let shift = [(left - right) as f64 / 2.0, (above - below) as f64 / 2.0];
    let filter = |gain: f64, reversed: bool| {
        let sum: f64 = SYM6.iter().sum();
        let mut taps = SYM6.map(|tap| tap / sum);
        if reversed {
            taps.reverse();
        }
        let tap = |k: usize| (gain * taps[k / taps.len()] * taps[k % taps.len()]) as f32;
        let kernel: Vec<f32> = (0..taps.len() * taps.len()).map(tap).collect();
        Tensor::from_slice(&kernel, [taps.len(), taps.len()], x.device())
    };
    let doubled =
        x.pad2d(pad, Pad::Reflect).upfirdn2d(&filter(4.0, false), &Upfirdn2d::doubled((6, 5)));
    // A point at offset o of the result's grid is read at 2 (G ((o + 1/2) / 2) + shift) - 1/2.
    let maps: Vec<_> = inverse
        .iter()
        .map(|g| {
            std::array::from_fn(|k| {
                let [a, b, t] = g[k];
                [a, b, (a + b) / 2.0 + 2.0 * (t + shift[k]) - 0.5]
            })
        })
        .collect();
    let warped = doubled.affine_warp(&maps, [2 * (h + MARGIN), 2 * (w + MARGIN)]);
    let pad = 5 - MARGIN as isize;
    warped.upfirdn2d(&filter(1.0, true), &Upfirdn2d::halved((pad, pad)))
}

/// Pixels that any of the maps reads beyond the left, right, upper and lower border, filters
/// included.
pub fn margins(inverse: &[Matrix<3>], h: usize, w: usize) -> [isize; 4] {
    let half = [(w - 1) as f64 / 2.0, (h - 1) as f64 / 2.0];
    let mut far = [[0.0f64; 2]; 2];
    for g in inverse {
        for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
            for k in 0..2 {
                let at = g[k][0] * x * half[0] + g[k][1] * y * half[1] + g[k][2];
                for (side, at) in [-at, at].into_iter().enumerate() {
                    far[k][side] = far[k][side].max(at + MARGIN as f64 - half[k]);
                }
            }
        }
    }
    let [[left, right], [above, below]] = far;
    let most = |far: f64, size: usize| far.min((size - 1) as f64).ceil() as isize;
    [most(left, w), most(right, w), most(above, h), most(below, h)]
}
