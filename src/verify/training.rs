//! Training steps of a case through the same `step` as a run.

use serde_json::Value;

use super::case::{Context, Outputs};
use crate::Result;
use crate::models::{Discriminator, Generator};
use crate::nn::Network;
use crate::tensor::Tensor;
use crate::train::growing::at_level;
use crate::train::step::step;
use crate::train::{
    Average, Draws, Mix, PathInputs, Phase, Reals, Recipe, State, StepInputs, StepOutputs,
};

/// Generator, discriminator, and the generator that becomes the average.
pub(super) type Networks =
    (Network<Box<dyn Generator>>, Network<Box<dyn Discriminator>>, Network<Box<dyn Generator>>);

/// A generator among others.
pub(super) fn generator<G: Generator + 'static>(n: Network<G>) -> Network<Box<dyn Generator>> {
    Network { model: Box::new(n.model), params: n.params }
}

/// A discriminator among others.
pub(super) fn critic<D: Discriminator + 'static>(n: Network<D>) -> Network<Box<dyn Discriminator>> {
    Network { model: Box::new(n.model), params: n.params }
}

/// Latents and noise of one phase; noise planes are `PREFIXnoise0` and on.
pub(super) fn draws(
    c: &Context,
    prefix: &str,
    planes: usize,
    inject: Option<usize>,
) -> Result<Draws> {
    let second = c.optional(&format!("{prefix}z1"))?;
    let mix = second.map(|z| {
        let missing = || c.wrong("inject", "given for a case with two latents");
        Ok::<_, crate::Error>(Mix::Crossover(z, inject.ok_or_else(missing)?))
    });
    let noise = |k: usize| c.x(&format!("{prefix}noise{k}"));
    Ok(Draws {
        z: c.x(&format!("{prefix}z0"))?,
        mix: mix.transpose()?,
        noise: (0..planes).map(noise).collect::<Result<_>>()?,
        label: None,
        blend: None,
        augment: None,
    })
}

/// A recipe with the case's schedule and rates.
pub(super) fn scheduled(c: &Context, mut recipe: Recipe) -> Result<Recipe> {
    recipe.lr = c.f64("lr")?;
    recipe.adam_eps = c.f64("adam_eps")?;
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::R1 { gamma } => {
                scheduled.every = c.size("d_reg_every")? as u64;
                *gamma = c.f64("r1")?;
            }
            Phase::PathLength { weight, decay } => {
                scheduled.every = c.size("g_reg_every")? as u64;
                *weight = c.f64("path_regularize")?;
                *decay = c.f64("path_decay")?;
            }
            Phase::Ema { average } => *average = Average::PerStep(c.f64("ema")?),
            Phase::Thresholds | Phase::Discriminator { .. } | Phase::Generator { .. } => {}
        }
    }
    Ok(recipe)
}

/// The steps of a case `train` (INDEX-sarigan): every draw is given.
pub(super) fn train(c: &Context, recipe: &Recipe, (g, d, g_ema): Networks) -> Result<Outputs> {
    let mut state = State::from_networks(g, d, g_ema, recipe, &c.device);
    let start = c.f64("mean_path_length0")? as f32;
    state.mean_path_length = Tensor::scalar(start, &c.device);
    let planes = state.g.model.noise().len();
    let mut out = Outputs::default();
    for it in 0..c.size("iterations")? {
        let of = |part: &str| {
            let inject = c.any("inject").and_then(|map| map.get(format!("it{it}.{part}")));
            let inject = inject.and_then(Value::as_u64).map(|k| k as usize);
            draws(c, &format!("it{it}.{part}_"), planes, inject)
        };
        let path = match c.optional(&format!("it{it}.pl_noise"))? {
            Some(direction) => Some(PathInputs { draws: of("p")?, direction }),
            None => None,
        };
        let reals = c.x(&format!("it{it}.real"))?.into();
        let inputs = StepInputs { reals, d: of("d")?, g: of("g")?, path, lr_scale: 1.0, parts: 1 };
        for (name, value) in step(&mut state, &inputs, recipe).stats {
            out = out.out(&format!("it{it}.{name}"), value);
        }
    }
    let networks = [("g", &state.g.params), ("d", &state.d.params), ("g_ema", &state.g_ema.params)];
    for (name, params) in networks {
        params.iter().for_each(|(key, value)| out.after(&format!("{name}.{key}"), value));
    }
    Ok(out)
}

/// The steps of GenForce's cases (INDEX-stylegan): latents and reals are given, noise is the
/// networks' own. The state after them, and their losses.
pub(super) fn genforce(c: &Context, (g, d, g_ema): Networks) -> Result<(State, Outputs)> {
    let mut recipe = Recipe { lr: c.f64("lr")?, adam_eps: c.f64("eps")?, ..Recipe::stylegan() };
    for scheduled in &mut recipe.phases {
        match &mut scheduled.phase {
            Phase::Discriminator { gamma, .. } => *gamma = c.f64("r1_gamma")?,
            Phase::Ema { average } => {
                let kimg = c.f64("g_smooth_img")? / 1000.0;
                *average = Average::HalfLife { kimg, rampup: None };
            }
            _ => {}
        }
    }
    let lod = c.any("lod").and_then(Value::as_f64).unwrap_or(0.0);
    let mut state = State::from_networks(g, d, g_ema, &recipe, &c.device);
    let [reals, z_d, z_g] = ["reals", "z_d", "z_g"].map(|name| c.x(name));
    let (reals, z_d, z_g) = (reals?, z_d?, z_g?);
    let mut all = Vec::new();
    for it in 0..c.size("steps")? {
        let of = |x: &Tensor| x.narrow(0, it, 1).reshape(&x.shape()[1..]);
        let draws = |z| Draws {
            z: of(z),
            mix: None,
            noise: Vec::new(),
            label: None,
            blend: None,
            augment: None,
        };
        let reals = Reals { images: at_level(&of(&reals), lod), label: None, lod, augment: None };
        let (d, g) = (draws(&z_d), draws(&z_g));
        let inputs = StepInputs { reals, d, g, path: None, lr_scale: 1.0, parts: 1 };
        all.push(step(&mut state, &inputs, &recipe));
    }
    let stacked = |name: &str| {
        let value = |step: &StepOutputs| {
            let found = step.stats.iter().find(|(own, _)| *own == name);
            found.expect("every step has it").1.clone()
        };
        let values: Vec<Tensor> = all.iter().map(value).collect();
        Tensor::stack(&values.iter().collect::<Vec<_>>(), 0)
    };
    let out = Outputs::default().out("d_loss", stacked("d")).out("g_loss", stacked("g"));
    Ok((state, out.out("grad_penalty", stacked("r1"))))
}

/// What GenForce's cases hold after training although nothing moves it: fixed filters, and the level
/// of detail.
pub(super) fn unmoved(c: &Context, network: &str, from: &str, out: &mut Outputs) {
    for (key, (shape, values)) in c.params(from) {
        if key.ends_with("kernel") || key.ends_with("lod") {
            let value = Tensor::from_slice(&values, shape, &c.device);
            out.after(&format!("{network}{key}"), value);
        }
    }
}
