//! Snapshots: everything that a run is between two steps, in one file; enough to sample, too.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::adopt;
use super::options::Options;
use super::state::{Signs, State};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::published::Layout;
use crate::device::Device;
use crate::models::{Config, Generator, sarigan};
use crate::nn::{Builder, Moments, Network, Parameters};
use crate::ops::random::{Draw, Stream, normals};
use crate::sample::{Look, Sampler, Seeding};
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// Version of the layout below.
pub(super) const VERSION: u64 = 2;
/// Latents behind the mean style.
const MEAN_STYLES: usize = 4096;

/// Numbers of a state that are not tensors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Steps done.
    pub step: u64,
    /// Real images shown.
    pub images: u64,
    /// Updates of the generator.
    pub updates_g: u64,
    /// Updates of the discriminator.
    pub updates_d: u64,
    /// Level of detail of the last step, where networks grow.
    #[serde(default)]
    pub lod: Option<f64>,
    /// Probability of augmentations.
    #[serde(default)]
    pub augment: Signs,
}

/// The whole run as a file's contents.
///
/// # Errors
/// What the device reports.
pub fn pack(state: &State, options: &Options) -> Result<Checkpoint> {
    let mut file = Checkpoint {
        description: json!({
            "version": VERSION,
            "network": options.network,
            "options": options,
            "counters": Counters {
                step: state.step,
                images: state.images,
                updates_g: state.moments_g.step,
                updates_d: state.moments_d.step,
                lod: state.lod,
                augment: state.augment,
            },
            "device": state.device().describe(),
            "kernels": state.device().kernels(),
            "tuning": state.device().tuning(),
        }),
        ..Checkpoint::default()
    };
    let networks = [("g", &state.g.params), ("d", &state.d.params), ("g_ema", &state.g_ema.params)];
    for (name, params) in networks {
        add_network(&mut file, name, params)?;
    }
    let moments =
        [("g", &state.g.params, &state.moments_g), ("d", &state.d.params, &state.moments_d)];
    for (name, params, moments) in moments {
        add(&mut file, &format!("opt.{name}."), params, &moments.v, ".v")?;
        if let Some(m) = &moments.m {
            add(&mut file, &format!("opt.{name}."), params, m, ".m")?;
        }
    }
    let mean = state.mean_path_length.to_vec()?;
    file.tensors.insert("train.mean_path_length".into(), (Shape::default(), mean));
    if let Some(w_avg) = mean_style(&*state.g_ema.model, &options.network, state.device())? {
        file.tensors.insert("w_avg".into(), (w_avg.shape().clone(), w_avg.to_vec()?));
    }
    Ok(file)
}

/// An averaged generator alone, with where it comes from: enough to sample.
///
/// # Errors
/// What the device reports.
pub fn pack_generator(trained: &Trained, origin: &Value) -> Result<Checkpoint> {
    let mut file = Checkpoint {
        description: json!({"version": VERSION, "network": trained.config, "origin": origin}),
        ..Checkpoint::default()
    };
    add_network(&mut file, "g_ema", &trained.network.params)?;
    if let Some(mean) = &trained.mean {
        file.tensors.insert("w_avg".into(), (mean.shape().clone(), mean.to_vec()?));
    }
    Ok(file)
}

fn add_network(file: &mut Checkpoint, name: &str, params: &Parameters) -> Result<()> {
    add(file, &format!("{name}."), params, params.slab(), "")?;
    for (key, buffer) in params.buffers() {
        let numbers = (buffer.shape().clone(), buffer.to_vec()?);
        file.tensors.insert(format!("{name}.{key}"), numbers);
    }
    Ok(())
}

fn add(
    file: &mut Checkpoint,
    prefix: &str,
    params: &Parameters,
    slab: &Tensor,
    suffix: &str,
) -> Result<()> {
    let parts = params.split(slab)?;
    file.tensors.extend(parts.into_iter().map(|(key, v)| (format!("{prefix}{key}{suffix}"), v)));
    Ok(())
}

