//! Parameters by name, together in one slab.
//!
//! A layer asks a [`Builder`] for its parameters and keeps a [`Param`] for each; the key is the
//! published checkpoint's. All parameters of a network lie in one flat tensor, so that the optimiser
//! and the moving average are one dispatch each. Replacing the slab ([`Parameters::set_slab`]) gives
//! every layer its new values at once; tensors are immutable, so whatever was computed from the old
//! ones stays valid.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};

use crate::autograd::recorded;
use crate::device::Device;
use crate::ops::random::{Draw, Stream};
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// Shapes and numbers by key, as files hold them.
pub type Values = BTreeMap<String, (Shape, Vec<f32>)>;

/// Segments of a slab start at multiples of this many elements (256 bytes: the portable alignment
/// of a storage binding).
const ALIGNMENT: usize = 64;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal with this deviation.
    Normal(f64),
    /// The same number everywhere.
    Constant(f64),
    /// One number in the first half, another one in the second.
    Halves(f64, f64),
}

/// A layer's handle on one of its parameters or buffers.
#[derive(Clone, Debug)]
pub struct Param(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    key: String,
    shape: Shape,
    init: Init,
    value: RwLock<Option<Tensor>>,
    derived: Mutex<HashMap<&'static str, Tensor>>,
}

impl Param {
    /// The current value: a leaf of the tape while its network is tracked.
    ///
    /// # Panics
    /// Before the network got its values.
    pub fn get(&self) -> Tensor {
        let value = self.0.value.read().expect("a thread panicked while setting parameters");
        value.clone().unwrap_or_else(|| panic!("parameter {} has no value yet", self.0.key))
    }

    /// What `compute` makes of the value, and of others of its network, under a name: made once for
    /// each value, on the tape where the value is.
    ///
    /// # Panics
    /// As [`Param::get`].
    pub fn derived(&self, name: &'static str, compute: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let mut derived = self.0.derived.lock().expect("a thread panicked while deriving");
        derived.entry(name).or_insert_with(|| recorded(|| compute(&self.get()))).clone()
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// New values for a buffer, as if they had been loaded. Parameters get theirs from the slab.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn assign(&self, value: &Tensor) {
        assert_eq!(value.shape(), self.shape(), "assign: values for {}", self.0.key);
        self.set(value.detach());
    }

    fn set(&self, value: Tensor) {
        self.0.derived.lock().expect("a thread panicked while deriving").clear();
        *self.0.value.write().expect("a thread panicked while setting parameters") = Some(value);
    }
}

/// Hands out parameters under a prefix while a network is built.
#[derive(Debug, Default)]
pub struct Builder {
    params: Vec<Param>,
    buffers: Vec<Param>,
    prefix: String,
}

impl Builder {
    /// Registers what `build` asks for under `name.`.
    pub fn at<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        let built = build(self);
        self.prefix.truncate(length);
        built
    }

    /// A trainable parameter.
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Param {
        let param = self.slot(name, shape.into(), init);
        self.params.push(param.clone());
        param
    }

    /// Numbers that are stored with the network but not trained.
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Param {
        let buffer = self.slot(name, shape.into(), init);
        self.buffers.push(buffer.clone());
        buffer
    }

    /// Keys and sizes of what was asked for so far: parameters, then buffers.
    pub fn keys(&self) -> [Vec<(String, Shape)>; 2] {
        [&self.params, &self.buffers]
            .map(|all| all.iter().map(|p| (p.0.key.clone(), p.shape().clone())).collect())
    }

    /// Trainable numbers that were asked for so far.
    pub fn count(&self) -> usize {
        self.params.iter().map(|p| p.shape().numel()).sum()
    }

    fn slot(&self, name: &str, shape: Shape, init: Init) -> Param {
        let key = format!("{}{name}", self.prefix);
        let (value, derived) = (RwLock::default(), Mutex::default());
        Param(Arc::new(Slot { key, shape, init, value, derived }))
    }

    /// The parameters of the finished network, with initial values drawn from `seed`.
    pub fn initialized(self, seed: u64, device: &Device) -> Parameters {
        let values = self.params.iter().enumerate().map(|(k, p)| p.draw(seed, Stream::Init, k));
        let slab = pack(values);
        for (k, buffer) in self.buffers.iter().enumerate() {
            let values = buffer.draw(seed, Stream::NoiseBuffer, k);
            buffer.set(Tensor::from_slice(&values, buffer.shape(), device));
        }
        Parameters::new(self, &slab, device)
    }

    /// The parameters of the finished network, with values by key. What a network does not know
    /// (fixed filters of published files) is left out.
    ///
    /// # Errors
    /// When a key is missing, has another shape, or holds a number that is not finite.
    pub fn loaded(self, values: &Values, device: &Device) -> Result<Parameters> {
        let find = |p: &Param| p.find(values);
        let slab = pack(self.params.iter().map(find).collect::<Result<Vec<_>>>()?.into_iter());
        for buffer in &self.buffers {
            buffer.set(Tensor::from_slice(&find(buffer)?, buffer.shape(), device));
        }
        Ok(Parameters::new(self, &slab, device))
    }

    /// What `build` makes, on tensors that `value` computes for keys and shapes: gradients flow to
    /// what they are computed from. There is no slab, so such a network is not trained.
    ///
    /// # Errors
    /// Those of `value`, and when a tensor has another shape.
    pub fn bound<M>(
        build: impl FnOnce(&mut Self) -> M,
        value: impl Fn(&str, &Shape) -> Result<Tensor>,
    ) -> Result<M> {
        let mut builder = Self::default();
        let model = build(&mut builder);
        for param in builder.params.iter().chain(&builder.buffers) {
            let tensor = value(&param.0.key, param.shape())?;
            if tensor.shape() != param.shape() {
                let reason = format!("of shape {:?}, not {:?}", tensor.shape(), param.shape());
                return Err(Error::config(&param.0.key, reason));
            }
            param.set(tensor);
        }
        Ok(model)
    }
}

