//! Latents in files: what a projection found, to be sampled again.

use std::path::Path;

use serde_json::Value;

use crate::checkpoint::{Checkpoint, read_arrays, write_npy};
use crate::models::Sizes;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Styles of pictures, and the noise that goes with them.
#[derive(Clone, Debug)]
pub struct Latents {
    /// `[N, layers, S]`.
    pub w: Tensor,
    /// One map `[1, C, H, W]` per layer that takes noise, where they were looked for, too.
    pub noise: Option<Vec<Tensor>>,
}

impl Latents {
    /// Of one picture, from the style `[1, S]` of every layer.
    pub fn new(styles: &[Tensor], noise: Option<Vec<Tensor>>) -> Self {
        Self { w: Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1), noise }
    }

    /// Reads a `.npy` file of `[N, layers, S]` (or `[layers, S]`, of one picture), or a safetensors
    /// file with that as `w`, and with maps `noise.0`, `noise.1`, ... if with any. `styles` are those
    /// of some picture of the network.
    ///
    /// # Errors
    /// When it is of a network of other sizes.
    pub fn load(path: &Path, styles: &[Tensor], sizes: &Sizes) -> Result<Self> {
        let arrays = read_arrays(path)?;
        let broken = |reason: String| Error::checkpoint(path, reason);
        let missing = || broken("no tensor w".into());
        let (shape, w) = arrays.get("w").or_else(|| arrays.get("")).ok_or_else(missing)?;
        let (layers, width, device) = (styles.len(), styles[0].size(1), styles[0].device());
        let n = match shape[..] {
            [l, s] if [l, s] == [layers, width] => 1,
            [n, l, s] if n > 0 && [l, s] == [layers, width] => n,
            _ => {
                return Err(broken(format!(
                    "w has shape {shape:?}; this network takes [1, {layers}, {width}]"
                )));
            }
        };
        let noise = |(k, &[c, h, w]): (usize, &[usize; 3])| {
            let name = format!("noise.{k}");
            let (shape, values) =
                arrays.get(&name).ok_or_else(|| broken(format!("no tensor {name}")))?;
            if shape[..] != [1, c, h, w] {
                let reason =
                    format!("{name} has shape {shape:?}; this network takes {:?}", [1, c, h, w]);
                return Err(broken(reason));
            }
            Ok(Tensor::from_slice(values, shape, device))
        };
        let has_noise = arrays.keys().any(|name| name.starts_with("noise."));
        let noise = has_noise.then(|| sizes.noise.iter().enumerate().map(noise).collect());
        Ok(Self { w: Tensor::from_slice(w, [n, layers, width], device), noise: noise.transpose()? })
    }

    /// The style `[1, S]` of every layer of each picture.
    pub fn pictures(&self) -> impl Iterator<Item = Vec<Tensor>> {
        let [n, layers, width] = [0, 1, 2].map(|axis| self.w.size(axis));
        let of = move |k, layer| self.w.narrow(0, k, 1).narrow(1, layer, 1).reshape([1, width]);
        (0..n).map(move |k| (0..layers).map(|layer| of(k, layer)).collect())
    }

    /// Writes `projected_w.safetensors` with a description, and `projected_w.npy` of w alone.
    ///
    /// # Errors
    /// When a number is not finite, or the system refuses.
    pub fn save(&self, folder: &Path, description: Value) -> Result<()> {
        let mut file = Checkpoint { description, ..Checkpoint::default() };
        let w = self.w.to_vec()?;
        for (k, noise) in self.noise.iter().flatten().enumerate() {
            let numbers = (noise.shape().clone(), noise.to_vec()?);
            file.tensors.insert(format!("noise.{k}"), numbers);
        }
        file.tensors.insert("w".into(), (self.w.shape().clone(), w.clone()));
        file.save(&folder.join("projected_w.safetensors"))?;
        write_npy(&folder.join("projected_w.npy"), self.w.shape(), &w)
    }
}
