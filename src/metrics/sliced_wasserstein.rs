//! Sliced Wasserstein distance: "Wasserstein Barycenter and Its Application to Texture Mixing"
//! (Rabin et al. 2011), section 3.

use rayon::prelude::*;

use crate::ops::random::{Draw, Stream, normals};
use crate::sample::Rgb;

/// Mean distance, 0 to 255, between the sorted projections of two sets of pictures onto `directions`
/// random directions of the space of their pixels. 0 for equal sets; it needs no trained network
/// and sees colour, light and layout rather than meaning.
///
/// # Panics
/// When the sets are empty or not equally large, or their pictures not of one size.
#[track_caller]
pub fn sliced_wasserstein(a: &[Rgb], b: &[Rgb], directions: usize, seed: u64) -> f64 {
    assert!(!a.is_empty() && a.len() == b.len(), "sets of {} and {} pictures", a.len(), b.len());
    let pixels = a[0].pixels.len();
    assert!(a.iter().chain(b).all(|p| p.pixels.len() == pixels), "pictures of several sizes");
    let slice = |k: usize| {
        let draw = Draw { seed, stream: Stream::Slices.of(0), step: k as u64 };
        let direction = normals(draw, pixels);
        let norm = direction.iter().map(|d| f64::from(d * d)).sum::<f64>().sqrt();
        let project = |picture: &Rgb| {
            let products = direction.iter().zip(&picture.pixels);
            products.map(|(d, &p)| f64::from(*d) * f64::from(p)).sum::<f64>() / norm
        };
        let sorted = |set: &[Rgb]| {
            let mut values: Vec<f64> = set.iter().map(project).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (a, b) = (sorted(a), sorted(b));
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
    };
    let slices: Vec<f64> = (0..directions).into_par_iter().map(slice).collect();
    slices.iter().sum::<f64>() / directions as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(values: &[u8]) -> Vec<Rgb> {
        values.iter().map(|&v| Rgb { width: 4, height: 4, pixels: vec![v; 48] }).collect()
    }

    #[test]
    fn equal_sets_in_any_order_are_at_no_distance() {
        assert_eq!(sliced_wasserstein(&flat(&[3, 200, 90]), &flat(&[90, 3, 200]), 8, 1), 0.0);
    }

    #[test]
    fn a_shift_of_all_pixels_counts_by_its_size() {
        let at = |shift: u8| {
            let moved = flat(&[10 + shift, 60 + shift]);
            sliced_wasserstein(&flat(&[10, 60]), &moved, 64, 1)
        };
        // The mean of |direction · 1| over the sphere is about 0.8.
        let (near, far) = (at(10), at(40));
        assert!((far / near - 4.0).abs() < 1e-9 && (6.0..10.0).contains(&near), "{near} {far}");
    }
}
