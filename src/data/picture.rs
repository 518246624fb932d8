//! The bytes of one picture file as square 8-bit RGB. One rule per kind of file:
//!
//! - grey and palette pictures become RGB; 16-bit channels are rounded to 8;
//! - transparency is blended over white;
//! - a rotation in the EXIF block is applied; colour profiles are ignored;
//! - CMYK JPEGs are converted without a profile;
//! - an animation gives its first frame;
//! - other sizes than `res` x `res` are cropped to the centre square, then resized with Lanczos;
//! - a file that ends early is refused, even where a decoder would fill the rest with grey.

use std::io::Cursor;
use std::path::Path;

use image::imageops;
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageBuffer, ImageDecoder, ImageFormat,
    ImageReader, Pixel, RgbImage,
};

use super::resample::{self, Filter};
use crate::{Error, Result};

/// Longest side that is decoded: a header of 20 bytes must not be able to fill the memory.
const MAX_SIDE: u32 = 16_384;
/// Most bytes that one decoded picture may take before it is cropped; the limit of `image` too.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// A picture ready for training.
pub(super) struct Decoded {
    /// `[res, res, 3]`.
    pub(super) rgb: Vec<u8>,
    /// Width and height in the file.
    pub(super) size: (u32, u32),
}

/// One picture file as training sees it: `[3, res, res]` from -1 to 1.
///
/// # Errors
/// When it cannot be read or is no picture.
pub fn load_picture(path: &Path, res: usize) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let name = path.to_string_lossy();
    let decoded = decode(&name, &bytes, res as u32).map_err(|e| Error::dataset(path, e))?;
    let pixels = decoded.rgb.chunks_exact(3);
    let plane = |c: usize| pixels.clone().map(move |p| f32::from(p[c]) / 127.5 - 1.0);
    Ok((0..3).flat_map(plane).collect())
}

/// Width and height by the header alone, which must be within the limits of [`decode`].
pub(super) fn size(name: &str, bytes: &[u8]) -> Result<(u32, u32), String> {
    decoder(name, bytes).map(|d| d.dimensions())
}

/// Decodes, crops and resizes to `res` x `res`; the error says in words what is wrong.
pub(super) fn decode(name: &str, bytes: &[u8], res: u32) -> Result<Decoded, String> {
    let whole = decode_whole(name, bytes)?;
    let size = whole.size;
    Ok(Decoded { rgb: square(whole.rgb, res, Filter::Lanczos).into_raw(), size })
}

/// A picture as it is in its file.
pub(super) struct Whole {
    pub(super) rgb: RgbImage,
    /// Width and height in the file, before a rotation.
    pub(super) size: (u32, u32),
    /// Channels in the file.
    pub(super) kind: ExtendedColorType,
}

/// Decodes without any change of size.
pub(super) fn decode_whole(name: &str, bytes: &[u8]) -> Result<Whole, String> {
    let mut decoder = decoder(name, bytes)?;
    let (size, kind) = (decoder.dimensions(), decoder.original_color_type());
    let orientation = decoder.orientation().map_err(|e| e.to_string())?;
    if bytes.starts_with(JPEG_START) && !jpeg_is_complete(bytes) {
        return Err("the JPEG data end early: the file is cut short".into());
    }
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
    picture.apply_orientation(orientation);
    Ok(Whole { rgb: opaque(picture), size, kind })
}

/// Decodes a label map. Only 8-bit grey keeps the labels as they are.
pub(super) fn decode_labels(name: &str, bytes: &[u8]) -> Result<GrayImage, String> {
    let decoder = decoder(name, bytes)?;
    if decoder.original_color_type() != ExtendedColorType::L8 {
        return Err("is no label map; they are 8-bit grey with the index of the class".into());
    }
    Ok(DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?.into_luma8())
}

/// Decodes a mask of any kind as grey.
pub(super) fn decode_mask(name: &str, bytes: &[u8]) -> Result<GrayImage, String> {
    let decoder = decoder(name, bytes)?;
    Ok(DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?.into_luma8())
}

/// A decoder chosen by the content, or by the name for formats without a signature.
fn decoder(name: &str, bytes: &[u8]) -> Result<impl ImageDecoder, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let mut reader = ImageReader::new(Cursor::new(bytes));
    if let Ok(format) = ImageFormat::from_path(name) {
        reader.set_format(format);
    }
    let decoder = reader
        .with_guessed_format()
        .map_err(|e| e.to_string())?
        .into_decoder()
        .map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(format!(
            "{width}x{height} is too large; at most {MAX_SIDE} pixels a side and 512 MiB decoded"
        ));
    }
    Ok(decoder)
}

