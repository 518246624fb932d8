//! Intersection over union of label maps: of each image, as the linear-semantics release averages it,
//! or of all pixels.

/// tp / (tp + fp + fn) of each of the classes 0 .. `classes` in one image; `None` where neither map
/// has the class. Labels beyond the classes belong to none.
///
/// # Panics
/// When the maps differ in size.
#[track_caller]
pub fn iou(predicted: &[i32], target: &[i32], classes: usize) -> Vec<Option<f64>> {
    assert_eq!(predicted.len(), target.len(), "iou: sizes of the maps");
    // Per class: pixels in both maps, and in either.
    let mut counts = vec![(0u32, 0u32); classes];
    for (&p, &t) in predicted.iter().zip(target) {
        let class = |label: i32| usize::try_from(label).ok().filter(|&k| k < classes);
        if let Some(k) = class(p) {
            counts[k].0 += u32::from(p == t);
            counts[k].1 += 1;
        }
        if let Some(k) = class(t).filter(|_| p != t) {
            counts[k].1 += 1;
        }
    }
    let ratio =
        |(both, either): (u32, u32)| (either > 0).then(|| f64::from(both) / f64::from(either));
    counts.into_iter().map(ratio).collect()
}

/// How often each class of a target was predicted as each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[target, predicted]`, row by row.
    pub counts: Vec<u64>,
}

impl Confusion {
    /// Over all pixels whose target is a class and not `ignored`, and whose prediction is a class.
    ///
    /// # Panics
    /// When the maps differ in size.
    #[track_caller]
    pub fn of(predicted: &[i32], target: &[i32], classes: usize, ignored: i32) -> Self {
        assert_eq!(predicted.len(), target.len(), "confusion: sizes of the maps");
        let mut counts = vec![0; classes * classes];
        let class = |label: i32| usize::try_from(label).ok().filter(|&k| k < classes);
        for (&p, &t) in predicted.iter().zip(target).filter(|(_, t)| **t != ignored) {
            if let (Some(p), Some(t)) = (class(p), class(t)) {
                counts[t * classes + p] += 1;
            }
        }
        Self { classes, counts }
    }

    fn hits(&self, k: usize) -> u64 {
        self.counts[k * self.classes + k]
    }

    /// Intersection over union of each class; `None` where neither map has it.
    pub fn iou(&self) -> Vec<Option<f64>> {
        let of_class = |k: usize| {
            let row: u64 = self.counts[k * self.classes..][..self.classes].iter().sum();
            let column: u64 = self.counts.iter().skip(k).step_by(self.classes).sum();
            let union = row + column - self.hits(k);
            (union > 0).then(|| self.hits(k) as f64 / union as f64)
        };
        (0..self.classes).map(of_class).collect()
    }

    /// Share of the pixels that are predicted as what they are.
    pub fn accuracy(&self) -> f64 {
        let hits: u64 = (0..self.classes).map(|k| self.hits(k)).sum();
        hits as f64 / self.counts.iter().sum::<u64>() as f64
    }
}

/// Share of equal pixels.
///
/// # Panics
/// When the maps differ in size.
#[track_caller]
pub fn pixel_accuracy(predicted: &[i32], target: &[i32]) -> f64 {
    assert_eq!(predicted.len(), target.len(), "pixel_accuracy: sizes of the maps");
    let equal = predicted.iter().zip(target).filter(|(p, t)| p == t).count();
    equal as f64 / predicted.len() as f64
}

/// Mean of the scores that there are.
pub fn mean_present(scores: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = scores.into_iter().flatten().fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// How far each score stays below the best, in percent of the best.
pub fn relative_gaps(scores: &[f64]) -> Vec<f64> {
    let best = scores.iter().fold(f64::NEG_INFINITY, |best, v| best.max(*v));
    scores.iter().map(|v| (v - best) / best * 100.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_classes_have_no_score_and_foreign_labels_count_against_none() {
        let got = iou(&[0, 1, 1, 9, -1], &[0, 1, 0, 1, 5], 3);
        assert_eq!(got, [Some(0.5), Some(1.0 / 3.0), None]);
        assert_eq!(mean_present(got), Some((0.5 + 1.0 / 3.0) / 2.0));
        assert_eq!(mean_present([None, None]), None);
    }
}
