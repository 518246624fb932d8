//! Rows of folder `linear_semantics` (INDEX-linear_semantics).

use serde_json::Value;

use super::Row;
use super::case::{Context, Outputs};
use super::jobs::{numbers, tensor};
use super::stylegan::network;
use crate::Result;
use crate::edit::linear_semantics::{self as edit, ClassCenters, FairSample};
use crate::metrics::{self, Entropies, Space};
use crate::models::linear_semantics::{Config, Extractor};
use crate::ops::conv::Conv2d;
use crate::ops::resample::resize::Resize;
use crate::sample::{lerp, slerp};
use crate::tensor::Tensor;
use crate::train::loss;

/// Of a small StyleGAN, with a network of two convolutions in VGG's place.
fn perceptual_path_length(c: &Context) -> Result<Outputs> {
    let missing = || c.wrong("generator", "the description of a network");
    let g = network(c, "generator.", c.any("generator").ok_or_else(missing)?)?.model;
    let space = match c.word("space")?.as_str() {
        "z" => Space::Z,
        _ => Space::W,
    };
    let epsilon = c.f64("epsilon")?;
    let ends =
        metrics::path_ends(&c.x("z")?, &c.x("t")?, epsilon, space, |z| g.mapping.forward(z, None));
    let crop = c.flag("crop")?;
    let image = |w: &Tensor| {
        let image = g.synthesis(&g.broadcast(w), &g.noise_buffers(), 0.0).image;
        metrics::path_picture(&image, crop)
    };
    let images = ends.each_ref().map(image);
    let param = |key: &str| c.param(&format!("perceptual.{key}"));
    let conv = |x: &Tensor, key: &str| -> Result<Tensor> {
        let conv = Conv2d { padding: [1, 1], ..Conv2d::strided(2) };
        let bias = param(&format!("{key}.bias"))?;
        let y = x.conv2d(&param(&format!("{key}.weight"))?, &conv);
        Ok((y + bias.reshape([bias.numel(), 1, 1])).relu())
    };
    let features = |image: &Tensor| -> Result<[Tensor; 2]> {
        let first = conv(&image.map(|x| (x * (1.0 / 255.0) - 0.5) * 2.0), "c1")?;
        let second = conv(&first, "c2")?;
        Ok([first, second])
    };
    let weights = [param("w1")?, param("w2")?];
    let apart = metrics::feature_distance(&features(&images[0])?, &features(&images[1])?, &weights);
    let distance = apart * (1.0 / epsilon.powi(2));
    let kept = metrics::inliers(&distance.to_vec_f64()?, 1, 99);
    let [first, second] = ends;
    let out = Outputs::default().out("dlat_e0", first).out("dlat_e1", second);
    let [image, _] = images;
    Ok(out.out("image_e0", image).out("distance", distance).out("ppl", one(c, kept.mean)))
}

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "linear_semantics", op, run }
}

/// No label is ignored.
const NONE: i32 = -100;

