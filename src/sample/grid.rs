//! 8-bit pictures and grids of them.

use crate::Result;
use crate::data::Dataset;

/// A picture with 8 bits per channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

impl Rgb {
    /// Picture `index` of a set, as a network sees it.
    ///
    /// # Errors
    /// When it cannot be read any more.
    ///
    /// # Panics
    /// If `index` is not below the number of pictures.
    pub fn from_dataset(dataset: &Dataset, index: usize) -> Result<Self> {
        let res = dataset.res();
        let mut planes = vec![0.0; 3 * res * res];
        dataset.write(index, false, &mut planes)?;
        Ok(Self::from_planes(&planes, res, res))
    }

    /// From the `[3, height, width]` of a network: round(127.5 x + 127.5), clamped to 0..=255.
    /// NaN becomes 0.
    ///
    /// # Panics
    /// If `planes` has another length.
    #[track_caller]
    pub fn from_planes(planes: &[f32], width: usize, height: usize) -> Self {
        let n = width * height;
        assert_eq!(planes.len(), 3 * n, "a picture is [3, {height}, {width}]");
        let pixels = (0..3 * n)
            .map(|i| planes[i % 3 * n + i / 3])
            .map(|x| (x * 127.5 + 127.5).round() as u8) // `as` clamps
            .collect();
        Self { width, height, pixels }
    }
}

/// Arranges pictures of one size row by row, without gaps. Cells without a picture are black.
///
/// # Panics
/// If there is no picture, there are more than cells, or their sizes differ.
#[track_caller]
pub fn grid(images: &[Rgb], columns: usize, rows: usize) -> Rgb {
    let n = images.len();
    assert!(0 < n && n <= columns * rows, "grid: {n} pictures for {columns}x{rows} cells");
    let (w, h) = (images[0].width, images[0].height);
    let (width, height) = (columns * w, rows * h);
    let mut pixels = vec![0; width * height * 3];
    for (i, image) in images.iter().enumerate() {
        assert_eq!((image.width, image.height), (w, h), "grid: sizes of pictures 0 and {i}");
        let (left, top) = (i % columns * w, i / columns * h);
        for (y, row) in image.pixels.chunks_exact(w * 3).enumerate() {
            let start = ((top + y) * width + left) * 3;
            pixels[start..start + w * 3].copy_from_slice(row);
        }
    }
    Rgb { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_rounded_clamped_and_interleaved() {
        let planes = [-1.0, 1.0, 0.0, 7.0, f32::NAN, f32::NEG_INFINITY]; // [3, 1, 2]
        assert_eq!(Rgb::from_planes(&planes, 2, 1).pixels, [0, 128, 0, 255, 255, 0]);
    }

    #[test]
    fn every_byte_survives_the_way_through_a_network_range() {
        let planes: Vec<f32> = (0..=255).map(|b| b as f32 / 127.5 - 1.0).collect();
        let planes = planes.repeat(3);
        let bytes = Rgb::from_planes(&planes, 256, 1).pixels;
        assert!(bytes.chunks(3).enumerate().all(|(b, p)| p == [b as u8; 3]));
    }

    #[test]
    fn grid_goes_row_by_row_and_leaves_the_rest_black() {
        let cell = |v| Rgb { width: 2, height: 1, pixels: vec![v; 6] };
        let whole = grid(&[cell(1), cell(2), cell(3)], 2, 2);
        assert_eq!((whole.width, whole.height), (4, 2));
        let firsts: Vec<u8> = whole.pixels.chunks(6).map(|p| p[0]).collect();
        assert_eq!(firsts, [1, 2, 3, 0]);
    }

    #[test]
    #[should_panic(expected = "grid: 3 pictures for 1x2 cells")]
    fn grid_refuses_more_pictures_than_cells() {
        let cell = Rgb { width: 1, height: 1, pixels: vec![0; 3] };
        grid(&[cell.clone(), cell.clone(), cell], 1, 2);
    }
}
