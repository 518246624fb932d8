//! PNG files that say where they come from.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

use super::{LabelMap, Rgb};
use crate::files::write_atomically;
use crate::{Error, Result};

/// Longest text of a chunk that is read.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Writes `image` with `text` (keyword, value) in its text chunks: tEXt, or iTXt for a value that
/// is not ASCII.
///
/// The file appears complete or not at all: it is written beside its place, synced and renamed.
///
/// # Panics
/// If `image.pixels` does not have `height * width * 3` bytes.
pub fn save_png(path: impl AsRef<Path>, image: &Rgb, text: &[(&str, &str)]) -> Result<()> {
    let path = path.as_ref();
    assert_eq!(image.pixels.len(), image.height * image.width * 3, "pixels of an RGB picture");
    let Rgb { width, height, pixels } = image;
    save(path, [*width, *height], png::ColorType::Rgb, pixels, text)
}

/// Writes classes as the grey values of a picture, as [`save_png`] does.
///
/// # Errors
/// When it cannot be written.
///
/// # Panics
/// If there is not one class per pixel.
pub fn save_labels_png(path: &Path, map: &LabelMap, text: &[(&str, &str)]) -> Result<()> {
    let LabelMap { width, height, classes } = map;
    assert_eq!(classes.len(), height * width, "classes of pixels");
    save(path, [*width, *height], png::ColorType::Grayscale, classes, text)
}

fn save(
    path: &Path,
    size: [usize; 2],
    color: png::ColorType,
    pixels: &[u8],
    text: &[(&str, &str)],
) -> Result<()> {
    let bytes = encode(size, color, pixels, text).map_err(io::Error::from);
    write_atomically(path, &bytes.map_err(Error::io("encode", path))?)
}

fn encode(
    [width, height]: [usize; 2],
    color: png::ColorType,
    pixels: &[u8],
    text: &[(&str, &str)],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(color);
    for &(keyword, value) in text {
        if value.is_ascii() {
            encoder.add_text_chunk(keyword.into(), value.into())?;
        } else {
            encoder.add_itxt_chunk(keyword.into(), value.into())?;
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// The keywords and values in the text chunks of a PNG file: tEXt first, then iTXt.
pub fn read_text(path: impl AsRef<Path>) -> Result<Vec<(String, String)>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(Error::io("open", path))?;
    decode_text(BufReader::new(file)).map_err(io::Error::from).map_err(Error::io("read", path))
}

/// The same from a file's bytes.
pub(crate) fn decode_text(
    file: impl BufRead + Seek,
) -> Result<Vec<(String, String)>, png::DecodingError> {
    let mut reader = png::Decoder::new(file).read_info()?;
    reader.finish()?; // chunks may stand behind the pixels
    let info = reader.info();
    let mut text = Vec::new();
    for chunk in &info.uncompressed_latin1_text {
        text.push((chunk.keyword.clone(), chunk.text.clone()));
    }
    for chunk in &info.utf8_text {
        // Compressed, a short chunk may stand for any length.
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(MAX_TEXT_BYTES)?;
        text.push((chunk.keyword.clone(), chunk.get_text()?));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn picture() -> Rgb {
        Rgb { width: 3, height: 2, pixels: (0..18).collect() }
    }

    #[test]
    fn pixels_and_text_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seed0085.png");
        let text = [("seed", "85"), ("network", "Kätzchen 猫.safetensors"), ("psi", "0.7")];
        save_png(&path, &picture(), &text).unwrap();

        let decoded = image::open(&path).unwrap();
        assert_eq!(decoded.as_bytes(), picture().pixels);
        let read = read_text(&path).unwrap();
        let read: Vec<_> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(read, [text[0], text[2], text[1]]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn an_older_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fakes.png");
        fs::write(&path, "old").unwrap();
        save_png(&path, &picture(), &[]).unwrap();
        assert!(image::open(&path).is_ok());
    }

    #[test]
    fn failures_name_the_path_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/folder.png");
        let error = save_png(&missing, &picture(), &[]).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("folder.png"), "{error}");

        let taken = dir.path().join("taken.png");
        fs::create_dir(&taken).unwrap();
        assert!(matches!(save_png(&taken, &picture(), &[]), Err(Error::Io { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the temporary file is gone");

        let error = save_png(dir.path().join("a.png"), &picture(), &[("", "x")]).unwrap_err();
        assert!(error.to_string().contains("cannot encode"), "{error}");
    }
}
