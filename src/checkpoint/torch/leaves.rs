//! What a file holds as a flat list: tensors and plain values by their path, which is the keys of
//! the dictionaries and the positions in the lists on the way, joined by dots.

use std::collections::HashMap;

use serde_json::{Number, Value as Json};

use super::super::pickle::{Node, Value};
use super::{Archive, RawTensor};

/// Deepest nesting.
const MAX_DEPTH: usize = 64;
/// Most values that are looked at, and most bytes of all paths together.
const MAX_VALUES: usize = 1 << 20;
const MAX_PATH_BYTES: usize = 64 << 20;
/// Tensors that share numbers may take so many bytes more than the file.
const MAX_SHARED_BYTES: usize = 64 << 20;

/// A value at the end of a path.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Leaf {
    Tensor(Value),
    Plain(Json),
}

/// Everything that a file holds, in its order.
pub(in crate::checkpoint) struct Leaves<'a> {
    pub(in crate::checkpoint) archive: &'a Archive<'a>,
    /// Paths and what is there.
    pub(in crate::checkpoint) all: Vec<(String, Leaf)>,
    places: HashMap<String, usize>,
}

impl<'a> Leaves<'a> {
    /// Walks through the data of a file of `file_bytes`.
    ///
    /// # Errors
    /// In words: when they are nested too deeply, or refer to themselves.
    pub(in crate::checkpoint) fn of(
        archive: &'a Archive<'a>,
        file_bytes: usize,
    ) -> Result<Self, String> {
        let mut walk = Walk { archive, all: Vec::new(), values: 0, path_bytes: 0, tensor_bytes: 0 };
        walk.value(archive.document.root, &mut String::new(), 0)?;
        if walk.tensor_bytes > file_bytes.saturating_add(MAX_SHARED_BYTES) {
            return Err("its tensors are far larger than the file".into());
        }
        Ok(Self::from_all(archive, walk.all))
    }

    fn from_all(archive: &'a Archive<'a>, all: Vec<(String, Leaf)>) -> Self {
        let places = all.iter().enumerate().map(|(k, (path, _))| (path.clone(), k)).collect();
        Self { archive, all, places }
    }

    /// What is at a path.
    pub(in crate::checkpoint) fn get(&self, path: &str) -> Option<&Leaf> {
        self.places.get(path).map(|&k| &self.all[k].1)
    }

    /// The plain value at a path.
    pub(in crate::checkpoint) fn plain(&self, path: &str) -> Option<&Json> {
        match self.get(path)? {
            Leaf::Plain(value) => Some(value),
            Leaf::Tensor(_) => None,
        }
    }

    /// The plain values whose paths begin with a prefix, by their paths.
    pub(in crate::checkpoint) fn plain_below(&self, prefix: &str) -> Vec<(&str, &Json)> {
        let plain = self.all.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Plain(value) => Some((path.as_str(), value)),
            Leaf::Tensor(_) => None,
        });
        plain.filter(|(path, _)| path.starts_with(prefix)).collect()
    }

    /// A dictionary or list without tensors as JSON; null where there is none.
    pub(in crate::checkpoint) fn tree(&self, path: &str) -> Json {
        tree(self.archive, self.archive.document.get(self.archive.document.root, path), 0)
    }

    /// Whether there is anything below a path.
    pub(in crate::checkpoint) fn has(&self, prefix: &str) -> bool {
        self.all.iter().any(|(path, _)| path.starts_with(prefix))
    }

    /// Paths of the tensors below `prefix`, by what follows it, in the file's order.
    pub(in crate::checkpoint) fn tensors<'s>(
        &'s self,
        prefix: &'s str,
    ) -> impl Iterator<Item = (&'s str, Value)> {
        self.all.iter().filter_map(move |(path, leaf)| match leaf {
            Leaf::Tensor(value) => Some((path.strip_prefix(prefix)?, *value)),
            Leaf::Plain(_) => None,
        })
    }

    /// The numbers of a tensor.
    ///
    /// # Errors
    /// In words, naming its path.
    pub(in crate::checkpoint) fn raw(&self, path: &str) -> Result<RawTensor, String> {
        match self.get(path) {
            Some(Leaf::Tensor(value)) => {
                self.archive.tensor(*value).map_err(|e| format!("{path}: {e}"))
            }
            _ => Err(format!("{path}: no such tensor")),
        }
    }
}

struct Walk<'a> {
    archive: &'a Archive<'a>,
    all: Vec<(String, Leaf)>,
    values: usize,
    path_bytes: usize,
    tensor_bytes: usize,
}

