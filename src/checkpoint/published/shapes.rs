//! The shapes of one network's tensors, which tell its sizes.

use std::collections::BTreeMap;

use super::{Leaf, Leaves, Source};

/// Shapes of the tensors whose paths begin with a prefix.
pub(super) struct Shapes<'a> {
    leaves: &'a Leaves<'a>,
    pub(super) prefix: String,
    /// Where the tensor of a key is, where that is not the key itself.
    names: Option<&'a dyn Fn(&str) -> Source>,
}

impl<'a> Shapes<'a> {
    /// Behind `prefix`, and behind `module.` where all keys of the network begin so.
    pub(super) fn of(leaves: &'a Leaves<'a>, prefix: &str) -> Option<Self> {
        let mut tensors = leaves.tensors(prefix).peekable();
        tensors.peek()?;
        let is_wrapped = tensors.all(|(key, _)| key.starts_with("module."));
        let module = if is_wrapped { "module." } else { "" };
        Some(Self { leaves, prefix: format!("{prefix}{module}"), names: None })
    }

    /// The same where keys have other names, and their tensors other axes.
    pub(super) fn named(&self, names: &'a dyn Fn(&str) -> Source) -> Self {
        Self { leaves: self.leaves, prefix: self.prefix.clone(), names: Some(names) }
    }

    /// Whether there is a tensor of a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.shape(key).is_some()
    }

    /// The sizes of a tensor, where it is there.
    pub(super) fn shape(&self, key: &str) -> Option<Vec<usize>> {
        let source = self.names.map_or_else(|| Source::of(key), |names| names(key));
        match self.leaves.get(&format!("{}{}", self.prefix, source.key))? {
            Leaf::Tensor(value) => source.shape(self.leaves.archive.sizes(*value).ok()?),
            Leaf::Plain(_) => None,
        }
    }

    /// One size of a tensor.
    ///
    /// # Errors
    /// In words: when it is missing, or has fewer axes.
    pub(super) fn size(&self, key: &str, axis: usize) -> Result<usize, String> {
        let shape = self.shape(key).ok_or_else(|| format!("{}{key} is missing", self.prefix))?;
        let size = shape.get(axis).copied();
        size.ok_or_else(|| format!("{}{key} has only the axes {shape:?}", self.prefix))
    }

    /// How many of `key(first)`, `key(first + 1)` ... there are without a gap.
    pub(super) fn count(&self, first: usize, key: impl Fn(usize) -> String) -> usize {
        (first..).take_while(|&k| self.has(&key(k))).count()
    }

    /// The taps of which a filter `[..., k, k]` is the outer product, the smallest of them 1.
    pub(super) fn taps(&self, key: &str) -> Option<Vec<f64>> {
        let raw = self.leaves.raw(&format!("{}{key}", self.prefix)).ok()?;
        let (shape, values) = raw.real().ok()?;
        let side = *shape.last()?;
        let row = values.chunks_exact(side.max(1)).next()?;
        let least = row.iter().map(|tap| tap.abs()).filter(|tap| *tap > 0.0).reduce(f32::min)?;
        Some(row.iter().map(|tap| f64::from(tap / least)).collect())
    }
}

/// The base and the maximum of a table of channels, `base / resolution` up to the maximum.
///
/// # Errors
/// In words: when the channels follow no such table.
pub(super) fn table(channels: &BTreeMap<usize, usize>) -> Result<[usize; 2], String> {
    let most = channels.values().copied().max().unwrap_or(0);
    let base = channels.iter().map(|(r, c)| r.saturating_mul(*c)).max().unwrap_or(0);
    match channels.iter().all(|(r, c)| (base / r).min(most) == *c) {
        true => Ok([base, most]),
        false => Err(format!("channels {channels:?} follow no table of base / resolution")),
    }
}
