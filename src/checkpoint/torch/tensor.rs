//! Tensors: a storage with an offset, sizes and strides, made contiguous.

use safetensors::Dtype;

use super::super::pickle::Value;
use super::Archive;
use crate::tensor::Shape;

/// Most axes.
const MAX_RANK: usize = 16;
/// A tensor may have as many elements as its storage, or this many where it repeats some.
const MAX_REPEATED: usize = 1 << 20;

/// A kind of number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) dtype: Dtype,
    pub(super) bytes: usize,
}

/// The numbers of a storage's class.
pub(super) fn element_of(class: &str) -> Option<Element> {
    let (dtype, bytes) = match class {
        "DoubleStorage" => (Dtype::F64, 8),
        "FloatStorage" => (Dtype::F32, 4),
        "HalfStorage" => (Dtype::F16, 2),
        "BFloat16Storage" => (Dtype::BF16, 2),
        "LongStorage" => (Dtype::I64, 8),
        "IntStorage" => (Dtype::I32, 4),
        "ShortStorage" => (Dtype::I16, 2),
        "CharStorage" => (Dtype::I8, 1),
        "ByteStorage" => (Dtype::U8, 1),
        "BoolStorage" => (Dtype::BOOL, 1),
        _ => return None,
    };
    Some(Element { dtype, bytes })
}

/// Numbers of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub(super) element: Element,
    pub(super) bytes: &'a [u8],
}

/// A tensor as its file has it: contiguous, with numbers of its own kind.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTensor {
    /// Kind of number.
    pub dtype: Dtype,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// The numbers, each with the lowest byte first.
    pub bytes: Vec<u8>,
}

impl RawTensor {
    /// The tensor as real numbers.
    ///
    /// # Errors
    /// In words: when a number is not finite, or float32 cannot hold it.
    pub fn real(&self) -> Result<(Shape, Vec<f32>), String> {
        let values: Vec<f64> = match self.dtype {
            Dtype::F32 => return finite(&self.shape, numbers(&self.bytes, f32::from_le_bytes)),
            Dtype::F64 => numbers(&self.bytes, f64::from_le_bytes).collect(),
            Dtype::F16 => numbers(&self.bytes, half::f16::from_le_bytes).map(f64::from).collect(),
            Dtype::BF16 => numbers(&self.bytes, half::bf16::from_le_bytes).map(f64::from).collect(),
            Dtype::I64 => numbers(&self.bytes, i64::from_le_bytes).map(|n| n as f64).collect(),
            Dtype::I32 => numbers(&self.bytes, i32::from_le_bytes).map(f64::from).collect(),
            Dtype::I16 => numbers(&self.bytes, i16::from_le_bytes).map(f64::from).collect(),
            Dtype::I8 => numbers(&self.bytes, i8::from_le_bytes).map(f64::from).collect(),
            Dtype::U8 | Dtype::BOOL => self.bytes.iter().map(|&n| f64::from(n)).collect(),
            other => return Err(format!("numbers of type {other:?}")),
        };
        finite(&self.shape, values.into_iter().map(|v| v as f32))
    }
}

fn numbers<const N: usize, T>(
    bytes: &[u8],
    number: impl Fn([u8; N]) -> T,
) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |chunk| number(*chunk))
}

fn finite(shape: &[usize], values: impl Iterator<Item = f32>) -> Result<(Shape, Vec<f32>), String> {
    let values: Vec<f32> = values.collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(k) => Err(format!("element {k} is {}, which is not finite", values[k])),
        None => Ok((shape.into(), values)),
    }
}

/// Where the elements of a tensor lie in its storage.
struct Layout {
    offset: usize,
    sizes: Vec<usize>,
    strides: Vec<usize>,
}

