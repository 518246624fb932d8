//! Adaptive discriminator augmentation: the transformations and the rule for their probability.
//! Karras et al. 2020, "Training GANs with limited data", appendix B and section 3.
//!
//! A transformation is a struct of what is drawn for one picture, whose default changes nothing; it
//! becomes a matrix (on the host, f64), and a function applies the matrices of a batch. All
//! functions are affine in the pictures, and so are their gradients in the cotangents; the draws are
//! constants.

use std::f64::consts::FRAC_PI_2;

use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::pad::Pad;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;

/// A matrix, row by row.
pub type Matrix<const N: usize> = [[f64; N]; N];

fn product<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    a.map(|row| std::array::from_fn(|j| (0..N).map(|k| row[k] * b[k][j]).sum()))
}

fn diagonal<const N: usize>(d: [f64; N]) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { d[i] } else { 0.0 }))
}

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
    let [h, w] = [x.size(2), x.size(3)];
    let [left, right, above, below] = margins(inverse, h, w);
    let pad = [left, right, above, below];
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

/// What is drawn for the colours of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color {
    /// Added to every channel.
    pub brightness: f64,
    /// Factor.
    pub contrast: f64,
    /// Luma negated.
    pub lumaflip: bool,
    /// Rotation of the hue, radians.
    pub hue: f64,
    /// Factor of what is not luma.
    pub saturation: f64,
}

impl Default for Color {
    fn default() -> Self {
        Self { brightness: 0.0, contrast: 1.0, lumaflip: false, hue: 0.0, saturation: 1.0 }
    }
}

impl Color {
    /// The map of (r, g, b, 1), for pictures of three channels, or of one, where hue and saturation
    /// do not apply.
    pub fn matrix(&self, channels: usize) -> Matrix<4> {
        const IDENTITY: [f64; 4] = [1.0; 4];
        let Self { brightness, contrast, lumaflip, hue, saturation } = *self;
        let third = 1.0 / 3.0;
        // v vᵀ with v = (1, 1, 1, 0) / √3, the axis of luma.
        let luma: Matrix<4> = std::array::from_fn(|i| {
            std::array::from_fn(|j| if i.max(j) < 3 { third } else { 0.0 })
        });
        let mixed = |a: f64, b: f64| -> Matrix<4> {
            let one = diagonal(IDENTITY);
            std::array::from_fn(|i| std::array::from_fn(|j| a * one[i][j] + b * luma[i][j]))
        };
        let mut all = diagonal(IDENTITY);
        (0..3).for_each(|i| all[i][3] = brightness);
        all = product(&diagonal([contrast, contrast, contrast, 1.0]), &all);
        all = product(&mixed(1.0, if lumaflip { -2.0 } else { 0.0 }), &all);
        if channels == 1 {
            return all;
        }
        let (sin, cos) = hue.sin_cos();
        let mut turn = mixed(cos, 1.0 - cos);
        turn[3][3] = 1.0;
        for i in 0..3 {
            turn[i][(i + 1) % 3] -= sin * third.sqrt();
            turn[(i + 1) % 3][i] += sin * third.sqrt();
        }
        product(&mixed(saturation, 1.0 - saturation), &product(&turn, &all))
    }
}

/// Pictures `[N, C, H, W]`, C 3 or 1, with one map of the colours for each ([`Color::matrix`]).
///
/// # Panics
/// When there is not one matrix per picture, or C is another number.
#[track_caller]
pub fn color(x: &Tensor, matrices: &[Matrix<4>]) -> Tensor {
    let (n, c) = (x.size(0), x.size(1));
    let fits = matrices.len() == n && (c == 3 || c == 1);
    assert!(fits, "color: {} matrices, pictures of shape {:?}", matrices.len(), x.shape());
    let (mut factors, mut offsets) = (Vec::new(), Vec::new());
    for m in matrices {
        // Of one channel: what grey becomes on average.
        let mean = |j: usize| m[..3].iter().map(|row| row[j]).sum::<f64>() / 3.0;
        if c == 1 {
            factors.push((0..3).map(mean).sum::<f64>() as f32);
            offsets.push(mean(3) as f32);
        } else {
            factors.extend(m[..3].iter().flat_map(|row| &row[..3]).map(|&v| v as f32));
            offsets.extend(m[..3].iter().map(|row| row[3] as f32));
        }
    }
    let factors = Tensor::from_slice(&factors, [n, c, c], x.device());
    let offsets = Tensor::from_slice(&offsets, [n, c, 1], x.device());
    let pixels = x.reshape([n, c, x.size(2) * x.size(3)]);
    (factors.matmul(&pixels) + offsets).reshape(x.shape())
}

/// Bands of the image filter.
pub const BANDS: usize = 4;
/// Taps of the image filter.
pub const FILTER_TAPS: usize = 43;
/// Low-pass of the wavelet sym2.
const SYM2: [f64; 4] =
    [-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025];

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, b)| y[i + j] += a * b);
    }
    y
}

