//! Rows of folder `stylegan2_genforce`: layers and networks (INDEX-stylegan2_genforce).

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::case::{Context, Outputs};
use super::pggan::{features, is_activated};
use super::{Row, training};
use crate::Result;
use crate::checkpoint::published::{Source, genforce};
use crate::models::stylegan::truncate;
use crate::models::stylegan2::{
    Config, ConvLayer, Discriminator, EPS, GAIN, Generator, ModulatedConv, StyledConv, ToRgb,
};
use crate::models::{self, Discriminator as _};
use crate::nn::{Builder, Network, Resample, Values, blur_kernel, ema_update};
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::{Shape, Tensor};

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "stylegan2_genforce", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("stylegan2_dense", |c| {
        let (weight, bias) = (c.x("weight")?, c.x("bias")?);
        let y = dense(&c.x("x")?, &weight, &bias, c.f64("wscale_gain")?, c.f64("lr_mul")?);
        let y = y + c.f64("additional_bias")?;
        let activated = is_activated(c, "activation")?;
        Outputs::y(if activated { y.map(|y| y.leaky_relu(0.2) * 2f64.sqrt()) } else { y })
    }),
    row("fir_upsample", |c| {
        let factor = c.int("scale_factor")?;
        let gain = c.any("kernel_gain").and_then(Value::as_f64).unwrap_or(factor as f64);
        let fir = Fir::of(c, "kernel", factor, c.int("extra_padding")?)?;
        let pad = ((fir.padding + 1).div_euclid(2) + factor - 1, fir.padding.div_euclid(2));
        let up = Upfirdn2d { up: [factor as usize; 2], ..Upfirdn2d::blur(pad) };
        Outputs::y(fir.filter(&c.x("x")?, gain * gain, &up))
    }),
    row("fir_downsample", |c| {
        let factor = c.int("scale_factor")?;
        let fir = Fir::of(c, "kernel", factor, c.int("extra_padding")?)?;
        let down = Upfirdn2d { down: [factor as usize; 2], ..Upfirdn2d::blur(fir.halves()) };
        Outputs::y(fir.filter(&c.x("x")?, 1.0, &down))
    }),
    row("stylegan2_d_conv_block", d_conv_block),
    row("stylegan2_mod_conv_block", mod_conv_block),
    row("stylegan2_genforce_generator", generator),
    row("stylegan2_genforce_discriminator", |c| {
        let config = config(c, c.attrs())?;
        let value = |ours: &str, shape: &Shape| {
            let source = genforce::discriminator(config.size, ours)?;
            source.convert(&c.param(&source.key)?, shape)
        };
        let d = Builder::bound(|b| Discriminator::new(&config, b, &c.device), value)?;
        let score = d.judge(&c.x("image")?, c.optional("label")?.as_ref(), 0.0).pred;
        Ok(Outputs::default().out("score", score.reshape([score.numel(), 1])))
    }),
    row("stylegan2_genforce_train_step", train),
];

fn config(c: &Context, attrs: &Value) -> Result<Config> {
    let described: genforce::StyleGan2 = serde_json::from_value(attrs.clone())
        .map_err(|e| c.wrong("resolution", &format!("the description of a network: {e}")))?;
    described.config()
}

fn generator(c: &Context) -> Result<Outputs> {
    let config = config(c, c.attrs())?;
    let value = |ours: &str, shape: &Shape| {
        let source = genforce::generator(ours)?;
        source.convert(&c.param(&source.key)?, shape)
    };
    let g = Builder::bound(|b| Generator::new(&config, b, &c.device), value)?;
    let label = c.optional("label")?;
    let w = g.mapping.forward(&c.x("z")?, label.as_ref());
    let mut styles = g.broadcast(&w);
    if let Some(z) = c.optional("z2")? {
        let second = g.broadcast(&g.mapping.forward(&z, label.as_ref()));
        let cut = c.size("mixing_cutoff")?;
        styles[..cut].clone_from_slice(&second[..cut]);
    }
    let mean = c.param("truncation.w_avg")?;
    let mean = mean.reshape([1, mean.numel()]);
    let means = g.broadcast(&mean);
    let styles = truncate(&styles, &means, c.f64("trunc_psi")?, c.size("trunc_layers")?);
    let made = g.synthesis(&styles, &g.noise_buffers());
    let wp = Tensor::stack(&styles.iter().collect::<Vec<_>>(), 1);
    let out = features(made.features).out("w", w).out("wp", wp).out("image", made.image);
    let scales = made.styles.into_iter().enumerate();
    let out = scales.fold(out, |out, (k, y)| out.out(&format!("style{k:02}"), y));
    // Where there is one picture, it is the last.
    let blocks = config.levels().len();
    let first = blocks - made.picture_styles.len();
    let scales = (first..blocks).zip(made.picture_styles);
    Ok(scales.fold(out, |out, (k, y)| out.out(&format!("output_style{k}"), y)))
}

