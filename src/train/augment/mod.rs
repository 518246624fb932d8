//! Adaptive discriminator augmentation: the transformations, and how they are drawn. Karras et al.
//! 2020, "Training GANs with limited data", appendix B.
//!
//! A transformation is a struct of what is drawn for one picture, whose default changes nothing; it
//! becomes a matrix (on the host, f64), and a function applies the matrices of a batch. All
//! functions are affine in the pictures, and so are their gradients in the cotangents; the draws are
//! constants.
//!
//! - `geometry.rs` moves pixels,
//! - `color.rs` changes colours,
//! - `filter.rs` amplifies bands of frequencies,
//! - `corruption.rs` adds noise and cuts out,
//! - `draw.rs` draws all of them for the pictures of a batch.

mod color;
mod corruption;
mod draw;
mod filter;
mod geometry;

pub use color::{Color, color};
pub use corruption::{Corruption, corrupt};
pub use draw::Pipeline;
pub use filter::{BANDS, FILTER_TAPS, filter_bank, imgfilter};
pub use geometry::{Geometry, geometric, inverted, margins};

use self::geometry::geometric_within;
use crate::tensor::Tensor;

/// A matrix, row by row.
pub type Matrix<const N: usize> = [[f64; N]; N];

fn product<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    a.map(|row| std::array::from_fn(|j| (0..N).map(|k| row[k] * b[k][j]).sum()))
}

fn diagonal<const N: usize>(d: [f64; N]) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { d[i] } else { 0.0 }))
}

/// What happens to the pictures of one batch.
#[derive(Clone, Debug)]
pub struct Augmentation {
    shape: [usize; 4],
    /// And the margins of the whole batch.
    geometry: Option<(Vec<Matrix<3>>, [isize; 4])>,
    color: Option<Vec<Matrix<4>>>,
    gains: Option<Vec<[f64; BANDS]>>,
    /// And noise of the pictures' shape.
    corruption: Option<(Vec<Corruption>, Tensor)>,
}

impl Augmentation {
    /// Pictures `[N, C, H, W]`, transformed. What changes no picture of the batch is left out.
    ///
    /// # Panics
    /// When the pictures have another shape than was drawn for, or C is neither 3 nor 1 and colours
    /// change.
    #[track_caller]
    pub fn apply(&self, x: &Tensor) -> Tensor {
        assert_eq!(x.shape()[..], self.shape, "augmentation of pictures of another shape");
        let mut x = x.clone();
        if let Some((maps, margins)) = &self.geometry {
            x = geometric_within(&x, maps, *margins);
        }
        if let Some(matrices) = &self.color {
            x = color(&x, matrices);
        }
        if let Some(gains) = &self.gains {
            x = imgfilter(&x, gains);
        }
        if let Some((drawn, noise)) = &self.corruption {
            x = corrupt(&x, noise, drawn);
        }
        x
    }

    /// What happens to some of the pictures, by their numbers: the same as in the whole batch.
    ///
    /// # Panics
    /// When there is no picture of such a number.
    #[track_caller]
    pub fn part(&self, samples: &[usize]) -> Self {
        fn of<T: Copy>(all: &[T], samples: &[usize]) -> Vec<T> {
            samples.iter().map(|&i| all[i]).collect()
        }
        let [_, c, h, w] = self.shape;
        let corruption = self.corruption.as_ref().map(|(drawn, noise)| {
            let indices: Vec<i32> = samples.iter().map(|&i| i as i32).collect();
            let indices = Tensor::from_indices(&indices, [indices.len()], noise.device());
            (of(drawn, samples), noise.index_select(0, &indices))
        });
        Self {
            shape: [samples.len(), c, h, w],
            geometry: self.geometry.as_ref().map(|(maps, pad)| (of(maps, samples), *pad)),
            color: self.color.as_ref().map(|matrices| of(matrices, samples)),
            gains: self.gains.as_ref().map(|gains| of(gains, samples)),
            corruption,
        }
    }
}
