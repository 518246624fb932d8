//! SariGAN's groups, seen and edited: "Learning Semantic-aware Normalization for Generative
//! Adversarial Networks" (Zheng et al., NeurIPS 2020), figures 3 to 5.
//!
//! A grouped layer has codes for each group as a whole (inter) and for each channel inside it
//! (intra). An [`Edit`] replaces those of some groups by another picture's, or goes some way there.
//!
//! Whether an edit stays where its groups are active is measured against their region. The map of
//! groups of one layer is the mean of the layer's input over their channels, in the unedited picture,
//! bilinear at picture size; over several layers it is the mean of maps that were scaled to 0..1. The
//! region is where the map is above its mean. The share of the change outside is to be read beside
//! the share of the area outside: an edit that knows nothing of its region has both equal.

use serde::Serialize;

use crate::models::sarigan::{Codes, Generator, Grouping, LayerCodes, activation_maps};
use crate::sample::{Look, Plane, Rgb, Sampler, ranges};
use crate::tensor::Tensor;
use crate::train::snapshot::Trained;
use crate::{Error, Result};

/// A network whose groups are looked at and edited.
pub struct Editor<'a> {
    /// The network.
    pub g: &'a Generator,
    /// The groups of every layer of `convs`.
    pub groups: Vec<Grouping>,
    sampler: Sampler<'a>,
}

impl<'a> Editor<'a> {
    /// Of a network that is not being trained.
    pub fn new(trained: &'a Trained<Generator>, look: Look) -> Self {
        let g = &*trained.network.model;
        Self { g, groups: g.groupings(), sampler: trained.sampler(g, look) }
    }

    /// The same network's pictures.
    pub fn sampler(&self) -> &Sampler<'a> {
        &self.sampler
    }

    /// What the layers make of a seed's style, truncated.
    pub fn codes(&self, seed: u64) -> LayerCodes {
        self.g.codes(&self.sampler.styles(&self.sampler.w(seed)))
    }
}

/// The groups of one layer of `convs`: of its input channels.
#[derive(Clone, Debug, Serialize)]
pub struct LayerGroups {
    /// The layer's key.
    pub layer: String,
    /// Side of its output.
    pub resolution: usize,
    /// Channels that are grouped.
    pub channels: usize,
    /// Channels of each group.
    pub sizes: Vec<usize>,
    /// Group of each channel.
    pub assignment: Vec<Option<usize>>,
    /// Mean cosine similarity of the kernels of two channels of one group.
    pub similarity_inside: Option<f64>,
    /// The same of two channels of two groups.
    pub similarity_between: Option<f64>,
    /// Part of all pairs of channels that the grouping loss wants together; training moves it
    /// towards 1 / groups.
    pub target_share: f64,
    /// Cosine similarities of all channels.
    #[serde(skip)]
    pub similarity: Plane,
}

impl LayerGroups {
    fn new(g: &Generator, k: usize, grouping: &Grouping, similarity: &Tensor) -> Result<Self> {
        let target = g.convs[k].target(similarity);
        let members = grouping.members();
        let (groups, channels) = (members.size(0), members.size(1));
        let members = members.to_vec()?;
        let group_of = |c: usize| (0..groups).find(|&i| members[i * channels + c] == 1.0);
        let assignment: Vec<_> = (0..channels).map(group_of).collect();
        let size = |i| assignment.iter().filter(|&&a| a == Some(i)).count();
        let similarity = Plane::new(similarity.to_vec()?);
        let [similarity_inside, similarity_between] = mean_similarities(&assignment, &similarity);
        Ok(Self {
            layer: format!("convs.{k}"),
            resolution: g.config().layer_size(k),
            channels,
            sizes: (0..groups).map(size).collect(),
            assignment,
            similarity_inside,
            similarity_between,
            target_share: f64::from(target.mean_all().item()?),
            similarity,
        })
    }

    /// Groups that hold channels.
    pub fn non_empty(&self) -> Vec<usize> {
        (0..self.sizes.len()).filter(|&i| self.sizes[i] > 0).collect()
    }

