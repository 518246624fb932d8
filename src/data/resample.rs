//! Resizing as Pillow does it, bit for bit: pictures that other tools prepared and ours are the same
//! bytes.
//!
//! Rows first, then columns, with 8 bits between. Every pixel of the result is a weighted sum of the
//! pixels within the filter's support, which grows with the ratio when the picture shrinks. Weights
//! are normalised in f64 and then rounded to 22 bits behind the point, so sums are exact integers.
//! Labels take the nearest pixel instead.
//!
//! Reference: `Resample.c` and `Geometry.c` of Pillow up to 12. Pillow 13 takes columns first where
//! that is less work, which changes bytes unless both ratios are equal.

use std::f64::consts::PI;

use image::{ImageBuffer, Pixel};

/// Bits behind the point of a weight: 8 are the pixel's, 2 are for overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Which pixels a new pixel is made of, and in which shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// The mean of the pixels that it covers.
    Box,
    /// A sine cardinal over three pixels to each side: sharp, and the one that the field uses.
    #[default]
    Lanczos,
    /// The pixel at its centre: for labels.
    Nearest,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Lanczos => 3.0,
            Self::Nearest => 0.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        match self {
            Self::Box if x > -0.5 && x <= 0.5 => 1.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// Resizes a picture.
///
/// # Panics
/// If a side is 0.
pub(super) fn resize<P: Pixel<Subpixel = u8>>(
    picture: &ImageBuffer<P, Vec<u8>>,
    (width, height): (u32, u32),
    filter: Filter,
) -> ImageBuffer<P, Vec<u8>> {
    let (from_width, from_height) = picture.dimensions();
    assert!(width.min(height).min(from_width).min(from_height) > 0, "a picture without pixels");
    let [w, h, ow, oh] = [from_width, from_height, width, height].map(|side| side as usize);
    let channels = usize::from(P::CHANNEL_COUNT);
    let pixels = picture.as_raw();
    let resized = match (filter, channels) {
        (Filter::Nearest, _) => nearest(pixels, (w, h), (ow, oh), channels),
        (_, 1) => filtered::<1>(pixels, (w, h), (ow, oh), filter),
        (_, 3) => filtered::<3>(pixels, (w, h), (ow, oh), filter),
        (_, n) => unreachable!("pictures have 1 or 3 channels, not {n}"),
    };
    ImageBuffer::from_raw(width, height, resized).expect("a buffer of the picture's size")
}

fn filtered<const C: usize>(
    pixels: &[u8],
    (w, h): (usize, usize),
    (ow, oh): (usize, usize),
    filter: Filter,
) -> Vec<u8> {
    let row_len = w * C;
    let narrow = match ow == w {
        true => pixels[..h * row_len].to_vec(),
        false => {
            let sums = Sums::new(w, ow, filter);
            let mut narrow = vec![0; ow * h * C];
            let rows = narrow.chunks_exact_mut(ow * C).zip(pixels.chunks_exact(row_len));
            rows.for_each(|(to, from)| along_row::<C>(&sums, from, to));
            narrow
        }
    };
    if oh == h {
        return narrow;
    }
    across_rows(&Sums::new(h, oh, filter), &narrow, ow * C)
}

/// For each new pixel, where the pixels begin that it is made of, and their weights.
struct Sums {
    first: Vec<usize>,
    weights: Vec<Vec<i32>>,
}

impl Sums {
    fn new(from: usize, to: usize, filter: Filter) -> Self {
        let scale = from as f64 / to as f64;
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let mut sums = Self { first: Vec::with_capacity(to), weights: Vec::with_capacity(to) };
        for index in 0..to {
            let center = (index as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let at = |x: usize| (x as f64 - center + 0.5) * (1.0 / filter_scale);
            let weights: Vec<f64> = (first..end).map(|x| filter.weight(at(x))).collect();
            let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
            let normal = if sum == 0.0 { 1.0 } else { sum };
            sums.first.push(first);
            sums.weights.push(weights.iter().map(|weight| fixed(weight / normal)).collect());
        }
        sums
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.first.iter().copied().zip(self.weights.iter().map(Vec::as_slice))
    }
}

/// A weight as an integer, halves away from 0.
fn fixed(weight: f64) -> i32 {
    (weight * f64::from(1 << PRECISION_BITS) + f64::copysign(0.5, weight)) as i32
}

/// Half of the last bit that stays, so that shifting rounds.
const ROUND: i32 = 1 << (PRECISION_BITS - 1);

fn clipped(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

fn along_row<const C: usize>(sums: &Sums, from: &[u8], to: &mut [u8]) {
    for (pixel, (first, weights)) in to.chunks_exact_mut(C).zip(sums.iter()) {
        let mut sum = [ROUND; C];
        for (source, weight) in from[first * C..].chunks_exact(C).zip(weights) {
            for (sum, &value) in sum.iter_mut().zip(source) {
                *sum += i32::from(value) * weight;
            }
        }
        pixel.iter_mut().zip(sum).for_each(|(value, sum)| *value = clipped(sum));
    }
}

fn across_rows(sums: &Sums, from: &[u8], row_len: usize) -> Vec<u8> {
    let mut to = vec![0; sums.first.len() * row_len];
    let mut sum = vec![0; row_len];
    for (row, (first, weights)) in to.chunks_exact_mut(row_len).zip(sums.iter()) {
        sum.fill(ROUND);
        for (source, weight) in from[first * row_len..].chunks_exact(row_len).zip(weights) {
            for (sum, &value) in sum.iter_mut().zip(source) {
                *sum += i32::from(value) * weight;
            }
        }
        row.iter_mut().zip(&sum).for_each(|(value, &sum)| *value = clipped(sum));
    }
    to
}

fn nearest(
    pixels: &[u8],
    (w, h): (usize, usize),
    (ow, oh): (usize, usize),
    channels: usize,
) -> Vec<u8> {
    let columns = centers(w, ow);
    let mut to = Vec::with_capacity(ow * oh * channels);
    for y in centers(h, oh) {
        let row = &pixels[y * w * channels..][..w * channels];
        columns.iter().for_each(|x| to.extend_from_slice(&row[x * channels..][..channels]));
    }
    to
}

/// The pixel at the centre of each new one. Steps are added up, as Pillow does, and not multiplied:
/// the last bit of the sum can decide between two pixels.
fn centers(from: usize, to: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut at = step * 0.5;
    let mut next = || {
        let pixel = (at as usize).min(from - 1);
        at += step;
        pixel
    };
    (0..to).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};
    use safetensors::SafeTensors;

    #[test]
    fn every_byte_is_pillows() {
        let stored = include_bytes!("../../tests/data/pillow_resize.safetensors");
        let cases = SafeTensors::deserialize(stored).unwrap();
        let mut compared = 0;
        for (name, wanted) in cases.iter().filter(|(name, _)| !name.starts_with("in.")) {
            let (filter, case) = name.split_once('.').unwrap();
            let filter = match filter {
                "box" => Filter::Box,
                "lanczos" => Filter::Lanczos,
                _ => Filter::Nearest,
            };
            let source = cases.tensor(&format!("in.{case}")).unwrap();
            let [h, w, channels] = *source.shape() else { panic!("{name} has another rank") };
            let to = (wanted.shape()[1] as u32, wanted.shape()[0] as u32);
            let (w, h, pixels) = (w as u32, h as u32, source.data().to_vec());
            let resized = if channels == 1 {
                let grey = ImageBuffer::<Luma<u8>, _>::from_raw(w, h, pixels).unwrap();
                resize(&grey, to, filter).into_raw()
            } else {
                let rgb = ImageBuffer::<Rgb<u8>, _>::from_raw(w, h, pixels).unwrap();
                resize(&rgb, to, filter).into_raw()
            };
            let differing = resized.iter().zip(wanted.data()).filter(|(a, b)| a != b).count();
            assert!(resized.len() == wanted.data().len() && differing == 0, "{name}: {differing}");
            compared += 1;
        }
        assert_eq!(compared, 84);
    }
}
