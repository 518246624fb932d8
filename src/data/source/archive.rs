//! Zip archives: what they hold, and the bytes of one member.
//!
//! The list is read once. A member is then read directly at its place, so that many
//! threads can read and nothing but the [`Table`] stays in memory.

use std::io::{self, Read, Seek};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::result::ZipResult;
use zip::{CompressionMethod, ZipArchive};

use super::place::Window;
use super::table::{Entry, Form, Table};

/// Bytes of a member's own header before its name.
const LOCAL_HEADER: usize = 30;
const LOCAL_MAGIC: &[u8] = b"PK\x03\x04";
/// The header does not know the checksum: it follows the data.
const CHECKSUM_FOLLOWS: u16 = 1 << 3;

/// The members whose name `wanted` likes, in the order of the archive.
///
/// # Errors
/// When it is no complete archive.
pub(super) fn list(source: impl Read + Seek, wanted: impl Fn(&str) -> bool) -> ZipResult<Table> {
    let archive = ZipArchive::new(source)?;
    let mut table = Table::default();
    for index in 0..archive.len() {
        let member = archive.by_index_data(index)?;
        let name = String::from_utf8_lossy(member.name_raw()).replace('\\', "/");
        if !wanted(&name) {
            continue;
        }
        let form = match member.compression() {
            _ if member.encrypted() => Form::Unreadable,
            CompressionMethod::Stored => Form::Stored,
            CompressionMethod::Deflated => Form::Deflated,
            _ => Form::Unreadable,
        };
        table.push(Entry {
            name: &name,
            size_bytes: member.size(),
            packed_bytes: member.compressed_size(),
            at: member.header_start(),
            form,
        });
    }
    Ok(table)
}

/// The first `limit` bytes of a member. A whole one is compared with its checksum.
pub(super) fn read(window: Window, entry: &Entry, limit: u64) -> io::Result<Vec<u8>> {
    let mut header = [0; LOCAL_HEADER];
    window.at(entry.at).read_exact(&mut header)?;
    let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    if !header.starts_with(LOCAL_MAGIC) {
        return Err(damaged("its header is not where the archive's list says"));
    }
    let names = u64::from(half(26)) + u64::from(half(28));
    let packed = window.at(entry.at + LOCAL_HEADER as u64 + names).take(entry.packed_bytes);
    let mut bytes = Vec::new();
    match entry.form {
        Form::Stored => packed.take(limit).read_to_end(&mut bytes)?,
        Form::Deflated => DeflateDecoder::new(packed).take(limit).read_to_end(&mut bytes)?,
        _ => return Err(damaged("it is encrypted, or compressed by another method than deflate")),
    };
    if (bytes.len() as u64) < limit.min(entry.size_bytes) {
        return Err(damaged("it is shorter than the archive's list says"));
    }
    let checksum = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
    let is_whole = bytes.len() as u64 == entry.size_bytes;
    if is_whole && half(6) & CHECKSUM_FOLLOWS == 0 {
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() != checksum {
            return Err(damaged("its bytes do not give its checksum"));
        }
    }
    Ok(bytes)
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{reason}: the archive is damaged there"))
}
