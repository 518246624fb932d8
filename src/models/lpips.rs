//! LPIPS 0.1: how different two pictures look. Zhang et al. 2018, "The unreasonable effectiveness of
//! deep features as a perceptual metric", equation 1.
//!
//! Both pictures pass a net that was trained to classify. The features of five of its layers are
//! brought to unit length over the channels; their squared differences, weighted by channel, are
//! averaged over the pixels and added up over the layers.

use crate::device::Device;
use crate::nn::conv::bias_act;
use crate::nn::{Builder, Init, Network, Param, Values};
use crate::ops::conv::Conv2d;
use crate::ops::pointwise::{Expr, pointwise};
use crate::ops::resample::pool::Pool2d;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Mean and deviation of each colour, for pictures from −1 to 1.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Which net compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// After the last ReLU of each of the five resolutions.
    Vgg16,
    /// After each of the five ReLUs.
    AlexNet,
}

impl Net {
    /// Numbers of the convolutions up to each of the five layers, in torchvision's `features`.
    fn convolutions(self) -> [&'static [usize]; 5] {
        match self {
            Self::Vgg16 => [&[0, 2], &[5, 7], &[10, 12, 14], &[17, 19, 21], &[24, 26, 28]],
            Self::AlexNet => [&[0], &[3], &[6], &[8], &[10]],
        }
    }

    /// Side of the kernel, and how it steps.
    fn convolution(self, number: usize) -> (usize, Conv2d) {
        match (self, number) {
            (Self::AlexNet, 0) => (11, Conv2d { padding: [2, 2], ..Conv2d::strided(4) }),
            (Self::AlexNet, 3) => (5, Conv2d::padded(2)),
            _ => (3, Conv2d::padded(1)),
        }
    }

    /// What lowers the resolution before a layer.
    fn pool(self, layer: usize) -> Option<Pool2d> {
        match self {
            Self::Vgg16 => (layer > 0).then(|| Pool2d::tiles(2)),
            Self::AlexNet => {
                let pool = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0] };
                [1, 2].contains(&layer).then_some(pool)
            }
        }
    }
}

struct Convolution {
    weight: Param, // [O, I, k, k]
    bias: Param,   // [O]
    form: Conv2d,
}

struct Layer {
    pool: Option<Pool2d>,
    convolutions: Vec<Convolution>,
    channel_weight: Param, // [1, C, 1, 1]
}

impl Layer {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.pool.map_or_else(|| x.clone(), |pool| x.max_pool2d(&pool));
        self.convolutions.iter().fold(x, |x, c| {
            bias_act(&x.conv2d(&c.weight.get(), &c.form), 1.0, &c.bias.get(), 0.0, 1.0)
        })
    }
}

/// The distance, with a net and its weights.
pub struct Lpips {
    net: Net,
    layers: Vec<Layer>,
    shift: Tensor, // [3, 1, 1]
    scale: Tensor, // [3, 1, 1]
}

impl Lpips {
    /// A net and the weights of its channels, as wide as the file's: torchvision's
    /// `features.N.weight` and `.bias`, or `net.sliceS.N.weight` and `.bias` of the published
    /// package; `linK.model.1.weight`, `lins.K.model.1.weight` or `K.1.weight`. `features.3` is
    /// AlexNet's alone.
    ///
    /// # Errors
    /// Naming the first key that is missing, or whose shape does not fit, and all that are wanted.
    pub fn loaded(values: &Values, device: &Device) -> Result<Self> {
        let renamed = values.iter().map(|(key, value)| (published(key), value));
        let known =
            renamed.filter(|(key, _)| key.starts_with("features.") || key.starts_with("lin"));
        let values: Values = known.map(|(key, value)| (key, value.clone())).collect();
        let is_alex = values.contains_key("features.3.weight");
        let net = if is_alex { Net::AlexNet } else { Net::Vgg16 };
        let network = Network::loaded(&values, device, |b| layers(net, &values, b));
        let [shift, scale] = [SHIFT, SCALE].map(|v| Tensor::from_slice(&v, [3, 1, 1], device));
        Ok(Self { net, layers: network.map_err(|e| wanted(net, e))?.model, shift, scale })
    }