impl Layout {
    /// Number of elements, and of those of the storage that have to be there; none where that
    /// exceeds what can be counted.
    fn extent(&self) -> Option<[usize; 2]> {
        let count = self.sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?;
        if count == 0 {
            return Some([0, 0]);
        }
        let axes = self.sizes.iter().zip(&self.strides);
        let last = axes.into_iter().try_fold(self.offset, |at, (&size, &stride)| {
            at.checked_add((size - 1).checked_mul(stride)?)
        })?;
        Some([count, last.checked_add(1)?])
    }

    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        for (&size, &stride) in self.sizes.iter().zip(&self.strides).rev() {
            if size != 1 && stride != wanted {
                return false;
            }
            wanted *= size;
        }
        true
    }

    /// The elements in their order.
    fn gather(&self, count: usize, storage: Storage) -> Vec<u8> {
        let n = storage.element.bytes;
        if count == 0 {
            return Vec::new();
        }
        if self.is_contiguous() {
            return storage.bytes[self.offset * n..][..count * n].to_vec();
        }
        let mut gathered = Vec::with_capacity(count * n);
        let (mut place, mut at) = (vec![0; self.sizes.len()], self.offset);
        for _ in 0..count {
            gathered.extend_from_slice(&storage.bytes[at * n..][..n]);
            for axis in (0..self.sizes.len()).rev() {
                place[axis] += 1;
                at += self.strides[axis];
                if place[axis] < self.sizes[axis] {
                    break;
                }
                at -= self.sizes[axis] * self.strides[axis];
                place[axis] = 0;
            }
        }
        gathered
    }
}

impl Archive<'_> {
    /// Whether a value is a tensor.
    pub(in crate::checkpoint) fn is_tensor(&self, value: Value) -> bool {
        let call = self.document.call(value);
        call.is_some_and(|(name, _)| name.starts_with("_rebuild"))
    }

    /// The sizes of a tensor.
    ///
    /// # Errors
    /// In words: when the file says them in no known way.
    pub(in crate::checkpoint) fn sizes(&self, value: Value) -> Result<Vec<usize>, String> {
        Ok(self.described_tensor(value)?.1.sizes)
    }

    /// A tensor.
    ///
    /// # Errors
    /// In words: when it does not lie in its storage.
    pub(in crate::checkpoint) fn tensor(&self, value: Value) -> Result<RawTensor, String> {
        let (storage, layout) = self.described_tensor(value)?;
        let storage = self.storage(storage)?;
        let there = storage.bytes.len() / storage.element.bytes;
        let Layout { sizes, strides, offset } = &layout;
        let outside = || {
            format!(
                "sizes {sizes:?}, strides {strides:?} and offset {offset} leave the {there} \
                 elements of its storage"
            )
        };
        let [count, needed] = layout.extent().ok_or_else(outside)?;
        if needed > there || count > there.max(MAX_REPEATED) {
            return Err(outside());
        }
        let bytes = layout.gather(count, storage);
        Ok(RawTensor { dtype: storage.element.dtype, shape: layout.sizes, bytes })
    }

    /// The storage of a tensor, and where its elements lie in it.
    fn described_tensor(&self, value: Value) -> Result<(Value, Layout), String> {
        let document = &self.document;
        let strange = || "a tensor that is described in no known way".to_owned();
        let (name, mut args) = document.call(value).ok_or_else(strange)?;
        if name == "_rebuild_parameter" {
            args = args.first().and_then(|&tensor| document.call(tensor)).ok_or_else(strange)?.1;
        }
        let [storage, offset, sizes, strides, ..] = *args else { return Err(strange()) };
        let list = |value| {
            let elements = document.elements(value).filter(|e| e.len() <= MAX_RANK)?;
            elements.iter().map(|&n| document.size(n)).collect::<Option<Vec<_>>>()
        };
        let sizes_and_strides = list(sizes).zip(list(strides));
        let (sizes, strides) = sizes_and_strides
            .filter(|(a, b)| a.len() == b.len())
            .ok_or("a tensor with negative sizes or strides, or more than 16 of them")?;
        let offset = document.size(offset).ok_or_else(strange)?;
        Ok((storage, Layout { offset, sizes, strides }))
    }
}
