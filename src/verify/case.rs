//! A golden file in memory, and what a row sees of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::device::Device;
use crate::nn::{Builder, Network, Values};
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// Numbers as stored.
#[derive(Clone, Debug)]
pub(super) enum Numbers {
    Real(Vec<f32>),
    Index(Vec<i32>),
}

impl Numbers {
    pub(super) fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::Real(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Self::Index(v) => v.iter().map(|&v| f64::from(v)).collect(),
        }
    }
}

/// A golden file.
#[derive(Debug)]
pub struct Case {
    path: PathBuf,
    /// What is computed.
    pub op: String,
    attrs: Value,
    pub(super) rtol: f64,
    pub(super) atol: f64,
    pub(super) tensors: BTreeMap<String, (Shape, Numbers)>,
}

impl Case {
    /// Reads a golden file.
    ///
    /// # Errors
    /// When it is no safetensors file or lacks part of the schema.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::parse(path, &bytes)
    }

    /// A case from a file's bytes; `path` is its name.
    ///
    /// # Errors
    /// When they are no safetensors file or lack part of the schema.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let broken = |what: String| Error::checkpoint(path, what);
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| broken(format!("not a golden file: {e}")))?;
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| broken(format!("not a golden file: {e}")))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let get = |key: &str| {
            metadata.get(key).cloned().ok_or_else(|| broken(format!("no {key:?} in the metadata")))
        };
        let number = |key: &str| -> Result<f64> {
            let text = get(key)?;
            text.parse().map_err(|_| broken(format!("{key} is {text:?}, not a number")))
        };
        let attrs = serde_json::from_str(&get("attrs")?)
            .map_err(|e| broken(format!("attrs are no JSON: {e}")))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let numbers = match view.dtype() {
                Dtype::F32 => Numbers::Real(bytes_as(view.data(), f32::from_le_bytes)),
                Dtype::I64 => Numbers::Index(
                    bytes_as(view.data(), i64::from_le_bytes)
                        .into_iter()
                        .map(i32::try_from)
                        .collect::<Result<_, _>>()
                        .map_err(|_| broken(format!("{name}: an index beyond 32 bits")))?,
                ),
                other => return Err(broken(format!("{name}: type {other:?} is not supported"))),
            };
            tensors.insert(name, (Shape::from(view.shape()), numbers));
        }
        let (op, rtol, atol) = (get("op")?, number("rtol")?, number("atol")?);
        Ok(Self { path: path.to_owned(), op, attrs, rtol, atol, tensors })
    }

    fn error(&self, what: impl Into<String>) -> Error {
        Error::checkpoint(&self.path, what)
    }
}

fn bytes_as<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.chunks_exact(N).map(|b| from(b.try_into().expect("chunks of this size"))).collect()
}

/// What a row returns: tensors by their stored names, `out.` and `after.` included.
#[derive(Default)]
pub struct Outputs(pub(super) BTreeMap<String, Tensor>);

impl Outputs {
    /// The single output `y`.
    pub fn y(y: Tensor) -> Result<Self> {
        Ok(Self::default().out("y", y))
    }

    /// Adds an output.
    #[must_use]
    pub fn out(mut self, name: &str, value: Tensor) -> Self {
        self.0.insert(format!("out.{name}"), value);
        self
    }

    /// Adds a parameter as it is after training.
    pub fn after(&mut self, key: &str, value: Tensor) {
        self.0.insert(format!("after.param.{key}"), value);
    }
}

