//! Linear separability: how much a linear classifier's answer X leaves unknown of an attribute Y.
//! Karras et al. 2019, section 4.2.

use super::Svm;

/// Of a joint distribution, in bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entropies {
    /// H(Y).
    pub of_y: f64,
    /// I(X; Y).
    pub mutual: f64,
    /// H(Y | X), at least 0.
    pub conditional: f64,
}

/// Entropies of a table with rows X and `columns` columns Y, which is normalised first.
///
/// # Panics
/// When the table is no whole number of rows.
#[track_caller]
pub fn entropies(table: &[f64], columns: usize) -> Entropies {
    assert_eq!(table.len() % columns, 0, "entropies: {} entries", table.len());
    let total: f64 = table.iter().sum();
    let p = |k: usize| table[k] / total;
    let row = |k: usize| (0..columns).map(|j| p(k / columns * columns + j)).sum::<f64>();
    let column = |j: usize| (j..table.len()).step_by(columns).map(p).sum::<f64>();
    let term = |p: f64, ratio: f64| if p > 0.0 { p * ratio.log2() } else { 0.0 };
    let of_y: f64 = (0..columns).map(|j| -term(column(j), column(j))).sum();
    let mutual = (0..table.len()).map(|k| term(p(k), p(k) / (row(k) * column(k % columns)))).sum();
    Entropies { of_y, mutual, conditional: (of_y - mutual).max(0.0) }
}

/// 2 to the sum of the attributes' conditional entropies.
pub fn score(attributes: &[Entropies]) -> f64 {
    attributes.iter().map(|e| e.conditional).sum::<f64>().exp2()
}

/// Samples that an attribute's classifier is most certain of.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which, the most certain first, equal ones in their order.
    pub index: Vec<usize>,
    /// 0 where the logit says yes, 1 where no.
    pub target: Vec<usize>,
}

/// The `keep` samples with the largest probability of either answer, which are softmax (l, −l).
pub fn most_certain(logits: &[f64], keep: usize) -> Kept {
    let certainty = |i: &usize| 1.0 / (1.0 + (-2.0 * logits[*i].abs()).exp());
    let mut index: Vec<usize> = (0..logits.len()).collect();
    index.sort_by(|a, b| certainty(b).total_cmp(&certainty(a)));
    index.truncate(keep);
    let target = index.iter().map(|&i| usize::from(logits[i] < 0.0)).collect();
    Kept { index, target }
}

/// Frequencies of (answer, target), both 0 or 1, row by row.
///
/// # Panics
/// When the lists differ in length, or an entry is neither.
#[track_caller]
pub fn joint_table(answers: &[usize], targets: &[usize]) -> [f64; 4] {
    assert_eq!(answers.len(), targets.len(), "joint_table: answers and targets");
    let mut table = [0.0; 4];
    for (x, y) in answers.iter().zip(targets) {
        assert!(*x < 2 && *y < 2, "joint_table: {x} and {y}");
        table[2 * x + y] += 1.0 / answers.len() as f64;
    }
    table
}

/// What latents say of one attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// Of the target, given the side of the plane.
    pub entropies: Entropies,
    /// Share of the samples on the right side.
    pub accuracy: f64,
}

/// Separates the more certain half of latents `[n, d]` by the answers of a classifier.
///
/// # Panics
/// When there is not one row for each logit, or fewer than two.
#[track_caller]
pub fn separation(latents: &[f32], logits: &[f64]) -> Separation {
    let n = logits.len();
    assert!(n >= 2 && latents.len().is_multiple_of(n), "separation of {n}: {}", latents.len());
    let d = latents.len() / n;
    let kept = most_certain(logits, n / 2);
    let rows: Vec<f32> = kept.index.iter().flat_map(|&k| &latents[k * d..][..d]).copied().collect();
    let answers = Svm::fit(&rows, &kept.target, 1.0).predict(&rows);
    let table = joint_table(&answers, &kept.target);
    Separation { entropies: entropies(&table, 2), accuracy: table[0] + table[3] }
}
