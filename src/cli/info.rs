//! `semgan info`: what a file is.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value as Json;

use crate::checkpoint::{self, Checkpoint, published};
use crate::data::Dataset;
use crate::device::Device;
use crate::models::Config;
use crate::nn::Builder;
use crate::sample::read_text;
use crate::train::snapshot::{self, Counters};
use crate::train::{Options, folder};
use crate::{Error, Result, files};

/// Says what a file is: a snapshot, another program's network, latents, a picture or a data set
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// File or run folder
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is known of a file, by name.
type Facts = Vec<(String, Json)>;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let facts = facts(&args.file)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let all: serde_json::Map<String, Json> = facts.into_iter().collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all).expect("facts are plain data"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(out, "{name:width$}  {text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn facts(path: &Path) -> Result<Facts> {
    if path.is_dir() {
        return match folder::network(path) {
            Ok((file, _)) => snapshot_facts(&file),
            Err(_) => dataset(path),
        };
    }
    let start: Vec<u8> = files::map(path)?.iter().copied().take(16).collect();
    if start.starts_with(b"\x89PNG") {
        return picture(path);
    }
    if start.starts_with(b"\x93NUMPY") {
        return arrays(path);
    }
    if published::is_foreign(&start) {
        let described = published::describe(path).map(|summary| foreign(&summary));
        // A zip of PyTorch has a pickle in it, one of pictures has none.
        return described.or_else(|error| dataset(path).map_err(|_| error));
    }
    if start.get(8) == Some(&b'{') {
        return match Checkpoint::load(path) {
            Ok(file) => snapshot_facts(&file),
            Err(_) => arrays(path),
        };
    }
    dataset(path).map_err(|_| {
        let reason = "is no snapshot (.safetensors), no network of another program (.pt, .pth, \
                      .pkl), no array (.npy), no picture (.png) and no data set";
        Error::checkpoint(path, reason)
    })
}

fn fact(name: &str, value: impl Into<Json>) -> (String, Json) {
    (name.to_owned(), value.into())
}

/// A snapshot of ours.
fn snapshot_facts(file: &Checkpoint) -> Result<Facts> {
    let mut facts = vec![fact("file", file.path.display().to_string())];
    if let Some(arch) = file.description.get("extractor") {
        facts.extend([fact("kind", "extractor of classes"), fact("description", arch.clone())]);
        return Ok(facts);
    }
    let config = snapshot::network_config(file)?;
    facts.push(fact("kind", "semgan snapshot"));
    facts.extend(network(&config));
    if let Some(origin) = file.description.get("origin") {
        facts.push(fact("origin", origin.clone()));
    }
    let has = |prefix: &str| file.tensors.keys().any(|key| key.starts_with(prefix));
    let parts = [
        ("g.", "generator"),
        ("d.", "discriminator"),
        ("g_ema.", "average"),
        ("opt.", "optimisers"),
    ];
    let there: Vec<&str> = parts.iter().filter(|(p, _)| has(p)).map(|(_, name)| *name).collect();
    facts.push(fact("holds", there.join(", ")));
    if let Ok(counters) = file.field::<Counters>("counters") {
        facts.push(fact("step", counters.step));
        facts.push(fact("kimg", counters.images as f64 / 1000.0));
    }
    if let Ok(options) = file.field::<Options>("options") {
        facts.push(fact("recipe", options.recipe.name));
        facts.push(fact("batch", options.batch));
        facts.push(fact("lr", options.recipe.lr));
        facts.push(fact("data", options.data.display().to_string()));
    }
    Ok(facts)
}

/// System, size and parameters of networks.
fn network(config: &Config) -> Facts {
    let sizes = config.sizes();
    let [h, w] = sizes.picture;
    let (mut g, mut d) = (Builder::default(), Builder::default());
    drop(config.generator(&mut g, &Device::cpu()));
    drop(config.discriminator(&mut d, &Device::cpu()));
    let mut facts = vec![
        fact("system", config.system().name()),
        fact("size", format!("{w}x{h}")),
        fact("latent", sizes.latent),
        fact("parameters", format!("generator {}, discriminator {}", g.count(), d.count())),
        fact("channels", format!("{:?}", config.levels())),
    ];
    if sizes.classes > 0 {
        facts.push(fact("classes", sizes.classes));
    }
    facts
}

/// A file of another program.
fn foreign(summary: &published::Summary) -> Facts {
    let [tensors, numbers] = summary.tensors;
    let layout = summary.layout.map_or("unknown", published::Layout::name);
    let mut facts = vec![fact("kind", summary.container), fact("layout", layout)];
    facts.extend(summary.config.iter().flat_map(network));
    if !summary.parts.is_empty() {
        facts.push(fact("holds", summary.parts.join(", ")));
    }
    facts.push(fact("tensors", format!("{tensors} of {numbers} numbers")));
    facts.extend(summary.values.iter().cloned());
    facts
}

fn picture(path: &Path) -> Result<Facts> {
    let (width, height) = image::image_dimensions(path)
        .map_err(|e| Error::dataset(path, format!("no complete picture ({e})")))?;
    let mut facts = vec![fact("kind", "picture"), fact("size", format!("{width}x{height}"))];
    facts.extend(read_text(path)?.into_iter().map(|(name, text)| fact(&name, text)));
    Ok(facts)
}

/// Arrays of a `.npy` file, or of a safetensors file that describes nothing.
fn arrays(path: &Path) -> Result<Facts> {
    let shapes = checkpoint::shapes(path)?;
    let shown = shapes.iter().map(|(name, text)| fact(name, text.as_str()));
    Ok([fact("kind", "arrays of numbers")].into_iter().chain(shown).collect())
}

fn dataset(path: &Path) -> Result<Facts> {
    let (width, height) = Dataset::first_size(path)?;
    Ok(vec![fact("kind", "data set"), fact("first picture", format!("{width}x{height}"))])
}
