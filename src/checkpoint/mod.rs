//! Network files: safetensors with a JSON description in the metadata; what other programs' files
//! call the same parameters; and plain arrays.

mod arrays;
mod lpips;
mod pickle;
pub mod published;
mod torch;

pub use arrays::{read_arrays, shapes, write_npy};
pub use torch::RawTensor;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::Value;

use crate::files::{self, Draft};
use crate::nn::Values;
use crate::tensor::Shape;
use crate::{Error, Result};

/// Metadata key of the description.
const DESCRIPTION: &str = "semgan";

/// Longest header of a safetensors file, as its format says.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Real tensors by name, and a description.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Where it was read; empty for one that was not.
    pub path: PathBuf,
    /// What it holds.
    pub description: Value,
    /// Shapes and numbers.
    pub tensors: Values,
}

impl Checkpoint {
    /// Reads and checks a file: lengths, types and the description, and that every number is finite.
    ///
    /// # Errors
    /// What is wrong with it, naming the tensor.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(path, &files::map(path)?)
    }

    /// The same from the bytes of the file at `path`.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let broken = |reason: String| Error::checkpoint(path, reason);
        let unreadable = |e: safetensors::SafeTensorError| {
            broken(format!("not a complete safetensors file ({e}); is it a semgan snapshot?"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let text = header.metadata().as_ref().and_then(|m| m.get(DESCRIPTION));
        let text = text.ok_or_else(|| broken("not a semgan snapshot: no description".into()))?;
        let description = serde_json::from_str(text)
            .map_err(|e| broken(format!("the description is no JSON: {e}")))?;
        Ok(Self { path: path.to_owned(), description, tensors: tensors(path, &file)? })
    }

    /// Reads and checks the tensors of a file of another program.
    ///
    /// # Errors
    /// What is wrong with it, naming the tensor.
    pub fn plain(path: &Path) -> Result<Self> {
        let bytes = files::map(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| {
            Error::checkpoint(path, format!("not a complete safetensors file ({e})"))
        })?;
        let tensors = tensors(path, &file)?;
        Ok(Self { path: path.to_owned(), description: Value::Null, tensors })
    }

    /// Reads the description alone, and checks that the file is as long as its header says.
    ///
    /// # Errors
    /// When it is cut off or not one of ours.
    pub fn describe(path: &Path) -> Result<Self> {
        let description = header(path).map_err(Error::io("read", path))?;
        let reason = "cut off, or not a semgan snapshot";
        let description = description.ok_or_else(|| Error::checkpoint(path, reason))?;
        Ok(Self { path: path.to_owned(), description, tensors: BTreeMap::new() })
    }

    /// Name of the first tensor that holds a number that is not finite.
    pub fn nonfinite(&self) -> Option<&str> {
        let bad = |(_, (_, values)): &(&String, &(Shape, Vec<f32>))| {
            values.iter().any(|v| !v.is_finite())
        };
        self.tensors.iter().find(bad).map(|(name, _)| name.as_str())
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// When a number is not finite, or the system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(name) = self.nonfinite() {
            return Err(Error::checkpoint(path, format!("not written: {name} is not finite")));
        }
        let metadata = HashMap::from([(DESCRIPTION.to_owned(), self.description.to_string())]);
        write(path, &self.tensors, Some(metadata))
    }

    /// The tensors whose name starts with `prefix`, by the rest of the name.
    pub fn values(&self, prefix: &str) -> Values {
        let part = |(name, tensor): (&String, &(Shape, Vec<f32>))| {
            Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
        };
        self.tensors.iter().filter_map(part).collect()
    }

    /// Numbers of one tensor.
    ///
    /// # Errors
    /// When the file has none of that name.
    pub fn tensor(&self, name: &str) -> Result<&[f32]> {
        let missing = || Error::checkpoint(&self.path, format!("no tensor {name}"));
        self.tensors.get(name).map(|(_, values)| values.as_slice()).ok_or_else(missing)
    }

    /// A field of the description.
    ///
    /// # Errors
    /// When it is missing or of another form.
    pub fn field<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.description.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|e| Error::checkpoint(&self.path, format!("{name:?} of the description: {e}")))
    }

    /// Names the file in an error about one of its tensors.
    pub fn blame(&self, error: Error) -> Error {
        match error {
            Error::Config { field, reason } => {
                Error::checkpoint(&self.path, format!("{field}: {reason}"))
            }
            other => other,
        }
    }
}

