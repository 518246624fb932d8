//! Maps of numbers as pictures: resized, coloured from dark to bright, laid over a picture.

use super::Rgb;
use crate::device::Device;
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

/// Colours of 0, 0.2, .. 1: what is brighter is more, in grey too.
const HEAT: [[f32; 3]; 6] = [
    [8.0, 6.0, 30.0],
    [72.0, 34.0, 112.0],
    [168.0, 66.0, 118.0],
    [232.0, 112.0, 88.0],
    [252.0, 174.0, 90.0],
    [253.0, 246.0, 190.0],
];
/// Part of the colour, against the grey picture below.
const OPACITY: f32 = 0.7;

/// Numbers over a square, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Side of the square.
    pub size: usize,
    /// `[size, size]`.
    pub values: Vec<f32>,
}

impl Plane {
    /// From the numbers of a square.
    ///
    /// # Panics
    /// When there are not as many as a square has.
    #[track_caller]
    pub fn new(values: Vec<f32>) -> Self {
        let size = values.len().isqrt();
        assert_eq!(values.len(), size * size, "a plane is a square");
        Self { size, values }
    }

    /// Bilinear, between centres of pixels. PyTorch: `F.interpolate` without `align_corners`.
    #[must_use]
    pub fn resized(&self, size: usize) -> Self {
        let x = Tensor::from_slice(&self.values, [1, 1, self.size, self.size], &Device::cpu());
        let y = x.resize([size, size], Resize::HalfPixel);
        Self { size, values: y.to_vec().expect("nothing on the CPU can be lost") }
    }

    /// Least and largest value.
    pub fn range(&self) -> (f32, f32) {
        let wider = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
        self.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), wider)
    }

    /// Mean value.
    pub fn mean(&self) -> f64 {
        self.values.iter().map(|&v| f64::from(v)).sum::<f64>() / self.values.len() as f64
    }

    /// Where values are above their mean.
    pub fn above_mean(&self) -> Vec<bool> {
        let mean = self.mean();
        self.values.iter().map(|&v| f64::from(v) > mean).collect()
    }

    /// 0 at `low` and below, 1 at `high` and above; 0 everywhere where there is nothing between.
    #[must_use]
    pub fn scaled(&self, (low, high): (f32, f32)) -> Self {
        let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
        let values = self.values.iter().map(|v| ((v - low) * scale).clamp(0.0, 1.0));
        Self { size: self.size, values: values.collect() }
    }

    /// Colours of values from 0 to 1.
    pub fn colored(&self) -> Rgb {
        let pixels = self.values.iter().flat_map(|&v| heat(v).map(|c| c.round() as u8)).collect();
        Rgb { width: self.size, height: self.size, pixels }
    }

    /// Colours of values from 0 to 1 over a grey version of a picture.
    ///
    /// # Panics
    /// When the sizes differ.
    #[track_caller]
    pub fn over(&self, picture: &Rgb) -> Rgb {
        assert_eq!((picture.width, picture.height), (self.size, self.size), "a map over a picture");
        let blend = |(&v, pixel): (&f32, &[u8])| {
            let grey = (1.0 - OPACITY) * luma(pixel);
            heat(v).map(|c| (grey + OPACITY * c).round() as u8)
        };
        let pixels = self.values.iter().zip(picture.pixels.chunks_exact(3)).flat_map(blend);
        Rgb { width: self.size, height: self.size, pixels: pixels.collect() }
    }
}

/// The colour of a value from 0 to 1.
fn heat(value: f32) -> [f32; 3] {
    let at = value.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let before = (at as usize).min(HEAT.len() - 2);
    let t = at - before as f32;
    std::array::from_fn(|c| HEAT[before][c] + t * (HEAT[before + 1][c] - HEAT[before][c]))
}

/// Brightness of an RGB pixel, 0 to 255.
fn luma(pixel: &[u8]) -> f32 {
    0.2126 * f32::from(pixel[0]) + 0.7152 * f32::from(pixel[1]) + 0.0722 * f32::from(pixel[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_goes_between_centres_and_holds_the_border() {
        let row = Plane::new(vec![0.0, 4.0, 0.0, 4.0]).resized(4);
        assert_eq!(row.values[..4], [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(row.values[12..], [0.0, 1.0, 3.0, 4.0]);
        let column = Plane::new(vec![0.0, 0.0, 4.0, 4.0]).resized(4);
        assert_eq!([0, 4, 8, 12].map(|k| column.values[k]), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(row.resized(4), row);
    }

    #[test]
    fn brighter_is_more() {
        let ramp = Plane::new((0..256).map(|k| k as f32 / 255.0).collect()).colored();
        let lumas: Vec<f32> = ramp.pixels.chunks(3).map(luma).collect();
        assert!(lumas.windows(2).all(|pair| pair[1] >= pair[0]) && lumas[0] < 20.0);
        assert!(lumas[255] > 235.0);
    }

    #[test]
    fn scaling_clamps_and_survives_a_flat_plane() {
        let plane = Plane::new(vec![-1.0, 0.0, 1.0, 3.0]);
        assert_eq!(plane.range(), (-1.0, 3.0));
        assert_eq!(plane.scaled((0.0, 2.0)).values, [0.0, 0.0, 0.5, 1.0]);
        assert_eq!(plane.scaled((1.0, 1.0)).values, [0.0; 4]);
    }

    #[test]
    fn a_map_over_a_picture_shows_both() {
        let dark = Rgb { width: 1, height: 1, pixels: vec![0; 3] };
        let light = Rgb { width: 1, height: 1, pixels: vec![255; 3] };
        let over = |v, picture| Plane::new(vec![v]).over(picture).pixels;
        assert_ne!(over(1.0, &dark), over(1.0, &light));
        assert_ne!(over(1.0, &dark), over(0.0, &dark));
    }
}