/// Mean w `[1, W]` over fixed latents, of all classes: what truncation pulls toward. None for
/// networks without a mapping.
///
/// # Errors
/// What the device reports.
pub fn mean_style(g: &dyn Generator, config: &Config, device: &Device) -> Result<Option<Tensor>> {
    let sizes = config.sizes();
    if sizes.style.is_none() {
        return Ok(None);
    }
    let draw = Draw { seed: 0, stream: Stream::MeanStyle.of(0), step: 0 };
    let z = normals(draw, MEAN_STYLES * sizes.latent);
    let z = Tensor::from_slice(&z, [MEAN_STYLES, sizes.latent], device);
    let label = sizes.label((0..MEAN_STYLES).map(|k| k % sizes.classes.max(1)), device);
    let mean = g.map(&z, label.as_ref()).mean(&[0], true);
    device.sync()?;
    Ok(Some(mean))
}

/// The networks that a snapshot holds.
///
/// # Errors
/// When it is of another program version, or describes networks that cannot be.
pub fn network_config(file: &Checkpoint) -> Result<Config> {
    let version: u64 = file.field("version")?;
    if version != VERSION {
        let reason = format!("holds layout {version} of a snapshot; this program reads {VERSION}");
        return Err(Error::checkpoint(&file.path, reason));
    }
    let config: Config = file.field("network")?;
    config.check().map_err(|e| file.blame(e))?;
    Ok(config)
}

/// The level of detail at which a snapshot's pictures are the best it can make.
pub fn lod(file: &Checkpoint) -> f64 {
    file.field::<Counters>("counters").ok().and_then(|counters| counters.lod).unwrap_or(0.0)
}

/// How its pictures look where nothing else is asked for.
pub fn look(file: &Checkpoint) -> Look {
    let is_nvidia = adopt::layout(file) == Some(Layout::Nvidia.name());
    let seeding = if is_nvidia { Seeding::NumPy } else { Seeding::Own };
    Look { lod: lod(file), seeding, ..Look::default() }
}

/// An averaged generator, for sampling.
pub struct Trained<G: ?Sized = dyn Generator> {
    /// What it is.
    pub config: Config,
    /// The network.
    pub network: Network<Box<G>>,
    /// Its mean w `[1, W]`, where it has one.
    pub mean: Option<Tensor>,
}

impl Trained {
    /// Its pictures.
    pub fn pictures(&self, look: Look) -> Sampler<'_> {
        self.sampler(&*self.network.model, look)
    }
}

impl<G: ?Sized> Trained<G> {
    /// Pictures of `g`, which is its network.
    pub(crate) fn sampler<'a>(&'a self, g: &'a dyn Generator, look: Look) -> Sampler<'a> {
        let device = self.network.params.slab().device();
        Sampler::new(g, self.config.sizes(), self.mean.as_ref(), look, device)
    }
}

/// The averaged generator of a snapshot.
///
/// # Errors
/// When the file does not hold it.
pub fn generator(file: &Checkpoint, device: &Device) -> Result<Trained> {
    let config = network_config(file)?;
    trained(file, device, config.clone(), |b| config.generator(b, device))
}

/// The averaged SariGAN of a snapshot.
///
/// # Errors
/// When the file holds another network, or none.
pub fn sarigan(file: &Checkpoint, device: &Device) -> Result<Trained<sarigan::Generator>> {
    let config = network_config(file)?;
    let Some(own) = config.sarigan() else {
        let reason = format!("holds {}; groups are what sarigan has", config.system().name());
        return Err(Error::checkpoint(&file.path, reason));
    };
    let build = |b: &mut Builder| Box::new(sarigan::Generator::new(own, b, device));
    trained(file, device, config.clone(), build)
}

