//! What other programs publish, in our terms: which networks a file holds is told by its contents,
//! sizes by the shapes of its tensors, and no code of it is run.
//!
//! | layout | file | networks |
//! | --- | --- | --- |
//! | [`Layout::Sarigan`] | `g`, `d`, `g_ema`, two optimisers | SariGAN |
//! | [`Layout::Rosinality`] | the same, `args`, `latent_avg` | StyleGAN2 |
//! | [`Layout::SemanticStyleGan`] | the same, `args` | SemanticStyleGAN |
//! | [`Layout::GenForce`] | converted or trained | PGGAN, StyleGAN, StyleGAN2 |
//! | [`Layout::LinearGan`] | one generator | PGGAN, StyleGAN, StyleGAN2 |
//! | [`Layout::Nvidia`] | `network-snapshot.pkl` of StyleGAN2-ADA | StyleGAN2 |
//! | [`Layout::Extractor`] | `arch` and `param` | what LinearGAN says of features |
//!
//! Every parameter of ours is found by its [`Source`]; [`export`] goes the same way back.

mod adam;
pub mod export;
mod fixed;
pub mod genforce;
mod genforce_config;
mod lineargan;
mod naming;
mod nvidia;
mod order;
mod rosinality;
mod semantic;
mod shapes;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

pub use adam::Adam;
pub use naming::Source;

use super::RawTensor;
use super::torch::{Archive, Leaf, Leaves};
use crate::device::Device;
use crate::files;
use crate::models::Config;
use crate::models::linear_semantics::{self, Extractor};
use crate::nn::{Builder, Network, Values};
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};
use shapes::Shapes;

/// How a file arranges and names what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// SariGAN's trainer.
    Sarigan,
    /// The PyTorch port of StyleGAN2 that most projects exchange.
    Rosinality,
    /// SemanticStyleGAN's trainer.
    SemanticStyleGan,
    /// GenForce's model zoo and trainer.
    GenForce,
    /// The generators of the linear-semantics release.
    LinearGan,
    /// StyleGAN2-ADA's pickles.
    Nvidia,
    /// The extractors of the linear-semantics release.
    Extractor,
}

impl Layout {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sarigan => "sarigan",
            Self::Rosinality => "rosinality",
            Self::SemanticStyleGan => "semantic_stylegan",
            Self::GenForce => "genforce",
            Self::LinearGan => "lineargan",
            Self::Nvidia => "stylegan2-ada",
            Self::Extractor => "lineargan extractor",
        }
    }
}

/// Whose layout to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// rosinality's, SariGAN's and SemanticStyleGAN's.
    Rosinality,
    /// GenForce's.
    GenForce,
}

/// Networks of another program's file, under our keys.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Sizes and forms.
    pub config: Config,
    /// Parameters and buffers of those of `g`, `d` and `g_ema` that are there.
    pub values: BTreeMap<&'static str, Values>,
    /// The optimisers of `g` and `d`, where they are there.
    pub moments: BTreeMap<&'static str, Adam>,
    /// Mean w of the generators, where the file has one.
    pub w_avg: BTreeMap<&'static str, Vec<f32>>,
    /// Level of detail of networks that grow.
    pub lod: Option<f64>,
    /// Training iterations and images, where the file says them.
    pub progress: Option<[u64; 2]>,
    /// Probability of augmentations.
    pub augment: Option<f64>,
    /// What the trainer was asked for; null where the file does not say.
    pub args: Json,
}

/// What a file of another program holds.
#[derive(Clone, Debug)]
pub struct Published {
    /// How the file is packed, in words.
    pub container: &'static str,
    /// Whose it is, where that is known.
    pub layout: Option<Layout>,
    /// What is in it.
    pub contents: Contents,
}

/// What is in a file.
#[derive(Clone, Debug)]
pub enum Contents {
    /// Networks.
    Networks(Box<Networks>),
    /// An extractor: its description and its parameters.
    Extractor(linear_semantics::Config, Values),
    /// Tensors by their paths, of which no more is known.
    Tensors(BTreeMap<String, RawTensor>),
}

/// Whether a file begins as one that this module reads.
pub fn is_foreign(bytes: &[u8]) -> bool {
    Archive::is_one(bytes)
}

