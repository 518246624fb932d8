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
mod extractor;
mod fixed;
pub mod genforce;
mod genforce_config;
mod lineargan;
mod naming;
mod nvidia;
mod order;
mod plan;
mod rosinality;
mod semantic;
mod shapes;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

pub use adam::Adam;
pub use naming::Source;

use super::RawTensor;
use super::torch::{Archive, Leaf, Leaves};
use crate::files;
use crate::models::{Config, linear_semantics};
use crate::nn::Values;
use crate::{Error, Result};
use plan::{Part, Plan, Sources, Wanted, keys};

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
    /// Whose file they were in.
    pub layout: Layout,
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
        let contents = match Plan::of(leaves)? {
            Some(Plan { layout, networks: Some(wanted) }) => {
                Contents::Networks(Box::new(wanted.read(layout, leaves)?))
            }
            Some(_) => extractor::read(leaves)?,
            None => Contents::Tensors(all_tensors(leaves)?),
        };
        Ok(Published { container, contents })
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
