//! Rows of folder `semantic_stylegan`: the parts of the networks, the networks, and the losses
//! (INDEX-semantic_stylegan).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::case::{Context, Outputs};
use super::{Row, training};
use crate::Result;
use crate::models::semantic_stylegan::{
    Branch, Composition, Config, Discriminator, Fusion, Generator, LocalConfig, LocalGenerator,
    PositionEmbedding, RenderNet, Synthesis, injected, mix,
};
use crate::models::stylegan::toward;
use crate::models::{Discriminator as _, Generator as _};
use crate::nn::Network;
use crate::tensor::Tensor;
use crate::train::{
    Average, Draws, LabelWeights, Mix, PathInputs, Phase, Recipe, State, StepInputs, loss, step,
};

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "semantic_stylegan", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("semstyle_position_embedding", |c| {
        let (n_freqs, outputs) = (c.size("n_freqs")?, c.size("out_channels")?);
        let embedding = c.network("", |b| PositionEmbedding::new(b, n_freqs, outputs))?;
        Outputs::y(embedding.model.forward(&c.x("coords")?))
    }),
    row("semstyle_local_generator", local_generator),
    row("semstyle_fusion", |c| {
        let fusion = Fusion::new(
            &c.x("depths")?,
            c.optional("mask")?.as_ref(),
            &c.sizes("transparent_dims")?,
        );
        let feat = fusion.weighted(&c.x("feats")?).sum(&[1], false);
        Ok(Outputs::default().out("feat", feat).out("seg", fusion.mask))
    }),
    row("semstyle_render_net", |c| {
        let config: Config = described(c, c.attrs())?;
        let net = c.network("", |b| RenderNet::new(&config, b, &c.device))?.model;
        let noise = planes(c, net.noise_buffers())?;
        let made = net.forward(&c.x("x")?, c.optional("skip_seg")?.as_ref(), &noise);
        Ok(Outputs::default().out("rgb", made.image).out("seg", made.seg))
    }),
    row("semstyle_generator", generator),
    row("semstyle_mix_styles", |c| {
        let config: Config = described(c, c.attrs())?;
        let codes = ["w0", "w1"].map(|name| Ok(vec![c.x(name)?; config.n_latent()]));
        let [first, second]: [Result<Vec<Tensor>>; 2] = codes;
        let rows = mix([&first?, &second?], &is_second(c, "inject", config.base_layers)?);
        let expanded = stacked(&config.expand(&rows));
        Ok(Outputs::default().out("latent", stacked(&rows)).out("expanded", expanded))
    }),
    row("semstyle_discriminator", |c| {
        let d = critic(c, "", c.attrs())?.model;
        let seg = if c.flag("use_seg")? { Some(c.x("seg")?) } else { None };
        let score = judged(&d, &c.x("img")?, seg.as_ref());
        Ok(Outputs::default().out("score", score.reshape([score.numel(), 1])))
    }),
    row("semstyle_loss_g", |c| {
        let (g, d) = networks(c)?;
        let made = fakes(c, &g)?;
        let on_fake = judged(&d, &made.rendered.image, Some(&made.rendered.seg));
        let (g, mask) =
            (loss::g_nonsaturating(&on_fake), loss::mask(&made.seg_coarse, &made.rendered.seg));
        let total = &g + &mask * c.f64("lambda_mask")?;
        Ok(Outputs::default().out("g", g).out("mask", mask).out("loss", total))
    }),
    row("semstyle_loss_d", |c| {
        let (g, d) = networks(c)?;
        let made = fakes(c, &g)?.rendered;
        let on_fake = judged(&d, &made.image.detach(), Some(&made.seg.detach()));
        let on_real = judged(&d, &c.x("real_img")?, Some(&c.x("real_seg")?));
        let column = |pred: &Tensor| pred.reshape([pred.numel(), 1]);
        let out = Outputs::default().out("loss", loss::d_logistic(&on_real, &on_fake));
        Ok(out.out("fake_pred", column(&on_fake)).out("real_pred", column(&on_real)))
    }),
    row("semstyle_loss_r1", |c| {
        let (_, d) = networks(c)?;
        let [img, seg] = [c.x("real_img")?.tracked(), c.x("real_seg")?.tracked()];
        let [img, seg] = loss::r1_each(&judged(&d, &img, Some(&seg)), [&img, &seg]);
        let weighted =
            |penalty: &Tensor, name| Ok::<_, crate::Error>(penalty * (c.f64(name)? / 2.0));
        let total = weighted(&img.penalty, "r1_img")? + weighted(&seg.penalty, "r1_seg")?;
        let out = Outputs::default().out("loss", total * c.f64("d_reg_every")?);
        let out = out.out("grad_img", img.grad_real).out("grad_seg", seg.grad_real);
        Ok(out.out("r1_img", img.penalty).out("r1_seg", seg.penalty))
    }),
    row("semstyle_loss_path", |c| {
        let (g, _) = networks(c)?;
        let styles = g.variables(&g.styles(&g.mapping.forward(&c.x("z")?, None)));
        let noise = planes(c, g.noise_buffers())?;
        let image = g.synthesis(&styles, &noise, &Composition::default()).rendered.image;
        let each: Vec<&Tensor> = styles.iter().collect();
        let lengths = loss::path_lengths(&image, &c.x("path_noise")?, &each);
        let mean = c.x("mean_path_length")?.mean_all();
        let path = loss::path_penalty(&lengths, &mean, c.f64("path_decay")?);
        let total = &path.penalty * (c.f64("path_regularize")? * c.f64("g_reg_every")?);
        let out = Outputs::default().out("latent", stacked(&styles)).out("path_lengths", lengths);
        Ok(out.out("path_mean", path.mean).out("penalty", path.penalty).out("loss", total))
    }),
    row("semstyle_train", train),
    row("semstyle_adapt", train),
];

