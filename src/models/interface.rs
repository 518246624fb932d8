//! What training and sampling ask of a network, whatever its paper.

use crate::device::Device;
use crate::tensor::Tensor;

/// What goes into a generator, and what comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Width Z of a latent.
    pub latent: usize,
    /// Width W of what the mapping makes of one; none where there is no mapping.
    pub style: Option<usize>,
    /// Layers that take a style each.
    pub layers: usize,
    /// Channels, height and width of the noise of each layer that takes it.
    pub noise: Vec<[usize; 3]>,
    /// Height and width of the picture.
    pub picture: [usize; 2],
    /// Classes of pictures; 0 without.
    pub classes: usize,
    /// Classes of pixels, where the network labels what it makes; 0 where it does not.
    pub parts: usize,
}

impl Sizes {
    /// Labels `[N, classes]` of classes, 1 for a sample's own; none where there are none.
    ///
    /// # Panics
    /// When a class does not exist.
    pub fn label(
        &self,
        classes: impl IntoIterator<Item = usize>,
        device: &Device,
    ) -> Option<Tensor> {
        let mut label = Vec::new();
        for class in classes {
            assert!(class < self.classes || self.classes == 0, "class {class} of {}", self.classes);
            label.extend((0..self.classes).map(|k| f32::from(k == class)));
        }
        let n = label.len().checked_div(self.classes)?;
        Some(Tensor::from_slice(&label, [n, self.classes], device))
    }
}

/// Latent to picture.
pub trait Generator: Send + Sync {
    /// Latents z `[B, Z]` and, where the network has classes, labels `[B, classes]` to w `[B, W]`,
    /// the space of truncation and editing. A network without a mapping prepares its input.
    ///
    /// # Panics
    /// When the shapes do not fit, or a label is missing.
    fn map(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor;

    /// One style per layer from w.
    fn styles(&self, w: &Tensor) -> Vec<Tensor>;

    /// The network's own noise, one per layer that takes it.
    fn noise(&self) -> Vec<Tensor>;

    /// Styles to pictures, with what depends on the weights alone computed once.
    fn synthesizer(&self) -> Box<dyn Synthesizer + '_>;

    /// The styles that the lengths of paths are measured in, each a variable of its own.
    fn variables(&self, styles: &[Tensor]) -> Vec<Tensor> {
        styles.iter().map(Tensor::alias).collect()
    }

    /// Takes in the w of a training batch, given in parts.
    fn observe(&self, _w: &[Tensor]) {}

    /// Moves what follows the weights without being trained.
    fn refresh(&self) {}
}

/// Styles to pictures.
pub trait Synthesizer {
    /// One style `[B, S]` per layer and the noise of each layer (`[B or 1, ...]`) to a picture
    /// `[B, 3, H, W]` at a level of detail; 0 is the full one, and all that networks have which do
    /// not grow.
    ///
    /// # Panics
    /// When there are not as many as layers, or the level does not exist.
    fn picture(&self, styles: &[Tensor], noise: &[Tensor], lod: f64) -> Tensor;

    /// The feature maps `[B, C, r, r']` that classes are read off, from the smallest to the largest.
    /// [`linear_semantics`](super::linear_semantics) has what reads them.
    ///
    /// # Panics
    /// As [`Synthesizer::picture`].
    fn features(&self, styles: &[Tensor], noise: &[Tensor]) -> Vec<Tensor>;

    /// Picture and label map; none where the network makes pictures alone.
    ///
    /// # Panics
    /// As [`Synthesizer::picture`].
    fn segmented(&self, _styles: &[Tensor], _noise: &[Tensor]) -> Option<Segmented> {
        None
    }

    /// Losses that the network brings along, by name, times their weights.
    fn losses(&self, _weights: [f64; 2]) -> Vec<(&'static str, Tensor)> {
        Vec::new()
    }
}

/// A picture whose pixels have classes.
#[derive(Clone, Debug)]
pub struct Segmented {
    /// `[B, 3, H, W]`
    pub picture: Tensor,
    /// Scores of the classes, `[B, K, H, W]`; the largest one is the label.
    pub seg: Tensor,
    /// The map that it refines: shares of the classes from −1 to 1, `[B, K, c, c]`.
    pub seg_coarse: Tensor,
}

/// What a discriminator says of pictures.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Score `[B]`, high for real.
    pub pred: Tensor,
    /// Estimate of the style `[B, W]`, where it makes one.
    pub info: Option<Tensor>,
    /// What each class is worth `[B, classes]`, where it tells them.
    pub classes: Option<Tensor>,
}

/// Picture to score.
pub trait Discriminator: Send + Sync {
    /// How many of n samples share a minibatch deviation.
    fn group(&self, n: usize) -> usize;

    /// Pictures `[B, 3, H, W]`, of which `group` share a deviation, and labels `[B, classes]` where
    /// the network has classes, at a level of detail. A network that reads label maps `[B, K, H, W]`
    /// too finds them in further channels.
    ///
    /// # Panics
    /// When the shapes do not fit, a label is missing, or the level does not exist.
    fn judge_in_groups(
        &self,
        picture: &Tensor,
        label: Option<&Tensor>,
        lod: f64,
        group: usize,
    ) -> Judgement;

    /// A batch of pictures.
    ///
    /// # Panics
    /// As [`Discriminator::judge_in_groups`].
    fn judge(&self, picture: &Tensor, label: Option<&Tensor>, lod: f64) -> Judgement {
        self.judge_in_groups(picture, label, lod, self.group(picture.size(0)))
    }

    /// Two batches of one size at once, each judged as if alone: half the kernels, twice as full.
    ///
    /// # Panics
    /// As [`Discriminator::judge_in_groups`], and when the sizes differ.
    fn judge_both(
        &self,
        pictures: [&Tensor; 2],
        labels: Option<[&Tensor; 2]>,
        lod: f64,
    ) -> [Judgement; 2] {
        let group = self.group(pictures[0].size(0));
        let label = labels.map(|labels| joined(labels, group));
        let both = self.judge_in_groups(&joined(pictures, group), label.as_ref(), lod, group);
        let pred = parted(&both.pred, group);
        let [info, classes] = [both.info, both.classes].map(|x| x.map(|x| parted(&x, group)));
        std::array::from_fn(|k| {
            let of = |x: &Option<[Tensor; 2]>| x.as_ref().map(|x| x[k].clone());
            Judgement { pred: pred[k].clone(), info: of(&info), classes: of(&classes) }
        })
    }
}

/// Two batches as one in which `group` samples share a deviation. Those of equal remainder do: the
/// remainders of the second batch come behind those of the first.
fn joined(batches: [&Tensor; 2], group: usize) -> Tensor {
    let shape = batches[0].shape();
    let [a, b] = batches.map(|x| x.reshape([group, x.numel() / group]));
    Tensor::cat(&[&a, &b], 1).reshape(shape.with(0, 2 * shape[0]))
}

/// The two batches of which [`joined`] made one.
fn parted(both: &Tensor, group: usize) -> [Tensor; 2] {
    let shape = both.shape().with(0, both.size(0) / 2);
    both.reshape([group, both.numel() / group]).chunk::<2>(1).map(|x| x.reshape(shape.clone()))
}
