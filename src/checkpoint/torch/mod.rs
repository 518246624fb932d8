//! Files of `torch.save`, and other pickles with tensors in them.
//!
//! | container | what it is |
//! | --- | --- |
//! | zip | since PyTorch 1.6: `NAME/data.pkl`, and each storage as `NAME/data/KEY`, not compressed |
//! | legacy | before: five pickles one after another, then the storages |
//! | plain | a pickle whose storages are legacy files in byte strings: networks of NVIDIA |
//!
//! The bytes are never copied but for a tensor that is asked for, and every size, offset and stride
//! is checked against the storage that is really there.

mod leaves;
mod legacy;
mod tensor;
mod write;
mod zip;

use std::collections::HashMap;

pub(super) use leaves::{Leaf, Leaves};
pub use tensor::RawTensor;
pub(super) use write::{Tree, write};

use super::pickle::{self, Document, Node, Value};
use tensor::{Storage, element_of};
use zip::Member;

/// A file's data, and the numbers that it refers to.
pub(super) struct Archive<'a> {
    pub(super) document: Document<'a>,
    /// Numbers of each storage that lies outside the pickle.
    storages: HashMap<String, Numbers<'a>>,
    /// How it was packed.
    pub(super) container: Container,
}

/// Where the numbers of a storage are.
enum Numbers<'a> {
    Member(Member<'a>),
    Stream(&'a [u8]),
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Zip,
    Legacy,
    Plain,
}

impl Container {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zip => "PyTorch zip",
            Self::Legacy => "PyTorch legacy stream",
            Self::Plain => "pickle",
        }
    }
}

/// What the numbers of a legacy file begin with, as a pickled number.
const LEGACY_MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

impl<'a> Archive<'a> {
    /// Whether a file begins as one of these does.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(zip::MAGIC) || matches!(bytes, [0x80, 0..=5, ..])
    }

    /// Reads everything but the numbers.
    ///
    /// # Errors
    /// In words: what is broken or refused.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.starts_with(zip::MAGIC) {
            return Self::parse_zip(bytes);
        }
        let (document, length) = pickle::parse(bytes)?;
        match document.node(document.root) {
            Some(Node::Big(LEGACY_MAGIC)) => {
                let (document, storages) = legacy::parse(&bytes[length..], usize::MAX)?;
                let storages = storages.into_iter().map(|(k, v)| (k, Numbers::Stream(v))).collect();
                Ok(Self { document, storages, container: Container::Legacy })
            }
            _ if length < bytes.len() => {
                Err(format!("{} bytes follow the end of the pickle", bytes.len() - length))
            }
            _ => Ok(Self { document, storages: HashMap::new(), container: Container::Plain }),
        }
    }

    fn parse_zip(bytes: &'a [u8]) -> Result<Self, String> {
        let members = zip::members(bytes)?;
        let is_data = |name: &&&str| name.strip_suffix("data.pkl").is_some_and(is_folder);
        let name = members.keys().find(is_data).ok_or("a zip without data.pkl")?;
        let folder = &name[..name.len() - "data.pkl".len()];
        if let Some(order) = members.get(format!("{folder}byteorder").as_str())
            && order.stored()? != b"little"
        {
            return Err("numbers are stored with the highest byte first".into());
        }
        let document = pickle::parse_whole(members[name].stored()?)?;
        let mut storages = HashMap::new();
        let data = format!("{folder}data/");
        for (name, member) in members {
            if let Some(key) = name.strip_prefix(&data) {
                storages.insert(key.to_owned(), Numbers::Member(member));
            }
        }
        Ok(Self { document, storages, container: Container::Zip })
    }

    /// The numbers of a storage, with their type.
    fn storage(&self, value: Value) -> Result<Storage<'_>, String> {
        match self.document.node(value) {
            Some(Node::Persistent(description)) => self.described(*description),
            Some(Node::Call("_load_from_bytes", args)) => {
                let bytes = args.first().and_then(|&arg| self.document.bytes(arg));
                legacy::lone_storage(bytes.ok_or("a storage without bytes")?)
            }
            _ => Err("a tensor without a storage".into()),
        }
    }

    fn described(&self, description: Value) -> Result<Storage<'_>, String> {
        let described = Described::read(&self.document, description)?;
        let Described { key, class, length, .. } = &described;
        let bytes = match self.storages.get(*key) {
            Some(Numbers::Stream(bytes)) => bytes,
            Some(Numbers::Member(member)) => {
                member.stored().map_err(|e| format!("storage {key:?}: {e}"))?
            }
            None => return Err(format!("storage {key:?} is missing")),
        };
        let element = element_of(class).ok_or_else(|| format!("a storage of class {class}"))?;
        let wanted = length.checked_mul(element.bytes);
        if wanted != Some(bytes.len()) {
            let there = bytes.len();
            return Err(format!("storage {key:?} has {there} bytes, not {length} of {class}"));
        }
        described.view(Storage { element, bytes })
    }
}

/// Whether it is what stands before a file name directly in the archive's one folder, or nothing.
fn is_folder(before: &str) -> bool {
    before.is_empty() || before.strip_suffix('/').is_some_and(|folder| !folder.contains('/'))
}

/// `("storage", class, key, location, number of elements, view)`; where the storage was matters to
/// nobody.
struct Described<'d> {
    key: &'d str,
    class: &'static str,
    length: usize,
    /// First element and number of elements, of a part of the storage.
    part: Option<[usize; 2]>,
}

impl<'d> Described<'d> {
    fn read(document: &'d Document, description: Value) -> Result<Self, String> {
        let strange = || "a storage that is described in no known way".to_owned();
        let (first, view) = match document.elements(description) {
            Some([first @ .., view]) if first.len() == 5 => (first, *view),
            Some(first) if first.len() == 5 => (first, Value::None),
            _ => return Err(strange()),
        };
        let class = match document.node(first[1]) {
            Some(Node::Name(class)) => *class,
            _ => return Err(strange()),
        };
        let size = |value| document.size(value).ok_or_else(strange);
        let part = match document.elements(view) {
            Some(&[_, from, length]) => Some([size(from)?, size(length)?]),
            None if view == Value::None => None,
            _ => return Err(strange()),
        };
        let is_storage = document.text(first[0]) == Some("storage");
        let key = document.text(first[2]).filter(|_| is_storage).ok_or_else(strange)?;
        Ok(Self { key, class, length: size(first[4])?, part })
    }

    fn view<'a>(&self, storage: Storage<'a>) -> Result<Storage<'a>, String> {
        let Some([from, length]) = self.part else { return Ok(storage) };
        let bytes = |n: usize| n.checked_mul(storage.element.bytes);
        let part = || {
            let (from, to) = (bytes(from)?, bytes(from.checked_add(length)?)?);
            storage.bytes.get(from..to)
        };
        let bytes = part().ok_or_else(|| format!("a part outside storage {:?}", self.key))?;
        Ok(Storage { bytes, ..storage })
    }
}