pub(super) static ROWS: &[Row] = &[
    row("bilinear_align_corners", |c| {
        Outputs::y(c.x("x")?.resize([c.size("size")?; 2], Resize::AlignCorners))
    }),
    row("cross_entropy", |c| {
        with_loss(&loss::cross_entropy(&c.x("x")?, &c.x("target")?, NONE).mean())
    }),
    row("focal_loss", |c| {
        let (x, target) = (c.x("x")?, c.x("target")?);
        let entropies = match c.flag("binary")? {
            true => loss::bce_map(&x, &target),
            false => loss::cross_entropy_map(&x, &target),
        };
        with_loss(&loss::focal(&entropies, c.f64("alpha")?, c.f64("gamma")?))
    }),
    row("mask_cross_entropy", |c| {
        let map = loss::cross_entropy_map(&c.x("x")?, &c.x("target")?);
        with_loss(&loss::masked_mean(&map, &c.x("mask")?.reshape(map.shape())))
    }),
    row("layered_loss", layered_loss),
    row("semantic_extractor", semantic_extractor),
    row("iou_eval", iou_eval),
    row("semantic_accuracy", semantic_accuracy),
    row("relative_gap", |c| {
        let gaps = metrics::relative_gaps(&numbers(c, "miou")?);
        Ok(Outputs::default().out("gap_percent", tensor(c, &gaps, &[gaps.len()])))
    }),
    row("outlier_rejected_mean", |c| {
        let kept = metrics::inliers(&numbers(c, "x")?, c.size("lo")?, c.size("hi")?);
        let out = Outputs::default().out("lo", one(c, kept.lo)).out("hi", one(c, kept.hi));
        Ok(out.out("mean", one(c, kept.mean)))
    }),
    row("conditional_entropy", |c| {
        let joint = c.x("joint")?;
        let (columns, table) = (joint.size(2), joint.size(1) * joint.size(2));
        let tables = joint.to_vec_f64()?;
        let all: Vec<_> =
            tables.chunks_exact(table).map(|t| metrics::entropies(t, columns)).collect();
        Ok(with_entropies(c, &all)
            .out("entropy_y", listed(c, &all, |e| e.of_y))
            .out("mutual_information", listed(c, &all, |e| e.mutual)))
    }),
    row("separability_score", separability_score),
    row("class_center_segmentation", class_center_segmentation),
    row(
        "cosine_matrix",
        |c| Ok(Outputs::default().out("cos", edit::cosine_matrix(&c.x("pools")?))),
    ),
    row("fair_feature_sampling", fair_feature_sampling),
    row("fuse_stroke", fuse_stroke),
    row("slerp", |c| Outputs::y(slerp(&c.x("a")?, &c.x("b")?, &c.x("t")?))),
    row("perceptual_path_length", perceptual_path_length),
    row("lerp", |c| Outputs::y(lerp(&c.x("a")?, &c.x("b")?, &c.x("t")?))),
];

fn class_center_segmentation(c: &Context) -> Result<Outputs> {
    let features = edit::unit_features(&maps(c)?, c.size("size")?);
    let centers = ClassCenters::new(&features, &c.x("label")?.to_indices()?, c.size("n_class")?);
    let scores = centers.scores(&features);
    Ok(Outputs::default()
        .out("pred", centers.predict(&scores))
        .out("score", scores)
        .out("count", indices(c, &centers.count, &[centers.count.len()]))
        .out("center", centers.center))
}

fn fair_feature_sampling(c: &Context) -> Result<Outputs> {
    let (labels, classes) = (c.x("label")?, c.size("n_class")?);
    let pixels = labels.size(1) * labels.size(2);
    let labels: Vec<_> = labels.to_indices()?.chunks_exact(pixels).map(<[i32]>::to_vec).collect();
    let counts = [c.size("T1")?, c.size("T2")?];
    let sample = FairSample::new(&labels, &numbers(c, "keys")?, classes, counts);
    let sizes: Vec<usize> = sample.picked.iter().map(Vec::len).collect();
    let mut outputs = Outputs::default()
        .out("images_used", indices(c, &[sample.pictures], &[1]))
        .out("pool_size", indices(c, &sizes, &[classes]));
    for (k, picked) in sample.picked.iter().enumerate() {
        let index = indices(c, picked.as_flattened(), &[picked.len(), 2]);
        let pool = sample.pool(&c.x("feature")?, k);
        outputs = outputs.out(&format!("index{k}"), index).out(&format!("pool{k}"), pool);
    }
    Ok(outputs)
}

fn fuse_stroke(c: &Context) -> Result<Outputs> {
    let palette = c.any("palette").and_then(|list| serde_json::from_value(list.clone()).ok());
    let palette: Vec<[i32; 3]> = palette.ok_or_else(|| c.wrong("palette", "a list of colours"))?;
    let (labels, colors) = (c.x("label")?, c.x("label_stroke_rgb")?.to_indices()?);
    let stroke = edit::classes_of_colors(colors.as_chunks().0, &palette);
    let fused = edit::fused_labels(&labels.to_indices()?, &stroke, &numbers(c, "label_mask")?);
    let map = |list: &[i32]| Tensor::from_indices(list, labels.shape(), &c.device);
    let image = edit::fused_image(&c.x("image")?, &c.x("image_stroke")?, &c.x("image_mask")?);
    let outputs = Outputs::default().out("label_stroke", map(&stroke));
    Ok(outputs.out("fused_label", map(&fused)).out("fused_image", image))
}

