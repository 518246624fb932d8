//! What a generator's features say of classes, and painted edits: "Linear semantics in generative
//! adversarial networks" (Xu and Zheng, CVPR 2021), section 3, and its published interface.

use crate::ops::resample::resize::Resize;
use crate::sample::lerp;
use crate::tensor::Tensor;

/// Below this length a vector counts as 0.
const SHORTEST: f64 = 1e-12;

/// Maps of several layers, resized to one size and joined, each pixel of length 1:
/// `[N, D, size, size]`.
///
/// # Panics
/// When there are no maps, or they are not of the same samples.
#[track_caller]
pub fn unit_features(maps: &[Tensor], size: usize) -> Tensor {
    let resized: Vec<Tensor> =
        maps.iter().map(|map| map.resize([size; 2], Resize::AlignCorners)).collect();
    Tensor::cat(&resized.iter().collect::<Vec<_>>(), 1).normalize(1, SHORTEST)
}

/// The mean direction of each class's features.
#[derive(Clone, Debug)]
pub struct ClassCenters {
    /// `[classes, D]`, each of length 1; 0 where no pixel has the class.
    pub center: Tensor,
    /// Pixels of each class.
    pub count: Vec<usize>,
}

impl ClassCenters {
    /// Centres of features `[N, D, H, W]` with a label for each pixel.
    ///
    /// # Panics
    /// When there is not one label per pixel.
    #[track_caller]
    pub fn new(features: &Tensor, labels: &[i32], classes: usize) -> Self {
        let [n, d, h, w] = [0, 1, 2, 3].map(|k| features.size(k));
        assert_eq!(labels.len(), n * h * w, "ClassCenters::new: features {:?}", features.shape());
        let is_of = |k: usize| labels.iter().map(move |&label| f32::from(label == k as i32));
        let members: Vec<f32> = (0..classes).flat_map(is_of).collect();
        let members = Tensor::from_slice(&members, [classes, n * h * w], features.device());
        let pixels = features.permute(&[0, 2, 3, 1]).reshape([n * h * w, d]);
        let count = |k: usize| labels.iter().filter(|&&label| label == k as i32).count();
        Self {
            center: members.matmul(&pixels).normalize(1, SHORTEST),
            count: (0..classes).map(count).collect(),
        }
    }

    /// Cosine of each pixel and each class: `[N, classes, H, W]`.
    pub fn scores(&self, features: &Tensor) -> Tensor {
        let [n, d, h, w] = [0, 1, 2, 3].map(|k| features.size(k));
        let scores = self.center.matmul(&features.reshape([n, d, h * w]));
        scores.reshape([n, self.count.len(), h, w])
    }

    /// The class of the largest score at each pixel, `[N, H, W]`, of the classes that have pixels.
    pub fn predict(&self, scores: &Tensor) -> Tensor {
        // Cosines are at least -1.
        let lowered: Vec<f32> =
            self.count.iter().map(|&n| if n == 0 { -3.0 } else { 0.0 }).collect();
        let lowered = Tensor::from_slice(&lowered, [lowered.len(), 1, 1], scores.device());
        (scores + lowered).argmax(1, false)
    }
}

/// Mean cosine of the vectors of each two pools `[C, n, D]`: `[C, C]`. The mean of products of all
/// pairs is the product of the means.
pub fn cosine_matrix(pools: &Tensor) -> Tensor {
    let means = pools.normalize(-1, SHORTEST).mean(&[1], false);
    means.matmul_t(&means, false, true)
}

/// As many pixels of each class, from as many pictures.
#[derive(Clone, Debug)]
pub struct FairSample {
    /// For each class (picture, pixel).
    pub picked: Vec<Vec<[usize; 2]>>,
    /// Pictures that were looked at.
    pub pictures: usize,
}

impl FairSample {
    /// Takes `per_picture` pixels of each class from every picture that has as many, until each pool
    /// holds `wanted`: those with the smallest keys. `keys` holds one number per picture, class and
    /// pixel; random ones choose without replacement.
    ///
    /// # Panics
    /// When there are not as many keys.
    #[track_caller]
    pub fn new(
        labels: &[Vec<i32>],
        keys: &[f64],
        classes: usize,
        [per_picture, wanted]: [usize; 2],
    ) -> Self {
        let pixels = labels.first().map_or(0, Vec::len);
        let fits = keys.len() == labels.len() * classes * pixels;
        assert!(fits, "FairSample::new: {} keys for {} pictures", keys.len(), labels.len());
        let mut sample = Self { picked: vec![Vec::new(); classes], pictures: 0 };
        for (picture, labels) in labels.iter().enumerate() {
            if sample.picked.iter().all(|pool| pool.len() >= wanted) {
                break;
            }
            sample.pictures += 1;
            for (class, pool) in sample.picked.iter_mut().enumerate() {
                let keys = &keys[(picture * classes + class) * pixels..][..pixels];
                let mut of_class: Vec<usize> =
                    (0..pixels).filter(|&k| labels[k] == class as i32).collect();
                if pool.len() < wanted && of_class.len() >= per_picture {
                    of_class.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
                    pool.extend(of_class.iter().take(per_picture).map(|&k| [picture, k]));
                }
            }
        }
        sample
    }

    /// Features `[N, D, H, W]` of the pixels of a class: `[pixels, D]`.
    pub fn pool(&self, features: &Tensor, class: usize) -> Tensor {
        let [n, d, h, w] = [0, 1, 2, 3].map(|k| features.size(k));
        let pixels = features.permute(&[0, 2, 3, 1]).reshape([n * h * w, d]);
        let rows = self.picked[class].iter().map(|[picture, k]| (picture * h * w + k) as i32);
        let rows: Vec<i32> = rows.collect();
        pixels.index_select(0, &Tensor::from_indices(&rows, [rows.len()], features.device()))
    }
}

/// The class of each painted colour, which has to be exact; 0 for a colour that is not in the
/// palette.
pub fn classes_of_colors(colors: &[[i32; 3]], palette: &[[i32; 3]]) -> Vec<i32> {
    let class = |color| palette.iter().position(|entry| entry == color).unwrap_or(0) as i32;
    colors.iter().map(class).collect()
}

/// Labels with a stroke painted over them: (1 − mask) label + mask stroke, cut to whole numbers.
pub fn fused_labels(labels: &[i32], stroke: &[i32], mask: &[f64]) -> Vec<i32> {
    let fused = |((&label, &stroke), m): ((&i32, &i32), &f64)| {
        ((1.0 - m) * f64::from(label) + m * f64::from(stroke)) as i32
    };
    labels.iter().zip(stroke).zip(mask).map(fused).collect()
}

/// A picture with a stroke painted over it.
///
/// # Panics
/// When the shapes do not broadcast.
#[track_caller]
pub fn fused_image(image: &Tensor, stroke: &Tensor, mask: &Tensor) -> Tensor {
    lerp(image, stroke, mask)
}