/// Writes tensors as a plain safetensors file, atomically.
///
/// # Errors
/// When the system refuses.
pub fn save_tensors(path: &Path, tensors: &Values) -> Result<()> {
    write(path, tensors, None)
}

/// Writes tensors of any kind of number as a plain safetensors file, atomically.
///
/// # Errors
/// When the system refuses.
pub fn save_raw(path: &Path, tensors: &BTreeMap<String, RawTensor>) -> Result<()> {
    let views = tensors.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        (name.as_str(), view.expect("as many bytes as the shape says"))
    });
    save_views(path, views, None)
}

fn write(path: &Path, tensors: &Values, metadata: Option<HashMap<String, String>>) -> Result<()> {
    const { assert!(cfg!(target_endian = "little"), "safetensors hold little-endian numbers") };
    let views = tensors.iter().map(|(name, (shape, values))| {
        let bytes = bytemuck::cast_slice(values);
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        (name.as_str(), view.expect("as many bytes as the shape says"))
    });
    save_views(path, views, metadata)
}

fn save_views<'a>(
    path: &Path,
    views: impl Iterator<Item = (&'a str, TensorView<'a>)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<()> {
    let draft = Draft::of(path).map_err(Error::io("write", path))?;
    let failed = |e: SafeTensorError| match e {
        SafeTensorError::IoError(e) => Error::io("write", path)(e),
        other => Error::checkpoint(path, other.to_string()),
    };
    safetensors::serialize_to_file(views, metadata, draft.path()).map_err(failed)?;
    draft.publish().map_err(Error::io("write", path))
}

/// The tensors of a safetensors file that are float32; those of other types are left out.
///
/// # Errors
/// When it cannot be read, or holds a number that is not finite.
pub fn real_tensors(path: &Path) -> Result<Values> {
    let bytes = files::map(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::checkpoint(path, format!("not a complete safetensors file ({e})")))?;
    let names = file.iter().filter(|(_, view)| view.dtype() == Dtype::F32);
    names.map(|(name, view)| Ok((name.to_owned(), real(path, name, &view)?))).collect()
}

/// Every tensor of a file.
fn tensors(path: &Path, file: &SafeTensors) -> Result<Values> {
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            let reason = format!("{name} has type {:?}, not F32", view.dtype());
            return Err(Error::checkpoint(path, reason));
        }
        let values = real(path, &name, &view)?;
        tensors.insert(name, values);
    }
    Ok(tensors)
}

/// A tensor of float32.
fn real(path: &Path, name: &str, view: &TensorView) -> Result<(Shape, Vec<f32>)> {
    let numbers = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    let values: Vec<f32> = numbers.collect();
    if let Some(k) = values.iter().position(|v| !v.is_finite()) {
        let reason = format!("{name}: element {k} is {}, which is not finite", values[k]);
        return Err(Error::checkpoint(path, reason));
    }
    Ok((view.shape().into(), values))
}

/// The description in a file's header; `None` where the file is not whole.
fn header(path: &Path) -> std::io::Result<Option<Value>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut size = [0; 8];
    if length < 8 {
        return Ok(None);
    }
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > (length - 8).min(MAX_HEADER_BYTES) {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text)?;
    let entries: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let ends = entries.values().filter_map(|entry| entry["data_offsets"][1].as_u64());
    let whole = ends.max().is_some_and(|end| 8 + size + end == length);
    let description = entries.get("__metadata__").and_then(|m| m[DESCRIPTION].as_str());
    let description = description.and_then(|text| serde_json::from_str(text).ok());
    Ok(description.filter(|_| whole))
}