/// What attributes describe.
fn described<T: DeserializeOwned>(c: &Context, attrs: &Value) -> Result<T> {
    serde_json::from_value(attrs.clone())
        .map_err(|e| c.wrong("channels", &format!("the description of a network: {e}")))
}

/// An attribute that describes a network.
fn attrs<'a>(c: &'a Context, name: &str) -> Result<&'a Value> {
    c.any(name).ok_or_else(|| c.wrong(name, "the description of a network"))
}

fn network(c: &Context, prefix: &str, attrs: &Value) -> Result<Network<Generator>> {
    let config: Config = described(c, attrs)?;
    c.network(prefix, |b| Generator::new(&config, b, &c.device))
}

/// A discriminator under the names of the published constructor.
#[derive(serde::Deserialize)]
struct Critic {
    channels: BTreeMap<usize, usize>,
    img_size: usize,
    seg_size: usize,
    img_dim: usize,
    seg_dim: usize,
}

fn critic(c: &Context, prefix: &str, attrs: &Value) -> Result<Network<Discriminator>> {
    let own: Critic = described(c, attrs)?;
    let img = Branch { channels: own.img_dim, size: own.img_size };
    let seg = Branch { channels: own.seg_dim, size: own.seg_size };
    let config = Config { d_channels: own.channels, size: own.img_size, ..Config::default() };
    c.network(prefix, |b| Discriminator::with(&config, [img, seg], b, &c.device))
}

fn networks(c: &Context) -> Result<(Generator, Discriminator)> {
    let g = network(c, "g.", attrs(c, "generator")?)?.model;
    Ok((g, critic(c, "d.", attrs(c, "discriminator")?)?.model))
}

fn judged(d: &Discriminator, img: &Tensor, seg: Option<&Tensor>) -> Tensor {
    d.score(img, seg, d.group(img.size(0)))
}

/// `[N, rows, D]` of rows.
fn stacked(rows: &[Tensor]) -> Tensor {
    Tensor::stack(&rows.iter().collect::<Vec<_>>(), 1)
}

