//! Picture and label map to score: two of StyleGAN2's residual stacks that meet at 4x4.

use super::Config;
use crate::device::Device;
use crate::models::stylegan2::{self, Block, ConvLayer, EPS, GAIN};
use crate::models::{self, Judgement};
use crate::nn::{Builder, EqualLinear, Init, Resample};
use crate::ops::norm::stddev_group;
use crate::tensor::Tensor;

/// What one of the two stacks reads.
#[derive(Clone, Copy, Debug)]
pub struct Branch {
    /// Channels.
    pub channels: usize,
    /// Side, a power of two from 8.
    pub size: usize,
}

/// 1x1 convolution, then blocks that halve down to 4x4.
struct Stack {
    input: ConvLayer,
    blocks: Vec<Block>,
}

impl Stack {
    fn new(b: &mut Builder, branch: Branch, built: (&stylegan2::Config, &Device)) -> Self {
        let channels = |r: usize| built.0.channels[&r];
        let size = [branch.channels, channels(branch.size), 1];
        let input = b.at("0", |b| ConvLayer::new(b, size, (Resample::Keep, true, GAIN), built));
        let block = |n: usize| {
            let r = branch.size >> (n - 1);
            let sizes = (channels(r), channels(r / 2));
            b.at(&n.to_string(), |b| Block::new(b, sizes, built))
        };
        let blocks = (1..=branch.size.ilog2() as usize - 2).map(block).collect();
        Self { input, blocks }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.blocks.iter().fold(self.input.forward(x), |x, block| block.forward(&x))
    }
}

/// Picture and label map to score.
pub struct Discriminator {
    convs_img: Stack,
    convs_seg: Stack,
    final_conv: ConvLayer,
    final_linear: [EqualLinear; 2],
    stddev_group: usize,
}

impl Discriminator {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let branch = |channels| Branch { channels, size: config.size };
        Self::with(config, [branch(3), branch(config.seg_dim)], b, device)
    }

    /// Of pictures and label maps of other sizes than the generator's.
    pub fn with(
        config: &Config,
        [img, seg]: [Branch; 2],
        b: &mut Builder,
        device: &Device,
    ) -> Self {
        let base = config.stylegan2(&config.d_channels);
        let (built, last) = ((&base, device), config.d_channels[&4]);
        let convs_img = b.at("convs_img", |b| Stack::new(b, img, built));
        let convs_seg = b.at("convs_seg", |b| Stack::new(b, seg, built));
        let (size, form) = ([last + 1, last, 3], (Resample::Keep, true, GAIN));
        let final_conv = b.at("final_conv", |b| ConvLayer::new(b, size, form, built));
        let final_linear = b.at("final_linear", |b| {
            let hidden = b.at("0", |b| EqualLinear::activated(b, 16 * last, last, 1.0));
            [hidden, b.at("1", |b| EqualLinear::new(b, last, 1, Init::Constant(0.0)))]
        });
        let stddev_group = config.stddev_group;
        Self { convs_img, convs_seg, final_conv, final_linear, stddev_group }
    }

    /// Scores `[B]` of pictures `[B, 3, H, W]`, of which `group` share a deviation, together with
    /// label maps `[B, K, H, W]` from −1 to 1, or of pictures alone.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn score(&self, picture: &Tensor, seg: Option<&Tensor>, group: usize) -> Tensor {
        let x = self.convs_img.forward(picture);
        let x = seg.map_or(x.clone(), |seg| x + self.convs_seg.forward(seg));
        let x = self.final_conv.forward(&x.minibatch_stddev(group, 1, EPS));
        let x = x.reshape([x.size(0), x.numel() / x.size(0)]);
        let score = self.final_linear.iter().fold(x, |x, layer| layer.forward(&x));
        score.reshape([picture.size(0)])
    }
}

impl models::Discriminator for Discriminator {
    fn group(&self, n: usize) -> usize {
        stddev_group(n, self.stddev_group)
    }

    /// Of pictures with label maps behind their three channels, or of pictures alone.
    #[track_caller]
    fn judge_in_groups(
        &self,
        picture: &Tensor,
        _label: Option<&Tensor>,
        _lod: f64,
        group: usize,
    ) -> Judgement {
        let seg = picture.size(1).checked_sub(3 + 1).map(|k| picture.narrow(1, 3, k + 1));
        let picture = if seg.is_some() { &picture.narrow(1, 0, 3) } else { picture };
        Judgement { pred: self.score(picture, seg.as_ref(), group), info: None, classes: None }
    }
}