fn trained<G: ?Sized>(
    file: &Checkpoint,
    device: &Device,
    config: Config,
    build: impl FnOnce(&mut Builder) -> Box<G>,
) -> Result<Trained<G>> {
    let network =
        Network::loaded(&file.values("g_ema."), device, build).map_err(|e| file.blame(e))?;
    let mean = match config.sizes().style {
        Some(width) => {
            let mean = file.tensor("w_avg")?;
            if mean.len() != width {
                return Err(Error::checkpoint(&file.path, "w_avg does not fit the network"));
            }
            Some(Tensor::from_slice(mean, [1, width], device))
        }
        None => None,
    };
    Ok(Trained { config, network, mean })
}

/// The options of the run that wrote the file.
///
/// # Errors
/// When they are missing or not understood.
pub fn options(file: &Checkpoint) -> Result<Options> {
    network_config(file)?;
    if file.description.get("options").is_none() {
        let reason = "holds no optimisers to go on with; start a new run on it: --transfer";
        return Err(Error::checkpoint(&file.path, reason));
    }
    file.field("options")
}

/// The state of a new run on the networks of the file.
///
/// # Errors
/// When the file holds other networks than `options` asks for.
pub fn transfer(file: &Checkpoint, options: &Options, device: &Device) -> Result<State> {
    let config = network_config(file)?;
    if config != options.network {
        let reason = "holds networks of another kind or size; give the same --cfg, --res, --preset \
                      and further flags of the model";
        return Err(Error::checkpoint(&file.path, reason));
    }
    for (prefix, name) in [("g.", "generator in training"), ("d.", "discriminator")] {
        if !file.tensors.keys().any(|key| key.starts_with(prefix)) {
            let reason = format!("holds no {name}, only what samples are made with");
            return Err(Error::checkpoint(&file.path, reason));
        }
    }
    let blame = |e| file.blame(e);
    let generator = |b: &mut Builder| config.generator(b, device);
    let critic = |b: &mut Builder| config.discriminator(b, device);
    let g = Network::loaded(&file.values("g."), device, generator).map_err(blame)?;
    let d = Network::loaded(&file.values("d."), device, critic).map_err(blame)?;
    let g_ema = Network::loaded(&file.values("g_ema."), device, generator).map_err(blame)?;
    let average = g_ema.params.slab().clone();
    let mut state = State::from_networks(g, d, g_ema, &options.recipe, device);
    state.g_ema.params.set_slab(average);
    Ok(state)
}

/// The state that the file holds, to go on with under `options`.
///
/// # Errors
/// When something is missing or does not fit.
pub fn unpack(file: &Checkpoint, options: &Options, device: &Device) -> Result<State> {
    let blame = |e| file.blame(e);
    let mut state = transfer(file, options, device)?;
    let counters: Counters = file.field("counters")?;
    (state.step, state.images) = (counters.step, counters.images);
    (state.lod, state.augment) = (counters.lod, counters.augment);
    let restore = |name: &str, params: &Parameters, moments: &mut Moments, updates| {
        let parts = |suffix: &str| {
            let values = file.values(&format!("opt.{name}."));
            let own = |(key, v): (String, _)| Some((key.strip_suffix(suffix)?.to_owned(), v));
            params.join(&values.into_iter().filter_map(own).collect())
        };
        moments.v = parts(".v").map_err(blame)?;
        if moments.m.is_some() {
            moments.m = Some(parts(".m").map_err(blame)?);
        }
        moments.step = updates;
        Ok::<_, Error>(())
    };
    restore("g", &state.g.params, &mut state.moments_g, counters.updates_g)?;
    restore("d", &state.d.params, &mut state.moments_d, counters.updates_d)?;
    let mean = file.tensor("train.mean_path_length")?;
    let &[mean] = mean else {
        return Err(Error::checkpoint(&file.path, "train.mean_path_length is not one number"));
    };
    state.mean_path_length = Tensor::scalar(mean, device);
    Ok(state)
}

/// Reads only what tells how far a snapshot is.
///
/// # Errors
/// As [`Checkpoint::describe`].
pub fn counters(path: &Path) -> Result<Counters> {
    Checkpoint::describe(path)?.field("counters")
}