/// A case on a device: what a row computes from. Inputs that have a stored gradient are tracked.
pub struct Context<'a> {
    pub(super) case: &'a Case,
    /// Where to compute.
    pub device: Device,
    pub(super) inputs: RefCell<BTreeMap<String, Tensor>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(case: &'a Case, device: &Device) -> Self {
        Self { case, device: device.clone(), inputs: RefCell::default() }
    }

    /// Input `in.NAME`.
    ///
    /// # Errors
    /// When the case has none of that name.
    pub fn x(&self, name: &str) -> Result<Tensor> {
        self.get(&format!("in.{name}"), name)
    }

    /// Input `in.NAME`, where the case has it.
    ///
    /// # Errors
    /// Never for a missing one.
    pub fn optional(&self, name: &str) -> Result<Option<Tensor>> {
        let present = self.case.tensors.contains_key(&format!("in.{name}"));
        present.then(|| self.x(name)).transpose()
    }

    /// Parameter `param.KEY`.
    ///
    /// # Errors
    /// When the case has none of that key.
    pub fn param(&self, key: &str) -> Result<Tensor> {
        let name = format!("param.{key}");
        self.get(&name, &name)
    }

    /// A network, or part of one, with the parameters `param.PREFIX*`, to which the case's gradients
    /// refer.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn network<M>(
        &self,
        prefix: &str,
        build: impl FnOnce(&mut Builder) -> M,
    ) -> Result<Network<M>> {
        let mut network = Network::loaded(&self.params(prefix), &self.device, build)?;
        network.params.track(self.judges(&format!("param.{prefix}")));
        for (key, value) in network.params.iter() {
            self.set(&format!("param.{prefix}{key}"), &value);
        }
        Ok(network)
    }

    /// Keys of the parameters that start with `prefix`, without it, and their values.
    pub fn params(&self, prefix: &str) -> Values {
        let prefix = format!("param.{prefix}");
        let real = |(name, (shape, numbers)): (&String, &(Shape, Numbers))| match numbers {
            Numbers::Real(v) => {
                Some((name.strip_prefix(&prefix)?.to_owned(), (shape.clone(), v.clone())))
            }
            Numbers::Index(_) => None,
        };
        self.case.tensors.iter().filter_map(real).collect()
    }

    /// Whether the case stores gradients for names that start with `prefix`.
    pub fn judges(&self, prefix: &str) -> bool {
        let prefix = format!("grad.{prefix}");
        self.case.tensors.keys().any(|name| name.starts_with(&prefix))
    }

    /// Replaces the tensor that gradients `grad.NAME` refer to: networks own their parameters.
    pub fn set(&self, name: &str, value: &Tensor) {
        self.inputs.borrow_mut().insert(name.to_owned(), value.clone());
    }

    fn get(&self, stored: &str, name: &str) -> Result<Tensor> {
        if let Some(known) = self.inputs.borrow().get(name) {
            return Ok(known.clone());
        }
        let (shape, numbers) = (self.case.tensors.get(stored))
            .ok_or_else(|| self.case.error(format!("the case has no {stored}")))?;
        let tensor = match numbers {
            Numbers::Index(v) => Tensor::from_indices(v, shape, &self.device),
            Numbers::Real(v) => {
                let tensor = Tensor::from_slice(v, shape, &self.device);
                let judged = self.case.tensors.contains_key(&format!("grad.{name}"));
                if judged { tensor.tracked() } else { tensor }
            }
        };
        self.set(name, &tensor);
        Ok(tensor)
    }

    fn attr<T>(&self, name: &str, kind: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
        self.case.attrs.get(name).and_then(read).ok_or_else(|| self.wrong(name, kind))
    }

    /// A real attribute.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn f64(&self, name: &str) -> Result<f64> {
        self.attr(name, "a number", Value::as_f64)
    }

    /// A whole attribute.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn int(&self, name: &str) -> Result<isize> {
        self.attr(name, "a whole number", |v| v.as_i64().map(|v| v as isize))
    }

    /// A non-negative whole attribute.
    ///
    /// # Errors
    /// When it is missing, negative or of another type.
    pub fn size(&self, name: &str) -> Result<usize> {
        usize::try_from(self.int(name)?).map_err(|_| self.wrong(name, "non-negative"))
    }

    /// The error that an attribute is not what it should be.
    pub fn wrong(&self, name: &str, what: &str) -> Error {
        self.case.error(format!("attribute {name:?} is missing or not {what}"))
    }

    /// A list of whole numbers.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn ints(&self, name: &str) -> Result<Vec<isize>> {
        let list = |v: &Value| {
            v.as_array()?.iter().map(|v| v.as_i64().map(|v| v as isize)).collect::<Option<Vec<_>>>()
        };
        self.attr(name, "a list of whole numbers", list)
    }

    /// A list of non-negative numbers.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let size = |v| usize::try_from(v).map_err(|_| self.wrong(name, "non-negative"));
        self.ints(name)?.into_iter().map(size).collect()
    }

    /// Two non-negative numbers.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn pair(&self, name: &str) -> Result<[usize; 2]> {
        self.sizes(name)?.try_into().map_err(|_| self.wrong(name, "a pair"))
    }

    /// A truth value.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.attr(name, "true or false", Value::as_bool)
    }

    /// A word.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn word(&self, name: &str) -> Result<String> {
        self.attr(name, "a word", |v| v.as_str().map(str::to_owned))
    }

    /// An attribute of any form, where the case has it.
    pub fn any(&self, name: &str) -> Option<&Value> {
        self.case.attrs.get(name)
    }

    /// All attributes.
    pub fn attrs(&self) -> &Value {
        &self.case.attrs
    }
}