    /// Channels that belong to no group: their two best groups tie.
    pub fn ungrouped(&self) -> usize {
        self.channels - self.sizes.iter().sum::<usize>()
    }

    /// Channels by group, those of none last.
    pub fn sorted(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.channels).collect();
        order.sort_by_key(|&c| self.assignment[c].unwrap_or(usize::MAX));
        order
    }
}

/// Mean over pairs of channels of one group, and of two; channels of none do not count.
fn mean_similarities(assignment: &[Option<usize>], similarity: &Plane) -> [Option<f64>; 2] {
    let mut sums = [(0.0, 0usize); 2];
    for (a, group_a) in assignment.iter().enumerate() {
        for (b, group_b) in assignment[..a].iter().enumerate() {
            if let (Some(i), Some(j)) = (group_a, group_b) {
                let (sum, pairs) = &mut sums[usize::from(i != j)];
                *sum += f64::from(similarity.values[a * similarity.size + b]);
                *pairs += 1;
            }
        }
    }
    sums.map(|(sum, pairs)| (pairs > 0).then(|| sum / pairs as f64))
}

/// The groups of every layer of `convs`.
///
/// # Errors
/// What the device reports.
pub fn layer_groups(editor: &Editor<'_>) -> Result<Vec<LayerGroups>> {
    let similarities = editor.g.similarities();
    let layers = editor.groups.iter().zip(&similarities).enumerate();
    layers.map(|(k, (grouping, co))| LayerGroups::new(editor.g, k, grouping, co)).collect()
}

/// Layers of `convs` that `text` means: a key as `convs.3`, a resolution, or `all`.
///
/// # Errors
/// Naming what there is.
pub fn parse_layers(g: &Generator, text: &str) -> Result<Vec<usize>> {
    let (n, size) = (g.convs.len(), |k| g.config().layer_size(k));
    let means =
        |&k: &usize| text == "all" || text == format!("convs.{k}") || text.parse() == Ok(size(k));
    let layers: Vec<usize> = (0..n).filter(means).collect();
    if layers.is_empty() {
        let sizes: Vec<String> = (0..n).step_by(2).map(|k| size(k).to_string()).collect();
        let reason = format!(
            "{text:?} is no grouped layer; there are convs.0 to convs.{}, the resolutions {}, and all",
            n - 1,
            sizes.join(", ")
        );
        return Err(Error::config("--layer", reason));
    }
    Ok(layers)
}

/// The edited groups of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Layer of `convs`.
    pub layer: usize,
    /// Groups of its input channels.
    pub groups: Vec<usize>,
}

impl Target {
    /// The groups `wanted` in those of `layers` in which they hold channels.
    ///
    /// # Errors
    /// When a group holds channels in none of them, naming those that do.
    pub fn find(all: &[LayerGroups], layers: &[usize], wanted: &[usize]) -> Result<Vec<Self>> {
        let holds = |k: usize, i: usize| all[k].sizes.get(i).is_some_and(|&n| n > 0);
        for &i in wanted {
            if layers.iter().any(|&k| holds(k, i)) {
                continue;
            }
            let there = |&k: &usize| {
                let (groups, n) = (ranges(&all[k].non_empty()), all[k].sizes.len());
                format!("{groups} of {n} in {}", all[k].layer)
            };
            let there: Vec<String> = layers.iter().map(there).collect();
            let reason =
                format!("group {i} holds no channels; groups that do: {}", there.join("; "));
            return Err(Error::config("--group", reason));
        }
        let target = |&layer: &usize| {
            let groups: Vec<_> = wanted.iter().copied().filter(|&i| holds(layer, i)).collect();
            (!groups.is_empty()).then_some(Self { layer, groups })
        };
        Ok(layers.iter().filter_map(target).collect())
    }

    /// The layer's key.
    pub fn key(&self) -> String {
        format!("convs.{}", self.layer)
    }

    /// 1 for each edited group, else 0, `[1, g]`, and the same for the channels in them, `[1, C]`.
    fn masks(&self, grouping: &Grouping) -> (Tensor, Tensor) {
        let members = grouping.members();
        let mut chosen = vec![0.0; members.size(0)];
        self.groups.iter().for_each(|&i| chosen[i] = 1.0);
        let groups = Tensor::from_slice(&chosen, [1, chosen.len()], members.device());
        let channels = groups.matmul(&members);
        (groups, channels)
    }