/// Numbers of the host as indices.
fn indices(c: &Context, list: &[usize], shape: &[usize]) -> Tensor {
    let list: Vec<i32> = list.iter().map(|&k| k as i32).collect();
    Tensor::from_indices(&list, shape, &c.device)
}

/// The files of this folder store a loss as a list of one.
fn with_loss(loss: &Tensor) -> Result<Outputs> {
    Ok(Outputs::default().out("loss", loss.reshape([1])))
}

fn semantic_extractor(c: &Context) -> Result<Outputs> {
    let config: Config = serde_json::from_value(c.attrs().clone())
        .map_err(|e| c.wrong("type", &format!("part of the description of an extractor: {e}")))?;
    let extractor = c.network("", |b| Extractor::new(&config, b))?.model;
    let size = match c.any("size") {
        None | Some(Value::Null) => None,
        Some(_) => Some([c.size("size")?; 2]),
    };
    let found = extractor.forward(&maps(c)?, size);
    let layers = found.layers.into_iter().enumerate();
    let out: Outputs = layers.map(|(k, y)| (format!("layer{k}"), y)).collect();
    Ok(out.out("label", found.scores.argmax(1, false)).out("final", found.scores))
}

/// The case's feature maps.
fn maps(c: &Context) -> Result<Vec<Tensor>> {
    let mut maps = Vec::new();
    while let Some(map) = c.optional(&format!("feat{}", maps.len()))? {
        maps.push(map);
    }
    Ok(maps)
}

fn layered_loss(c: &Context) -> Result<Outputs> {
    let labels = c.x("label")?;
    let size = [labels.size(1), labels.size(2)];
    let part = |x: &Tensor| loss::cross_entropy(x, &labels, NONE).mean().reshape([1]);
    let mut parts = Vec::new();
    while let Some(layer) = c.optional(&format!("layer{}", parts.len()))? {
        parts.push(part(&layer.resize(size, Resize::AlignCorners)));
    }
    let layers = parts.iter().cloned().reduce(|a, b| a + b).expect("a layer");
    let last = part(&c.x("final")?);
    let total = &last + layers * c.f64("layer_loss_weight")?;
    parts.push(last);
    let parts = Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0);
    Ok(Outputs::default().out("loss", total).out("parts", parts))
}

/// A number as a list of one.
fn one(c: &Context, value: f64) -> Tensor {
    tensor(c, &[value], &[1])
}

/// Scores of the maps by rows (each pair of maps has one), without the ignored class, and their
/// means over the rows.
struct Scores {
    rows: Vec<Vec<Option<f64>>>,
    classes: Vec<Option<f64>>,
    absent: f64,
}

impl Scores {
    fn new<'a>(
        c: &Context,
        pairs: impl Iterator<Item = (&'a [i32], &'a [i32])>,
        classes: usize,
    ) -> Result<Self> {
        let ignored = c.size("ignore_index")?;
        let row = |(predicted, target): (&[i32], &[i32])| {
            let mut row = metrics::iou(predicted, target, classes);
            row.remove(ignored);
            row
        };
        let rows: Vec<_> = pairs.map(row).collect();
        let of_class = |k: usize| metrics::mean_present(rows.iter().map(|row| row[k]));
        let classes = (0..classes - 1).map(of_class).collect();
        Ok(Self { rows, classes, absent: c.f64("absent_score")? })
    }

    fn list(&self, c: &Context, scores: &[Option<f64>]) -> Tensor {
        let values: Vec<f64> = scores.iter().map(|score| score.unwrap_or(self.absent)).collect();
        tensor(c, &values, &[values.len()])
    }

    /// The two that every row of `verify` returns.
    fn outputs(&self, c: &Context) -> Outputs {
        let iou = self.list(c, &self.rows.concat());
        let iou = iou.reshape([self.rows.len(), self.classes.len()]);
        Outputs::default().out("iou", iou).out("class_iou", self.list(c, &self.classes))
    }

    fn mean(&self, c: &Context, scores: &[Option<f64>]) -> Tensor {
        self.list(c, &[metrics::mean_present(scores.iter().copied())])
    }
}

