//! What the Inception networks of the metrics read, and the score of their answers. Salimans et al.
//! 2016.

use std::ops::Range;

use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

/// How a picture is prepared: distances of different recipes cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// NVIDIA's metrics.
    TfInception,
    /// The tool pytorch-fid.
    PytorchFid,
    /// SemanticStyleGAN, with torchvision's network.
    TorchvisionImagenet,
}

impl Recipe {
    /// Pictures `[N, 3, H, W]` from 0 to 255 as a network of this side reads them.
    ///
    /// # Panics
    /// When these are no pictures.
    #[track_caller]
    pub fn prepare(self, x: &Tensor, side: usize) -> Tensor {
        match self {
            Self::TfInception => {
                x.resize([side; 2], Resize::TopLeft).map(|x| (x - 128.0) * (1.0 / 128.0))
            }
            Self::PytorchFid => {
                x.resize([side; 2], Resize::HalfPixel).map(|x| x * (2.0 / 255.0) - 1.0)
            }
            Self::TorchvisionImagenet => {
                let row = |values: [f32; 3]| Tensor::from_slice(&values, [3, 1, 1], x.device());
                let centred = x * (1.0 / 255.0) - row([0.485, 0.456, 0.406]);
                let scaled = centred / row([0.229, 0.224, 0.225]);
                scaled.resize([side; 2], Resize::AlignCorners)
            }
        }
    }
}

/// Which samples make a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// From floor(k n / S) on: NVIDIA's code.
    Proportional,
    /// floor(n / S) each, and the rest is left out: SemanticStyleGAN's.
    Equal,
}

impl Partition {
    fn split(self, k: usize, n: usize, splits: usize) -> Range<usize> {
        match self {
            Self::Proportional => k * n / splits..(k + 1) * n / splits,
            Self::Equal => k * (n / splits)..(k + 1) * (n / splits),
        }
    }
}

/// Of each of `splits` parts of the samples, e to the mean of Σ p (log p − log mean p), where p are
/// the probabilities of a sample's classes; `logits` has them row by row.
///
/// # Panics
/// When a split would be empty, or there is part of a row.
#[track_caller]
pub fn inception_scores(
    logits: &[f64],
    classes: usize,
    splits: usize,
    partition: Partition,
) -> Vec<f64> {
    let n = logits.len() / classes;
    let whole = n * classes == logits.len() && 0 < splits && splits <= n;
    assert!(whole, "inception_scores: {} logits of {classes} classes", logits.len());
    let logs: Vec<f64> = logits.chunks_exact(classes).flat_map(log_softmax).collect();
    let score = |k: usize| {
        let samples = partition.split(k, n, splits);
        let count = samples.len() as f64;
        let rows = &logs[samples.start * classes..samples.end * classes];
        let of_class = |class: usize| rows.iter().skip(class).step_by(classes);
        let divergence = |class: usize| {
            let mean = of_class(class).map(|log| log.exp()).sum::<f64>() / count;
            of_class(class).map(|log| log.exp() * (log - mean.ln())).sum::<f64>() / count
        };
        (0..classes).map(divergence).sum::<f64>().exp()
    };
    (0..splits).map(score).collect()
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    let sum = row.iter().map(|v| (v - largest).exp()).sum::<f64>().ln();
    row.iter().map(|v| v - largest - sum).collect()
}
