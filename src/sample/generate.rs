//! Pictures from seeds.

use std::collections::VecDeque;

use super::numpy::randn;
use super::{LabelMap, Rgb, modes, nearest};
use crate::Result;
use crate::device::Device;
use crate::models::stylegan::{toward, truncate};
use crate::models::{Generator, Sizes, Synthesizer};
use crate::ops::random::{Draw, Stream, normals};
use crate::tensor::{Pending, Tensor};

/// Pictures that a device has been asked for at once.
const AHEAD: usize = 4;

/// Where the noise of a picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// From the picture's seed: the same every time.
    Const,
    /// From this other seed, different for every picture.
    Random(u64),
    /// There is none.
    None,
}

/// What a seed gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seeding {
    /// Latent and noise from the counter-based generator.
    #[default]
    Own,
    /// The latent from NumPy's legacy generator, the noise that the network has stored: what
    /// NVIDIA's programs draw for the seed.
    NumPy,
}

/// How pictures are made of styles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Truncation: 1 is the network's whole variety, 0 the mean picture.
    pub psi: f64,
    /// Layers that are truncated, from the first on; all of them without.
    pub cutoff: Option<usize>,
    /// Where noise comes from.
    pub noise: Noise,
    /// The class of all pictures; without, a seed's remainder tells.
    pub class: Option<usize>,
    /// Level of detail of networks that grow.
    pub lod: f64,
    /// What a seed gives.
    pub seeding: Seeding,
}

impl Default for Look {
    fn default() -> Self {
        let (noise, seeding) = (Noise::Const, Seeding::Own);
        Self { psi: 1.0, cutoff: None, noise, class: None, lod: 0.0, seeding }
    }
}

/// A generator that makes one picture per seed.
///
/// Latent and noise are drawn on the host from (seed, stream), and every picture is computed alone,
/// so that it depends neither on its neighbours nor on the order.
pub struct Sampler<'a> {
    g: &'a dyn Generator,
    synthesizer: Box<dyn Synthesizer + 'a>,
    sizes: Sizes,
    /// What truncation pulls toward: `[1, W]` each, the nearest one of several.
    centers: Vec<Tensor>,
    /// Several of them, on the host.
    modes: Vec<Vec<f32>>,
    look: Look,
    device: Device,
}

impl<'a> Sampler<'a> {
    /// From a network that is not being trained, and its mean w `[1, W]`, which only truncation
    /// needs.
    pub fn new(
        g: &'a dyn Generator,
        sizes: Sizes,
        mean: Option<&Tensor>,
        look: Look,
        device: &Device,
    ) -> Self {
        let (centers, modes) = (mean.cloned().into_iter().collect(), Vec::new());
        let device = device.clone();
        Self { g, synthesizer: g.synthesizer(), sizes, centers, modes, look, device }
    }

    /// Truncation pulls toward the nearest of `k` modes of the styles instead of their mean.
    ///
    /// # Errors
    /// What the device reports.
    ///
    /// # Panics
    /// When there are no modes or more than styles that are looked at.
    pub fn with_modes(mut self, k: usize) -> Result<Self> {
        const STYLES: u64 = 4096;
        let styles = self.all_w(&(0..STYLES).collect::<Vec<_>>());
        let width = styles.size(1);
        self.modes = modes(&styles.to_vec()?, width, k);
        let there = |mode: &Vec<f32>| Tensor::from_slice(mode, [1, width], &self.device);
        self.centers = self.modes.iter().map(there).collect();
        Ok(self)
    }

    /// What truncation pulls w `[1, W]` toward.
    fn center(&self, w: &Tensor) -> &Tensor {
        match &self.centers[..] {
            [] => panic!("truncation needs a mean style"),
            [only] => only,
            several => {
                let w = w.to_vec().expect("a device that computed a style can read it");
                &several[nearest(&w, &self.modes)]
            }
        }
    }

    /// The network's sizes.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// z `[1, Z]` of a seed.
    pub fn z(&self, seed: u64) -> Tensor {
        let (width, draw) = (self.sizes.latent, Stream::SampleLatent.of(0));
        let z = match self.look.seeding {
            Seeding::Own => normals(Draw { seed, stream: draw, step: 0 }, width),
            // NumPy's seeds have 32 bits.
            Seeding::NumPy => randn(seed as u32, width),
        };
        Tensor::from_slice(&z, [1, width], &self.device)
    }

    /// w `[1, W]` of a seed, before any truncation.
    pub fn w(&self, seed: u64) -> Tensor {
        self.all_w(&[seed])
    }

    /// w `[N, W]` of seeds at once.
    pub fn all_w(&self, seeds: &[u64]) -> Tensor {
        let classes = self.sizes.classes.max(1) as u64;
        let class = |&seed: &u64| self.look.class.unwrap_or((seed % classes) as usize);
        let label = self.sizes.label(seeds.iter().map(class), &self.device);
        self.map(&self.all_z(seeds), label.as_ref())
    }

    /// z `[N, Z]` of seeds at once.
    pub fn all_z(&self, seeds: &[u64]) -> Tensor {
        let latents: Vec<Tensor> = seeds.iter().map(|&seed| self.z(seed)).collect();
        Tensor::cat(&latents.iter().collect::<Vec<_>>(), 0)
    }

    /// Latents `[N, Z]`, with labels where the network has classes, to w `[N, W]`.
    pub fn map(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        self.g.map(z, label)
    }