/// A generator that keeps GenForce's running mean style.
struct Averaging {
    g: Generator,
    w_avg: Arc<Mutex<Tensor>>,
}

impl models::Generator for Averaging {
    fn map(&self, z: &Tensor, label: Option<&Tensor>) -> Tensor {
        self.g.map(z, label)
    }

    fn styles(&self, w: &Tensor) -> Vec<Tensor> {
        self.g.styles(w)
    }

    fn noise(&self) -> Vec<Tensor> {
        self.g.noise()
    }

    fn synthesizer(&self) -> Box<dyn models::Synthesizer + '_> {
        self.g.synthesizer()
    }

    fn observe(&self, w: &[Tensor]) {
        let mean = w[0].mean(&[0], false);
        let mut average = self.w_avg.lock().expect("no row panics");
        *average = ema_update(&average, &mean, 0.995);
    }
}

/// A network of ours from GenForce's numbers.
fn converted<M>(
    c: &Context,
    prefix: &str,
    source: impl Fn(&str) -> Result<Source>,
    build: impl Fn(&mut Builder) -> M,
) -> Result<Network<M>> {
    let values = RefCell::new(Values::new());
    Builder::bound(&build, |ours, shape| {
        let source = source(ours)?;
        let value = source.convert(&c.param(&format!("{prefix}{}", source.key))?, shape)?;
        values.borrow_mut().insert(ours.to_owned(), (shape.clone(), value.to_vec()?));
        Ok(value)
    })?;
    Network::loaded(&values.take(), &c.device, build)
}

