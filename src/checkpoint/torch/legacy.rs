//! The legacy stream: magic number, version, properties of the system, the data, the keys of the
//! storages, then for each key its number of elements (8 bytes) and the elements.

use std::collections::HashMap;

use super::super::pickle::{self, Document, Node, Value};
use super::tensor::{Storage, element_of};
use super::{Described, LEGACY_MAGIC};

/// The only version there ever was.
const VERSION: Value = Value::Int(1001);

/// What stands before the numbers of a file that is one storage has some 400 bytes.
const LONE_HEADER_BYTES: usize = 4096;

/// Numbers by the key of their storage.
type Storages<'a> = HashMap<String, &'a [u8]>;

/// The data and the storages behind the magic number, where each pickle has `limit` bytes at most.
pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<(Document<'_>, Storages<'_>), String> {
    let mut rest = bytes;
    let mut next = || {
        let (document, length) = pickle::parse(&rest[..rest.len().min(limit)])?;
        rest = &rest[length..];
        Ok::<_, String>(document)
    };
    if next()?.root != VERSION {
        return Err("a legacy file of an unknown version".into());
    }
    let system = next()?;
    if system.get(system.root, "little_endian") == Some(Value::Bool(false)) {
        return Err("numbers are stored with the highest byte first".into());
    }
    let document = next()?;
    let keys = next()?;
    let storages = storages(rest, &document, &keys)?;
    Ok((document, storages))
}

/// The storages that stand behind the keys, in their order.
fn storages<'a>(
    bytes: &'a [u8],
    document: &Document,
    keys: &Document,
) -> Result<Storages<'a>, String> {
    let classes = classes(document)?;
    let (mut rest, mut storages) = (bytes, HashMap::new());
    for &key in keys.elements(keys.root).ok_or("no list of storages")? {
        let key = keys.text(key).ok_or("a storage without a key")?;
        let class = classes.get(key).ok_or_else(|| format!("nothing refers to storage {key:?}"))?;
        let element = element_of(class).ok_or_else(|| format!("a storage of class {class}"))?;
        let ends = || format!("the file ends within storage {key:?}");
        let (count, behind) = rest.split_first_chunk::<8>().ok_or_else(ends)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| ends())?;
        let length = count.checked_mul(element.bytes).ok_or_else(ends)?;
        let (numbers, behind) = behind.split_at_checked(length).ok_or_else(ends)?;
        if storages.insert(key.to_owned(), numbers).is_some() {
            return Err(format!("two storages {key:?}"));
        }
        rest = behind;
    }
    match rest.len() {
        0 => Ok(storages),
        more => Err(format!("{more} bytes follow the last storage")),
    }
}

/// The class of each storage that the data refer to.
fn classes<'d>(document: &'d Document) -> Result<HashMap<&'d str, &'static str>, String> {
    let mut classes = HashMap::new();
    for description in document.persistent() {
        let Described { key, class, .. } = Described::read(document, description)?;
        if classes.insert(key, class).is_some_and(|before| before != class) {
            return Err(format!("storage {key:?} is of two classes"));
        }
    }
    Ok(classes)
}

/// The one storage that is the data of a whole legacy file: how a plain pickle holds numbers.
pub(super) fn lone_storage(bytes: &[u8]) -> Result<Storage<'_>, String> {
    let (magic, length) = pickle::parse(bytes)?;
    if !matches!(magic.node(magic.root), Some(Node::Big(LEGACY_MAGIC))) {
        return Err("a storage that is no legacy file".into());
    }
    let (document, storages) = parse(&bytes[length..], LONE_HEADER_BYTES)?;
    let Some(Node::Persistent(description)) = document.node(document.root) else {
        return Err("a legacy file that is no storage".into());
    };
    let described = Described::read(&document, *description)?;
    let element = element_of(described.class).ok_or("a storage of an unknown class")?;
    let bytes = storages.get(described.key).ok_or("a storage that is missing")?;
    if described.length.checked_mul(element.bytes) != Some(bytes.len()) {
        return Err(format!("a storage of {} bytes, not {}", bytes.len(), described.length));
    }
    described.view(Storage { element, bytes })
}
