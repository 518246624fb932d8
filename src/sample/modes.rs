//! Modes of the styles: what multi-modal truncation pulls toward. Mokady et al. 2022, "Self-distilled
//! StyleGAN", section 4.2: one mean for all pictures is no picture where the data has many kinds.

use crate::ops::random::{Draw, Stream};

/// Rounds at most; far fewer move anything.
const ROUNDS: usize = 50;

/// Means of `k` clusters of rows of `width` numbers, by k-means from distant rows (k-means++, Arthur
/// and Vassilvitskii 2007). Equal on all machines.
///
/// # Panics
/// When there are fewer rows than clusters.
#[track_caller]
pub fn modes(rows: &[f32], width: usize, k: usize) -> Vec<Vec<f32>> {
    let n = rows.len() / width;
    assert!(0 < k && k <= n, "modes: {k} clusters of {n} rows");
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let draw = Draw { seed: 0, stream: Stream::Modes.of(0), step: 0 };
    let mut centers = vec![row(0).to_vec()];
    let mut distances = vec![f64::INFINITY; n];
    while centers.len() < k {
        let newest = &centers[centers.len() - 1];
        for (i, least) in distances.iter_mut().enumerate() {
            *least = least.min(distance(row(i), newest));
        }
        let mut left = draw.uniform(centers.len()) * distances.iter().sum::<f64>();
        let next = distances.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        centers.push(row(next.unwrap_or(n - 1)).to_vec());
    }
    let mut owners = vec![usize::MAX; n];
    for _ in 0..ROUNDS {
        let found: Vec<usize> = (0..n).map(|i| nearest(row(i), &centers)).collect();
        if found == owners {
            break;
        }
        owners = found;
        for (j, center) in centers.iter_mut().enumerate() {
            let own: Vec<usize> = (0..n).filter(|&i| owners[i] == j).collect();
            let mean = |c: usize| own.iter().map(|&i| f64::from(row(i)[c])).sum::<f64>();
            if !own.is_empty() {
                *center = (0..width).map(|c| (mean(c) / own.len() as f64) as f32).collect();
            }
        }
    }
    centers
}

/// The number of the center that is nearest to a row.
///
/// # Panics
/// When there is no center.
#[track_caller]
pub fn nearest(row: &[f32], centers: &[Vec<f32>]) -> usize {
    let to = |j: &usize| distance(row, &centers[*j]);
    (0..centers.len()).min_by(|a, b| to(a).total_cmp(&to(b))).expect("a center")
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distant_clusters_are_found() {
        let rows: Vec<f32> = (0..60)
            .flat_map(|i| {
                let center = [[0.0, 0.0], [9.0, 0.0], [0.0, 7.0]][i % 3];
                let off = (i / 3) as f32 / 20.0 - 0.475;
                [center[0] + off, center[1] - off]
            })
            .collect();
        let mut found = modes(&rows, 2, 3);
        found.sort_by(|a, b| (a[0] + 2.0 * a[1]).total_cmp(&(b[0] + 2.0 * b[1])));
        for (found, want) in found.iter().zip([[0.0, 0.0], [9.0, 0.0], [0.0, 7.0]]) {
            assert!(distance(found, &want) < 1e-6, "{found:?} {want:?}");
        }
        assert_eq!(nearest(&[8.0, 1.0], &[vec![0.0, 0.0], vec![9.0, 0.0]]), 1);
    }
}