/// Iterations of GenForce's trainer.
fn train(c: &Context) -> Result<Outputs> {
    let of = |name: &str| config(c, &c.any(name).cloned().unwrap_or_default());
    let (of_g, of_d, device) = (of("generator")?, of("discriminator")?, &c.device);
    let start = c.param("generator.truncation.w_avg")?;
    let w_avg = Arc::new(Mutex::new(start.clone()));
    let g = || {
        let build = |b: &mut Builder| {
            let (g, w_avg) = (Generator::new(&of_g, b, device), w_avg.clone());
            Averaging { g, w_avg }
        };
        Ok::<_, crate::Error>(training::generator(converted(
            c,
            "generator.",
            genforce::generator,
            build,
        )?))
    };
    let source_d = |ours: &str| genforce::discriminator(of_d.size, ours);
    let build_d = |b: &mut Builder| Discriminator::new(&of_d, b, device);
    let d = training::critic(converted(c, "discriminator.", source_d, build_d)?);
    let (state, mut out) = training::genforce(c, (g()?, d, g()?))?;
    type Sources<'a> = &'a dyn Fn(&str) -> Result<Source>;
    let networks: [(_, _, Sources<'_>, _); 3] = [
        ("generator.", "generator.", &genforce::generator, &state.g.params),
        ("discriminator.", "discriminator.", &source_d, &state.d.params),
        ("generator_smooth.", "generator.", &genforce::generator, &state.g_ema.params),
    ];
    for (name, from, source, params) in networks {
        for (ours, value) in params.iter().chain(params.buffers()) {
            let source = source(ours)?;
            let stored = c.param(&format!("{from}{}", source.key))?;
            out.after(&format!("{name}{}", source.key), source.restore(&value, stored.shape())?);
        }
        training::unmoved(c, name, from, &mut out);
    }
    // The average keeps the mean style that it started with.
    let moved = w_avg.lock().expect("no row panics").clone();
    out.after("generator.truncation.w_avg", moved);
    out.after("generator_smooth.truncation.w_avg", start);
    Ok(out)
}

fn dense(x: &Tensor, weight: &Tensor, bias: &Tensor, gain: f64, lr_mul: f64) -> Tensor {
    let weight = weight * (gain * lr_mul / (x.size(-1) as f64).sqrt());
    x.linear(&weight, Some(&(bias * lr_mul)))
}

/// A filter, which is correlated with, and the padding of both sides together.
struct Fir {
    taps: Vec<f64>,
    padding: isize,
}

impl Fir {
    fn of(c: &Context, kernel: &str, factor: isize, extra: isize) -> Result<Self> {
        let taps: Vec<f64> = c.ints(kernel)?.into_iter().rev().map(|tap| tap as f64).collect();
        Ok(Self { padding: taps.len() as isize - factor + extra, taps })
    }

    fn halves(&self) -> (isize, isize) {
        ((self.padding + 1).div_euclid(2), self.padding.div_euclid(2))
    }

    fn filter(&self, x: &Tensor, gain: f64, attributes: &Upfirdn2d) -> Tensor {
        x.upfirdn2d(&blur_kernel(&self.taps, gain, x.device()), attributes)
    }
}

fn d_conv_block(c: &Context) -> Result<Outputs> {
    let (x, bias, activate) = (c.x("x")?, c.optional("bias")?, is_activated(c, "activation")?);
    if bias.is_some() != activate {
        return Err(c.wrong("activation", "one where there is a bias"));
    }
    let resample = if c.size("scale_factor")? == 1 { Resample::Keep } else { Resample::Down };
    let size = [x.size(1), c.x("weight")?.size(0), c.size("kernel_size")?];
    let (gain, built) = (if activate { GAIN } else { 1.0 }, (&Config::default(), &c.device));
    let layer = Builder::bound(
        |b| ConvLayer::new(b, size, (resample, activate, gain), built),
        |key, _| c.x(key.rsplit('.').next().unwrap_or(key)),
    )?;
    Outputs::y(layer.forward(&x))
}

/// The case's tensors by the keys of a layer of the generator, with factors that no layer of a
/// network has. Layer 1 doubles the resolution and layer 2 does not.
fn layer_inputs(c: &Context, is_doubled: bool) -> impl Fn(&str, &Shape) -> Result<Tensor> {
    let layer = if is_doubled { "convs.0" } else { "convs.1" };
    move |key, shape| {
        let source = genforce::generator(&format!("{layer}.{key}"))?;
        let name = source.key.splitn(3, '.').last().unwrap_or(&source.key);
        let stored = c.x(&format!("p_{name}"))?;
        let factor = match name {
            "weight" => c.f64("lr_mul")? * c.f64("wscale_gain")?,
            "bias" => c.f64("lr_mul")?,
            _ => 1.0,
        };
        source.convert(&(stored * factor), shape)
    }
}

fn mod_conv_block(c: &Context) -> Result<Outputs> {
    let (x, w, outputs) = (c.x("x")?, c.x("w")?, c.size("out_channels")?);
    let config = Config {
        style_dim: w.size(1),
        image_channels: outputs,
        modulation_offset: 1.0,
        blur_kernel: c.ints("filtering_kernel")?.into_iter().map(|tap| tap as f64).collect(),
        ..Config::default()
    };
    let (built, demodulate) = ((&config, &c.device), c.flag("demodulate")?);
    let is_doubled = c.size("scale_factor")? == 2;
    let resample = if is_doubled { Resample::Up } else { Resample::Keep };
    let size = [x.size(1), outputs, c.size("kernel_size")?];
    let styled = |b: &mut Builder| {
        let conv = ModulatedConv::new(b, size, (resample, demodulate), built);
        StyledConv::behind(b, outputs, conv)
    };
    let inputs = layer_inputs(c, is_doubled);
    let (y, style) = match (c.flag("add_noise")?, is_activated(c, "activation_type")?) {
        (true, true) if c.f64("epsilon")? == EPS => {
            let layer = Builder::bound(styled, inputs)?;
            let style = layer.conv.modulation.forward(&w);
            (layer.scaled(&x, &style, &c.x("p_noise")?), style)
        }
        (false, false) if !demodulate => {
            let layer = Builder::bound(|b| ToRgb::new(b, size[0], built), inputs)?;
            let style = layer.conv.modulation.forward(&w);
            (layer.scaled(&x, &style, None), style)
        }
        _ => return Err(c.wrong("activation_type", "that of a layer of the generator")),
    };
    Ok(Outputs::default().out("y", y).out("style", style))
}
