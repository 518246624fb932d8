//! Latent to picture and label map.

use super::{Config, Fusion, Local, LocalGenerator, PositionEmbedding, RenderNet, Rendered, grid};
use crate::device::Device;
use crate::models::stylegan2::Mapping;
use crate::models::{self, Segmented};
use crate::nn::Builder;
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;

/// What a generator makes of one style per layer.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// Picture, label map and features.
    pub rendered: Rendered,
    /// The coarse mask: shares of the classes `[B, K, c, c]`, from −1 to 1.
    pub seg_coarse: Tensor,
    /// Pseudo-depths `[B, K, c, c]`; that of the background is 0.
    pub depths: Tensor,
}

/// Where classes are, and which there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Composition<'a> {
    /// Coordinates of each class, `[B or 1, 2, c, c]`; those of the regular grid without.
    pub coords: Option<&'a [Tensor]>,
    /// `[B, K]`, 0 for a class that is left out.
    pub mask: Option<&'a Tensor>,
}

/// Latent to picture and label map.
pub struct Generator {
    config: Config,
    /// Latent to style.
    pub mapping: Mapping,
    pos_embed: PositionEmbedding,
    local_nets: Vec<LocalGenerator>,
    render_net: RenderNet,
    grid: Tensor,
}

impl Generator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let n_freqs = config.size.ilog2() as usize;
        let pos_embed =
            b.at("pos_embed", |b| PositionEmbedding::new(b, n_freqs, config.local_channel));
        let local = |k| {
            b.at(&format!("local_nets.{k}"), |b| LocalGenerator::new(&config.local(k), b, device))
        };
        let local_nets = (0..config.seg_dim).map(local).collect();
        let render_net = b.at("render_net", |b| RenderNet::new(config, b, device));
        let mapping = Mapping::new(&config.stylegan2(&config.channels), b);
        let grid = grid(config.coarse_size, device);
        Self { config: config.clone(), mapping, pos_embed, local_nets, render_net, grid }
    }

    /// Sizes of the network.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network's own noise planes, `[1, 1, r, r]` each.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.render_net.noise_buffers()
    }

    /// Styles `[B, D]`, a row of the compact form or a layer each, and one noise plane
    /// `[B or 1, 1, r, r]` per layer of the render net.
    ///
    /// # Panics
    /// When there are not as many as [`Config::expand`] takes or layers, or shapes do not fit.
    #[track_caller]
    pub fn synthesis(
        &self,
        styles: &[Tensor],
        noise: &[Tensor],
        composition: &Composition,
    ) -> Synthesis {
        let styles = self.config.expand(styles);
        let local = |(k, (net, styles)): (usize, (&LocalGenerator, &[Tensor]))| {
            let position = match composition.coords {
                Some(coords) => self.pos_embed.forward(&coords[k]),
                None => self.pos_embed.of_fixed(&self.grid),
            };
            net.forward(&position, styles)
        };
        let nets = self.local_nets.iter().zip(styles.chunks_exact(self.config.local_layers));
        let locals: Vec<Local> = nets.enumerate().map(local).collect();
        let depths = depths(&locals);
        let fusion = Fusion::new(&depths, composition.mask, &self.config.transparent_dims);
        let seg_coarse = fusion.mask.map(|m| m * 2.0 - 1.0);
        let coarse = self.config.residual_refine.then_some(&seg_coarse);
        let rendered = self.render_net.forward(&self.fused(&fusion, &locals), coarse, noise);
        Synthesis { rendered, seg_coarse, depths }
    }

    /// Sum over classes of weight times feature map. Each map is a 1x1 convolution of the class's
    /// last layer, so the sum is one convolution of all last layers and weights side by side: no
    /// `[B, K, C, c, c]` tensor.
    fn fused(&self, fusion: &Fusion, locals: &[Local]) -> Tensor {
        let hidden = locals.iter().map(|local| &local.hidden).collect::<Vec<_>>();
        let weighted = fusion.weighted(&Tensor::stack(&hidden, 1));
        let [n, classes, channels, h, w] = [0, 1, 2, 3, 4].map(|k| weighted.size(k));
        let weighted = weighted.reshape([n, classes * channels, h, w]);
        let x = Tensor::cat(&[&weighted, &fusion.weights], 1);
        x.conv2d(&self.to_feats(), &Conv2d::default())
    }

    /// Weights, then biases of all that read feature maps, `[C, K (H + 1), 1, 1]`.
    fn to_feats(&self) -> Tensor {
        self.local_nets[0].to_feat().derived("to_feats", || {
            let heads = self.local_nets.iter().map(|net| net.to_feat().filter_and_bias());
            let (weights, biases): (Vec<_>, Vec<_>) = heads.map(<(_, _)>::from).unzip();
            Tensor::cat(&weights.iter().chain(&biases).collect::<Vec<_>>(), 1)
        })
    }
}

/// All pseudo-depths, `[B, K, c, c]`; 0 for what has none.
fn depths(locals: &[Local]) -> Tensor {
    let depth = |local: &Local| {
        let shape = local.hidden.shape().with(1, 1);
        let none = || Tensor::full(0.0, shape, local.hidden.device());
        local.depth.clone().unwrap_or_else(none)
    };
    let depths: Vec<Tensor> = locals.iter().map(depth).collect();
    Tensor::cat(&depths.iter().collect::<Vec<_>>(), 1)
}

impl models::Generator for Generator {
    fn map(&self, z: &Tensor, _label: Option<&Tensor>) -> Tensor {
        self.mapping.forward(z, None)
    }

    /// A row of the compact form each.
    fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        vec![w.clone(); self.config.n_latent()]
    }

    fn noise(&self) -> Vec<Tensor> {
        self.noise_buffers()
    }

    /// Those of all layers of all local generators. The published code starts from them: no gradient
    /// goes on to the mapping.
    fn variables(&self, styles: &[Tensor]) -> Vec<Tensor> {
        self.config.expand(styles).iter().map(|w| w.detach().tracked()).collect()
    }

    fn synthesizer(&self) -> Box<dyn models::Synthesizer + '_> {
        Box::new(self)
    }
}

impl Generator {
    fn rendered(&self, styles: &[Tensor], noise: &[Tensor]) -> Rendered {
        self.synthesis(styles, noise, &Composition::default()).rendered
    }
}

impl models::Synthesizer for &Generator {
    fn picture(&self, styles: &[Tensor], noise: &[Tensor], _lod: f64) -> Tensor {
        self.rendered(styles, noise).image
    }

    fn features(&self, styles: &[Tensor], noise: &[Tensor]) -> Vec<Tensor> {
        self.rendered(styles, noise).features
    }

    fn segmented(&self, styles: &[Tensor], noise: &[Tensor]) -> Option<Segmented> {
        let made = self.synthesis(styles, noise, &Composition::default());
        let Rendered { image, seg, .. } = made.rendered;
        Some(Segmented { picture: image, seg, seg_coarse: made.seg_coarse })
    }
}