/// Converts to 8-bit RGB; transparent pixels show a white page.
fn opaque(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0.map(u32::from);
        image::Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8))
    })
}

/// The centre square, resized to `res` x `res`.
pub(super) fn square<P: Pixel<Subpixel = u8> + 'static>(
    picture: ImageBuffer<P, Vec<u8>>,
    res: u32,
    filter: Filter,
) -> ImageBuffer<P, Vec<u8>> {
    if picture.dimensions() == (res, res) {
        return picture;
    }
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    let square = if width == height { picture } else { crop(&picture, (side, side)) };
    resample::resize(&square, (res, res), filter)
}

/// The middle of a picture.
pub(super) fn crop<P: Pixel<Subpixel = u8> + 'static>(
    picture: &ImageBuffer<P, Vec<u8>>,
    (width, height): (u32, u32),
) -> ImageBuffer<P, Vec<u8>> {
    let (x, y) = ((picture.width() - width) / 2, (picture.height() - height) / 2);
    imageops::crop_imm(picture, x, y, width, height).to_image()
}

const JPEG_START: &[u8] = &[0xff, 0xd8, 0xff];

/// Whether the segments of a JPEG file lead to its end marker. The decoder accepts files without
/// one and leaves the missing part grey. A search for the marker alone would find the one of an
/// embedded thumbnail; whatever follows the picture's own is allowed.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut at = 2;
    while let (Some(&first), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
        at += match (first, marker) {
            (0xff, END) => return true,
            // Fill byte: the next one may begin a marker.
            (0xff, 0xff) => 1,
            // An escaped 0xff and restart markers belong to the data, start and TEM stand alone.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            // Any other marker begins a segment that says its length.
            (0xff, _) => match bytes.get(at + 2..at + 4) {
                Some(length) => 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
            _ => 1,
        };
    }
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{
        GrayAlphaImage, GrayImage, ImageBuffer, ImageEncoder, Luma, LumaA, Rgb, RgbaImage,
    };

    pub(in crate::data) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        encoded(&picture.into(), ImageFormat::Png)
    }

    /// Neighbouring pixels differ, so that no format can make the file short.
    fn noise(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([x * 97 + y * 31, x * 13 + y * 59, x * 71 + y * 83].map(|v| v as u8))
        })
    }

    /// The first pixel of a picture that already has its resolution.
    fn first_pixel(bytes: &[u8]) -> [u8; 3] {
        let rgb = decode("a.png", bytes, 4).unwrap().rgb;
        [rgb[0], rgb[1], rgb[2]]
    }

    fn is_near(got: &[u8], want: [u8; 3]) -> bool {
        got.iter().zip(want).all(|(&g, w)| g.abs_diff(w) <= 4)
    }

    #[test]
    fn grey_becomes_rgb() {
        assert_eq!(first_pixel(&png(GrayImage::from_pixel(4, 4, Luma([77])))), [77; 3]);
    }

    #[test]
    fn transparency_shows_white() {
        let pixel = |alpha| png(RgbaImage::from_pixel(4, 4, image::Rgba([200, 100, 0, alpha])));
        assert_eq!(first_pixel(&pixel(255)), [200, 100, 0]);
        assert_eq!(first_pixel(&pixel(51)), [244, 224, 204]);
        assert_eq!(first_pixel(&pixel(0)), [255; 3]);
    }

    #[test]
    fn grey_with_alpha_has_a_rule() {
        // Two channels stopped earlier trainers: lucidrains/stylegan2-pytorch#30.
        let bytes = png(GrayAlphaImage::from_pixel(4, 4, LumaA([0, 51])));
        assert_eq!(first_pixel(&bytes), [204; 3]);
    }

    #[test]
    fn sixteen_bits_are_rounded() {
        let wide = ImageBuffer::from_pixel(4, 4, Luma([0x80_00_u16]));
        assert_eq!(first_pixel(&png(DynamicImage::ImageLuma16(wide))), [128; 3]);
    }

    #[test]
    fn palette_is_looked_up() {
        let mut bytes = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut bytes, 4, 4);
        encoder.set_color(::png::ColorType::Indexed);
        encoder.set_depth(::png::BitDepth::Two);
        encoder.set_palette(vec![0, 0, 0, 10, 20, 30]);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[0b0101_0101; 4]).unwrap();
        writer.finish().unwrap();
        assert_eq!(first_pixel(&bytes), [10, 20, 30]);
    }

    #[test]
    fn exif_rotation_is_applied() {
        const ROTATE_90: u8 = 6;
        let exif = [b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[ROTATE_90]];
        let exif = [exif.concat(), vec![0; 6]].concat();
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
        encoder.set_exif_metadata(exif).unwrap();
        let left_is_white = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 255 } else { 0 }]));
        encoder.encode_image(&left_is_white).unwrap();

        let rgb = decode("a.jpg", &bytes, 16).unwrap().rgb;
        let row = |y: usize| &rgb[y * 16 * 3..][..16 * 3];
        assert!(row(0).chunks(3).all(|p| is_near(p, [255; 3])), "the left side went to the top");
        assert!(row(15).chunks(3).all(|p| is_near(p, [0; 3])));
    }

    #[test]
    fn cmyk_jpeg_is_converted() {
        // 8x8, red on the left and green on the right, written by Pillow with an Adobe block.
        let bytes = include_bytes!("../../tests/data/cmyk.jpg");
        let rgb = decode("a.jpg", bytes, 8).unwrap().rgb;
        assert!(is_near(&rgb[..3], [255, 0, 0]), "{:?}", &rgb[..3]);
        assert!(is_near(&rgb[7 * 3..8 * 3], [0, 255, 0]), "{:?}", &rgb[7 * 3..8 * 3]);
    }

    #[test]
    fn animation_gives_its_first_frame() {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for level in [255, 0] {
            let frame = RgbaImage::from_pixel(4, 4, image::Rgba([level, level, level, 255]));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
        drop(encoder);
        assert_eq!(first_pixel(&bytes), [255; 3]);
    }

    #[test]
    fn content_decides_and_not_the_extension() {
        let bytes = encoded(&noise(8, 8).into(), ImageFormat::Bmp);
        assert_eq!(decode("a.png", &bytes, 8).unwrap().rgb, noise(8, 8).into_raw());
    }

    #[test]
    fn other_sizes_lose_their_longer_sides() {
        // Only the centre square is grey; Lanczos of a constant is that constant.
        let wide =
            GrayImage::from_fn(32, 16, |x, _| Luma([if (8..24).contains(&x) { 9 } else { 0 }]));
        let tall = image::imageops::rotate90(&wide);
        for picture in [wide, tall] {
            let size = picture.dimensions();
            let decoded = decode("a.png", &png(picture), 8).unwrap();
            assert_eq!((decoded.size, decoded.rgb), (size, vec![9; 8 * 8 * 3]));
        }
    }

    #[test]
    fn files_that_end_early_are_refused() {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
        for format in [Bmp, Gif, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP] {
            let name = format!("a.{}", format.extensions_str()[0]);
            let bytes = encoded(&noise(64, 64).into(), format);
            assert!(decode(&name, &bytes, 64).is_ok(), "{format:?}");
            for kept in [0, 1, 10, bytes.len() / 2, bytes.len() * 9 / 10] {
                let result = decode(&name, &bytes[..kept], 64);
                assert!(result.is_err(), "{format:?} with {kept} of {} bytes", bytes.len());
            }
        }
        let bytes = encoded(&noise(64, 64).into(), Jpeg);
        let error = decode("a.jpg", &bytes[..bytes.len() - 2], 64).err().unwrap();
        assert!(error.contains("cut short"), "{error}");
    }

    #[test]
    fn jpeg_with_trailing_bytes_is_complete() {
        let mut bytes = encoded(&noise(16, 16).into(), ImageFormat::Jpeg);
        bytes.extend(b"appended by a camera");
        assert!(decode("a.jpg", &bytes, 16).is_ok());
    }

    #[test]
    fn end_of_a_thumbnail_does_not_complete_a_jpeg() {
        let bytes = encoded(&noise(64, 64).into(), ImageFormat::Jpeg);
        let thumbnail = [&[0xff, 0xed, 0, 6], b"\xff\xd9\xff\xd9".as_slice()].concat();
        let with = [&bytes[..2], &thumbnail, &bytes[2..]].concat();
        assert!(decode("a.jpg", &with, 64).is_ok());
        assert!(decode("a.jpg", &with[..with.len() / 2], 64).is_err());
    }

    #[test]
    fn huge_header_is_refused_before_memory_is_taken() {
        let mut bytes = encoded(&noise(4, 4).into(), ImageFormat::Bmp);
        for (width, height) in [(20_000_i32, 1_i32), (16_384, 16_384)] {
            bytes[18..22].copy_from_slice(&width.to_le_bytes());
            bytes[22..26].copy_from_slice(&height.to_le_bytes());
            let error = decode("a.bmp", &bytes, 4).err().unwrap();
            assert!(error.contains("is too large"), "{error}");
        }
    }
}
