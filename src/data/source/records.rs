//! Which records of an LMDB file are pictures, by the layouts of the published trainers:
//!
//! | written by | keys |
//! | --- | --- |
//! | SariGAN | `total`, `width`, `height`; `{width}-{height}-{index}`, 7 digits |
//! | StyleGAN2 for PyTorch, SemanticStyleGAN | `length`; `{size}-{index}`, 5 digits; several sizes |
//! | SemanticStyleGAN with labels | `image-length`, `label-length`; `image-{index}`, `label-{index}`, 7 digits |
//! | LSUN | a picture under every key |

use std::collections::BTreeMap;
use std::ops::Range;

use super::lmdb;
use super::table::{Entry, Form, Table};

/// What an LMDB file holds.
#[derive(Default)]
pub(super) struct Records {
    /// In the order of their numbers, or of the keys.
    pub(super) pictures: Table,
    /// Under `labels/`, where the pictures are under `images/`.
    pub(super) labels: Table,
    /// What the file announces and does not hold.
    pub(super) problems: Vec<String>,
}

/// The records of a file under their keys, and the announcements among them.
#[derive(Default)]
struct Found {
    all: Table,
    announced: BTreeMap<&'static str, u64>,
}

const ANNOUNCEMENTS: [&str; 6] =
    ["total", "width", "height", "length", "image-length", "label-length"];

/// Reads the tree of a file. Of several sizes of each picture, the least that is at least `res`
/// counts, else the largest.
///
/// # Errors
/// In words, naming the page.
pub(super) fn read(bytes: &[u8], res: Option<usize>) -> Result<Records, String> {
    let mut found = Found::default();
    lmdb::walk(bytes, |key, place| found.add(bytes, key, place))?;
    let get = |name| found.announced.get(name).copied();
    let mut records = Records::default();
    match (get("total"), get("width"), get("height"), get("length"), get("image-length")) {
        (Some(total), Some(width), Some(height), ..) => {
            let prefix = format!("{width}-{height}-");
            records.pictures = found.numbered(&prefix, "");
            records.compare("total", total, records.pictures.len());
        }
        (.., Some(images)) => {
            records.pictures = found.numbered("image-", "images/");
            records.labels = found.numbered("label-", "labels/");
            records.compare("image-length", images, records.pictures.len());
            if let Some(labels) = get("label-length") {
                records.compare("label-length", labels, records.labels.len());
            }
        }
        (.., Some(length), None) => {
            if let Some(size) = found.size(length, res) {
                records.pictures = found.numbered(&format!("{size}-"), "");
            }
            records.compare("length", length, records.pictures.len());
        }
        _ => records.pictures = found.all,
    }
    records.pictures.shrink();
    Ok(records)
}

impl Records {
    fn compare(&mut self, name: &str, announced: u64, found: usize) {
        if announced != found as u64 {
            self.problems.push(format!("{name} says {announced}, but there are {found} records"));
        }
    }
}

impl Found {
    fn add(&mut self, bytes: &[u8], key: &[u8], place: Range<usize>) {
        let value = bytes.get(place.clone()).filter(|value| value.len() <= 20);
        let number = value.and_then(|v| str::from_utf8(v).ok()).and_then(|v| v.trim().parse().ok());
        let name = ANNOUNCEMENTS.iter().find(|name| name.as_bytes() == key);
        if let (Some(name), Some(number)) = (name, number) {
            self.announced.insert(name, number);
            return;
        }
        let size_bytes = place.len() as u64;
        self.all.push(Entry {
            name: &String::from_utf8_lossy(key),
            size_bytes,
            packed_bytes: size_bytes,
            at: place.start as u64,
            form: Form::Plain,
        });
    }

    /// The records of which the key is the prefix and a number, by their number; `folder` takes the
    /// place of the prefix where there is one.
    fn numbered(&self, prefix: &str, folder: &str) -> Table {
        let number = |entry: Entry| index(entry.name.strip_prefix(prefix)?);
        let all = self.all.iter().enumerate();
        let mut order: Vec<(u64, usize)> =
            all.filter_map(|(k, entry)| Some((number(entry)?, k))).collect();
        order.sort_unstable();
        let mut table = Table::default();
        for (_, k) in order {
            let entry = self.all.get(k);
            let name = match folder {
                "" => entry.name.to_owned(),
                _ => format!("{folder}{}", &entry.name[prefix.len()..]),
            };
            table.push(Entry { name: &name, ..entry });
        }
        table.shrink();
        table
    }

    /// The size to take, among those of which there are as many records as announced.
    fn size(&self, length: u64, res: Option<usize>) -> Option<u64> {
        let mut counts = BTreeMap::<u64, u64>::new();
        for entry in self.all.iter() {
            let parts = entry.name.split_once('-');
            if let Some((Some(size), Some(_))) = parts.map(|(s, i)| (index(s), index(i))) {
                *counts.entry(size).or_default() += 1;
            }
        }
        let most = counts.values().copied().max()?;
        let complete = |count: u64| count >= length.min(most);
        let sizes = || counts.iter().filter(|(_, count)| complete(**count)).map(|(size, _)| *size);
        let enough = res.and_then(|res| sizes().find(|size| *size >= res as u64));
        enough.or_else(|| sizes().next_back())
    }
}

/// A number of digits alone.
fn index(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
