//! What TensorBoard reads of a run, by a reader of our own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semgan::Device;
use semgan::train::{Options, Outcome, folder};
use serde_json::Value;

use crate::runs::{BATCH, Place, Until};

/// Fields of a protobuf message: numbers as their bits, texts as they are.
type Fields<'a> = Vec<(u64, Field<'a>)>;

enum Field<'a> {
    Bits(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn bits(&self) -> u64 {
        let Self::Bits(bits) = self else { panic!("a number") };
        *bits
    }

    fn bytes(&self) -> &[u8] {
        let Self::Bytes(bytes) = self else { panic!("bytes") };
        bytes
    }
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(n);
    *rest = left;
    taken
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn varint(rest: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn fields(mut rest: &[u8]) -> Fields<'_> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let field = match tag & 7 {
            0 => Field::Bits(varint(&mut rest)),
            1 => Field::Bits(little_endian(take(&mut rest, 8))),
            2 => {
                let length = varint(&mut rest) as usize;
                Field::Bytes(take(&mut rest, length))
            }
            5 => Field::Bits(little_endian(take(&mut rest, 4))),
            wire => panic!("wire type {wire}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

/// CRC-32C bit by bit, and masked as TFRecord does.
fn checksum(bytes: &[u8]) -> u64 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    u64::from((!crc).rotate_right(15).wrapping_add(0xa282_ead8))
}

/// The events of a file; a record that was cut off ends it.
fn events(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while rest.len() >= 12 {
        let length = take(&mut rest, 8);
        assert_eq!(little_endian(take(&mut rest, 4)), checksum(length), "checksum of a length");
        let length = little_endian(length) as usize;
        if rest.len() < length + 4 {
            break;
        }
        let data = take(&mut rest, length);
        assert_eq!(little_endian(take(&mut rest, 4)), checksum(data), "checksum of an event");
        found.push(data);
    }
    found
}

/// What a viewer shows of a run.
#[derive(Debug, Default)]
struct Shown {
    /// Values by name and step.
    scalars: BTreeMap<(String, u64), f32>,
    pictures: BTreeMap<u64, Vec<u8>>,
}

impl Shown {
    /// All files of a folder by name, as TensorBoard reads them.
    fn of(folder: &Path) -> Self {
        let mut shown = Self::default();
        for path in event_files(folder) {
            let bytes = fs::read(path).expect("readable");
            events(&bytes).into_iter().for_each(|event| shown.add(&fields(event)));
        }
        shown
    }

    fn add(&mut self, event: &Fields) {
        let field = |n| event.iter().find(|(number, _)| *number == n).map(|(_, field)| field);
        let step = field(2).expect("a step").bits();
        assert!(f64::from_bits(field(1).expect("a time").bits()) > 1.7e9);
        if field(7).is_some() {
            // A session starts: TensorBoard forgets from its step on.
            self.scalars.retain(|(_, of), _| *of < step);
            self.pictures.retain(|of, _| *of < step);
        }
        let Some(summary) = field(5) else { return };
        for (_, value) in fields(summary.bytes()) {
            let value = fields(value.bytes());
            let name = String::from_utf8(value[0].1.bytes().to_vec()).expect("UTF-8");
            if value[1].0 == 2 {
                self.scalars.insert((name, step), f32::from_bits(value[1].1.bits() as u32));
            } else {
                assert_eq!((name.as_str(), value[1].0), ("fakes", 4));
                let png = fields(value[1].1.bytes()).pop().expect("a picture").1.bytes().to_vec();
                self.pictures.insert(step, png);
            }
        }
    }
}

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy();
        name.starts_with("events.out.tfevents.")
    };
    let mut files: Vec<_> = entries.filter(is_wanted).collect();
    files.sort();
    files
}

/// The same of `stats.jsonl`.
fn counted(folder: &Path) -> BTreeMap<(String, u64), f32> {
    let text = fs::read_to_string(folder.join(folder::STATS)).expect("statistics");
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let kimg = line["Progress/kimg"]["mean"].as_f64().expect("a number");
        for (name, value) in line.as_object().expect("an object") {
            if let Some(mean) = value.get("mean") {
                let mean = mean.as_f64().expect("a number") as f32;
                all.insert((name.clone(), (kimg * 1000.0).round() as u64), mean);
            }
        }
    }
    all
}

#[test]
fn events_hold_what_the_statistics_hold() {
    let run = Place::trained().run();
    let (shown, want) = (Shown::of(&run), counted(&run));
    assert!(want.len() > 4 * 15, "{}", want.len());
    assert_eq!(shown.scalars, want);
    let fakes = fs::read(run.join("fakes000000.png")).expect("pictures");
    assert_eq!(shown.pictures, BTreeMap::from([(4 * BATCH as u64, fakes)]));
}

#[test]
fn a_resumed_run_shows_no_step_twice() {
    let place = Place::new();
    // A snapshot of the second step; the third one is lost.
    let run = place.create(Options { snap_ticks: 2, ..place.options(3) }, &Device::cpu());
    assert_eq!(run.train(&mut Until::step(3)).expect("trained"), Outcome::Finished);
    let lost = place.snapshots().into_iter().find(|(_, step)| *step == 3).expect("the last").0;
    fs::remove_file(place.run().join(lost)).expect("removed");
    let before = Shown::of(&place.run());

    // As a kill in the middle of a write leaves it.
    let first = event_files(&place.run()).remove(0);
    let whole = fs::read(&first).expect("readable");
    fs::write(&first, &whole[..whole.len() - 7]).expect("written");

    let run = place.resume(|options| options.kimg = 0.02, &Device::cpu()).expect("resumed");
    assert_eq!(run.train(&mut Until::end()).expect("trained"), Outcome::Finished);
    let (after, want) = (Shown::of(&place.run()), counted(&place.run()));
    assert_eq!(event_files(&place.run()).len(), 2);
    assert_eq!(after.scalars, want);
    let time = |shown: &Shown, step: u64| {
        shown.scalars[&("Timing/total_sec".to_owned(), step * BATCH as u64)]
    };
    assert_eq!(time(&after, 2), time(&before, 2), "what was saved stays");
    assert_ne!(time(&after, 3), time(&before, 3), "what was lost is there once, and new");
}