/// One filter per band, from the lowest to the highest; they add up to the identity.
pub fn filter_bank() -> [[f64; FILTER_TAPS]; BANDS] {
    let half = |taps: [f64; 4]| -> Vec<f64> {
        let mut reversed = taps;
        reversed.reverse();
        convolved(&taps, &reversed).iter().map(|v| v / 2.0).collect()
    };
    let low = half(SYM2);
    let high = half(std::array::from_fn(|k| if k % 2 == 0 { SYM2[k] } else { -SYM2[k] }));
    let mut rows = [vec![1.0], vec![0.0], vec![0.0], vec![0.0]];
    for i in 1..BANDS {
        for row in &mut rows {
            // A zero between all neighbours.
            let spread: Vec<f64> = row.iter().flat_map(|&v| [v, 0.0]).collect();
            *row = convolved(&spread[..spread.len() - 1], &low);
        }
        let start = (rows[i].len() - high.len()) / 2;
        high.iter().enumerate().for_each(|(k, v)| rows[i][start + k] += v);
    }
    rows.map(|row| row.try_into().expect("43 taps"))
}

/// Pictures `[N, C, H, W]` with their bands amplified by one gain each, as drawn for each picture;
/// borders reflected.
///
/// # Panics
/// When there are not gains for every picture.
#[track_caller]
pub fn imgfilter(x: &Tensor, gains: &[[f64; BANDS]]) -> Tensor {
    let [n, c, h, w] = [0, 1, 2, 3].map(|k| x.size(k));
    assert_eq!(gains.len(), n, "imgfilter: gains for pictures of shape {:?}", x.shape());
    let bank = filter_bank();
    let mut taps = Vec::new();
    for gains in gains {
        let total = normalized(gains);
        let tap = |k: usize| (0..BANDS).map(|band| total[band] * bank[band][k]).sum::<f64>();
        let filter: Vec<f32> = (0..FILTER_TAPS).map(|k| tap(k) as f32).collect();
        (0..c).for_each(|_| taps.extend(&filter));
    }
    let taps = Tensor::from_slice(&taps, [n * c, 1, 1, FILTER_TAPS], x.device());
    let side = (FILTER_TAPS / 2) as isize;
    let conv = Conv2d { groups: n * c, ..Conv2d::default() };
    let padded = x.pad2d([side; 4], Pad::Reflect);
    let planes = padded.reshape([1, n * c, padded.size(2), padded.size(3)]);
    let across = planes.conv2d(&taps, &conv);
    across.conv2d(&taps.reshape([n * c, 1, FILTER_TAPS, 1]), &conv).reshape([n, c, h, w])
}

/// The gains, one band after the other, each brought to the same expected power.
fn normalized(gains: &[f64; BANDS]) -> [f64; BANDS] {
    const POWER: [f64; BANDS] = [10.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0];
    let mut total = [1.0; BANDS];
    for (band, &amplified) in gains.iter().enumerate() {
        let gain = |k: usize| if k == band { amplified } else { 1.0 };
        let power = (0..BANDS).map(|k| POWER[k] * gain(k) * gain(k)).sum::<f64>();
        (0..BANDS).for_each(|k| total[k] *= gain(k) / power.sqrt());
    }
    total
}

/// What is drawn for the corruptions of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Corruption {
    /// Strength of the noise.
    pub sigma: f64,
    /// Size of the rectangle that is cut out: a fraction of width and height.
    pub size: f64,
    /// Its centre: fractions of width and height.
    pub center: [f64; 2],
}

/// Pictures with noise of the same shape, and a rectangle set to zero.
///
/// # Panics
/// When the shapes differ or there is not one corruption per picture.
#[track_caller]
pub fn corrupt(x: &Tensor, noise: &Tensor, drawn: &[Corruption]) -> Tensor {
    let [n, _, h, w] = [0, 1, 2, 3].map(|k| x.size(k));
    let fits = drawn.len() == n && noise.shape() == x.shape();
    assert!(fits, "corrupt: {} drawn, {:?}, noise {:?}", drawn.len(), x.shape(), noise.shape());
    let covered = |k: usize, size: usize| -> Vec<f32> {
        let inside = |d: &Corruption, i: usize| {
            ((i as f64 + 0.5) / size as f64 - d.center[k]).abs() < d.size / 2.0
        };
        drawn.iter().flat_map(|d| (0..size).map(move |i| f32::from(inside(d, i)))).collect()
    };
    let columns = Tensor::from_slice(&covered(0, w), [n, 1, 1, w], x.device());
    let rows = Tensor::from_slice(&covered(1, h), [n, 1, h, 1], x.device());
    let sigmas: Vec<f32> = drawn.iter().map(|d| d.sigma as f32).collect();
    let sigma = Tensor::from_slice(&sigmas, [n, 1, 1, 1], x.device());
    let [x_k, noise_k, sigma_k, column, row] = Expr::inputs();
    let value = (x_k + noise_k * sigma_k) * (1.0 - column * row);
    pointwise(&[x, noise, &sigma, &columns, &rows], &value)
}
