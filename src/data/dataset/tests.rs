use super::*;
use crate::data::picture::tests::encoded;
use crate::data::source::tests::{archive, folder};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use zip::CompressionMethod::{Deflated, Stored};

const LAZY: usize = 0;

fn png(level: u8, side: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| Rgb([level, x as u8, y as u8]);
    let picture = DynamicImage::from(RgbImage::from_fn(side, side, pixel));
    encoded(&picture, ImageFormat::Png)
}

/// The red value of each picture: its level in [`png`].
fn levels(set: &Dataset) -> Vec<u8> {
    let mut out = vec![0.0; 3 * set.res() * set.res()];
    let level = |i| {
        set.write(i, false, &mut out).unwrap();
        ((out[0] + 1.0) * 127.5).round() as u8
    };
    (0..set.len()).map(level).collect()
}

#[test]
fn folders_and_archives_give_the_same_set() {
    let files = [
        ("b.png", png(2, 4)),
        ("a/z.PNG", png(1, 4)),
        ("c.png", png(3, 4)),
        (".hidden.png", png(9, 4)),
        ("__MACOSX/._b.png", b"resource fork".to_vec()),
        (".cache/x.png", png(9, 4)),
        ("dataset.json", b"{}".to_vec()),
        ("readme", b"text".to_vec()),
    ];
    let dir = folder(&files);
    let set = Dataset::open(dir.path(), 4).unwrap();
    assert_eq!(levels(&set), [1, 2, 3]);
    assert!(set.skipped().is_empty() && set.notes().is_empty());
    for method in [Stored, Deflated] {
        let packed = folder(&[("set.zip", archive(&files, method))]);
        let path = packed.path().join("set.zip");
        for limit in [MEMORY_LIMIT_BYTES, LAZY] {
            let same = Dataset::open_within(&path, 4, limit).unwrap();
            assert_eq!(levels(&same), [1, 2, 3]);
            assert_eq!(same.fingerprint(), set.fingerprint());
        }
    }
}

#[test]
fn fingerprint_follows_names_and_sizes() {
    let of =
        |files: &[(&str, Vec<u8>)]| Dataset::open(folder(files).path(), 4).unwrap().fingerprint();
    // An uncompressed format, whose size no encoder can change.
    let ppm = || [b"P6 4 4 255\n".as_slice(), &[0; 48]].concat();
    let original = of(&[("a.ppm", ppm())]);
    assert_eq!(original, "1-8180f07940cda068", "snapshots store it: it must never change");
    assert_ne!(original, of(&[("b.ppm", ppm())]));
    assert_ne!(original, of(&[("a.ppm", [ppm(), vec![0]].concat())]));
    assert_ne!(original, of(&[("a.ppm", ppm()), ("b.ppm", ppm())]));
}

#[test]
fn pictures_are_planes_from_minus_one_to_one() {
    let dir = folder(&[("a.png", png(255, 4))]);
    let set = Dataset::open(dir.path(), 4).unwrap();
    let (mut plain, mut mirrored) = ([0.0; 48], [0.0; 48]);
    set.write(0, false, &mut plain).unwrap();
    set.write(0, true, &mut mirrored).unwrap();
    let steps = [0.0, 1.0, 2.0, 3.0].map(|v: f32| v / 127.5 - 1.0);
    assert_eq!(plain[..16], [1.0; 16]);
    assert_eq!(plain[16..20], steps);
    assert_eq!(plain[32..48], steps.map(|v| [v; 4]).concat());
    assert_eq!(mirrored[16..20], [steps[3], steps[2], steps[1], steps[0]]);
}

#[test]
fn broken_pictures_are_named_and_skipped() {
    let whole = png(2, 64);
    let dir = folder(&[
        ("a.png", png(1, 4)),
        ("cut.png", whole[..whole.len() / 2].to_vec()),
        ("empty.jpg", Vec::new()),
        ("text.jpg", b"not a picture at all".to_vec()),
        ("z.png", png(3, 4)),
    ]);
    let set = Dataset::open(dir.path(), 4).unwrap();
    assert_eq!(levels(&set), [1, 3]);
    let names: Vec<_> = set.skipped().iter().map(|s| &s.name).collect();
    assert_eq!(names, ["cut.png", "empty.jpg", "text.jpg"]);
    assert_eq!(set.skipped()[1].reason, "the file is empty");
}

#[test]
fn a_set_of_broken_pictures_is_an_error() {
    let dir = folder(&[("a.png", b"text".to_vec()), ("b.png", Vec::new())]);
    let error = Dataset::open(dir.path(), 4).err().unwrap().to_string();
    assert!(error.contains("none of the 2 pictures can be used; the first, a.png: "), "{error}");
}

#[test]
fn a_large_set_replaces_a_picture_that_breaks_late() {
    let whole = png(2, 64);
    let dir = folder(&[
        ("a.png", png(1, 4)),
        ("cut.png", whole[..whole.len() / 2].to_vec()),
        ("empty.png", Vec::new()),
        ("z.png", png(3, 4)),
    ]);
    let set = Dataset::open_within(dir.path(), 4, LAZY).unwrap();
    assert_eq!(set.skipped().len(), 1, "an empty file has no header");
    for _ in 0..2 {
        assert_eq!(levels(&set), [1, 3, 3]);
    }
    let warnings = set.take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("cut.png is replaced by the next picture: "));
    assert!(set.take_warnings().is_empty());

    drop(dir);
    let error = set.write(0, false, &mut [0.0; 48]).unwrap_err().to_string();
    assert!(error.contains("no picture can be decoded any more"), "{error}");
}

#[test]
fn resized_pictures_are_noted_once() {
    let dir = folder(&[("a.png", png(1, 4)), ("b.png", png(2, 8)), ("c.png", png(3, 5))]);
    for limit in [MEMORY_LIMIT_BYTES, LAZY] {
        let set = Dataset::open_within(dir.path(), 4, limit).unwrap();
        assert_eq!(levels(&set), [1, 2, 3]);
        assert_eq!(set.notes(), ["2 of 3 pictures were centre-cropped and resized to 4x4"]);
    }
}

#[test]
fn damage_inside_an_archive_costs_one_picture() {
    let files = [("a.png", png(1, 4)), ("b.png", png(2, 4))];
    let mut bytes = archive(&files, Stored);
    let at = bytes.windows(4).position(|w| w == b"IDAT").unwrap();
    bytes[at + 8] ^= 0x55;
    let dir = folder(&[("set.zip", bytes)]);
    let set = Dataset::open(dir.path().join("set.zip"), 4).unwrap();
    assert_eq!(levels(&set), [2]);
    assert_eq!(set.skipped()[0].name, "a.png");
}