    /// Mean of x `[1, C, H, W]` over the edited channels.
    fn map(&self, x: &Tensor, grouping: &Grouping) -> Result<Plane> {
        let (_, channels) = self.masks(grouping);
        Ok(Plane::new(activation_maps(x, &channels).to_vec()?))
    }
}

/// Which codes of which groups come from another picture.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Groups by layer.
    pub targets: Vec<Target>,
    /// The codes of the groups as wholes.
    pub inter: bool,
    /// The codes of their channels.
    pub intra: bool,
}

impl Edit {
    /// `own` moved toward `other` by t, 0 to 1, in the edited groups.
    ///
    /// # Panics
    /// When a layer or a group does not exist.
    pub fn apply(
        &self,
        own: &LayerCodes,
        other: &LayerCodes,
        groups: &[Grouping],
        t: f64,
    ) -> LayerCodes {
        let mut codes = own.clone();
        for target in &self.targets {
            let k = target.layer;
            let (inter, intra) = target.masks(&groups[k]);
            let weight = |mask: Tensor, is_edited| mask * if is_edited { t } else { 0.0 };
            let (inter, intra) = (weight(inter, self.inter), weight(intra, self.intra));
            codes.grouped[k] = Codes::lerp(&own.grouped[k], &other.grouped[k], &inter, &intra);
        }
        codes
    }
}

/// A picture on its way from one seed's codes to another's.
#[derive(Clone, Debug)]
pub struct Step {
    /// How far it is, 0 to 1.
    pub t: f64,
    /// The picture.
    pub picture: Rgb,
    /// |difference from the unedited picture|, mean over RGB, 0 to 255.
    pub change: Plane,
}

impl Step {
    /// Share of the change outside a region; none where nothing changed.
    pub fn share_outside(&self, region: &[bool]) -> Option<f64> {
        let outside = self.change.values.iter().zip(region).filter(|(_, inside)| !**inside);
        let outside: f64 = outside.map(|(&v, _)| f64::from(v)).sum();
        let all = self.change.mean() * region.len() as f64;
        (all > 0.0).then(|| outside / all)
    }
}

/// An edit in steps.
#[derive(Clone, Debug)]
pub struct Strip {
    /// From the unedited picture on.
    pub steps: Vec<Step>,
    /// The map of the edit (see the module).
    pub map: Plane,
    /// Where the map is above its mean.
    pub region: Vec<bool>,
}

impl Strip {
    /// Share of the area outside the region.
    pub fn area_outside(&self) -> f64 {
        let outside = self.region.iter().filter(|inside| !**inside).count();
        outside as f64 / self.region.len() as f64
    }
}

/// An edit of the picture of seed `own` with the codes of seed `other`, in `n` ≥ 2 steps from 0 to 1.
///
/// # Errors
/// What the device reports.
///
/// # Panics
/// When there are fewer steps, or the edit names a layer or a group that does not exist.
#[track_caller]
pub fn interpolate(
    editor: &Editor<'_>,
    edit: &Edit,
    [own, other]: [u64; 2],
    n: usize,
) -> Result<Strip> {
    assert!(n >= 2, "interpolate: {n} steps; it has two ends");
    let Editor { g, groups, sampler } = editor;
    let (noise, own, other) = (sampler.noise(own), editor.codes(own), editor.codes(other));
    let size = g.config().size;
    let mut inputs = Vec::new();
    let image = g.synthesis_with(&own, &noise, groups, |key, y| {
        let read = edit.targets.iter().filter(|target| Generator::input_key(target.layer) == key);
        inputs.extend(read.map(|target| (target, y.clone())));
    });
    let unedited = image.clamp(-1.0, 1.0);
    let step = |k: usize| {
        let t = k as f64 / (n - 1) as f64;
        let image = match k {
            0 => image.clone(),
            _ => g.synthesis_with(&edit.apply(&own, &other, groups, t), &noise, groups, |_, _| ()),
        };
        let change = image.clamp(-1.0, 1.0).zip(&unedited, |x, y| 127.5 * (x - y).abs());
        Ok(Step {
            t,
            picture: Rgb::from_planes(&image.to_vec()?, size, size),
            change: Plane::new(change.mean(&[1], false).to_vec()?),
        })
    };
    let maps = inputs.iter().map(|(target, x)| target.map(x, &groups[target.layer]));
    let map = mean_map(&maps.collect::<Result<Vec<_>>>()?, size);
    let region = map.above_mean();
    Ok(Strip { steps: (0..n).map(step).collect::<Result<_>>()?, map, region })
}

