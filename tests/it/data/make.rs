//! `semgan data make`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use semgan::data::{Dataset, LabelMaps};
use serde_json::Value;

use super::{SET, files, members};
use crate::program::run;
use crate::runs::Place;

fn make(source: &str, dest: &str, flags: &[&str]) -> crate::program::Answer {
    run(&[&["data", "make", "--source", source, "--dest", dest], flags].concat())
}

fn rgb(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).expect("a picture").into_rgb8()
}

/// Pictures of one colour, the n-th grey level 10 n, of these sizes.
fn folder(place: &Place, name: &str, sizes: &[(u32, u32)]) -> String {
    let folder = place.path(name);
    fs::create_dir_all(&folder).expect("a new folder");
    for (k, &(width, height)) in sizes.iter().enumerate() {
        let picture = RgbImage::from_pixel(width, height, Rgb([10 * k as u8 + 10; 3]));
        picture.save(folder.join(format!("{k}.png"))).expect("written");
    }
    place.text(name)
}

#[test]
fn folders_and_archives_are_the_same_set_in_nvidias_layout() {
    let place = Place::new();
    let source = folder(&place, "source", &[(8, 6), (6, 8), (9, 9)]);
    fs::write(place.path("source/1a.png"), b"no picture").expect("written");
    let flags = ["--transform", "center-crop", "--resolution", "4x4"];
    let [first, second, unpacked] = ["a.zip", "b.zip", "c"].map(|name| place.text(name));
    for dest in [&first, &second, &unpacked] {
        let said = make(&source, dest, &flags).succeeded().stderr;
        assert!(said.contains("skipped 1a.png: "), "{said}");
        assert!(said.contains(&format!("3 pictures of 4x4 in {dest}, 1 skipped")), "{said}");
    }
    assert_eq!(fs::read(&first).expect("bytes"), fs::read(&second).expect("bytes"));
    let made = members(Path::new(&first));
    assert_eq!(made, files(Path::new(&unpacked)));
    assert!(made.keys().eq([
        "00000/img00000000.png",
        "00000/img00000001.png",
        "00000/img00000002.png",
        "dataset.json"
    ]));
    assert_eq!(made["dataset.json"], br#"{"labels":null}"#);
    // Not compressed: at least the pixels' bytes.
    assert!(made["00000/img00000000.png"].len() > 4 * 4 * 3);
    assert_eq!(rgb(&made["00000/img00000002.png"]), RgbImage::from_pixel(4, 4, Rgb([30; 3])));
    assert_eq!(Dataset::open(&first, 4).expect("a set").len(), 3);
}

#[test]
fn labels_of_all_kinds_are_kept() {
    let place = Place::new();
    let source = folder(&place, "source", &[(4, 4), (4, 4)]);
    let list = r#"{"labels": [["0.png", 3], ["1.png", [0.5, -2.0]]]}"#;
    fs::write(place.path("source/dataset.json"), list).expect("written");
    let labels = |dest: &str, flags: &[&str]| {
        make(&source, &place.text(dest), flags).succeeded();
        let made = members(&place.path(dest));
        let list: Value = serde_json::from_slice(&made["dataset.json"]).expect("JSON");
        list["labels"].to_string()
    };
    let kept = r#"[["00000/img00000000.png",3],["00000/img00000001.png",[0.5,-2.0]]]"#;
    assert_eq!(labels("a.zip", &[]), kept);
    assert_eq!(labels("b.zip", &["--labels-from", "none"]), "null");
    assert_eq!(labels("c.zip", &["--max-images", "1"]), r#"[["00000/img00000000.png",3]]"#);

    let folders = folder(&place, "folders/cat", &[(4, 4)]);
    folder(&place, "folders/ape", &[(4, 4)]);
    let source = folders.strip_suffix("cat").expect("a parent");
    make(source, &place.text("d.zip"), &["--labels-from", "folders"]).succeeded();
    let set = Dataset::open(place.path("d.zip"), 4).expect("a set").read_classes();
    assert_eq!(set.expect("classes"), 2);

    fs::write(place.path("source/dataset.json"), r#"{"labels": [["0.png", 3]]}"#).expect("written");
    let dest = place.text("e.zip");
    make(&place.text("source"), &dest, &[])
        .refused(1, &["no label for 1.png", "--labels-from none"]);
}

#[test]
fn label_maps_follow_their_pictures() {
    let place = Place::new();
    SET.write(&place.path("faces.zip"), |_| {}).expect("written");
    let dest = place.text("small");
    make(&place.text("faces.zip"), &dest, &["--resolution", "8", "--transform", "center-crop"])
        .succeeded();
    let (was, is) = (place.path("faces.zip"), place.path("small"));
    let maps = [LabelMaps::open(was).expect("maps"), LabelMaps::open(&is).expect("maps")];
    let set = Dataset::open(&is, 8).expect("a set");
    assert_eq!(set.len(), 12);
    for index in 0..12 {
        let name = set.name(index);
        assert_eq!(maps[0].read(name, 8).expect("a map"), maps[1].read(name, 8).expect("a map"));
    }
}

/// CelebAMask-HQ with these faces, each of skin with a square eye.
fn celeba(place: &Place, faces: &[u32]) -> String {
    let root = place.path("celeba");
    fs::create_dir_all(root.join("CelebA-HQ-img")).expect("a folder");
    let mask = |inside: std::ops::Range<u32>| {
        GrayImage::from_fn(8, 8, |x, y| {
            Luma([if inside.contains(&x) && inside.contains(&y) { 255 } else { 0 }])
        })
    };
    for &face in faces {
        let photograph: RgbImage = ImageBuffer::from_pixel(16, 16, Rgb([100; 3]));
        photograph.save(root.join(format!("CelebA-HQ-img/{face}.jpg"))).expect("written");
        let folder = root.join(format!("CelebAMask-HQ-mask-anno/{}", face / 2000));
        fs::create_dir_all(&folder).expect("a folder");
        for (part, inside) in [("skin", 1..7), ("l_eye", 3..5)] {
            mask(inside).save(folder.join(format!("{face:05}_{part}.png"))).expect("written");
        }
    }
    place.text("celeba")
}

#[test]
fn celebamask_is_painted_and_parted() {
    let place = Place::new();
    let source = celeba(&place, &[10, 9, 28_000]);
    let mapping = "idx orig_idx orig_file\n9 5 x.jpg\n10 162771 x.jpg\n28000 200000 x.jpg\n";
    fs::write(place.path("celeba/CelebA-HQ-to-CelebA-mapping.txt"), mapping).expect("written");
    let set = Dataset::open(&source, 16).expect("a set");
    let names: Vec<_> = (0..3).map(|k| set.name(k)).collect();
    let wanted = ["CelebA-HQ-img/9.jpg", "CelebA-HQ-img/10.jpg", "CelebA-HQ-img/28000.jpg"];
    assert_eq!(names, wanted, "photographs alone, by number");

    for (flags, count, eye) in [
        (["--classes", "13", "--split", "all"], 3, 2),
        (["--classes", "13", "--split", "train"], 2, 2),
        (["--classes", "13", "--split", "val"], 1, 2),
        (["--classes", "19", "--split", "val"], 1, 4),
        (["--classes", "19", "--split", "test"], 1, 4),
    ] {
        let name = format!("{}{}.zip", flags[1], flags[3]);
        let more = ["--resolution", "8", "--transform", "center-crop"];
        make(&source, &place.text(&name), &[&flags[..], &more].concat()).succeeded();
        let made: BTreeMap<_, _> = members(&place.path(&name));
        assert_eq!(made.len(), 2 * count + 1, "{flags:?}");
        let map = image::load_from_memory(&made["labels/00000/img00000000.png"]).expect("a map");
        let at = |k: u32| map.as_luma8().expect("grey").get_pixel(k, k).0[0];
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(at), [0, 1, 1, eye, eye, 1, 0], "{flags:?}");
    }
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_written() {
    let place = Place::new();
    let wide = folder(&place, "wide", &[(8, 6)]);
    let mixed = folder(&place, "mixed", &[(8, 8), (9, 9)]);
    let dest = place.text("new.zip");
    make(&wide, &dest, &[]).refused(1, &["0.png", "8x6", "not square", "--transform center-crop"]);
    make(&mixed, &dest, &[]).refused(1, &["1.png", "9x9", "0.png", "--resolution 8x8"]);
    make(&wide, &dest, &["--transform", "pad"]).refused(1, &["--resolution"]);
    make(&wide, &dest, &["--resolution", "8x6"]).refused(1, &["--resolution", "not square"]);
    make(&wide, &dest, &["--split", "train", "--resolution", "8"]).refused(1, &["--split"]);
    make(&wide, &dest, &["--resolution", "8by6"]).refused(2, &["--resolution", "256x256"]);
    make(&wide, &dest, &["--classes", "14"]).refused(2, &["--classes", "13 or 19"]);
    make(&wide, &dest, &["--max-images", "0"]).refused(2, &["--max-images"]);
    make(&wide, &wide, &["--resolution", "8"]).refused(1, &["--dest", "holds files already"]);
    assert!(!place.path("new.zip").exists());
    let tidy = fs::read_dir(place.path("")).expect("a folder").flatten();
    assert!(tidy.into_iter().all(|f| !f.file_name().to_string_lossy().ends_with(".tmp")));
}