impl Param {
    fn find(&self, values: &Values) -> Result<Vec<f32>> {
        let wrong = |reason: String| Error::config(&self.0.key, reason);
        let found = values.get(&self.0.key);
        let (shape, found) = found.ok_or_else(|| wrong("missing from the file".into()))?;
        if shape != self.shape() {
            let own = self.shape();
            return Err(wrong(format!("of shape {shape:?} in the file, {own:?} in the network")));
        }
        match found.iter().position(|v| !v.is_finite()) {
            Some(k) => Err(wrong(format!("element {k} is {}, which is not finite", found[k]))),
            None => Ok(found.clone()),
        }
    }

    fn draw(&self, seed: u64, stream: Stream, number: usize) -> Vec<f32> {
        let draw = Draw { seed, stream: stream.of(0), step: number as u64 };
        let n = self.shape().numel();
        let value = |k: usize| match self.0.init {
            Init::Normal(deviation) => (deviation * draw.normal(k)) as f32,
            Init::Constant(value) => value as f32,
            Init::Halves(first, _) if k < n / 2 => first as f32,
            Init::Halves(_, second) => second as f32,
        };
        (0..n).map(value).collect()
    }
}

/// Parameters one after another, each padded to the alignment.
fn pack(values: impl Iterator<Item = Vec<f32>>) -> Vec<f32> {
    let mut slab = Vec::new();
    for value in values {
        slab.extend(value);
        slab.resize(slab.len().next_multiple_of(ALIGNMENT), 0.0);
    }
    slab
}

/// All parameters and buffers of one network.
#[derive(Debug)]
pub struct Parameters {
    params: Vec<Param>,
    buffers: Vec<Param>,
    /// Where each segment of the slab begins, and its length at the end.
    offsets: Vec<usize>,
    slab: Tensor,
    /// `offsets` on the device.
    starts: Tensor,
    zeros: Tensor,
    tracked: bool,
    /// One for each parameter.
    frozen: Vec<bool>,
}

impl Parameters {
    fn new(builder: Builder, slab: &[f32], device: &Device) -> Self {
        let mut offsets = vec![0];
        for param in &builder.params {
            let end = offsets[offsets.len() - 1] + param.shape().numel();
            offsets.push(end.next_multiple_of(ALIGNMENT));
        }
        let indices: Vec<i32> = offsets.iter().map(|&k| k as i32).collect();
        let longest = builder.params.iter().map(|p| p.shape().numel()).max().unwrap_or(1);
        let frozen = vec![false; builder.params.len()];
        let mut parameters = Self {
            params: builder.params,
            buffers: builder.buffers,
            slab: Tensor::from_slice(slab, [slab.len()], device),
            starts: Tensor::from_indices(&indices, [indices.len()], device),
            zeros: Tensor::from_slice(
                &vec![0.0; longest.max(ALIGNMENT)],
                [longest.max(ALIGNMENT)],
                device,
            ),
            offsets,
            tracked: false,
            frozen,
        };
        parameters.publish();
        parameters
    }

