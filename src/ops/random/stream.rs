//! The streams of random numbers in use: each purpose has its own, so that no two share a draw.

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Initial parameters; the step is the parameter's number.
    Init = 1,
    /// Noise buffers of a network; the step is the layer's number.
    NoiseBuffer = 2,
    /// Latents of training, by phase (four streams from here on).
    TrainLatent = 16,
    /// Second latents of mixed samples, by phase.
    TrainMixLatent = 32,
    /// Whether to mix, and where; by phase.
    TrainMix = 48,
    /// Noise of training, by phase and layer.
    TrainNoise = 1024,
    /// Where WGAN-GP looks between reals and fakes, by phase.
    TrainBlend = 56,
    /// Directions of the path-length penalty.
    PathDirection = 64,
    /// Latents of sampled pictures; the seed is the picture's.
    SampleLatent = 80,
    /// Random noise of sampled pictures, by layer.
    SampleNoise = 2048,
    /// Latents of the mean style.
    MeanStyle = 96,
    /// First centers of clusters of styles.
    Modes = 97,
    /// Drawn faces; the step is the face's index.
    Faces = 112,
    /// Directions of the sliced Wasserstein distance; the step is the number of one.
    Slices = 113,
    /// Augmentations of the discriminator's fakes, and their noise (two streams from here on).
    AugmentFakesOfD = 128,
    /// Of its reals.
    AugmentRealsOfD = 130,
    /// Of the reals of the gradient penalty.
    AugmentRealsOfR1 = 132,
    /// Of the generator's fakes.
    AugmentFakesOfG = 134,
    /// Latents behind the mean that a projection starts from.
    ProjectStyles = 144,
    /// How the latent of a projection wanders; the step is the projection's.
    Project = 145,
    /// Latents of the perceptual path length; the step is the pair's number.
    PathLatent = 146,
    /// Where between the latents of a pair.
    PathPlace = 147,
    /// Noise of the perceptual path length, by layer; the step is the batch's number.
    PathNoise = 3072,
}

impl Stream {
    /// The k-th stream of a numbered purpose.
    pub fn of(self, k: usize) -> u32 {
        self as u32 + k as u32
    }
}
