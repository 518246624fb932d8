//! From pictures of any size to pictures of one.

use image::{ImageBuffer, Pixel};

use super::super::picture::crop;
use super::super::resample::{Filter, resize};
use crate::{Error, Result};

/// How a picture of any shape becomes one of the shape that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The centre square, resized.
    CenterCrop,
    /// The largest part from the middle in the proportions of the resolution, resized, with black
    /// rows above and below that make it square. Smaller pictures are left out.
    CenterCropWide,
    /// The whole picture, resized in its proportions, with black rows or columns around it.
    Pad,
}

/// What is done to every picture of a set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    transform: Option<Transform>,
    resolution: Option<(u32, u32)>,
}

/// Longest side of the pictures that are made.
const MAX_SIDE: u32 = 8192;

impl Geometry {
    /// # Errors
    /// When the two do not go together, or the result would not be square.
    pub(super) fn new(
        transform: Option<Transform>,
        resolution: Option<(u32, u32)>,
    ) -> Result<Self> {
        let refuse = |reason: String| Err(Error::config("--resolution", reason));
        let Some((width, height)) = resolution else {
            return match transform {
                None => Ok(Self { transform, resolution }),
                Some(_) => {
                    refuse("--transform needs it: give WIDTHxHEIGHT, such as 256x256".into())
                }
            };
        };
        if width.min(height) == 0 || width.max(height) > MAX_SIDE {
            return refuse(format!("{width}x{height} pixels; give 1x1 to {MAX_SIDE}x{MAX_SIDE}"));
        }
        match transform {
            Some(Transform::CenterCropWide) if height > width => refuse(format!(
                "{width}x{height} is taller than wide; center-crop-wide needs a width of at least \
                 the height"
            )),
            None | Some(Transform::CenterCrop | Transform::Pad) if width != height => {
                refuse(format!(
                    "{width}x{height} is not square, as trainers need it; give {width}x{width}, or \
                 --transform center-crop-wide for black rows above and below"
                ))
            }
            _ => Ok(Self { transform, resolution }),
        }
    }

    /// Makes a picture or a label map what it becomes.
    pub(super) fn apply<P: Pixel<Subpixel = u8> + 'static>(
        self,
        picture: ImageBuffer<P, Vec<u8>>,
        filter: Filter,
    ) -> ImageBuffer<P, Vec<u8>> {
        let Some((width, height)) = self.resolution else { return picture };
        let (w, h) = picture.dimensions();
        let resized = |picture: &_, size| resize(picture, size, filter);
        match self.transform {
            None if (w, h) == (width, height) => picture,
            None => resized(&picture, (width, height)),
            Some(Transform::CenterCrop) => {
                let side = w.min(h);
                resized(&crop(&picture, (side, side)), (width, height))
            }
            Some(Transform::CenterCropWide) => {
                let part = crop(&picture, proportional((w, h), (width, height)));
                centred(&resized(&part, (width, height)), (width, width))
            }
            Some(Transform::Pad) => {
                let (to, from) = ((width, height), (w, h));
                let size = match u64::from(w) * u64::from(height) >= u64::from(h) * u64::from(width)
                {
                    true => (to.0, rounded(from.1, to.0, from.0)),
                    false => (rounded(from.0, to.1, from.1), to.1),
                };
                centred(&resized(&picture, size), to)
            }
        }
    }

    /// Why a picture of this size is left out.
    pub(super) fn refusal(self, (w, h): (u32, u32)) -> Option<String> {
        let (Some(Transform::CenterCropWide), Some((width, height))) =
            (self.transform, self.resolution)
        else {
            return None;
        };
        let (part_width, part_height) = proportional((w, h), (width, height));
        (part_width < width || part_height < height).then(|| {
            format!("{w}x{h} is too small for {width}x{height}; give a smaller --resolution")
        })
    }
}

/// The largest size of the proportions of `shape` that fits.
fn proportional((w, h): (u32, u32), shape: (u32, u32)) -> (u32, u32) {
    match u64::from(w) * u64::from(shape.1) >= u64::from(h) * u64::from(shape.0) {
        true => (rounded(h, shape.0, shape.1).min(w), h),
        false => (w, rounded(w, shape.1, shape.0).min(h)),
    }
}

/// a b / c, at least 1.
fn rounded(a: u32, b: u32, c: u32) -> u32 {
    let (a, b, c) = (u64::from(a), u64::from(b), u64::from(c));
    ((a * b + c / 2) / c).max(1) as u32
}

/// The picture in the middle of a black one; label 0 is the background.
fn centred<P: Pixel<Subpixel = u8> + 'static>(
    picture: &ImageBuffer<P, Vec<u8>>,
    (width, height): (u32, u32),
) -> ImageBuffer<P, Vec<u8>> {
    let mut canvas = ImageBuffer::new(width, height);
    let (x, y) = ((width - picture.width()) / 2, (height - picture.height()) / 2);
    image::imageops::replace(&mut canvas, picture, x.into(), y.into());
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    /// Columns 10, 20, 30 ...; every row is the same but for the units, which count rows.
    fn picture(width: u32, height: u32) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| Luma([(10 * (x + 1) + y) as u8]))
    }

    fn made(transform: Transform, size: (u32, u32), picture: GrayImage) -> Vec<u8> {
        let geometry = Geometry::new(Some(transform), Some(size)).unwrap();
        geometry.apply(picture, Filter::Box).into_raw()
    }

    #[test]
    fn transforms_take_the_middle() {
        let wide = || picture(4, 2);
        assert_eq!(made(Transform::CenterCrop, (2, 2), wide()), [20, 30, 21, 31]);
        let padded = [0, 0, 0, 0, 10, 20, 30, 40, 11, 21, 31, 41, 0, 0, 0, 0];
        assert_eq!(made(Transform::Pad, (4, 4), wide()), padded);
        assert_eq!(made(Transform::CenterCropWide, (4, 2), wide()), padded);
        // Three rows of four columns: the middle two are in the proportions 4 to 2.
        let cropped = [0, 0, 0, 0, 10, 20, 30, 40, 11, 21, 31, 41, 0, 0, 0, 0];
        assert_eq!(made(Transform::CenterCropWide, (4, 2), picture(4, 3)), cropped);
        assert_eq!(made(Transform::Pad, (2, 2), picture(1, 2)), [10, 0, 11, 0]);
    }

    #[test]
    fn what_is_too_small_for_a_wide_crop_is_left_out() {
        let wide = Geometry::new(Some(Transform::CenterCropWide), Some((4, 2))).unwrap();
        assert_eq!(wide.refusal((4, 2)), None);
        assert!(wide.refusal((3, 2)).unwrap().contains("3x2 is too small for 4x2"));
        let square = Geometry::new(Some(Transform::CenterCrop), Some((4, 4))).unwrap();
        assert_eq!(square.refusal((1, 1)), None);
    }

    #[test]
    fn shapes_that_make_no_sense_are_refused() {
        for (transform, size) in [
            (Some(Transform::CenterCrop), None),
            (Some(Transform::CenterCrop), Some((4, 2))),
            (Some(Transform::Pad), Some((0, 0))),
            (Some(Transform::CenterCropWide), Some((2, 4))),
            (None, Some((1, 9000))),
        ] {
            let error = Geometry::new(transform, size).unwrap_err().to_string();
            assert!(error.starts_with("--resolution: "), "{error}");
        }
    }
}
