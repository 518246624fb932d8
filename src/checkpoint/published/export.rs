//! Snapshots as files of other programs: their names, their layout, `torch.save`'s container.
//!
//! | to | file |
//! | --- | --- |
//! | [`To::Rosinality`] | `g`, `d`, `g_ema`, `g_optim`, `d_optim`, `args`: SariGAN, StyleGAN2, SemanticStyleGAN |
//! | [`To::GenForce`] | `models`, `optimizers`, `running_metadata`, or a converted network's: PGGAN, StyleGAN, StyleGAN2 |

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::super::torch::{Tree, write};
use super::{Source, To, fixed, genforce, keys, order};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::models::Config;
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// What training says of itself beside the networks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trainer {
    /// Iterations and images.
    pub progress: [u64; 2],
    /// Updates of the generator and of the discriminator.
    pub updates: [u64; 2],
    /// Learning rates, decays of the second moment and eps, of the generator and the discriminator.
    pub adam: [[f64; 3]; 2],
    /// Level of detail of networks that grow.
    pub lod: f64,
    /// Probability of augmentations.
    pub augment: f64,
}

/// Writes the networks of a snapshot, with the optimisers where they are there. `args` are what the
/// other trainer's file holds of its own.
///
/// # Errors
/// When the layout has no such networks, something is missing, or the system refuses.
pub fn export(
    path: &Path,
    to: To,
    file: &Checkpoint,
    (config, trainer, args): (&Config, &Trainer, &Json),
) -> Result<()> {
    let scribe = Scribe { file, config, to };
    let tree = match to {
        To::Rosinality => scribe.rosinality(trainer, args)?,
        To::GenForce => scribe.genforce(trainer)?,
    };
    write(path, &tree)
}

/// Entries of a dictionary.
type Entries<'a> = Vec<(String, Tree<'a>)>;

struct Scribe<'a> {
    file: &'a Checkpoint,
    config: &'a Config,
    to: To,
}

