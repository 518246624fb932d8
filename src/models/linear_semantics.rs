//! What classes pixels have, read off a generator's feature maps: "Linear semantics in generative
//! adversarial networks" (Xu and Zheng, CVPR 2021), with the keys of its published files.
//!
//! | here | paper |
//! | --- | --- |
//! | [`Kind::Lse`] | LSE: S = Σ wᵢ up(Tᵢ xᵢ), a linear map of each feature vector |
//! | [`Kind::Nse1`] | NSE-1: the same with a small network in place of each Tᵢ |
//! | [`Kind::Nse2`] | NSE-2: convolutions that go up through the maps like a decoder |
//!
//! The published code weighs layers by w = a(v) / Σ a(v) of learned v, which the paper leaves out.

use serde::{Deserialize, Serialize};

use crate::nn::{Builder, Init, Param};
use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Which extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Linear.
    #[serde(rename = "LSE")]
    Lse,
    /// A network per map.
    #[serde(rename = "NSE-1")]
    Nse1,
    /// One network through all maps.
    #[serde(rename = "NSE-2")]
    Nse2,
}

/// What the weights of layers are of the learned numbers, before they are divided by their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerWeight {
    /// softplus.
    #[default]
    Softplus,
    /// The logistic function.
    Sigmoid,
    /// 1, and there is no division: the plain sum.
    None,
}

/// An extractor as files describe it under `arch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Which one.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Classes.
    pub n_class: usize,
    /// Channels of each map.
    pub dims: Vec<usize>,
    /// Which of the generator's maps they are.
    pub layers: Vec<usize>,
    /// Weights of the layers.
    #[serde(default)]
    pub lw_type: LayerWeight,
    /// Whether the linear maps have a bias.
    #[serde(default)]
    pub use_bias: bool,
    /// Side of the kernels, where it is not that of the paper's code: 1, and 3 for NSE-2.
    #[serde(default)]
    pub ksize: Option<usize>,
    /// Convolutions of each network of NSE-1.
    #[serde(default = "Config::three")]
    pub n_layers: usize,
}

impl Config {
    const fn three() -> usize {
        3
    }

    /// Refuses sizes that no extractor can have: a file may hold anything.
    ///
    /// # Errors
    /// Naming the field.
    pub fn check(&self) -> Result<()> {
        let refuse = |field: &str, reason: &str| Err(Error::config(field, reason));
        if self.n_class == 0 || self.n_class > 1024 {
            return refuse("n_class", &format!("{} is not from 1 to 1024", self.n_class));
        }
        if self.dims.is_empty() || self.dims.contains(&0) {
            return refuse("dims", "there are none, or one is 0");
        }
        if self.layers.len() != self.dims.len() {
            return refuse("layers", "are not as many as dims");
        }
        if self.kernel().is_multiple_of(2) {
            return refuse("ksize", &format!("{} is not odd", self.kernel()));
        }
        match self.n_layers {
            1..=16 => Ok(()),
            n => refuse("n_layers", &format!("{n} is not from 1 to 16")),
        }
    }

    fn kernel(&self) -> usize {
        self.ksize.unwrap_or(if self.kind == Kind::Nse2 { 3 } else { 1 })
    }
}

/// A convolution that keeps the size, and its bias where it has one.
struct Conv {
    weight: Param, // [O, I, k, k]
    bias: Option<Param>,
}

impl Conv {
    /// Of a size `[I, O, k]`.
    fn new(b: &mut Builder, [inputs, outputs, k]: [usize; 3], with_bias: bool) -> Self {
        let deviation = 1.0 / ((inputs * k * k) as f64).sqrt();
        let weight = b.param("weight", [outputs, inputs, k, k], Init::Normal(deviation));
        let bias = with_bias.then(|| b.param("bias", [outputs], Init::Constant(0.0)));
        Self { weight, bias }
    }

    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = x.conv2d(&self.weight.get(), &Conv2d::padded(self.weight.shape()[2] / 2));
        let Some(bias) = &self.bias else { return y };
        y + bias.get().reshape([bias.shape().numel(), 1, 1])
    }
}

/// Convolutions with ReLU between them.
struct Chain(Vec<Conv>);

impl Chain {
    /// From one width to the next; published keys count the activations too.
    fn new(b: &mut Builder, widths: &[usize], k: usize) -> Self {
        let conv = |(n, pair): (usize, &[usize])| {
            b.at(&(2 * n).to_string(), |b| Conv::new(b, [pair[0], pair[1], k], true))
        };
        Self(widths.windows(2).enumerate().map(conv).collect())
    }

    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut convs = self.0.iter();
        let first = convs.next().expect("a convolution").forward(x);
        convs.fold(first, |y, conv| conv.forward(&y.relu()))
    }
}

/// What an extractor says of a picture's pixels.
#[derive(Clone, Debug)]
pub struct Extraction {
    /// Scores that each map alone gives, at its own size and without its weight, `[N, C, h, w]`;
    /// NSE-2 has none.
    pub layers: Vec<Tensor>,
    /// Scores of the classes, `[N, C, H, W]`; the largest one is the label.
    pub scores: Tensor,
}

/// Feature maps to scores of classes.
pub struct Extractor {
    layers: Vec<usize>,
    form: Form,
}

