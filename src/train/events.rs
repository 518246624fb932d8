//! What TensorBoard reads: `events.out.tfevents.SECONDS.HOST`, one file per session of a run.
//!
//! A record is framed as TFRecord does it: length (u64), masked CRC-32C of the length, data, masked
//! CRC-32C of the data, all little-endian. The data is a protobuf `Event`; of its fields and those of
//! `Summary` and `SessionLog` only what is needed is written. Steps are pictures shown, so that the
//! ticks of a run of less than a thousand pictures stay apart.

#![expect(clippy::disallowed_methods, reason = "events carry times")]

use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Error, Result};

/// Start of the files' names.
const PREFIX: &str = "events.out.tfevents.";
/// Castagnoli's polynomial, lowest power first.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const TABLE: [u32; 256] = table();

/// The events of one session, on disk as soon as they are written.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// A new file in `folder`, named behind those of earlier sessions. Where there are some, viewers
    /// are told to forget what they hold behind `images`: it will be written again.
    ///
    /// # Errors
    /// When the folder cannot be read or the file cannot be written.
    pub fn create(folder: &Path, images: u64) -> Result<Self> {
        let newest = newest_session(folder)?;
        let seconds = newest.map_or(now() as u64, |newest| (newest + 1).max(now() as u64));
        let host = sysinfo::System::host_name().unwrap_or_else(|_| "localhost".into());
        let path = folder.join(format!("{PREFIX}{seconds}.{}", host.replace(['/', '\\'], "-")));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let mut events = Self { file: file.map_err(Error::io("write", &path))?, path };
        events.write(0, &bytes_field(3, b"brain.Event:2"))?;
        if newest.is_some() {
            let start = varint_field(1, 1);
            events.write(images + 1, &bytes_field(7, &start))?;
        }
        Ok(events)
    }

    /// One value of each name, after so many images.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars<'a>(
        &mut self,
        images: u64,
        values: impl Iterator<Item = (&'a str, f64)>,
    ) -> Result<()> {
        let value = |(name, value): (&str, f64)| {
            let scalar = fixed32_field(2, value as f32);
            bytes_field(1, &[bytes_field(1, name.as_bytes()), scalar].concat())
        };
        let summary: Vec<u8> = values.flat_map(value).collect();
        self.write(images, &bytes_field(5, &summary))
    }

    /// A PNG file's RGB picture, after so many images.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn png(&mut self, images: u64, name: &str, path: &Path) -> Result<()> {
        const RGB: u64 = 3;
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let reason = |e| Error::dataset(path, format!("not a PNG picture: {e}"));
        let reader = png::Decoder::new(Cursor::new(&bytes)).read_info().map_err(reason)?;
        let (width, height) = reader.info().size();
        let picture = [
            varint_field(1, height.into()),
            varint_field(2, width.into()),
            varint_field(3, RGB),
            bytes_field(4, &bytes),
        ];
        let value = [bytes_field(1, name.as_bytes()), bytes_field(4, &picture.concat())];
        self.write(images, &bytes_field(5, &bytes_field(1, &value.concat())))
    }

    /// One record, in one piece: a kill leaves whole records, but for the last.
    fn write(&mut self, step: u64, what: &[u8]) -> Result<()> {
        let mut event = fixed64_field(1, now());
        event.extend(varint_field(2, step));
        event.extend(what);
        self.file.write_all(&record(&event)).map_err(Error::io("write", &self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The highest number in the names of the folder's event files.
fn newest_session(folder: &Path) -> Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        let name = name.to_string_lossy();
        let seconds = name.strip_prefix(PREFIX).and_then(|rest| rest.split('.').next());
        newest = newest.max(seconds.and_then(|s| s.parse().ok()));
    }
    Ok(newest)
}

/// Data in its frame.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let (head, tail) = (masked(crc32c(&length)), masked(crc32c(data)));
    [&length[..], &head.to_le_bytes(), data, &tail.to_le_bytes()].concat()
}

/// A checksum that is itself part of what another one covers.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[(crc as u8 ^ byte) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Seven bits a byte, lowest first.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The head of a field: its number, and how what follows is stored.
fn tag(field: u64, wire: u64) -> Vec<u8> {
    varint(field << 3 | wire)
}

fn varint_field(field: u64, value: u64) -> Vec<u8> {
    [tag(field, 0), varint(value)].concat()
}

fn fixed64_field(field: u64, value: f64) -> Vec<u8> {
    [&tag(field, 1)[..], &value.to_le_bytes()].concat()
}

fn bytes_field(field: u64, bytes: &[u8]) -> Vec<u8> {
    [&tag(field, 2)[..], &varint(bytes.len() as u64), bytes].concat()
}

fn fixed32_field(field: u64, value: f32) -> Vec<u8> {
    [&tag(field, 5)[..], &value.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<_>>()), 0x46dd_794e);
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        let all = [0, 1, 127, 128, 300, u64::MAX].map(varint);
        let most = [vec![0xff; 9], vec![1]].concat();
        let want = [vec![0], vec![1], vec![0x7f], vec![0x80, 1], vec![0xac, 2], most];
        assert_eq!(all, want);
    }

    /// The record that TensorFlow's own writer makes of this event.
    #[test]
    fn a_record_is_framed_as_tensorflow_does() {
        let event = [fixed64_field(1, 1.5), bytes_field(3, b"brain.Event:2")].concat();
        let bytes = b"\x18\0\0\0\0\0\0\0\xa3\x7fK\"\t\0\0\0\0\0\0\xf8?\x1a\rbrain.Event:2*(dl";
        assert_eq!(record(&event), bytes);
    }

    #[test]
    fn sessions_are_named_one_behind_the_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(newest_session(folder.path()).expect("readable"), None);
        let first = Events::create(folder.path(), 0).expect("a new file").path;
        // In the same second.
        let second = Events::create(folder.path(), 8).expect("a new file").path;
        assert!(second > first, "{second:?} {first:?}");
        let [first, second] = [first, second].map(|path| fs::read(path).expect("readable"));
        let start = bytes_field(7, &varint_field(1, 1));
        assert!(!first.windows(start.len()).any(|part| part == start));
        assert!(second.windows(start.len()).any(|part| part == start));
    }
}