    /// The net that the keys belong to.
    pub fn net(&self) -> Net {
        self.net
    }

    /// The distance `[N]` of pictures x and y `[N, 3, H, W]`, from −1 to 1.
    ///
    /// # Panics
    /// When the pictures differ in shape, or are smaller than the net can read.
    #[track_caller]
    pub fn distance(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.per_layer(x, y).sum(&[1], false)
    }

    /// What each layer adds to the distance, `[N, 5]`.
    ///
    /// # Panics
    /// As [`Lpips::distance`].
    #[track_caller]
    pub fn per_layer(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let fit = x.shape() == y.shape() && x.shape().len() == 4 && x.size(1) == 3;
        assert!(fit, "LPIPS: pictures of shapes {:?} and {:?}", x.shape(), y.shape());
        let (x, y) = (self.features(x), self.features(y));
        let terms: Vec<Tensor> = (self.layers.iter().zip(&x).zip(&y))
            .map(|((layer, x), y)| {
                let [x_k, y_k, weight] = Expr::inputs();
                let apart = (x_k - y_k).square() * weight;
                let apart = pointwise(&[x, y, &layer.channel_weight.get()], &apart);
                apart.sum(&[1], true).mean(&[2, 3], false) // [N, 1]
            })
            .collect();
        Tensor::cat(&terms.iter().collect::<Vec<_>>(), 1)
    }

    /// Features of unit length over the channels.
    #[track_caller]
    fn features(&self, x: &Tensor) -> Vec<Tensor> {
        let [x_k, shift, scale] = Expr::inputs();
        let mut x = pointwise(&[x, &self.shift, &self.scale], &((x_k - shift) / scale));
        let feature = |layer: &Layer| {
            x = layer.forward(&x);
            unit(&x)
        };
        self.layers.iter().map(feature).collect()
    }
}

/// x / (‖x‖₂ + 1e-10) over the channels.
fn unit(x: &Tensor) -> Tensor {
    let squares = x.dot(x, &[1], true);
    // Where nothing fires the root has no derivative; that of a constant is 0.
    x.zip(&squares, |x, squares| x / (squares.max(1e-30).sqrt() + 1e-10))
}

fn layers(net: Net, values: &Values, b: &mut Builder) -> Vec<Layer> {
    let mut inputs = 3;
    let mut layers = Vec::new();
    for (k, numbers) in net.convolutions().into_iter().enumerate() {
        let mut convolutions = Vec::new();
        for &number in numbers {
            let key = format!("features.{number}");
            let stored = values.get(&format!("{key}.weight")).and_then(|(shape, _)| shape.first());
            let (outputs, (side, form)) = (stored.copied().unwrap_or(0), net.convolution(number));
            let zeros = Init::Constant(0.0);
            let weight = b.param(&format!("{key}.weight"), [outputs, inputs, side, side], zeros);
            let bias = b.param(&format!("{key}.bias"), [outputs], zeros);
            convolutions.push(Convolution { weight, bias, form });
            inputs = outputs;
        }
        let key = format!("lin{k}.model.1.weight");
        let channel_weight = b.param(&key, [1, inputs, 1, 1], Init::Constant(0.0));
        layers.push(Layer { pool: net.pool(k), convolutions, channel_weight });
    }
    layers
}

/// The key under which a parameter is looked for.
fn published(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    match parts[..] {
        ["net", _, number, name] => format!("features.{number}.{name}"),
        ["lins", k, "model", "1", name] => format!("lin{k}.model.1.{name}"),
        [k, "1", name] if k.parse::<usize>().is_ok() => format!("lin{k}.model.1.{name}"),
        _ => key.to_owned(),
    }
}

/// Adds to an error about a key which ones there should be.
fn wanted(net: Net, error: Error) -> Error {
    let Error::Config { field, reason } = error else { return error };
    let numbers: Vec<_> = net.convolutions().concat().iter().map(usize::to_string).collect();
    let numbers = numbers.join(", ");
    let reason = format!(
        "{reason}; LPIPS with {net:?} wants features.N.weight and features.N.bias of torchvision's \
         file, N = {numbers}, and linK.model.1.weight of LPIPS' file, K = 0 to 4"
    );
    Error::config(field, reason)
}
