//! The generator of one class: styled 1x1 convolutions of the position, each pixel alone.

use serde::Deserialize;

use super::Head;
use crate::device::Device;
use crate::models::stylegan2::{self, ModulatedConv};
use crate::nn::{Builder, Init, Param, Resample};
use crate::tensor::Tensor;

/// Sizes of a local generator.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LocalConfig {
    /// Channels of what it reads.
    pub in_channel: usize,
    /// Channels of its layers.
    pub hidden_channel: usize,
    /// Channels of its feature map.
    pub out_channel: usize,
    /// Width of a style.
    pub style_dim: usize,
    /// Layers.
    pub n_layers: usize,
    /// Layers before the pseudo-depth is read.
    pub depth_layers: usize,
    /// Whether there is a pseudo-depth.
    pub use_depth: bool,
    /// Whether no gradient flows from the layers behind the pseudo-depth to those before.
    pub detach_texture: bool,
}

/// Modulated 1x1 convolution, bias, activation.
struct Layer {
    conv: ModulatedConv,
    bias: Param, // [O]
}

impl Layer {
    fn new(b: &mut Builder, inputs: usize, config: &LocalConfig, device: &Device) -> Self {
        let base = stylegan2::Config { style_dim: config.style_dim, ..Default::default() };
        let size = [inputs, config.hidden_channel, 1];
        let conv = ModulatedConv::new(b, size, (Resample::Keep, true), (&base, device));
        let bias = b.at("activate", |b| b.param("bias", [size[1]], Init::Constant(0.0)));
        Self { conv, bias }
    }

    #[track_caller]
    fn forward(&self, x: &Tensor, w: &Tensor) -> Tensor {
        self.conv.forward(x, &self.conv.modulation.forward(w)).bias_act(&self.bias.get())
    }
}

/// What a local generator makes of its styles.
#[derive(Clone, Debug)]
pub struct Local {
    /// What its feature map is read off, `[B, H, h, w]`.
    pub hidden: Tensor,
    /// Pseudo-depth `[B, 1, h, w]`; the background has none.
    pub depth: Option<Tensor>,
}

/// Position and styles to a feature map and a pseudo-depth.
pub struct LocalGenerator {
    linears: Vec<Layer>,
    to_feat: Head,
    to_depth: Option<Head>,
    config: LocalConfig,
}

impl LocalGenerator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &LocalConfig, b: &mut Builder, device: &Device) -> Self {
        let layer = |l: usize| {
            let inputs = if l == 0 { config.in_channel } else { config.hidden_channel };
            b.at(&format!("linears.{l}"), |b| Layer::new(b, inputs, config, device))
        };
        let linears = (0..config.n_layers).map(layer).collect();
        let mut head =
            |name: &str, outputs| b.at(name, |b| Head::new(b, [config.hidden_channel, outputs]));
        let to_feat = head("to_feat", config.out_channel);
        let to_depth = config.use_depth.then(|| head("to_depth", 1));
        Self { linears, to_feat, to_depth, config: *config }
    }

    /// x `[B or 1, I, h, w]` and one style `[B, D]` per layer.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, styles: &[Tensor]) -> Local {
        assert_eq!(styles.len(), self.linears.len(), "a style per layer of a local generator");
        let (mut x, mut depth) = (x.clone(), None);
        for (l, (layer, style)) in self.linears.iter().zip(styles).enumerate() {
            x = layer.forward(&x, style);
            if let Some(to_depth) =
                self.to_depth.as_ref().filter(|_| l + 1 == self.config.depth_layers)
            {
                depth = Some(to_depth.forward(&x));
                if self.config.detach_texture && l + 1 < self.config.n_layers {
                    x = x.detach();
                }
            }
        }
        Local { hidden: x, depth }
    }

    /// What reads the feature map off the last layer.
    pub fn to_feat(&self) -> &Head {
        &self.to_feat
    }
}
