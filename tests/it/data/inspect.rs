//! `semgan data check` and `semgan data stats`.

use std::fs;

use image::{GrayImage, Luma, Rgb, RgbImage};

use super::SET;
use crate::program::run;
use crate::runs::Place;

#[test]
fn a_sound_set_has_no_findings() {
    let place = Place::new();
    SET.write(&place.path("faces.zip"), |_| {}).expect("written");
    let answer = run(&["data", "check", "--data", &place.text("faces.zip")]).succeeded();
    let line = "12 pictures and 12 label maps: 0 problems, 0 warnings, 0 notes\n";
    assert_eq!(answer.stdout, line);
}

#[test]
fn everything_that_is_wrong_is_named() {
    let place = Place::new();
    let folder = place.path("set");
    for part in ["images", "labels"] {
        fs::create_dir_all(folder.join(part)).expect("a folder");
    }
    for (name, level) in [("a", 1), ("b", 1), ("c", 2), ("d", 3)] {
        let picture = RgbImage::from_pixel(4, 4, Rgb([level; 3]));
        picture.save(folder.join(format!("images/{name}.png"))).expect("written");
    }
    RgbImage::new(8, 4).save(folder.join("images/wide.bmp")).expect("written");
    fs::rename(folder.join("images/wide.bmp"), folder.join("images/wide.png")).expect("renamed");
    fs::write(folder.join("images/empty.png"), b"").expect("written");
    let whole = fs::read(folder.join("images/a.png")).expect("a picture");
    fs::write(folder.join("images/half.png"), &whole[..whole.len() / 2]).expect("written");
    for (name, class) in [("a", 3), ("b", 77), ("orphan", 1)] {
        let map = GrayImage::from_pixel(4, 4, Luma([class]));
        map.save(folder.join(format!("labels/{name}.png"))).expect("written");
    }
    RgbImage::new(4, 4).save(folder.join("labels/c.png")).expect("written");
    let list = r#"{"labels": [["images/a.png", 0], ["images/b.png", -1], ["gone.png", 1]]}"#;
    fs::write(folder.join("dataset.json"), list).expect("written");

    let answer = run(&["data", "check", "--data", &place.text("set")]);
    assert_eq!(answer.code, Some(1));
    for line in [
        "problem: images/empty.png: the file is empty; fix: copy it again",
        "problem: images/half.png: ",
        "warning: images/b.png: has the same content as images/a.png; fix: delete one",
        "warning: images/wide.png: its content is bmp, and not what its name says; fix: ",
        "note: the set: 1 pictures are not 4x4 as the rest",
        "note: the set: 1 pictures are not square",
        "problem: dataset.json: names 1 files that are not there, the first is gone.png; fix: ",
        "problem: images/b.png: dataset.json: the label -1 of images/b.png; fix: ",
        "problem: images/c.png: dataset.json has no label for images/c.png; fix: ",
        "warning: images/d.png: has no label map; fix: ",
        "problem: labels/b.png: has the class 77; indices are 0 to 18; fix: ",
        "problem: labels/c.png: is no label map",
        "warning: labels/orphan.png: is the label map of no picture; fix: ",
        "7 pictures and 4 label maps: ",
    ] {
        assert!(answer.stdout.lines().any(|l| l.starts_with(line)), "{line}\n{}", answer.stdout);
    }
}

#[test]
fn records_that_are_missing_are_problems() {
    let answer = run(&["data", "check", "--data", "tests/data/lmdb_short"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stdout.starts_with("problem: the LMDB file: length says 5, but there are 3"));
}

#[test]
fn statistics_are_those_of_the_pixels() {
    let place = Place::new();
    for (name, level) in [("cat/1.png", 10), ("cat/2.png", 20), ("dog/1.png", 60)] {
        let path = place.path(&format!("set/{name}"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        RgbImage::from_pixel(2, 2, Rgb([level, 0, 255])).save(path).expect("written");
    }
    let path = place.path("set/cat/3.png");
    GrayImage::from_pixel(3, 2, Luma([0])).save(path).expect("written");
    let said = run(&["data", "stats", "--data", &place.text("set")]).succeeded().stdout;
    // 4 pixels of 10, 20 and 60 each, and 6 of 0.
    for line in [
        "layout      folder",
        "pictures    4 (0 broken)",
        "size        2x2          3 (75.0%)",
        "format      png          4 (100.0%)",
        "channels    L8           1 (25.0%)",
        "mean        20.000 0.000 170.000 (red, green, blue; 0 to 255)",
        "deviation   22.608 0.000 120.208",
        "class       0            3 (75.0%)",
    ] {
        assert!(said.lines().any(|l| l == line), "{line}\n{said}");
    }
}
