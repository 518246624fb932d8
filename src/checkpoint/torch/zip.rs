//! The directory of a zip archive in memory. Members are found, not unpacked: PyTorch stores them
//! as they are.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use flate2::Crc;

/// What an archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// What the end of the directory begins with, its shortest length, and that of a comment behind.
const END: (&[u8], usize, usize) = (b"PK\x05\x06", 22, 0xffff);
/// Most members.
const MAX_MEMBERS: u64 = 1 << 20;

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    bytes: &'a [u8],
    is_stored: bool,
    /// CRC-32 of the bytes; 0 where the writer left it out.
    checksum: u32,
    is_whole: OnceCell<bool>,
}

impl<'a> Member<'a> {
    /// Its bytes, which are compared with their checksum the first time.
    pub(super) fn stored(&self) -> Result<&'a [u8], String> {
        if !self.is_stored {
            return Err("compressed, which torch.save never does".into());
        }
        let matches = || {
            let mut crc = Crc::new();
            crc.update(self.bytes);
            crc.sum() == self.checksum
        };
        match self.checksum == 0 || *self.is_whole.get_or_init(matches) {
            true => Ok(self.bytes),
            false => Err("its bytes do not give its checksum: the file is damaged there".into()),
        }
    }
}

/// Members by name.
///
/// # Errors
/// In words: where the archive contradicts itself.
pub(super) fn members(bytes: &[u8]) -> Result<BTreeMap<&str, Member<'_>>, String> {
    let (mut at, count) = directory(bytes).ok_or("not a complete zip archive")?;
    if count > MAX_MEMBERS {
        return Err(format!("a zip archive of {count} members"));
    }
    let mut members = BTreeMap::new();
    for k in 0..count {
        let broken = || format!("the zip archive is broken at its member {k}");
        let (name, member, next) = member(bytes, at).ok_or_else(broken)?;
        if members.insert(name, member).is_some() {
            return Err(format!("the zip archive has two members {name:?}"));
        }
        at = next;
    }
    Ok(members)
}

/// Where the directory begins, and of how many members.
fn directory(bytes: &[u8]) -> Option<(usize, u64)> {
    let (magic, length, comment) = END;
    let last = bytes.len().checked_sub(length)?;
    let fits = |at: &usize| {
        let comment = number(bytes, at + 20, 2);
        bytes[*at..].starts_with(magic) && comment == Some((bytes.len() - at - length) as u64)
    };
    let end = (last.saturating_sub(comment)..=last).rev().find(fits)?;
    let (count, start) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    if count < 0xffff && start < 0xffff_ffff {
        return Some((usize::try_from(start).ok()?, count));
    }
    // Zip64: a pointer of 20 bytes stands before the end.
    let pointer = end.checked_sub(20).filter(|&p| bytes[p..].starts_with(b"PK\x06\x07"))?;
    let end = usize::try_from(number(bytes, pointer + 8, 8)?).ok()?;
    bytes.get(end..)?.strip_prefix(b"PK\x06\x06")?;
    let start = number(bytes, end + 48, 8)?;
    Some((usize::try_from(start).ok()?, number(bytes, end + 32, 8)?))
}

/// The member whose entry of the directory is at a place, and where the next entry is.
fn member(bytes: &[u8], at: usize) -> Option<(&str, Member<'_>, usize)> {
    bytes.get(at..)?.strip_prefix(b"PK\x01\x02")?;
    let field = |offset, length| number(bytes, at + offset, length);
    let [name, extra, comment] = [28, 30, 32].map(|offset| field(offset, 2).map(|n| n as usize));
    let (name_end, extra) = (at + 46 + name?, extra?);
    let name = std::str::from_utf8(bytes.get(at + 46..name_end)?).ok()?;
    let mut long = long_fields(bytes.get(name_end..name_end + extra)?);
    let mut wide = |offset| match field(offset, 4)? {
        0xffff_ffff => long.next(),
        n => Some(n),
    };
    // The order of the extra field: size, packed size, place.
    let size = wide(24)?;
    let packed = wide(20)?;
    let place = usize::try_from(wide(42)?).ok()?;
    bytes.get(place..)?.strip_prefix(MAGIC)?;
    let before = number(bytes, place + 26, 2)? + number(bytes, place + 28, 2)? + 30;
    let start = place.checked_add(before as usize)?;
    let data = bytes.get(start..start.checked_add(usize::try_from(packed).ok()?)?)?;
    let is_stored = field(10, 2)? == 0 && size == packed;
    let checksum = field(16, 4)? as u32;
    let next = name_end + extra + comment?;
    Some((name, Member { bytes: data, is_stored, checksum, is_whole: OnceCell::new() }, next))
}

/// The 64-bit numbers of the zip64 part of an extra field.
fn long_fields(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    while let (Some(id), Some(length)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some(part) = extra.get(4..4 + length as usize) else { break };
        if id == 1 {
            found = part;
        }
        extra = &extra[4 + length as usize..];
    }
    found.chunks_exact(8).map(|n| u64::from_le_bytes(n.try_into().expect("eight bytes")))
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}
