//! Rows of folder `pggan`: layers, networks and the discriminator's loss (INDEX-pggan).

use super::Row;
use super::case::{Context, Outputs};
use crate::Result;
use crate::models::pggan::{
    Config, CriticConv, Discriminator, Generator, Halving, NormedConv, Sampling,
};
use crate::models::{Discriminator as _, Generator as _};
use crate::nn::{Builder, Network};
use crate::tensor::{Shape, Tensor};
use crate::train::loss::{WganGp, wgan_gp};

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "pggan", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("pixel_norm", |c| Outputs::y(c.x("x")?.pixel_norm(1, c.f64("eps")?))),
    row("pggan_minibatch_std", |c| {
        Outputs::y(c.x("x")?.minibatch_stddev(c.size("group_size")?, 1, c.f64("eps")?))
    }),
    row("pggan_g_conv_block", g_conv_block),
    row("pggan_d_conv_block", |c| {
        let halving = Halving { is_fused: c.flag("fused_scale")?, blur: None };
        Outputs::y(critic_conv(c, halving)?.forward(&c.x("x")?))
    }),
    row("pggan_generator", |c| {
        let g = built(c, |b, config| Generator::new(config, b))?.model;
        let start = g.map(&c.x("z")?, c.optional("label")?.as_ref());
        let made = g.synthesis(&start, c.f64("lod")?);
        Ok(features(made.features).out("image", made.image))
    }),
    row("pggan_discriminator", |c| {
        let judged = critic(c)?.judge(&c.x("image")?, None, c.f64("lod")?);
        let pred = judged.pred.reshape([judged.pred.numel(), 1]);
        let scores: Vec<&Tensor> = std::iter::once(&pred).chain(&judged.classes).collect();
        Ok(Outputs::default().out("score", Tensor::cat(&scores, 1)))
    }),
    row("wgan_gp_d_loss", |c| {
        let (d, real, fake) = (critic(c)?, c.x("real")?, c.x("fake")?);
        let mixed = (&real + (&fake - &real) * c.x("mix")?).tracked();
        let weights = WganGp {
            lambda: c.f64("wgan_lambda")?,
            target: c.f64("wgan_target")?,
            epsilon: c.f64("wgan_epsilon")?,
        };
        let [on_real, on_fake, on_mixed] =
            [&real, &fake, &mixed].map(|x| d.judge(x, None, 0.0).pred.reshape([x.size(0), 1]));
        let loss = wgan_gp(&weights, [&on_real, &on_fake, &on_mixed], &mixed);
        let out = Outputs::default().out("real_score", on_real).out("fake_score", on_fake);
        Ok(out.out("grad_norm", loss.grad_norm).out("loss", loss.mean.reshape([1])))
    }),
];

fn built<M>(c: &Context, build: impl FnOnce(&mut Builder, &Config) -> M) -> Result<Network<M>> {
    let config: Config = serde_json::from_value(c.attrs().clone())
        .map_err(|e| c.wrong("resolution", &format!("the description of a network: {e}")))?;
    c.network("", |b| build(b, &config))
}

fn critic(c: &Context) -> Result<Discriminator> {
    Ok(built(c, |b, config| Discriminator::new(config, b))?.model)
}

/// Outputs `feat0` and on.
pub(super) fn features(features: Vec<Tensor>) -> Outputs {
    features.into_iter().enumerate().map(|(k, y)| (format!("feat{k}"), y)).collect()
}

/// Whether a layer is activated.
pub(super) fn is_activated(c: &Context, name: &str) -> Result<bool> {
    match c.word(name)?.as_str() {
        "lrelu" => Ok(true),
        "linear" => Ok(false),
        other => Err(c.wrong(name, &format!("known, but {other}"))),
    }
}

/// The case's tensors by the keys of a layer, whose weight has a gain of its own.
pub(super) fn inputs(
    c: &Context,
    prefix: &str,
    own_gain: f64,
) -> impl Fn(&str, &Shape) -> Result<Tensor> {
    move |key, _| {
        let value = c.x(&format!("{prefix}{key}"))?;
        Ok(if key == "weight" { value * (c.f64("wscale_gain")? / own_gain) } else { value })
    }
}

/// A discriminator's layer, which halves the resolution where the case asks for it.
pub(super) fn critic_conv(c: &Context, halving: Halving) -> Result<CriticConv> {
    let (x, bias) = (c.x("x")?, c.x("bias")?);
    let size = [x.size(1), bias.numel(), c.size("kernel_size")?];
    if !is_activated(c, "activation")? || 2 * c.size("padding")? + 1 != size[2] {
        return Err(c.wrong("activation", "that of a discriminator's layer"));
    }
    let halving = c.flag("downsample")?.then_some(halving);
    Builder::bound(|b| CriticConv::new(b, size, halving), inputs(c, "", 2f64.sqrt()))
}

fn g_conv_block(c: &Context) -> Result<Outputs> {
    let (x, k) = (c.x("x")?, c.size("kernel_size")?);
    let sampling = match c.flag("upsample")? {
        true => Sampling::Doubled(c.flag("fused_scale")?),
        false => Sampling::Padded([c.size("padding")?; 2]),
    };
    let (sizes, is_activated) = ([x.size(1), c.x("bias")?.numel()], is_activated(c, "activation")?);
    let own_gain = if is_activated { 2f64.sqrt() } else { 1.0 };
    let layer = Builder::bound(
        |b| NormedConv::new(b, sizes, [k, k], sampling, is_activated),
        inputs(c, "", own_gain),
    )?;
    Outputs::y(layer.forward(&x))
}
