//! Snapshots: everything that a run is between two steps, in one file; enough to sample, too.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::options::Options;
use super::state::State;
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::models::sarigan::{Config, Discriminator, Generator};
use crate::nn::{Builder, Moments, Network, Parameters};
use crate::ops::random::{Draw, Stream, normals};
use crate::tensor::{Shape, Tensor};
use crate::{Error, Result};

/// Version of the layout below.
const VERSION: u64 = 1;
/// Latents behind the mean style.
const MEAN_STYLES: usize = 4096;

/// Numbers of a state that are not tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Steps done.
    pub step: u64,
    /// Real images shown.
    pub images: u64,
    /// Updates of the generator.
    pub updates_g: u64,
    /// Updates of the discriminator.
    pub updates_d: u64,
}

/// The whole run as a file's contents.
///
/// # Errors
/// What the device reports.
pub fn pack(state: &State, options: &Options) -> Result<Checkpoint> {
    let mut file = Checkpoint {
        description: json!({
            "version": VERSION,
            "system": "sarigan",
            "network": state.g.model.config(),
            "options": options,
            "counters": Counters {
                step: state.step,
                images: state.images,
                updates_g: state.moments_g.step,
                updates_d: state.moments_d.step,
            },
            "device": state.device().describe(),
            "kernels": state.device().kernels(),
            "tuning": state.device().tuning(),
        }),
        ..Checkpoint::default()
    };
    let networks = [("g", &state.g.params), ("d", &state.d.params), ("g_ema", &state.g_ema.params)];
    for (name, params) in networks {
        add(&mut file, &format!("{name}."), params, params.slab(), "")?;
        for (key, buffer) in params.buffers() {
            let numbers = (buffer.shape().clone(), buffer.to_vec()?);
            file.tensors.insert(format!("{name}.{key}"), numbers);
        }
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
    let w_avg = mean_style(&state.g_ema.model, state.device())?;
    file.tensors.insert("w_avg".into(), (w_avg.shape().clone(), w_avg.to_vec()?));
    Ok(file)
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

/// Mean final style `[1, 2 S]` over fixed latents: what truncation pulls toward.
///
/// # Errors
/// What the device reports.
pub fn mean_style(g: &Generator, device: &Device) -> Result<Tensor> {
    let width = g.config().style_dim;
    let draw = Draw { seed: 0, stream: Stream::MeanStyle.of(0), step: 0 };
    let z = normals(draw, MEAN_STYLES * width);
    let z = Tensor::from_slice(&z, [MEAN_STYLES, width], device);
    let mean = g.mapping.forward(&z).1.mean(&[0], true);
    device.sync()?;
    Ok(mean)
}

/// Version, system and network of a snapshot.
///
/// # Errors
/// When it is of another program version or another system.
pub fn network_config(file: &Checkpoint) -> Result<Config> {
    let (version, system): (u64, String) = (file.field("version")?, file.field("system")?);
    if version != VERSION || system != "sarigan" {
        return Err(Error::checkpoint(
            &file.path,
            format!("holds {system} in layout {version}; this program reads sarigan in {VERSION}"),
        ));
    }
    let config: Config = file.field("network")?;
    config.check().map_err(|e| file.blame(e))?;
    Ok(config)
}

/// The averaged generator and its mean style, for sampling.
///
/// # Errors
/// When the file does not hold them.
pub fn generator(file: &Checkpoint, device: &Device) -> Result<(Network<Generator>, Tensor)> {
    let config = network_config(file)?;
    let values = file.values("g_ema.");
    let network = Network::loaded(&values, device, |b| Generator::new(&config, b, device))
        .map_err(|e| file.blame(e))?;
    let mean = file.tensor("w_avg")?;
    if mean.len() != 2 * config.style_dim {
        return Err(Error::checkpoint(&file.path, "w_avg does not fit the network"));
    }
    Ok((network, Tensor::from_slice(mean, [1, mean.len()], device)))
}

/// The options of the run that wrote the file.
///
/// # Errors
/// When they are missing or not understood.
pub fn options(file: &Checkpoint) -> Result<Options> {
    network_config(file)?;
    file.field("options")
}

/// The state that the file holds, to go on with under `options`.
///
/// # Errors
/// When something is missing or does not fit.
pub fn unpack(file: &Checkpoint, options: &Options, device: &Device) -> Result<State> {
    let config = network_config(file)?;
    let blame = |e| file.blame(e);
    let generator = |b: &mut Builder| Generator::new(&config, b, device);
    let critic = |b: &mut Builder| Discriminator::new(&config, b, device);
    let g = Network::loaded(&file.values("g."), device, generator).map_err(blame)?;
    let d = Network::loaded(&file.values("d."), device, critic).map_err(blame)?;
    let g_ema = Network::loaded(&file.values("g_ema."), device, generator).map_err(blame)?;
    let average = g_ema.params.slab().clone();
    let mut state = State::from_networks(g, d, g_ema, &options.recipe, device);
    state.g_ema.params.set_slab(average);
    let counters: Counters = file.field("counters")?;
    (state.step, state.images) = (counters.step, counters.images);
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
