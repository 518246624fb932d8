//! The probability of augmentations, which follows how well the discriminator knows the real
//! pictures. Karras et al. 2020 ("Training generative adversarial networks with limited data"),
//! section 3.

/// How the probability of the augmentations follows the discriminator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptation {
    /// Mean sign of the scores of real pictures that is aimed at.
    pub target: f64,
    /// Pictures between two updates.
    pub images: f64,
    /// Thousand pictures that take the probability from 0 to 1.
    pub kimg: f64,
}

impl Adaptation {
    /// The probability after an update with the mean sign since the last one; it has no upper
    /// limit.
    pub fn update(&self, p: f64, sign_mean: f64) -> f64 {
        let excess = sign_mean - self.target;
        let direction = if excess == 0.0 { 0.0 } else { excess.signum() };
        (p + direction * self.images / (self.kimg * 1000.0)).max(0.0)
    }
}

/// The form of the widely used PyTorch port: p moves by a fixed step per score, up to 1.
#[derive(Clone, Debug)]
pub struct Tuner {
    /// Mean sign of the scores of real pictures that is aimed at.
    pub target: f64,
    /// Scores that take the probability from 0 to 1.
    pub length: f64,
    /// Calls of [`Tuner::tune`] from one update to the next.
    pub update_every: usize,
    /// The probability.
    pub p: f64,
    /// Mean sign at the last update.
    pub mean_sign: f64,
    calls: usize,
    signs: f64,
    scores: f64,
}

impl Tuner {
    /// Starts at probability 0.
    pub fn new(target: f64, length: f64, update_every: usize) -> Self {
        let (p, mean_sign, signs, scores) = (0.0, 0.0, 0.0, 0.0);
        Self { target, length, update_every, p, mean_sign, calls: 0, signs, scores }
    }

    /// Takes in the scores of a batch of real pictures.
    pub fn tune(&mut self, scores: &[f64]) {
        let sign = |score: &f64| if *score == 0.0 { 0.0 } else { score.signum() };
        self.signs += scores.iter().map(sign).sum::<f64>();
        self.scores += scores.len() as f64;
        self.calls += 1;
        if !self.calls.is_multiple_of(self.update_every) {
            return;
        }
        self.mean_sign = self.signs / self.scores;
        let direction = if self.mean_sign > self.target { 1.0 } else { -1.0 };
        self.p = (self.p + direction * self.scores / self.length).clamp(0.0, 1.0);
        (self.signs, self.scores) = (0.0, 0.0);
    }
}