fn iou_eval(c: &Context) -> Result<Outputs> {
    let target = c.x("target")?;
    let (n, size) = (target.size(0), target.size(1) * target.size(2));
    let (predicted, target) = (c.x("pred")?.to_indices()?, target.to_indices()?);
    let pairs = || predicted.chunks_exact(size).zip(target.chunks_exact(size));
    let scores = Scores::new(c, pairs(), c.size("n_class")?)?;
    let accuracy: Vec<f64> = pairs().map(|(p, t)| metrics::pixel_accuracy(p, t)).collect();
    Ok(scores
        .outputs(c)
        .out("miou", scores.mean(c, &scores.classes))
        .out("callback_miou", scores.mean(c, &scores.rows.concat()))
        .out("pixel_acc", tensor(c, &accuracy, &[n])))
}

fn semantic_accuracy(c: &Context) -> Result<Outputs> {
    let (targets, samples) = (c.x("targets")?, c.x("samples")?);
    let (per_target, size) = (samples.size(1), samples.size(2) * samples.size(3));
    let (targets, samples) = (targets.to_indices()?, samples.to_indices()?);
    let classes = samples.iter().max().map_or(0, |&k| k as usize) + 1;
    let pairs = samples.chunks_exact(size).enumerate();
    let pairs = pairs.map(|(k, sample)| (sample, &targets[k / per_target * size..][..size]));
    let scores = Scores::new(c, pairs, classes)?;
    let of_pairs: Vec<_> =
        scores.rows.iter().map(|row| metrics::mean_present(row.iter().copied())).collect();
    Ok(scores
        .outputs(c)
        .out("accuracy_code", scores.mean(c, &scores.classes))
        .out("accuracy_paper", scores.mean(c, &of_pairs)))
}

fn listed(c: &Context, all: &[Entropies], of: fn(&Entropies) -> f64) -> Tensor {
    tensor(c, &all.iter().map(of).collect::<Vec<_>>(), &[all.len()])
}

fn with_entropies(c: &Context, all: &[Entropies]) -> Outputs {
    let conditional = listed(c, all, |e| e.conditional);
    let score = one(c, metrics::score(all));
    Outputs::default().out("conditional_entropy", conditional).out("score", score)
}

fn separability_score(c: &Context) -> Result<Outputs> {
    let (logits, keep) = (c.x("logits")?, c.size("num_keep")?);
    let attributes = logits.size(1);
    let (logits, answers) = (logits.to_vec_f64()?, c.x("svm_output")?.to_indices()?);
    let (mut kept, mut targets, mut joint) = (Vec::new(), Vec::new(), Vec::new());
    for (k, answers) in answers.chunks_exact(keep).enumerate() {
        let column: Vec<f64> = logits.iter().skip(k).step_by(attributes).copied().collect();
        let certain = metrics::most_certain(&column, keep);
        let answers: Vec<usize> = answers.iter().map(|&x| x as usize).collect();
        joint.extend(metrics::joint_table(&answers, &certain.target));
        kept.extend(certain.index.into_iter().map(|i| i as i32));
        targets.extend(certain.target.into_iter().map(|y| y as i32));
    }
    let all: Vec<_> = joint.chunks_exact(4).map(|t| metrics::entropies(t, 2)).collect();
    let indices = |list: &[i32]| Tensor::from_indices(list, [attributes, keep], &c.device);
    Ok(with_entropies(c, &all)
        .out("kept_index", indices(&kept))
        .out("target", indices(&targets))
        .out("joint", tensor(c, &joint, &[attributes, 2, 2])))
}
