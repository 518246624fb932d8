//! The classes' pseudo-depths as a mask, m = softmax d, and as weights v of their feature maps: v = m,
//! or where classes T are transparent, v = m for those and m / (sum of m outside T) for the others.

use crate::tensor::Tensor;

/// Added to sums before they divide.
const EPS: f64 = 1e-8;

/// Which class is in front.
#[derive(Clone, Debug)]
pub struct Fusion {
    /// Share of each class at each pixel, `[B, K, h, w]`; of sum 1.
    pub mask: Tensor,
    /// What its feature map counts there. Those of opaque classes have sum 1, and transparent ones
    /// are added as they are in the mask.
    pub weights: Tensor,
}

impl Fusion {
    /// Of pseudo-depths `[B, K, h, w]`, without the classes for which `composition`, `[B, K]`, is 0.
    ///
    /// # Panics
    /// When the shapes do not fit, or a transparent class does not exist.
    #[track_caller]
    pub fn new(depths: &Tensor, composition: Option<&Tensor>, transparent: &[usize]) -> Self {
        let [n, classes] = [depths.size(0), depths.size(1)];
        let of_sum_1 = |x: &Tensor| x.zip(&x.sum(&[1], true), |x, sum| x / (sum + EPS));
        let mut mask = depths.softmax(1);
        if let Some(composition) = composition {
            mask = of_sum_1(&(mask * composition.reshape([n, classes, 1, 1])));
        }
        if transparent.is_empty() {
            return Self { weights: mask.clone(), mask };
        }
        let mut is_opaque = vec![1.0; classes];
        transparent.iter().for_each(|&k| is_opaque[k] = 0.0);
        let is_opaque = Tensor::from_slice(&is_opaque, [classes, 1, 1], depths.device());
        let through = mask.zip(&is_opaque, |m, is_opaque| m * (1.0 - is_opaque));
        let weights = of_sum_1(&(&mask * is_opaque)) + through;
        Self { mask, weights }
    }

    /// Feature maps `[B, K, C, h, w]` times their weights: their sum over K is the fused map.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn weighted(&self, maps: &Tensor) -> Tensor {
        let [n, classes, h, w] = [0, 1, 2, 3].map(|k| self.weights.size(k));
        maps * self.weights.reshape([n, classes, 1, h, w])
    }
}
