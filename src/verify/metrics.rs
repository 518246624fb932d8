//! Rows of folder `metrics` (INDEX-metrics).

use super::Row;
use super::case::{Context, Outputs};
use super::jobs::{numbers, tensor};
use crate::Result;
use crate::metrics::similarity::{self, FaceCrop};
use crate::metrics::{self, Confusion, Gaussian, Partition, Polynomial, Recipe};
use crate::models::lpips::Lpips;
use crate::train::loss;

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "metrics", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("cosine_similarity", |c| {
        let sim = similarity::cosine_similarity(&c.x("a")?, &c.x("b")?);
        Ok(Outputs::default().out("sim", sim))
    }),
    row("cross_entropy2d", |c| {
        let ignored = c.int("ignore_index")? as i32;
        let loss = loss::cross_entropy(&c.x("logits")?, &c.x("target")?, ignored).mean();
        Ok(Outputs::default().out("loss", loss))
    }),
    row("fid_from_features", fid_from_features),
    row("fid_from_stats", |c| {
        let gaussian = |mean, covariance| -> Result<_> {
            Ok(Gaussian { mean: numbers(c, mean)?, covariance: numbers(c, covariance)? })
        };
        let (x, y) = (gaussian("mu_x", "cov_x")?, gaussian("mu_y", "cov_y")?);
        with_distance(c, Outputs::default(), [&x, &y])
    }),
    row("id_crop", |c| {
        let crop = FaceCrop {
            pool: c.size("pool")?,
            rows: [c.size("top")?, c.size("bottom")?],
            columns: [c.size("left")?, c.size("right")?],
            side: c.size("out")?,
        };
        Ok(Outputs::default().out("crop", crop.apply(&c.x("x")?)))
    }),
    row("image_errors", |c| {
        let (a, b) = (c.x("a")?, c.x("b")?);
        Ok(Outputs::default()
            .out("mae", similarity::mean_absolute_error(&a, &b))
            .out("mse", similarity::mean_squared_error(&a, &b))
            .out("masked_mae", similarity::masked_absolute_error(&a, &b, &c.x("mask")?)))
    }),
    row("inception_preprocess", |c| {
        let recipe = match c.word("recipe")?.as_str() {
            "tf_inception" => Recipe::TfInception,
            "pytorch_fid" => Recipe::PytorchFid,
            "torchvision_imagenet" => Recipe::TorchvisionImagenet,
            other => return Err(c.wrong("recipe", &format!("known, but {other}"))),
        };
        Outputs::y(recipe.prepare(&c.x("x")?, c.size("size")?))
    }),
    row("inception_score", inception_score),
    row("kid", kid),
    row("lpips", |c| {
        let net = Lpips::loaded(&c.params(""), &c.device)?;
        let layers = net.per_layer(&c.x("x")?, &c.x("y")?);
        let out = Outputs::default().out("lpips", layers.sum(&[1], false));
        Ok(out.out("per_layer", layers))
    }),
    row("miou", miou),
    row("miou_per_image", miou_per_image),
    row("ppl_aggregate", |c| {
        let kept = metrics::inliers(&numbers(c, "dist")?, 1, 99);
        let number = |value| tensor(c, &[value], &[]);
        let out = Outputs::default().out("lo", number(kept.lo)).out("hi", number(kept.hi));
        Ok(out.out("ppl", number(kept.mean)))
    }),
    row("precision_recall", |c| {
        let (real, width) = (numbers(c, "real")?, c.x("real")?.size(1));
        let found = metrics::precision_recall([&real, &numbers(c, "fake")?], width, c.size("k")?);
        let [of_real, of_fake] = found.radii.each_ref().map(|r| tensor(c, r, &[r.len()]));
        Ok(Outputs::default()
            .out("precision", tensor(c, &[found.precision], &[]))
            .out("recall", tensor(c, &[found.recall], &[]))
            .out("radii_precision", of_real)
            .out("radii_recall", of_fake))
    }),
    row("separability_score", separability_score),
];

fn with_distance(c: &Context, out: Outputs, [x, y]: [&Gaussian; 2]) -> Result<Outputs> {
    let found = metrics::frechet(x, y, c.f64("offset")?);
    let number = |value| tensor(c, &[value], &[]);
    Ok(out
        .out("mean_term", number(found.moved))
        .out("trace_sqrt", number(found.root))
        .out("fid", number(found.distance)))
}

fn fid_from_features(c: &Context) -> Result<Outputs> {
    let (width, ddof) = (c.x("x")?.size(1), c.size("ddof")?);
    let x = Gaussian::with_divisor(&numbers(c, "x")?, width, ddof);
    let y = Gaussian::with_divisor(&numbers(c, "y")?, width, ddof);
    let out = Outputs::default()
        .out("mu_x", tensor(c, &x.mean, &[width]))
        .out("cov_x", tensor(c, &x.covariance, &[width, width]));
    with_distance(c, out, [&x, &y])
}