/// Reads a file of another program.
///
/// # Errors
/// Naming the file and what is wrong with it.
pub fn read(path: &Path) -> Result<Published> {
    parse(path, &files::map(path)?)
}

/// The same from the bytes of the file at `path`.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Published> {
    look_at(path, bytes, |leaves| {
        let container = leaves.archive.container.name();
        let Some(plan) = Plan::of(leaves)? else {
            let contents = Contents::Tensors(all_tensors(leaves)?);
            return Ok(Published { container, layout: None, contents });
        };
        let layout = Some(plan.layout);
        let contents = match plan.networks {
            Some(_) => Contents::Networks(Box::new(plan.read(leaves)?)),
            None => extractor(leaves)?,
        };
        Ok(Published { container, layout, contents })
    })
}

/// Every tensor of a file by its path: keys and positions on the way, joined by dots.
///
/// # Errors
/// As [`read`].
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, RawTensor>> {
    inspect(path, all_tensors)
}

/// Every plain value of a file by its path.
///
/// # Errors
/// As [`read`].
pub fn read_values(path: &Path) -> Result<BTreeMap<String, Json>> {
    inspect(path, |leaves| {
        let owned = |(path, value): (&str, &Json)| (path.to_owned(), value.clone());
        Ok(leaves.plain_below("").into_iter().map(owned).collect())
    })
}

/// What a file holds, without its numbers.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How the file is packed, in words.
    pub container: &'static str,
    /// Whose it is, where that is known.
    pub layout: Option<Layout>,
    /// Sizes of its networks.
    pub config: Option<Config>,
    /// Those of `g`, `d`, `g_ema` and their optimisers that are there.
    pub parts: Vec<String>,
    /// Number of tensors, and of numbers in them.
    pub tensors: [usize; 2],
    /// Plain values at the top and those of the trainer's arguments.
    pub values: Vec<(String, Json)>,
}

/// Says what a file holds.
///
/// # Errors
/// As [`read`].
pub fn describe(path: &Path) -> Result<Summary> {
    inspect(path, |leaves| {
        let plan = Plan::of(leaves)?;
        let count =
            |value| leaves.archive.sizes(value).map_or(0, |sizes| sizes.iter().product::<usize>());
        let tensors = leaves.tensors("").fold([0, 0], |[n, sum], (_, v)| [n + 1, sum + count(v)]);
        let plain = leaves.all.iter().filter_map(|(path, leaf)| match leaf {
            Leaf::Plain(value) if is_told(path) => Some((path.clone(), value.clone())),
            _ => None,
        });
        let parts = plan.as_ref().map_or(Vec::new(), |plan| plan.parts(leaves));
        Ok(Summary {
            container: leaves.archive.container.name(),
            layout: plan.as_ref().map(|plan| plan.layout),
            config: plan.and_then(|plan| plan.networks.map(|networks| networks.config)),
            parts,
            tensors,
            values: plain.collect(),
        })
    })
}

/// Whether a plain value is of interest: not the thousand numbers of an optimiser.
fn is_told(path: &str) -> bool {
    let first = path.split('.').next().unwrap_or_default();
    !path.contains('.') || matches!(first, "args" | "running_metadata" | "arch")
}

fn inspect<T>(path: &Path, look: impl FnOnce(&Leaves) -> Result<T, String>) -> Result<T> {
    look_at(path, &files::map(path)?, look)
}

fn look_at<T>(
    path: &Path,
    bytes: &[u8],
    look: impl FnOnce(&Leaves) -> Result<T, String>,
) -> Result<T> {
    let broken = |reason| Error::checkpoint(path, reason);
    if !Archive::is_one(bytes) {
        let reason = "is no file of torch.save (.pt, .pth) and no pickle (.pkl)";
        return Err(broken(reason.to_owned()));
    }
    let archive = Archive::parse(bytes).map_err(broken)?;
    let leaves = Leaves::of(&archive, bytes.len()).map_err(broken)?;
    look(&leaves).map_err(broken)
}

fn all_tensors(leaves: &Leaves) -> Result<BTreeMap<String, RawTensor>, String> {
    let tensor = |(path, _): (&str, _)| Ok((path.to_owned(), leaves.raw(path)?));
    let tensors: BTreeMap<_, _> = leaves.tensors("").map(tensor).collect::<Result<_, String>>()?;
    if tensors.is_empty() { Err("holds no tensors".into()) } else { Ok(tensors) }
}