/// The noise planes of the case, or the network's own where it has none.
fn planes(c: &Context, own: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let given = |(j, own)| Ok(c.optional(&format!("noise_{j}"))?.unwrap_or(own));
    own.into_iter().enumerate().map(given).collect()
}

/// Pictures and label maps of the case's latents.
fn fakes(c: &Context, g: &Generator) -> Result<Synthesis> {
    let rows = vec![g.mapping.forward(&c.x("z")?, None); g.config().n_latent()];
    let noise = planes(c, g.noise_buffers())?;
    Ok(g.synthesis(&rows, &noise, &Composition::default()))
}

fn local_generator(c: &Context) -> Result<Outputs> {
    let config: LocalConfig = described(c, c.attrs())?;
    let net = c.network("", |b| LocalGenerator::new(&config, b, &c.device))?.model;
    let made = net.forward(&c.x("x")?, &rows(&c.x("latent")?));
    let out = Outputs::default().out("feat", net.to_feat().forward(&made.hidden));
    Ok(made.depth.into_iter().fold(out, |out, depth| out.out("depth", depth)))
}

/// The rows `[N, D]` of `[N, rows, D]`.
fn rows(latent: &Tensor) -> Vec<Tensor> {
    let [n, rows, width] = [0, 1, 2].map(|k| latent.size(k));
    (0..rows).map(|k| latent.narrow(1, k, 1).reshape([n, width])).collect()
}

fn generator(c: &Context) -> Result<Outputs> {
    let g = network(c, "", c.attrs())?.model;
    let n_latent = g.config().n_latent();
    let styles = match c.word("input")?.as_str() {
        "z" => vec![g.mapping.forward(&c.x("z")?, None); n_latent],
        "w" => vec![c.x("w")?; n_latent],
        _ => rows(&c.x("latent")?),
    };
    let styles = match c.optional("truncation_latent")? {
        Some(mean) => {
            // Above 1 there is no truncation.
            let psi = c.f64("truncation")?.min(1.0);
            styles.iter().map(|w| toward(w, &mean, psi)).collect()
        }
        None => styles,
    };
    let coords = c.optional("coords")?.map(|coords| {
        let shape = &coords.shape()[1..];
        (0..coords.size(0)).map(|k| coords.narrow(0, k, 1).reshape(shape)).collect::<Vec<_>>()
    });
    let mask = c.optional("composition_mask")?;
    let composition = Composition { coords: coords.as_deref(), mask: mask.as_ref() };
    let made = g.synthesis(&styles, &planes(c, g.noise_buffers())?, &composition);
    let out = Outputs::default().out("image", made.rendered.image).out("seg", made.rendered.seg);
    let out = out.out("seg_coarse", made.seg_coarse).out("depths", made.depths);
    Ok(out.out("latent", stacked(&g.config().expand(&styles))))
}

/// Which rows are a second code's, `[N, rows]`.
fn is_second(c: &Context, name: &str, base: usize) -> Result<Tensor> {
    let inject = c.x(name)?;
    Ok(injected(base, &inject.to_indices()?, inject.size(1), &c.device))
}

/// The case's weights, intervals and rates.
fn recipe(c: &Context) -> Result<Recipe> {
    let number = |name: &str| c.any(name).and_then(Value::as_f64);
    let mut recipe = Recipe::semantic_stylegan();
    (recipe.lr, recipe.adam_eps) = (c.f64("lr")?, c.f64("adam_eps")?);
    recipe.labels =
        LabelWeights { r1: number("r1_seg").unwrap_or(0.0), mask: c.f64("lambda_mask")? };
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::R1 { gamma } => {
                scheduled.every = c.size("d_reg_every")? as u64;
                *gamma = number("r1_img").map_or_else(|| c.f64("r1"), Ok)?;
            }
            Phase::PathLength { weight, .. } => {
                scheduled.every = c.size("g_reg_every")? as u64;
                *weight = c.f64("path_regularize")?;
            }
            Phase::Ema { average } => *average = Average::PerStep(c.f64("ema")?),
            _ => {}
        }
    }
    Ok(recipe)
}