impl<'a> Scribe<'a> {
    fn rosinality(&self, trainer: &Trainer, args: &Json) -> Result<Tree<'a>> {
        if matches!(self.config, Config::StyleGan(_) | Config::Pggan(_)) {
            return Err(self.refuse("genforce"));
        }
        let mut entries = Vec::new();
        for name in ["g", "d", "g_ema"].into_iter().filter(|name| self.has(name)) {
            entries.push((name.to_owned(), Tree::Ordered(self.state(name, trainer)?)));
        }
        for (k, name) in ["g", "d"].into_iter().enumerate().filter(|(_, name)| self.trains(name)) {
            entries.push((format!("{name}_optim"), self.optimiser(name, trainer, k, false)?));
        }
        if let Some((_, mean)) = self.file.tensors.get("w_avg") {
            let mean = Tree::Tensor(vec![mean.len()], Cow::Borrowed(mean));
            entries.push(("latent_avg".into(), mean));
        }
        if let Json::Object(args) = args {
            let args = args.iter().map(|(key, value)| (key.clone(), Tree::Plain(value.clone())));
            entries.push(("args".into(), Tree::Namespace(args.collect())));
        }
        if trainer.augment > 0.0 {
            entries.push(("ada_aug_p".into(), Tree::Plain(json!(trainer.augment))));
        }
        Ok(Tree::Dict(entries))
    }

    fn genforce(&self, trainer: &Trainer) -> Result<Tree<'a>> {
        if !matches!(self.config, Config::StyleGan(_) | Config::Pggan(_) | Config::StyleGan2(_)) {
            return Err(self.refuse("rosinality"));
        }
        let names = [("d", "discriminator"), ("g", "generator"), ("g_ema", "generator_smooth")];
        let mut models = Vec::new();
        for (name, long) in names.into_iter().filter(|(name, _)| self.has(name)) {
            models.push((long.to_owned(), Tree::Ordered(self.state(name, trainer)?)));
        }
        if !self.trains("g") || !self.trains("d") {
            return Ok(Tree::Dict(models));
        }
        let mut optimizers = Vec::new();
        for (k, (name, long)) in [("g", "generator"), ("d", "discriminator")].iter().enumerate() {
            optimizers.push(((*long).to_owned(), self.optimiser(name, trainer, k, true)?));
        }
        let [iter, seen_img] = trainer.progress;
        let metadata = json!({ "iter": iter, "seen_img": seen_img });
        Ok(Tree::Dict(vec![
            ("models".into(), Tree::Dict(models)),
            ("running_metadata".into(), Tree::Plain(metadata)),
            ("optimizers".into(), Tree::Dict(optimizers)),
            ("learning_rates".into(), Tree::Dict(Vec::new())),
        ]))
    }

    fn refuse(&self, other: &str) -> Error {
        let name = self.config.system().name();
        Error::config("--to", format!("no such file holds {name}; give --to {other}"))
    }

    fn has(&self, name: &str) -> bool {
        let prefix = format!("{name}.");
        self.file
            .tensors
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(k, _)| k.starts_with(&prefix))
    }

    fn trains(&self, name: &str) -> bool {
        self.has(name) && self.has(&format!("opt.{name}"))
    }

    /// Where the other program has a parameter.
    fn source(&self, network: &str, key: &str) -> Result<Source> {
        match (self.to, self.config) {
            (To::GenForce, Config::StyleGan2(config)) if network == "d" => {
                genforce::discriminator(config.size, key)
            }
            (To::GenForce, Config::StyleGan2(_)) => genforce::generator(key),
            _ => Ok(Source::of(key)),
        }
    }

    /// Sizes and numbers of a tensor of the snapshot as the other program has them.
    fn stored(&self, name: &str, source: &Source) -> Result<(Vec<usize>, Vec<f32>)> {
        let found = self.file.tensors.get(name);
        let (shape, values) =
            found.ok_or_else(|| Error::checkpoint(&self.file.path, format!("no tensor {name}")))?;
        let stored = self.stored_shape(&source.key, shape);
        let ours = Tensor::from_slice(values, shape, &Device::cpu());
        let restored = source.restore(&ours, &stored)?;
        Ok((stored.to_vec(), restored.to_vec()?))
    }

    /// The other program's sizes of a tensor: GenForce's StyleGAN2 has no axes of size 1 where ours
    /// has some.
    fn stored_shape(&self, key: &str, shape: &Shape) -> Shape {
        match shape.len() {
            1 if self.is_renamed() && key.ends_with("noise_strength") => Shape::default(),
            5 if self.is_renamed() => shape[1..].into(),
            4 if self.is_renamed() && key.ends_with("bias") => shape[1..2].into(),
            _ => shape.clone(),
        }
    }

    /// Whether the other program has other keys.
    fn is_renamed(&self) -> bool {
        self.to == To::GenForce && matches!(self.config, Config::StyleGan2(_))
    }

    /// A parameter or buffer. Biases of modulation are without what the other program adds to them,
    /// in double precision, so that nothing is lost on the way back.
    fn value(&self, network: &str, key: &str, source: &Source) -> Result<Tree<'a>> {
        let (shape, values) = self.stored(&format!("{network}.{key}"), source)?;
        let added = match self.config {
            Config::StyleGan2(config) if key.ends_with("modulation.bias") => {
                let other = if self.to == To::GenForce { 1.0 } else { 0.0 };
                other - config.modulation_offset
            }
            _ => 0.0,
        };
        if added == 0.0 {
            return Ok(Tree::Tensor(shape, values.into()));
        }
        Ok(Tree::Double(shape, values.iter().map(|&v| f64::from(v) - added).collect()))
    }

    /// Parameters, buffers and filters of a network in the other program's order.
    fn state(&self, name: &str, trainer: &Trainer) -> Result<Entries<'a>> {
        let mut entries = Vec::new();
        for (key, _) in keys(self.config, name).iter().flatten() {
            let source = self.source(name, key)?;
            let value = self.value(name, key, &source)?;
            entries.push((source.key, value));
        }
        self.add_mean(name, &mut entries);
        self.add_fixed(name, trainer, &mut entries);
        order::sort(self.config, self.to, name == "d", &mut entries, |(key, _)| key);
        Ok(entries)
    }

    /// GenForce's files of StyleGAN2 have the mean w in each generator.
    fn add_mean(&self, name: &str, entries: &mut Entries<'a>) {
        if !self.is_renamed() || name == "d" {
            return;
        }
        let own = self.file.tensors.get(&format!("{name}.truncation.w_avg"));
        if let Some((_, mean)) = own.or(self.file.tensors.get("w_avg")) {
            let mean = Tree::Tensor(vec![mean.len()], Cow::Borrowed(mean));
            entries.push(("truncation.w_avg".into(), mean));
        }
    }

    /// Filters and levels of detail, which follow from the configuration.
    fn add_fixed(&self, name: &str, trainer: &Trainer, entries: &mut Entries<'a>) {
        let shape = |(key, tree): &(String, Tree)| match tree {
            Tree::Tensor(shape, _) => Some((key.clone(), shape.clone())),
            _ => None,
        };
        let present: Vec<_> = entries.iter().filter_map(shape).collect();
        let fixed = fixed::tensors(self.config, self.to, name == "d", trainer.lod, &present);
        let tree = |(key, (shape, values)): (String, (Shape, Vec<f32>))| {
            (key, Tree::Tensor(shape.to_vec(), values.into()))
        };
        entries.extend(fixed.into_iter().map(tree));
    }

    /// Adam's state: parameters by their number in the order of the state dictionary.
    fn optimiser(
        &self,
        name: &str,
        trainer: &Trainer,
        k: usize,
        has_many_groups: bool,
    ) -> Result<Tree<'a>> {
        let mut parameters = Vec::new();
        for (key, _) in &keys(self.config, name)[0] {
            parameters.push((self.source(name, key)?, key.clone()));
        }
        order::sort(self.config, self.to, name == "d", &mut parameters, |(s, _)| &s.key);
        let step = Tree::Plain(json!(trainer.updates[k]));
        let mut state = Vec::new();
        for (number, (source, key)) in parameters.iter().enumerate() {
            let moment = |suffix: &str| self.moment(name, key, suffix, source);
            let entry = Tree::Dict(vec![
                ("step".into(), step.clone()),
                ("exp_avg".into(), moment("m")?),
                ("exp_avg_sq".into(), moment("v")?),
            ]);
            state.push((number.to_string(), entry));
        }
        let [lr, beta2, eps] = trainer.adam[k];
        let group = |params: Vec<usize>| {
            json!({
                "lr": lr, "betas": [0.0, beta2], "eps": eps, "weight_decay": 0.0,
                "amsgrad": false, "params": params,
            })
        };
        let n = parameters.len();
        let groups = match has_many_groups {
            true => (0..n).map(|k| Tree::Plain(group(vec![k]))).collect(),
            false => vec![Tree::Plain(group((0..n).collect()))],
        };
        Ok(Tree::Dict(vec![
            ("state".into(), Tree::Dict(state)),
            ("param_groups".into(), Tree::List(groups)),
        ]))
    }

    /// A moment of a parameter; the first one, which is not kept where it is the gradient, is zero.
    fn moment(&self, name: &str, key: &str, suffix: &str, source: &Source) -> Result<Tree<'a>> {
        let place = |suffix: &str| format!("opt.{name}.{key}.{suffix}");
        if self.file.tensors.contains_key(&place(suffix)) {
            let (shape, values) = self.stored(&place(suffix), source)?;
            return Ok(Tree::Tensor(shape, values.into()));
        }
        let (shape, values) = self.stored(&place("v"), source)?;
        Ok(Tree::Tensor(shape, vec![0.0; values.len()].into()))
    }
}