enum Form {
    /// Each map for itself, and their sum.
    Sum { extractor: Vec<Chain>, layer_weight: Param, lw_type: LayerWeight },
    /// Each map joins what was made of those before it.
    Decoder { extractor: Vec<Chain>, reviser: Vec<Chain>, visualizer: Conv },
}

impl Extractor {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder) -> Self {
        let form = match config.kind {
            Kind::Nse2 => Form::decoder(config, b),
            _ => Form::sum(config, b),
        };
        Self { layers: config.layers.clone(), form }
    }

    /// Scores at a height and width, by default those of the last map. Of more maps than it reads
    /// the extractor takes those of its layers.
    ///
    /// # Panics
    /// When there are fewer maps, or shapes do not fit.
    #[track_caller]
    pub fn forward(&self, maps: &[Tensor], size: Option<[usize; 2]>) -> Extraction {
        let picked: Vec<&Tensor> = match maps.len() == self.layers.len() {
            true => maps.iter().collect(),
            false => self.layers.iter().map(|&k| &maps[k]).collect(),
        };
        let last = picked.last().expect("a feature map");
        let size = size.unwrap_or([last.size(2), last.size(3)]);
        self.form.forward(&picked, size)
    }
}

impl Form {
    fn sum(config: &Config, b: &mut Builder) -> Self {
        let (k, n_class) = (config.kernel(), config.n_class);
        let map = |(i, &dim): (usize, &usize)| {
            b.at(&format!("extractor.{i}"), |b| match config.kind {
                Kind::Lse => Chain(vec![Conv::new(b, [dim, n_class, 1], config.use_bias)]),
                _ => {
                    let mut widths = vec![(dim + n_class) / 2; config.n_layers + 1];
                    (widths[0], widths[config.n_layers]) = (dim, n_class);
                    Chain::new(b, &widths, k)
                }
            })
        };
        let extractor = config.dims.iter().enumerate().map(map).collect();
        let layer_weight = b.param("layer_weight", [config.dims.len()], Init::Constant(1.0));
        Self::Sum { extractor, layer_weight, lw_type: config.lw_type }
    }

    fn decoder(config: &Config, b: &mut Builder) -> Self {
        let (dims, k) = (&config.dims, config.kernel());
        let mut chain = |name: &str, i: usize, to: usize| {
            b.at(&format!("{name}.{i}"), |b| Chain::new(b, &[dims[i], to], k))
        };
        let extractor = (0..dims.len()).map(|i| chain("extractor", i, dims[i])).collect();
        let reviser = (1..dims.len()).map(|i| chain("reviser", i - 1, dims[i])).collect();
        let last = dims[dims.len() - 1];
        let visualizer = b.at("visualizer", |b| Conv::new(b, [last, config.n_class, k], true));
        Self::Decoder { extractor, reviser, visualizer }
    }

    #[track_caller]
    fn forward(&self, maps: &[&Tensor], size: [usize; 2]) -> Extraction {
        match self {
            Self::Sum { extractor, layer_weight, lw_type } => {
                let layers = extractor.iter().zip(maps).map(|(chain, map)| chain.forward(map));
                let layers: Vec<Tensor> = layers.collect();
                let weights = lw_type.weights(&layer_weight.get());
                let scores = weighted_sum(&layers, weights.as_ref(), size);
                Extraction { layers, scores }
            }
            Self::Decoder { extractor, reviser, visualizer } => {
                let mut hidden = extractor[0].forward(maps[0]).relu();
                for ((extractor, reviser), map) in
                    extractor[1..].iter().zip(reviser).zip(&maps[1..])
                {
                    let doubled = [2 * hidden.size(2), 2 * hidden.size(3)];
                    if [map.size(2), map.size(3)] == doubled {
                        hidden = hidden.resize(doubled, Resize::Nearest);
                    }
                    let own = extractor.forward(map);
                    let revised = reviser.forward(&hidden);
                    hidden = revised.zip(&own, |a, b| a.max(0.0) + b.max(0.0));
                }
                let scores = resized(&visualizer.forward(&hidden), size);
                Extraction { layers: Vec::new(), scores }
            }
        }
    }
}

impl LayerWeight {
    /// A weight `[L]` per layer; none where all count alike.
    fn weights(self, learned: &Tensor) -> Option<Tensor> {
        let positive = match self {
            Self::Softplus => learned.softplus(),
            Self::Sigmoid => learned.sigmoid(),
            Self::None => return None,
        };
        Some(&positive / positive.sum_all())
    }
}

/// Σ wᵢ up(xᵢ).
fn weighted_sum(layers: &[Tensor], weights: Option<&Tensor>, size: [usize; 2]) -> Tensor {
    let mut sum: Option<Tensor> = None;
    for (k, layer) in layers.iter().enumerate() {
        let y = resized(layer, size);
        let weight = weights.map(|w| w.narrow(0, k, 1));
        sum = Some(match (sum, weight) {
            (None, None) => y,
            (None, Some(w)) => y * w,
            (Some(sum), None) => sum + y,
            (Some(sum), Some(w)) => {
                let [sum_k, y_k, w_k] = Expr::inputs();
                pointwise(&[&sum, &y, &w], &(sum_k + y_k * w_k))
            }
        });
    }
    sum.expect("a feature map")
}

fn resized(x: &Tensor, size: [usize; 2]) -> Tensor {
    if [x.size(2), x.size(3)] == size {
        return x.clone();
    }
    x.resize(size, Resize::AlignCorners)
}