    /// Keys of the trainable parameters, in the slab's order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|p| p.0.key.as_str())
    }

    /// Trainable parameters and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.params.iter().map(|p| (p.0.key.as_str(), p.get()))
    }

    /// Stored numbers that are not trained, and their values.
    pub fn buffers(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.buffers.iter().map(|p| (p.0.key.as_str(), p.get()))
    }

    /// Number of trainable numbers, without padding.
    pub fn count(&self) -> usize {
        self.params.iter().map(|p| p.shape().numel()).sum()
    }

    /// All trainable parameters as one flat tensor, padding included.
    pub fn slab(&self) -> &Tensor {
        &self.slab
    }

    /// Where the segments of the slab begin, with its length at the end, as indices on the device.
    pub fn starts(&self) -> &Tensor {
        &self.starts
    }

    /// Gives every parameter its part of a new slab.
    ///
    /// # Panics
    /// When the size differs from the old one's.
    pub fn set_slab(&mut self, slab: Tensor) {
        assert_eq!(slab.shape(), self.slab.shape(), "a slab of another network");
        self.slab = slab.detach();
        self.publish();
    }

    /// Whether operations on the parameters are recorded from now on.
    pub fn track(&mut self, tracked: bool) {
        if tracked != self.tracked {
            self.tracked = tracked;
            self.publish();
        }
    }

    /// Leaves the parameters of some keys as they are: from now on none of them is tracked.
    pub fn freeze(&mut self, is_frozen: impl Fn(&str) -> bool) {
        self.frozen = self.params.iter().map(|param| is_frozen(&param.0.key)).collect();
        self.publish();
    }

    /// A slab of this layout with the own values of what is frozen.
    ///
    /// # Panics
    /// When the sizes differ.
    #[track_caller]
    pub fn thawed(&self, slab: &Tensor) -> Tensor {
        assert_eq!(slab.shape(), self.slab.shape(), "a slab of another network");
        if !self.frozen.contains(&true) {
            return slab.clone();
        }
        let segment = |(k, &frozen): (usize, &bool)| {
            let of = if frozen { &self.slab } else { slab };
            of.segment(self.offsets[k], [self.offsets[k + 1] - self.offsets[k]])
        };
        let segments: Vec<Tensor> = self.frozen.iter().enumerate().map(segment).collect();
        Tensor::cat(&segments.iter().collect::<Vec<_>>(), 0)
    }

    fn publish(&mut self) {
        for ((param, &offset), frozen) in self.params.iter().zip(&self.offsets).zip(&self.frozen) {
            let value = self.slab.segment(offset, param.shape());
            param.set(if self.tracked && !frozen { value.tracked() } else { value });
        }
    }

    /// The parts of a slab of this layout by key, without padding.
    ///
    /// # Errors
    /// When the device fails.
    pub fn split(&self, slab: &Tensor) -> Result<Values> {
        let values = slab.to_vec()?;
        let part = |(param, &offset): (&Param, &usize)| {
            let values = values[offset..offset + param.shape().numel()].to_vec();
            (param.0.key.clone(), (param.shape().clone(), values))
        };
        Ok(self.params.iter().zip(&self.offsets).map(part).collect())
    }

    /// A slab of this layout from parts by key.
    ///
    /// # Errors
    /// As [`Builder::loaded`].
    pub fn join(&self, parts: &Values) -> Result<Tensor> {
        let find = |p: &Param| p.find(parts);
        let slab = pack(self.params.iter().map(find).collect::<Result<Vec<_>>>()?.into_iter());
        Ok(Tensor::from_slice(&slab, [slab.len()], self.slab.device()))
    }

    /// Gradients in the order of [`Parameters::keys`] as one slab, zero where there is none.
    ///
    /// # Panics
    /// When there is not one entry per parameter.
    pub fn gather(&self, gradients: &[Option<Tensor>]) -> Tensor {
        assert_eq!(gradients.len(), self.params.len(), "one gradient per parameter");
        let mut parts = Vec::new();
        for (k, gradient) in gradients.iter().enumerate() {
            let n = self.params[k].shape().numel();
            let padding = self.offsets[k + 1] - self.offsets[k] - n;
            parts.push(match gradient {
                Some(g) => g.detach().reshape([n]),
                None => self.zeros.segment(0, [n]),
            });
            if padding > 0 {
                parts.push(self.zeros.segment(0, [padding]));
            }
        }
        Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
    }
}
