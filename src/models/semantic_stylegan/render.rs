//! Fused features to a picture and its label map.

use super::{Config, FixedStyledConv, Head};
use crate::device::Device;
use crate::nn::{Builder, Init, Param, Resample, blur_kernel};
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

/// What the render net makes.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// `[B, 3, R, R]`
    pub image: Tensor,
    /// Scores of the classes, `[B, K, R, R]`; the largest one is the label.
    pub seg: Tensor,
    /// Output of each layer, `[B, C, r, r]`.
    pub features: Vec<Tensor>,
}

/// One resolution: a layer that doubles and one that keeps it, and what is read off them.
struct Level {
    convs: [FixedStyledConv; 2],
    to_rgb: Head,
    to_seg: Head,
}

/// Fused features to a picture and its label map.
pub struct RenderNet {
    levels: Vec<Level>,
    noises: Vec<Param>, // [1, 1, r, r], two per level
    min_feat_size: usize,
    coarse_size: usize,
    kernel: Tensor,
}

impl RenderNet {
    /// Registers the parameters under the published keys.
    pub fn new(config: &Config, b: &mut Builder, device: &Device) -> Self {
        let mut inputs = config.coarse_channel;
        let (mut convs, mut noises, mut to_rgbs, mut to_segs) = (vec![], vec![], vec![], vec![]);
        for (i, r) in config.levels().enumerate() {
            if r == 2 * config.coarse_size {
                inputs += config.coarse_channel;
            }
            let channels = config.channels[&r];
            let mut conv = |c: usize, inputs, resample| {
                let (size, form) = ([inputs, channels, 3], (resample, true));
                b.at(&format!("convs.{c}"), |b| {
                    FixedStyledConv::new(b, size, form, &config.blur_kernel, device)
                })
            };
            convs.push([
                conv(2 * i, inputs, Resample::Up),
                conv(2 * i + 1, channels, Resample::Keep),
            ]);
            let plane = |j| b.buffer(&format!("noises.noise_{j}"), [1, 1, r, r], Init::Normal(1.0));
            noises.extend([2 * i, 2 * i + 1].map(plane));
            inputs = channels;
        }
        for (i, r) in config.levels().enumerate() {
            let channels = config.channels[&r];
            to_rgbs.push(b.at(&format!("to_rgbs.{i}"), |b| Head::new(b, [channels, 3])));
        }
        for (i, r) in config.levels().enumerate() {
            let size = [config.channels[&r], config.seg_dim];
            to_segs.push(b.at(&format!("to_segs.{i}"), |b| Head::new(b, size)));
        }
        let heads = to_rgbs.into_iter().zip(to_segs);
        let level = |(convs, (to_rgb, to_seg))| Level { convs, to_rgb, to_seg };
        Self {
            levels: convs.into_iter().zip(heads).map(level).collect(),
            noises,
            min_feat_size: config.min_feat_size,
            coarse_size: config.coarse_size,
            kernel: blur_kernel(&config.blur_kernel, 4.0, device),
        }
    }

    /// The net's own noise planes, `[1, 1, r, r]` each.
    pub fn noise_buffers(&self) -> Vec<Tensor> {
        self.noises.iter().map(Param::get).collect()
    }

    /// Fused features `[B, C, c, c]`, the coarse mask `[B, K, c, c]` that the label map refines,
    /// where it does, and one noise plane `[B or 1, 1, r, r]` per layer.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, fused: &Tensor, coarse: Option<&Tensor>, noise: &[Tensor]) -> Rendered {
        assert_eq!(noise.len(), self.noises.len(), "noise planes of the render net");
        let mut x = fused.resize([self.min_feat_size; 2], Resize::Area);
        let (mut image, mut seg, mut features) = (None, None, Vec::new());
        for (level, noise) in self.levels.iter().zip(noise.chunks_exact(2)) {
            if x.size(2) == self.coarse_size {
                x = Tensor::cat(&[&x, fused], 1);
            }
            for (conv, noise) in level.convs.iter().zip(noise) {
                x = conv.forward(&x, noise);
                features.push(x.clone());
            }
            image = Some(level.to_rgb.added(&x, image.as_ref(), &self.kernel));
            let read = level.to_seg.added(&x, seg.as_ref(), &self.kernel);
            let coarse = coarse.filter(|_| x.size(2) == self.coarse_size);
            seg = Some(coarse.map_or(read.clone(), |coarse| read + coarse));
        }
        let [image, seg] = [image, seg].map(|x| x.expect("a resolution above the smallest"));
        Rendered { image, seg, features }
    }
}
