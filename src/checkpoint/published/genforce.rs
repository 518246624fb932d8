//! StyleGAN2 as GenForce's files hold it: its description, and where each parameter comes from.
//!
//! The networks are those of [`stylegan2`](crate::models::stylegan2) under other keys, except that
//! GenForce adds 1 to what modulates, and that layers which double the resolution store their
//! kernels turned by 180 degrees. StyleGAN and PGGAN have GenForce's keys here, too.

use serde::Deserialize;

use crate::models::stylegan2::{Architecture, Config};
use crate::{Error, Result};

use super::naming::Source;

/// Arguments of GenForce's constructors. What a file leaves out is as published.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct StyleGan2 {
    resolution: usize,
    z_space_dim: usize,
    w_space_dim: usize,
    label_size: usize,
    mapping_layers: usize,
    mapping_fmaps: usize,
    mapping_lr_mul: f64,
    repeat_w: bool,
    image_channels: usize,
    final_tanh: bool,
    /// Of the network that is described.
    architecture: Option<Architecture>,
    demodulate: bool,
    fmaps_base: usize,
    fmaps_max: usize,
    minibatch_std_group_size: usize,
    minibatch_std_channels: usize,
}

impl Default for StyleGan2 {
    fn default() -> Self {
        Self {
            resolution: 1024,
            z_space_dim: 512,
            w_space_dim: 512,
            label_size: 0,
            mapping_layers: 8,
            mapping_fmaps: 512,
            mapping_lr_mul: 0.01,
            repeat_w: true,
            image_channels: 3,
            final_tanh: false,
            architecture: None,
            demodulate: true,
            fmaps_base: 32 << 10,
            fmaps_max: 512,
            minibatch_std_group_size: 4,
            minibatch_std_channels: 1,
        }
    }
}

impl StyleGan2 {
    /// The same in our terms.
    ///
    /// # Errors
    /// Naming a field that no network can have.
    pub fn config(&self) -> Result<Config> {
        if !self.resolution.is_power_of_two() {
            let reason = format!("{} is not a power of two", self.resolution);
            return Err(Error::config("resolution", reason));
        }
        let channels = |r: usize| (self.fmaps_base / r).min(self.fmaps_max);
        let has_deviation = self.minibatch_std_group_size > 1;
        Ok(Config {
            size: self.resolution,
            image_channels: self.image_channels,
            style_dim: self.w_space_dim,
            latent_dim: Some(self.z_space_dim),
            n_mlp: self.mapping_layers,
            mlp_width: Some(self.mapping_fmaps),
            lr_mlp: self.mapping_lr_mul,
            own_styles: !self.repeat_w,
            classes: self.label_size,
            channels: (2..=self.resolution.ilog2()).map(|k| (1 << k, channels(1 << k))).collect(),
            demodulate: self.demodulate,
            modulation_offset: 1.0,
            generator: self.architecture.unwrap_or(Architecture::Skip),
            final_tanh: self.final_tanh,
            discriminator: self.architecture.unwrap_or(Architecture::Residual),
            score_width: Some(channels(2)),
            stddev_group: self.minibatch_std_group_size.max(1),
            stddev_maps: if has_deviation { self.minibatch_std_channels } else { 0 },
            ..Config::default()
        })
    }
}

fn unknown(ours: &str) -> Error {
    Error::config(ours, "no such parameter in GenForce's StyleGAN2")
}

/// Where a parameter of the generator comes from.
///
/// # Errors
/// When GenForce has none like it.
pub fn generator(ours: &str) -> Result<Source> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| unknown(ours));
    let parts: Vec<&str> = ours.split('.').collect();
    let found = match parts.as_slice() {
        ["label_weight"] => Some(Source::of("mapping.label_weight")),
        ["style", k, name] => {
            let k = number(k)?.checked_sub(1).ok_or_else(|| unknown(ours))?;
            Some(Source::of(format!("mapping.dense{k}.{name}")))
        }
        ["input", "input"] => Some(Source::of("synthesis.early_layer.const")),
        ["noises", name] => {
            let k = number(name.strip_prefix("noise_").unwrap_or(name))?;
            Some(Source::of(format!("synthesis.layer{k}.noise")))
        }
        ["conv1", rest @ ..] => layer("layer", 0, rest),
        ["convs", k, rest @ ..] => layer("layer", number(k)? + 1, rest),
        ["to_rgb1", rest @ ..] => layer("output", 0, rest),
        ["to_rgbs", j, rest @ ..] => layer("output", number(j)? + 1, rest),
        _ => None,
    };
    found.ok_or_else(|| unknown(ours))
}

/// Part of layer k of a kind.
fn layer(kind: &str, k: usize, part: &[&str]) -> Option<Source> {
    let name = match part {
        ["conv", "weight"] => "weight",
        ["conv", "modulation", "weight"] => "style.weight",
        ["conv", "modulation", "bias"] => "style.bias",
        ["noise", "weight"] => "noise_strength",
        ["activate", "bias"] | ["bias"] => "bias",
        _ => return None,
    };
    let source = Source::of(format!("synthesis.{kind}{k}.{name}"));
    let is_doubled = kind == "layer" && k % 2 == 1 && name == "weight";
    Some(if is_doubled { source.turned() } else { source })
}

/// Where a parameter of a discriminator that reads pictures of side `size` comes from.
///
/// # Errors
/// When GenForce has none like it.
pub fn discriminator(size: usize, ours: &str) -> Result<Source> {
    let (place, name) = ours.rsplit_once('.').ok_or_else(|| unknown(ours))?;
    let parts: Vec<&str> = place.split('.').collect();
    let number = |text: &str| text.parse::<usize>().map_err(|_| unknown(ours));
    // Each block has two layers; what stands behind the blocks goes on counting.
    let behind = 2 * (size.ilog2() as usize - 2);
    let layer = match parts.as_slice() {
        ["convs", "0", _] => "input0".into(),
        ["from_rgbs", k, _] => format!("input{}", number(k)? + 1),
        ["convs", k, layer, _] => {
            let block = number(k)?.checked_sub(1).ok_or_else(|| unknown(ours))?;
            match *layer {
                "conv1" => format!("layer{}", 2 * block),
                "conv2" => format!("layer{}", 2 * block + 1),
                "skip" => format!("skip_layer{block}"),
                _ => return Err(unknown(ours)),
            }
        }
        ["final_conv", _] => format!("layer{behind}"),
        ["final_linear", k] => format!("layer{}", behind + 1 + number(k)?),
        _ => return Err(unknown(ours)),
    };
    Ok(Source::of(format!("{layer}.{name}")))
}