    /// Labels of so many pictures of the look's class.
    ///
    /// # Panics
    /// When the network has classes, and the look has none.
    pub fn labels(&self, n: usize) -> Option<Tensor> {
        let class = self.look.class.unwrap_or(0);
        self.sizes.label(std::iter::repeat_n(class, n), &self.device)
    }

    /// One style per layer from w `[1, W]`, truncated.
    ///
    /// # Panics
    /// When truncation is asked for, and there is no mean to go to.
    pub fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        let Look { psi, cutoff, .. } = self.look;
        if psi == 1.0 {
            return self.g.styles(w);
        }
        let mean = self.center(w);
        match cutoff {
            None => self.g.styles(&toward(w, mean, psi)),
            Some(layers) => truncate(&self.g.styles(w), &self.g.styles(mean), psi, layers),
        }
    }

    /// The noise of every layer for a picture without a seed, `[1, ...]` each: what the network has
    /// stored where a seed's is asked for.
    pub fn own_noise(&self) -> Vec<Tensor> {
        if self.look.noise == Noise::Const { self.g.noise() } else { self.noise(0) }
    }

    /// The noise of every layer for a seed, `[1, ...]` each.
    pub fn noise(&self, seed: u64) -> Vec<Tensor> {
        if self.look.seeding == Seeding::NumPy && self.look.noise == Noise::Const {
            return self.g.noise();
        }
        let layer = |(k, &[c, h, w]): (usize, &[usize; 3])| {
            let draw = |seed, step| Draw { seed, stream: Stream::SampleNoise.of(k), step };
            let values = match self.look.noise {
                Noise::Const => normals(draw(seed, 0), c * h * w),
                Noise::Random(other) => normals(draw(other, seed), c * h * w),
                Noise::None => vec![0.0; c * h * w],
            };
            Tensor::from_slice(&values, [1, c, h, w], &self.device)
        };
        self.sizes.noise.iter().enumerate().map(layer).collect()
    }

    /// The picture of styles, one per layer, and of noise: `[1, 3, H, W]`.
    ///
    /// # Panics
    /// When there are not as many as layers.
    pub fn synthesize(&self, styles: &[Tensor], noise: &[Tensor]) -> Tensor {
        self.synthesizer.picture(styles, noise, self.look.lod)
    }

    /// The picture of a seed.
    ///
    /// # Errors
    /// What the device reports.
    pub fn picture(&self, seed: u64) -> Result<Rgb> {
        self.finish(self.start(seed))
    }

    /// The pictures of seeds, in their order. The device works ahead while earlier ones are used.
    ///
    /// # Errors
    /// As [`Sampler::picture`], in place of a picture.
    pub fn pictures(
        &self,
        seeds: impl IntoIterator<Item = u64>,
    ) -> impl Iterator<Item = Result<Rgb>> {
        let starts = seeds.into_iter().map(move |seed| move || self.start(seed));
        ahead(starts, |picture| self.finish(picture))
    }

    /// The pictures of seeds and the classes of their pixels, as [`Sampler::pictures`].
    ///
    /// # Errors
    /// As [`Sampler::picture`], in place of a picture.
    ///
    /// # Panics
    /// When the network does not label what it makes.
    pub fn labelled(
        &self,
        seeds: impl IntoIterator<Item = u64>,
    ) -> impl Iterator<Item = Result<(Rgb, LabelMap)>> {
        let start = |seed: u64| {
            let styles = self.styles(&self.w(seed));
            let made = self.synthesizer.segmented(&styles, &self.noise(seed));
            let made = made.expect("a network that labels its pictures");
            (made.picture.read_async(), made.seg.argmax(1, false).read_indices_async())
        };
        let starts = seeds.into_iter().map(move |seed| move || start(seed));
        ahead(starts, |(picture, labels)| {
            Ok((self.finish(picture)?, LabelMap::read(labels, self.sizes.picture)?))
        })
    }

    /// The pictures of styles and noise, as [`Sampler::pictures`].
    ///
    /// # Errors
    /// As [`Sampler::picture`], in place of a picture.
    pub fn pictures_of(
        &self,
        all: impl IntoIterator<Item = (Vec<Tensor>, Vec<Tensor>)>,
    ) -> impl Iterator<Item = Result<Rgb>> {
        let start = move |(styles, noise): (Vec<_>, Vec<_>)| {
            move || self.synthesize(&styles, &noise).read_async()
        };
        ahead(all.into_iter().map(start), |picture| self.finish(picture))
    }

    fn start(&self, seed: u64) -> Pending {
        self.synthesize(&self.styles(&self.w(seed)), &self.noise(seed)).read_async()
    }

    fn finish(&self, picture: Pending) -> Result<Rgb> {
        let [height, width] = self.sizes.picture;
        Ok(Rgb::from_planes(&picture.wait()?, width, height))
    }
}

/// Starts some before the first is finished.
fn ahead<P, T>(
    starts: impl IntoIterator<Item = impl FnOnce() -> P>,
    finish: impl Fn(P) -> Result<T>,
) -> impl Iterator<Item = Result<T>> {
    let mut starts = starts.into_iter();
    let mut started = VecDeque::new();
    std::iter::from_fn(move || {
        while started.len() < AHEAD
            && let Some(start) = starts.next()
        {
            started.push_back(start());
        }
        started.pop_front().map(&finish)
    })
}
