//! Brightness, contrast, hue and saturation: one affine map of the colours per picture.

use super::{Matrix, diagonal, product};
use crate::tensor::Tensor;

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