/// Mean of maps at picture size, each scaled to 0..1.
fn mean_map(maps: &[Plane], size: usize) -> Plane {
    let mut mean = Plane::new(vec![0.0; size * size]);
    for map in maps {
        let map = map.resized(size);
        let map = map.scaled(map.range());
        let add = |(sum, v): (&mut f32, &f32)| *sum += v / maps.len() as f32;
        mean.values.iter_mut().zip(&map.values).for_each(add);
    }
    mean
}

/// The picture of a seed, and the activation maps `[g, r, r]` of `layers` of `convs` in it.
///
/// # Errors
/// What the device reports.
pub fn group_maps(
    editor: &Editor<'_>,
    seed: u64,
    layers: &[usize],
) -> Result<(Rgb, Vec<Vec<Plane>>)> {
    let Editor { g, groups, sampler } = editor;
    let (codes, noise) = (editor.codes(seed), sampler.noise(seed));
    let mut maps = Vec::new();
    let image = g.synthesis_with(&codes, &noise, groups, |key, y| {
        let read = layers.iter().filter(|&&k| Generator::input_key(k) == key);
        maps.extend(read.map(|&k| activation_maps(y, &groups[k].members())));
    });
    let planes = |maps: Tensor| {
        let area = maps.size(1) * maps.size(2);
        Ok(maps.to_vec()?.chunks_exact(area).map(|map| Plane::new(map.to_vec())).collect())
    };
    let size = g.config().size;
    let picture = Rgb::from_planes(&image.to_vec()?, size, size);
    Ok((picture, maps.into_iter().map(planes).collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarities_are_means_over_pairs_of_two_channels() {
        #[rustfmt::skip]
        let similarity = Plane::new(vec![
            1.0, 0.5, 0.1, 9.0,
            0.5, 1.0, 0.3, 9.0,
            0.1, 0.3, 1.0, 9.0,
            9.0, 9.0, 9.0, 1.0,
        ]);
        let means = |assignment: [Option<usize>; 4]| mean_similarities(&assignment, &similarity);
        let [inside, between] = means([Some(1), Some(1), Some(0), None]).map(Option::unwrap);
        assert!((inside - 0.5).abs() < 1e-6 && (between - 0.2).abs() < 1e-6);
        assert_eq!(means([Some(0), None, None, None]), [None, None]);
    }

    #[test]
    fn the_region_is_where_the_mean_of_scaled_maps_is_above_its_mean() {
        let maps = [vec![-4.0, 0.0, 4.0, -4.0], vec![10.0, 11.0, 10.0, 10.0]];
        let map = mean_map(&maps.map(Plane::new), 2);
        assert_eq!(map.values, [0.0, 0.75, 0.5, 0.0]);
        let region = map.above_mean();
        assert_eq!(region, [false, true, true, false]);

        let picture = Rgb { width: 2, height: 2, pixels: vec![0; 12] };
        let step = |change: [f32; 4]| {
            let change = Plane::new(change.to_vec());
            Step { t: 1.0, picture: picture.clone(), change }
        };
        assert_eq!(step([1.0, 0.0, 2.0, 1.0]).share_outside(&region), Some(0.5));
        assert_eq!(step([0.0; 4]).share_outside(&region), None);
        let strip = Strip { steps: Vec::new(), map, region: vec![false, true, false, false] };
        assert_eq!(strip.area_outside(), 0.75);
    }
}