fn extractor(leaves: &Leaves) -> Result<Contents, String> {
    let arch = arch(leaves)?;
    let values = leaves.tensors("param.").map(|(key, _)| {
        let real = leaves.raw(&format!("param.{key}"))?.real();
        Ok((key.to_owned(), real.map_err(|e| format!("{key}: {e}"))?))
    });
    let values: Values = values.collect::<Result<_, String>>()?;
    let build = |b: &mut Builder| Extractor::new(&arch, b);
    Network::loaded(&values, &Device::cpu(), build).map_err(|e| e.to_string())?;
    Ok(Contents::Extractor(arch, values))
}

/// The description of an extractor. Some files of NSE-2 have none: the tensors tell all but which
/// maps it reads, which are then the first ones.
fn arch(leaves: &Leaves) -> Result<linear_semantics::Config, String> {
    let mut arch = leaves.tree("arch");
    if arch.is_null() {
        let shapes = Shapes::of(leaves, "param.").ok_or("no parameters")?;
        let key = |k: usize| format!("extractor.{k}.0.weight");
        let maps = shapes.count(0, key);
        let dims = (0..maps).map(|k| shapes.size(&key(k), 0)).collect::<Result<Vec<_>, _>>()?;
        let layers: Vec<usize> = (0..maps).collect();
        let n_class = shapes.size("visualizer.weight", 0)?;
        arch = json!({ "type": "NSE-2", "n_class": n_class, "dims": dims, "layers": layers });
        arch["ksize"] = json!(shapes.size("visualizer.weight", 2)?);
    }
    let arch: linear_semantics::Config =
        serde_json::from_value(arch).map_err(|e| format!("arch: {e}"))?;
    arch.check().map_err(|e| e.to_string())?;
    Ok(arch)
}

/// Where a network of ours finds the parameter of a key.
type Sources = Box<dyn Fn(&str, &str) -> Result<Source>>;

/// How to read a file.
struct Plan {
    layout: Layout,
    networks: Option<Wanted>,
}

/// Which networks, and where they are.
struct Wanted {
    config: Config,
    /// `g`, `d` or `g_ema`, and what stands before its keys.
    parts: Vec<(&'static str, String)>,
    /// By `g`, `d` or `g_ema` and our key.
    source: Sources,
    /// Key of the mean w behind the prefix of a generator.
    w_avg: Option<&'static str>,
}

impl Plan {
    /// By the keys of the file; none where they are of no known layout.
    fn of(leaves: &Leaves) -> Result<Option<Self>, String> {
        let is_decoder = leaves.get("param.visualizer.weight").is_some();
        if leaves.has("param.") && (leaves.has("arch.") || is_decoder) {
            return Ok(Some(Self { layout: Layout::Extractor, networks: None }));
        }
        let ways = [
            nvidia::wanted,
            semantic::wanted,
            rosinality::wanted,
            lineargan::wanted,
            genforce_config::wanted,
        ];
        for way in ways {
            if let Some((layout, wanted)) = way(leaves)? {
                wanted.config.check().map_err(|e| e.to_string())?;
                match wanted.config.image_channels() {
                    3 => {}
                    n => return Err(format!("a network of pictures with {n} channels, not 3")),
                }
                return Ok(Some(Self { layout, networks: Some(wanted) }));
            }
        }
        Ok(None)
    }

    /// Names of what is there.
    fn parts(&self, leaves: &Leaves) -> Vec<String> {
        let networks = self.networks.iter().flat_map(|n| n.parts.iter().map(|(n, _)| *n));
        let optimisers = ["g", "d"].into_iter().filter(|name| adam::prefix(leaves, name).is_some());
        let optimisers = optimisers.map(|name| format!("optimiser of {name}"));
        networks.map(str::to_owned).chain(optimisers).collect()
    }

