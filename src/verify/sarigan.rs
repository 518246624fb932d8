//! Rows of folder `sarigan`: layers, networks, losses and training steps (INDEX-sarigan).

use std::slice::from_ref;

use serde_json::Value;

use super::case::{Context, Outputs};
use super::stylegan2::{planes, styles};
use super::training::draws;
use super::{Row, training};
use crate::Result;
use crate::models;
use crate::models::sarigan::{
    Config, Discriminator, Generator, GroupStyledConv, Grouping, Mapping, grouping_losses,
    similarity,
};
use crate::models::stylegan2::{StyledConv, ToRgb};
use crate::nn::{Builder, Network};
use crate::tensor::Tensor;
use crate::train::game::{Game, Notes, path_lengths, path_penalty};
use crate::train::loss::r1;
use crate::train::{LabelWeights, Objective, PathInputs, Phase, Recipe};

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "sarigan", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("mapping", |c| {
        let mapping = built(c, "", |b, config| Mapping::new(config, b))?.model;
        let (style, w) = mapping.forward(&c.x("z")?);
        Ok(Outputs::default().out("style", style).out("w", w))
    }),
    row("init_styled_conv", |c| {
        let layer =
            built(c, "", |b, config| StyledConv::new(b, 0, (&config.stylegan2(), &c.device)))?;
        let y = layer.model.forward(&c.x("x")?, &intra(c)?, &c.x("noise")?);
        Ok(Outputs::default()
            .out("y", y)
            .out("co", batched(&similarity(&layer.model.conv.stored()))))
    }),
    row("group_styled_conv", group_styled_conv),
    row("to_rgb", |c| {
        let inputs = c.x("x")?.size(1);
        let layer =
            built(c, "", |b, config| ToRgb::new(b, inputs, (&config.stylegan2(), &c.device)))?;
        Outputs::y(layer.model.forward(&c.x("x")?, &intra(c)?, c.optional("skip")?.as_ref()))
    }),
    row("generator", generator),
    row("generator_swap", |c| {
        let g = network(c, "")?.model;
        let [inter, _] = g.mapping.forward(&c.x("z0")?).1.chunk(1);
        let [_, intra] = g.mapping.forward(&c.x("z1")?).1.chunk(1);
        let w = Tensor::cat(&[&inter, &intra], 1);
        let styles = vec![w.clone(); g.config().n_latents()];
        let image = g.synthesis(&styles, &noise(c, "noise")?, &g.groupings());
        Ok(Outputs::default().out("w", w).out("image", image))
    }),
    row("discriminator", |c| {
        let judged = models::Discriminator::judge(&critic(c, "")?.model, &c.x("x")?, None, 0.0);
        let info = judged.info.expect("SariGAN estimates the style");
        Ok(Outputs::default().out("pred", judged.pred).out("info", info))
    }),
    row("loss_d", |c| {
        let (g, d) = (network(c, "g.")?.model, critic(c, "d.")?.model);
        let (mut notes, weights) = (Notes::default(), [c.f64("info_weight")?, 0.0]);
        let (reals, draws) = (c.x("real")?.into(), draws(c, "", g.config().n_noises(), None)?);
        let total = game(&g, &d).d_main(&reals, &draws, weights, &mut notes);
        Ok(named(notes.stats).out("total", total))
    }),
    row("loss_r1", |c| {
        let d = critic(c, "d.")?.model;
        let real = c.x("real")?.tracked();
        let r1 = r1(&models::Discriminator::judge(&d, &real, None, 0.0).pred, &real);
        let weight = c.f64("r1")? / 2.0 * c.f64("d_reg_every")?;
        let total = &r1.penalty * weight;
        let out = Outputs::default().out("grad_real", r1.grad_real);
        Ok(out.out("r1", r1.penalty).out("total", total))
    }),
    row("loss_g", |c| {
        let (g, d) = (network(c, "g.")?.model, critic(c, "d.")?.model);
        let own = [c.f64("loss1_weight")?, c.f64("loss2_weight")?];
        let mut notes = Notes::default();
        let draws = draws(c, "", g.config().n_noises(), None)?;
        let total = game(&g, &d).g_main(&draws, own, c.f64("info_weight")?, &mut notes);
        let [loss1, loss2] = grouping_losses(&g.groupings(), &g.targets(), [1.0; 2]);
        Ok(named(notes.stats).out("loss1", loss1).out("loss2", loss2).out("total", total))
    }),
    row("loss_path", |c| {
        let g = network(c, "g.")?.model;
        let inject = c.any("inject_index").and_then(Value::as_u64).map(|k| k as usize);
        let inputs = PathInputs {
            draws: draws(c, "", g.config().n_noises(), inject)?,
            direction: c.x("pl_noise")?,
        };
        let mut stats = Vec::new();
        let lengths = path_lengths(&g, &inputs, 0.0);
        let path = path_penalty(&lengths, &c.x("mean")?, c.f64("decay")?, &mut stats);
        let weight = c.f64("path_regularize")? * c.f64("g_reg_every")?;
        let total = &path.penalty * weight;
        let out = named(stats).out("lengths", lengths).out("path", path.penalty);
        Ok(out.out("total", total))
    }),
    row("train", train),
];

