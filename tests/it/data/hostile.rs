//! Sets that were damaged, or made to do harm.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use semgan::data::{Dataset, fuzz};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::run;
use crate::runs::Place;

/// Numbers that repeat from run to run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Calls a reader with every kind of damage to the bytes; how often it found them unreadable.
fn damage(bytes: &[u8], read: impl Fn(&[u8]) -> bool) -> usize {
    let mut refused = 0;
    for len in (0..bytes.len()).step_by(97) {
        refused += usize::from(!read(&bytes[..len]));
    }
    let mut next = numbers(7);
    for _ in 0..4000 {
        let mut changed = bytes.to_vec();
        for _ in 0..1 + next(4) {
            let at = next(bytes.len());
            changed[at] = [0, 1, 0x7f, 0xff, next(256) as u8][next(5)];
        }
        refused += usize::from(!read(&changed));
    }
    refused
}

#[test]
fn damaged_lmdb_files_are_refused_and_never_believed() {
    for set in ["golden/datasets/lmdb_sarigan", "golden/datasets/lmdb_rosinality", "data/lmdb_deep"]
    {
        let bytes = fs::read(Path::new("tests").join(set).join("data.mdb")).expect("a file");
        assert!(fuzz::lmdb(&bytes).is_ok(), "{set}");
        let refused = damage(&bytes, |bytes| fuzz::lmdb(bytes).is_ok());
        assert!(refused > 100, "{set}: {refused}");
    }
}

#[test]
fn a_tree_that_bites_its_tail_ends() {
    let path = "tests/golden/datasets/lmdb_sarigan/data.mdb";
    let mut bytes = fs::read(path).expect("a file");
    // The first child of the branch page becomes that page itself.
    let is_branch = |page: &&[u8]| u16::from_le_bytes([page[10], page[11]]) == 1;
    let number = bytes.chunks(4096).position(|page| is_branch(&page)).expect("a branch page");
    let at = number * 4096;
    let node = at + usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
    bytes[node..node + 6].copy_from_slice(&[number as u8, 0, 0, 0, 0, 0]);
    let error = fuzz::lmdb(&bytes).expect_err("refused");
    assert!(error.contains(&format!("page {number} is on the wrong level")), "{error}");
}

#[test]
fn damaged_archives_and_lists_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a.png", "b/c.png"] {
        writer.start_file(name, SimpleFileOptions::default()).expect("a member");
        writer.write_all(&[7; 300]).expect("written");
    }
    let bytes = writer.finish().expect("an archive").into_inner();
    assert_eq!(fuzz::zip(&bytes), Ok(2));
    assert!(damage(&bytes, |bytes| fuzz::zip(bytes).is_ok()) > 100);
    let json =
        br#"{"labels": [["a.png", 3], ["b/c.png", [0.5, -1e3]], ["x", null]], "y": {"z": [1]}}"#;
    assert_eq!(fuzz::dataset_json(json), Ok(()));
    assert!(damage(json, |bytes| fuzz::dataset_json(bytes).is_ok()) > 100);
}

#[test]
fn members_that_unpack_without_end_cost_one_picture() {
    let place = Place::new();
    let path = place.path("bomb.zip");
    let mut writer = ZipWriter::new(fs::File::create(&path).expect("a file"));
    writer.start_file("a.png", SimpleFileOptions::default()).expect("a member");
    writer.write_all(&fs::read(place.path("data/00.png")).expect("a picture")).expect("written");
    let deflated =
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("bomb.png", deflated).expect("a member");
    for _ in 0..64 {
        writer.write_all(&vec![0; 1 << 20]).expect("written");
    }
    writer.finish().expect("an archive");
    let set = Dataset::open(&path, 8).expect("a set");
    assert_eq!((set.len(), set.skipped()[0].name.as_str()), (1, "bomb.png"));
}

#[test]
fn commands_name_what_is_broken() {
    let place = Place::new();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(place.path(name), bytes).expect("written");
        place.text(name)
    };
    let whole = fs::read("tests/golden/datasets/lmdb_rosinality/data.mdb").expect("a file");
    let cut = file("cut.mdb", &whole[..9000]);
    let dest = place.text("new.zip");
    for command in ["check", "stats"] {
        run(&["data", command, "--data", &cut]).refused(1, &[&cut, "page", "cut short"]);
        run(&["data", command, "--data", &place.text("none")])
            .refused(1, &["none", "cannot be opened"]);
    }
    run(&["data", "make", "--source", &cut, "--dest", &dest]).refused(1, &[&cut, "cut short"]);
    let archive = file("cut.zip", b"PK\x03\x04 and no more");
    run(&["data", "check", "--data", &archive]).refused(1, &[&archive, "not a complete zip"]);
    assert!(!place.path("new.zip").exists());
}