    fn read(&self, leaves: &Leaves) -> Result<Networks, String> {
        let wanted = self.networks.as_ref().expect("asked for networks");
        let mut networks = Networks {
            config: wanted.config.clone(),
            values: BTreeMap::new(),
            moments: BTreeMap::new(),
            w_avg: BTreeMap::new(),
            lod: lod(leaves),
            progress: progress(leaves),
            augment: leaves.plain("ada_aug_p").and_then(Json::as_f64),
            args: leaves.tree("args"),
        };
        for (name, prefix) in &wanted.parts {
            let keys = keys(&wanted.config, name);
            let part = Part { leaves, name, prefix, source: &wanted.source };
            networks.values.insert(name, part.values(keys.iter().flatten())?);
            let is_generator = *name != "d";
            if let Some(key) = wanted.w_avg.filter(|_| is_generator) {
                networks.w_avg.extend(part.mean(key)?.map(|mean| (*name, mean)));
            }
            if let Some(adam) = Adam::read(&part, &keys[0])? {
                networks.moments.insert(name, adam);
            }
        }
        Ok(networks)
    }
}

/// Iterations and images, where the trainer wrote them down.
fn progress(leaves: &Leaves) -> Option<[u64; 2]> {
    let number = |name: &str| leaves.plain(&format!("running_metadata.{name}"))?.as_u64();
    Some([number("iter")?, number("seen_img")?])
}

/// The level of detail of networks that grow.
fn lod(leaves: &Leaves) -> Option<f64> {
    let is_lod = |path: &&str| *path == "lod" || path.ends_with(".lod");
    let path = leaves.tensors("").map(|(path, _)| path).find(is_lod)?;
    leaves.raw(path).ok()?.real().ok()?.1.first().map(|&lod| f64::from(lod))
}

/// Keys and sizes of the parameters and of the buffers of a network.
fn keys(config: &Config, network: &str) -> [Vec<(String, Shape)>; 2] {
    let (mut builder, device) = (Builder::default(), Device::cpu());
    match network {
        "d" => drop(config.discriminator(&mut builder, &device)),
        _ => drop(config.generator(&mut builder, &device)),
    }
    builder.keys()
}

/// One network of a file.
struct Part<'a> {
    leaves: &'a Leaves<'a>,
    name: &'static str,
    prefix: &'a str,
    source: &'a Sources,
}

impl Part<'_> {
    /// Parameters and buffers by our keys.
    fn values<'k>(
        &self,
        keys: impl Iterator<Item = &'k (String, Shape)>,
    ) -> Result<Values, String> {
        let value = |(key, shape): &(String, Shape)| {
            let source = (self.source)(self.name, key).map_err(|e| e.to_string())?;
            let path = format!("{}{}", self.prefix, source.key);
            // Files of before there were noise buffers have none, and nobody misses them.
            if self.leaves.get(&path).is_none() && key.starts_with("noises.") {
                return Ok((key.clone(), (shape.clone(), vec![0.0; shape.numel()])));
            }
            Ok((key.clone(), self.converted(&source, &path, shape)?))
        };
        keys.map(value).collect()
    }

    /// The tensor at a path as ours of a shape.
    fn converted(
        &self,
        source: &Source,
        path: &str,
        shape: &Shape,
    ) -> Result<(Shape, Vec<f32>), String> {
        let (stored, values) = self.leaves.raw(path)?.real().map_err(|e| format!("{path}: {e}"))?;
        if source.is_plain() {
            return match naming::is_same(&stored, shape) {
                true => Ok((shape.clone(), values)),
                false => Err(source.misfit(&stored, shape).to_string()),
            };
        }
        let stored = Tensor::from_slice(&values, stored, &Device::cpu());
        let converted = source.convert(&stored, shape).map_err(|e| e.to_string())?;
        Ok((shape.clone(), converted.to_vec().map_err(|e| e.to_string())?))
    }

    /// The mean w, unless it is one that was never moved.
    fn mean(&self, key: &str) -> Result<Option<Vec<f32>>, String> {
        // A mean at the top of the file is the average's.
        let own = format!("{}{key}", self.prefix);
        let paths = if self.name == "g_ema" { [own.as_str(), key] } else { [own.as_str(); 2] };
        let Some(path) = paths.into_iter().find(|path| self.leaves.get(path).is_some()) else {
            return Ok(None);
        };
        let (_, mean) = self.leaves.raw(path)?.real().map_err(|e| format!("{path}: {e}"))?;
        Ok(mean.iter().any(|&w| w != 0.0).then_some(mean))
    }
}