fn inception_score(c: &Context) -> Result<Outputs> {
    let partition = match c.word("partition")?.as_str() {
        "proportional" => Partition::Proportional,
        "equal" => Partition::Equal,
        other => return Err(c.wrong("partition", &format!("known, but {other}"))),
    };
    let (classes, splits) = (c.x("logits")?.size(1), c.size("splits")?);
    let scores = metrics::inception_scores(&numbers(c, "logits")?, classes, splits, partition);
    let mean = scores.iter().sum::<f64>() / splits as f64;
    let var = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / splits as f64;
    Ok(Outputs::default()
        .out("per_split", tensor(c, &scores, &[splits]))
        .out("mean", tensor(c, &[mean], &[]))
        .out("std", tensor(c, &[var.sqrt()], &[])))
}

fn kid(c: &Context) -> Result<Outputs> {
    let subsets = |name: &str| -> Result<Vec<Vec<usize>>> {
        let index = c.x(name)?;
        let rows = index.to_indices()?;
        let row = |row: &[i32]| row.iter().map(|&k| k as usize).collect();
        Ok(rows.chunks_exact(index.size(1)).map(row).collect())
    };
    let pairs = subsets("idx_x")?.into_iter().zip(subsets("idx_y")?);
    let pairs: Vec<_> = pairs.map(|(x, y)| [x, y]).collect();
    let kernel = Polynomial { coefficient: c.f64("coef")?, degree: c.int("degree")? as i32 };
    let (x, width) = (numbers(c, "x")?, c.x("x")?.size(1));
    let kid = metrics::kid([&x, &numbers(c, "y")?], width, &pairs, kernel);
    Ok(Outputs::default().out("kid", tensor(c, &[kid], &[])))
}

fn miou(c: &Context) -> Result<Outputs> {
    let (predicted, target) = (c.x("pred")?.to_indices()?, c.x("target")?.to_indices()?);
    let (classes, ignored) = (c.size("num_classes")?, c.int("ignore_index")? as i32);
    let confusion = Confusion::of(&predicted, &target, classes, ignored);
    let counts: Vec<f64> = confusion.counts.iter().map(|&n| n as f64).collect();
    let scores = confusion.iou();
    let iou: Vec<f64> = scores.iter().map(|score| score.unwrap_or(0.0)).collect();
    let mean = metrics::mean_present(scores).unwrap_or(0.0);
    Ok(Outputs::default()
        .out("confusion", tensor(c, &counts, &[classes, classes]))
        .out("iou", tensor(c, &iou, &[classes]))
        .out("miou", tensor(c, &[mean], &[]))
        .out("pixel_accuracy", tensor(c, &[confusion.accuracy()], &[])))
}

fn miou_per_image(c: &Context) -> Result<Outputs> {
    let (target, classes) = (c.x("target")?, c.size("num_classes")?);
    let (skipped, absent) = (c.size("skip_class")?, c.f64("absent")?);
    let (n, size) = (target.size(0), target.numel() / target.size(0));
    let (predicted, target) = (c.x("pred")?.to_indices()?, target.to_indices()?);
    let of_image = |(predicted, target): (&[i32], &[i32])| {
        let mut scores = metrics::iou(predicted, target, classes);
        scores.remove(skipped);
        scores
    };
    let images: Vec<_> =
        predicted.chunks_exact(size).zip(target.chunks_exact(size)).map(of_image).collect();
    let of_class = |k: usize| metrics::mean_present(images.iter().map(|image| image[k]));
    let of_classes: Vec<_> = (0..classes - 1).map(of_class).collect();
    let list = |scores: &[Option<f64>], shape: &[usize]| {
        let values: Vec<f64> = scores.iter().map(|score| score.unwrap_or(absent)).collect();
        tensor(c, &values, shape)
    };
    let mean = metrics::mean_present(of_classes.iter().copied());
    Ok(Outputs::default()
        .out("per_image", list(&images.concat(), &[n, classes - 1]))
        .out("class_iou", list(&of_classes, &[classes - 1]))
        .out("miou", list(&[mean], &[])))
}

fn separability_score(c: &Context) -> Result<Outputs> {
    let labels = c.x("label")?;
    let (attributes, n) = (labels.size(0), labels.size(1));
    let classes = |list: Vec<i32>| list.into_iter().map(|k| k as usize).collect::<Vec<_>>();
    let answers = classes(c.x("svm_pred")?.to_indices()?);
    let labels = classes(labels.to_indices()?);
    let pairs = answers.chunks_exact(n).zip(labels.chunks_exact(n));
    let all: Vec<_> =
        pairs.map(|(x, y)| metrics::entropies(&metrics::joint_table(x, y), 2)).collect();
    let conditional: Vec<f64> = all.iter().map(|e| e.conditional).collect();
    Ok(Outputs::default()
        .out("h", tensor(c, &conditional, &[attributes]))
        .out("score", tensor(c, &[metrics::score(&all)], &[])))
}