fn config(c: &Context) -> Result<Config> {
    serde_json::from_value(c.attrs().clone())
        .map_err(|e| c.wrong("channels", &format!("the description of a network: {e}")))
}

fn built<M>(
    c: &Context,
    prefix: &str,
    build: impl FnOnce(&mut Builder, &Config) -> M,
) -> Result<Network<M>> {
    let config = config(c)?;
    c.network(prefix, |b| build(b, &config))
}

fn network(c: &Context, prefix: &str) -> Result<Network<Generator>> {
    built(c, prefix, |b, config| Generator::new(config, b, &c.device))
}

fn critic(c: &Context, prefix: &str) -> Result<Network<Discriminator>> {
    built(c, prefix, |b, config| Discriminator::new(config, b, &c.device))
}

fn game<'a>(g: &'a dyn models::Generator, d: &'a dyn models::Discriminator) -> Game<'a> {
    let labels = LabelWeights::default();
    Game { g, d, objective: Objective::Logistic, lod: 0.0, labels, is_labelled: false }
}

/// Noise planes `PREFIX0`, `PREFIX1`, ...
fn noise(c: &Context, prefix: &str) -> Result<Vec<Tensor>> {
    (0..config(c)?.n_noises()).map(|k| c.x(&format!("{prefix}{k}"))).collect()
}

fn named(stats: Vec<(&'static str, Tensor)>) -> Outputs {
    stats.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The half of the style that modulates the ungrouped layers.
fn intra(c: &Context) -> Result<Tensor> {
    let [_, intra] = c.x("style")?.chunk(1);
    Ok(intra)
}

/// `[C, C]` as the published code returns it.
fn batched(co: &Tensor) -> Tensor {
    co.reshape([1, co.size(0), co.size(1)])
}

fn group_styled_conv(c: &Context) -> Result<Outputs> {
    let layer = c.word("layer")?;
    let number = layer.strip_prefix("convs.").and_then(|k| k.parse().ok());
    let number: usize = number.ok_or_else(|| c.wrong("layer", "convs.N"))?;
    let built = built(c, "", |b, config| GroupStyledConv::new(b, number, config, &c.device))?;
    let layer = built.model;
    let co = c.x("co")?;
    let target = layer.target(&co.reshape([co.size(1), co.size(2)]));
    let grouping = layer.grouping();
    let y = layer.forward(&c.x("x")?, &layer.codes(&c.x("style")?), &c.x("noise")?, &grouping);
    Ok(Outputs::default()
        .out("y", y)
        .out("co", batched(&layer.similarity()))
        .out("loss1", grouping.loss1(&target))
        .out("loss2", Grouping::loss2(from_ref(&grouping), from_ref(&target), 1.0)))
}

fn generator(c: &Context) -> Result<Outputs> {
    let g = network(c, "")?.model;
    let styles = styles(c, g.config().n_latents(), &|z| g.mapping.forward(z).1)?;
    let planes = planes(c, &g.noise_buffers())?;
    let groups = g.groupings();
    let mut out = Outputs::default();
    let image = g.synthesis_with(&g.codes(&styles), &planes, &groups, |name, y| {
        out = std::mem::take(&mut out).out(&format!("feat.{name}"), y.clone());
    });
    let [loss1, loss2] = grouping_losses(&groups, &g.targets(), [1.0; 2]);
    let latent = Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1);
    let out = out.out("image", image).out("latent", latent).out("loss1", loss1).out("loss2", loss2);
    // Mixed styles are nothing to find.
    Ok(if styles[0].is_same(&styles[styles.len() - 1]) {
        out.out("info", styles[0].clone())
    } else {
        out
    })
}

/// Training steps with the published schedule and the case's numbers.
fn train(c: &Context) -> Result<Outputs> {
    let mut recipe = training::scheduled(c, Recipe::official())?;
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::Discriminator { info_weight, .. } => *info_weight = c.f64("info_weight")?,
            Phase::Generator { loss1_weight, loss2_weight, info_weight } => {
                *loss1_weight = c.f64("loss1_weight")?;
                *loss2_weight = c.f64("loss2_weight")?;
                *info_weight = c.f64("info_weight")?;
            }
            _ => {}
        }
    }
    let g = || Ok::<_, crate::Error>(training::generator(network(c, "g.")?));
    training::train(c, &recipe, (g()?, training::critic(critic(c, "d.")?), g()?))
}
