//! Precision and recall of a set of samples: how many lie where the other set is. Kynkäänniemi et al.
//! 2019, section 2.

/// Share of samples that lie within the other set, both ways.
#[derive(Clone, Debug)]
pub struct PrecisionRecall {
    /// Of the fakes, within the reals.
    pub precision: f64,
    /// Of the reals, within the fakes.
    pub recall: f64,
    /// Of each real, and of each fake: the distance to its k-th nearest neighbour.
    pub radii: [Vec<f64>; 2],
}

/// Of samples with `width` features each, one behind the other. A sample lies within a set if it is
/// no farther from one of its samples than that one's k-th nearest neighbour.
///
/// # Panics
/// When a set has no more than k samples.
#[track_caller]
pub fn precision_recall([real, fake]: [&[f64]; 2], width: usize, k: usize) -> PrecisionRecall {
    let radii = [real, fake].map(|set| radii(set, width, k));
    let precision = share_within(fake, real, &radii[0], width);
    let recall = share_within(real, fake, &radii[1], width);
    PrecisionRecall { precision, recall, radii }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[track_caller]
fn radii(set: &[f64], width: usize, k: usize) -> Vec<f64> {
    let n = set.len() / width;
    assert!(n > k, "precision_recall: {n} samples have no {k} neighbours each");
    let radius = |a: &[f64]| {
        let mut distances: Vec<f64> = set.chunks_exact(width).map(|b| distance(a, b)).collect();
        // The nearest one is the sample itself.
        *distances.select_nth_unstable_by(k, f64::total_cmp).1
    };
    set.chunks_exact(width).map(radius).collect()
}

fn share_within(samples: &[f64], set: &[f64], radii: &[f64], width: usize) -> f64 {
    let is_within = |sample: &&[f64]| {
        let mut balls = set.chunks_exact(width).zip(radii);
        balls.any(|(centre, radius)| distance(sample, centre) <= *radius)
    };
    let samples = samples.chunks_exact(width);
    let n = samples.len() as f64;
    samples.filter(is_within).count() as f64 / n
}