/// Networks before the first step; the average starts as the generator where the case has none, and
/// with `freeze_local` only its mapping and render net move.
fn state(c: &Context, recipe: &Recipe) -> Result<State> {
    let has_average = !c.params("g_ema.").is_empty();
    let generator = |prefix| network(c, prefix, attrs(c, "generator")?).map(training::generator);
    let d = training::critic(critic(c, "d.", attrs(c, "discriminator")?)?);
    let g_ema = generator(if has_average { "g_ema." } else { "g." })?;
    let average = g_ema.params.slab().clone();
    let mut state = State::from_networks(generator("g.")?, d, g_ema, recipe, &c.device);
    state.g_ema.params.set_slab(average);
    if c.any("freeze_local").and_then(Value::as_bool) == Some(true) {
        let moves = |key: &str| key.starts_with("style.") || key.starts_with("render_net.");
        state.g_ema.params.freeze(|key| !moves(key));
    }
    Ok(state)
}

/// Latents and noise of phase `d`, `g` or `path` of an iteration.
fn draws(c: &Context, of: &str, planes: usize, base: usize) -> Result<Draws> {
    let mix = match c.optional(&format!("z2_{of}"))? {
        Some(z) => Some(Mix::Each(z, is_second(c, &format!("inject_{of}"), base)?)),
        None => None,
    };
    let noise = (0..planes).map(|j| c.x(&format!("noise_{of}_{j}"))).collect::<Result<_>>()?;
    Ok(Draws { z: c.x(&format!("z_{of}"))?, mix, noise, label: None, blend: None, augment: None })
}

/// What statistics are called in the cases.
const NAMES: [(&str, &str); 10] = [
    ("d", "d_loss"),
    ("real_score", "real_score"),
    ("fake_score", "fake_score"),
    ("r1", "r1_img"),
    ("r1_seg", "r1_seg"),
    ("g", "g_loss"),
    ("mask", "mask_loss"),
    ("path", "path_loss"),
    ("path_lengths", "path_lengths"),
    ("mean_path_length", "mean_path_length"),
];

fn train(c: &Context) -> Result<Outputs> {
    let recipe = recipe(c)?;
    let mut state = state(c, &recipe)?;
    let config: Config = described(c, attrs(c, "generator")?)?;
    let (planes, base) = (state.g.model.noise().len(), config.base_layers);
    let mut out = Outputs::default();
    for i in 0..c.size("iterations")? {
        let of = |phase: &str| draws(c, &format!("{phase}_{i}"), planes, base);
        let path = match c.optional(&format!("path_noise_{i}"))? {
            Some(direction) => Some(PathInputs { draws: of("path")?, direction }),
            None => None,
        };
        let images = c.x(&format!("real_img_{i}"))?;
        let reals = match c.optional(&format!("real_seg_{i}"))? {
            Some(seg) => Tensor::cat(&[&images, &seg], 1).into(),
            None => images.into(),
        };
        let inputs = StepInputs { reals, d: of("d")?, g: of("g")?, path, lr_scale: 1.0, parts: 1 };
        for (name, value) in step(&mut state, &inputs, &recipe).stats {
            if name == "r1" {
                out = out.out(&format!("r1_{i}"), value.clone());
            }
            let named = NAMES.iter().find(|(own, _)| *own == name);
            out = named
                .into_iter()
                .fold(out, |out, (_, theirs)| out.out(&format!("{theirs}_{i}"), value.clone()));
        }
    }
    let networks = [("g", &state.g.params), ("d", &state.d.params), ("g_ema", &state.g_ema.params)];
    for (name, params) in networks {
        params.iter().for_each(|(key, value)| out.after(&format!("{name}.{key}"), value));
    }
    Ok(out)
}