impl Walk<'_> {
    fn value(&mut self, value: Value, path: &mut String, depth: usize) -> Result<(), String> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES || self.path_bytes > MAX_PATH_BYTES {
            let start: String = path.chars().take(40).collect();
            return Err(format!("{start}...: nested too deeply, or within itself"));
        }
        let (archive, document) = (self.archive, &self.archive.document);
        if archive.is_tensor(value) {
            return self.tensor(value, path);
        }
        if let Some(("_reconstruct_persistent_obj", args)) = document.call(value) {
            return self.object(args, path, depth);
        }
        if let Some(entries) = document.entries(value) {
            for &(key, entry) in entries {
                let key = match key {
                    Value::Int(n) => n.to_string(),
                    _ => document.text(key).ok_or("a key that is no text")?.to_owned(),
                };
                self.at(&key, entry, path, depth)?;
            }
        } else if let Some(elements) = document.elements(value) {
            for (k, &element) in elements.iter().enumerate() {
                self.at(&k.to_string(), element, path, depth)?;
            }
        } else if let Some(plain) = plain(archive, value) {
            self.leaf(path, Leaf::Plain(plain));
        }
        Ok(())
    }

    /// An object of NVIDIA's: its class, and its attributes. What it holds of its own and the objects
    /// within it lie in dictionaries, which no path names.
    fn object(&mut self, args: &[Value], path: &mut String, depth: usize) -> Result<(), String> {
        let document = &self.archive.document;
        let meta = args.first().copied().unwrap_or(Value::None);
        let class = document.get(meta, "class_name").ok_or("an object without a class")?;
        self.at("class_name", class, path, depth)?;
        let state = document.get(meta, "state").ok_or("an object without a state")?;
        for &(key, value) in document.entries(state).unwrap_or_default() {
            match document.text(key) {
                Some("_parameters" | "_buffers" | "_modules") => {
                    for &(key, value) in document.entries(value).unwrap_or_default() {
                        let key = document.text(key).ok_or("a key that is no text")?;
                        self.at(key, value, path, depth)?;
                    }
                }
                Some(key) if !key.starts_with('_') => self.at(key, value, path, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn at(
        &mut self,
        name: &str,
        value: Value,
        path: &mut String,
        depth: usize,
    ) -> Result<(), String> {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        self.value(value, path, depth + 1)?;
        path.truncate(length);
        Ok(())
    }

    fn tensor(&mut self, value: Value, path: &str) -> Result<(), String> {
        let sizes = self.archive.sizes(value).map_err(|e| format!("{path}: {e}"))?;
        let count = sizes.iter().fold(1usize, |n, &size| n.saturating_mul(size));
        // No number has fewer bytes than one.
        self.tensor_bytes = self.tensor_bytes.saturating_add(count);
        self.leaf(path, Leaf::Tensor(value));
        Ok(())
    }

    fn leaf(&mut self, path: &str, leaf: Leaf) {
        self.path_bytes += path.len();
        self.all.push((path.to_owned(), leaf));
    }
}

/// A value that is neither a container nor a tensor, where JSON can say it.
fn plain(archive: &Archive, value: Value) -> Option<Json> {
    Some(match value {
        Value::None => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Int(n) => n.into(),
        Value::Float(v) => Number::from_f64(v).map_or(Json::Null, Json::Number),
        Value::Node(_) => match archive.document.node(value)? {
            Node::Text(text) => text.as_ref().into(),
            Node::Big(n) => Number::from_f64(*n as f64).map_or(Json::Null, Json::Number),
            Node::Name(name) => (*name).into(),
            Node::Call("scalar", args) => numpy_scalar(archive, args)?,
            _ => return None,
        },
    })
}

fn tree(archive: &Archive, value: Option<Value>, depth: usize) -> Json {
    let Some(value) = value.filter(|_| depth <= 8) else { return Json::Null };
    let document = &archive.document;
    if let Some(entries) = document.entries(value) {
        let entry = |&(key, value): &(Value, Value)| {
            Some((document.text(key)?.to_owned(), tree(archive, Some(value), depth + 1)))
        };
        return Json::Object(entries.iter().filter_map(entry).collect());
    }
    if let Some(elements) = document.elements(value) {
        let element = |&value| tree(archive, Some(value), depth + 1);
        return Json::Array(elements.iter().map(element).collect());
    }
    plain(archive, value).unwrap_or_default()
}

/// A number of NumPy: its type and its bytes.
fn numpy_scalar(archive: &Archive, args: &[Value]) -> Option<Json> {
    let document = &archive.document;
    let [dtype, bytes, ..] = *args else { return None };
    let name = document.text(*document.call(dtype)?.1.first()?)?;
    let bytes = document.bytes(bytes)?;
    let value = match name {
        "f8" => f64::from_le_bytes(bytes.try_into().ok()?),
        "f4" => f32::from_le_bytes(bytes.try_into().ok()?).into(),
        "i8" => return Some(i64::from_le_bytes(bytes.try_into().ok()?).into()),
        "i4" => return Some(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        "b1" => return Some(Json::Bool(*bytes.first()? != 0)),
        _ => return None,
    };
    Number::from_f64(value).map(Json::Number)
}
