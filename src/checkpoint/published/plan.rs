//! How a file is read: which networks it holds, where each parameter of ours is, and the reading.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::torch::Leaves;
use super::naming::{self, Source};
use super::{
    Adam, Layout, Networks, adam, extractor, genforce_config, lineargan, nvidia, rosinality,
    semantic,
};
use crate::Result;
use crate::device::Device;
use crate::models::Config;
use crate::nn::{Builder, Values};
use crate::tensor::{Shape, Tensor};

/// Where a network of ours finds the parameter of a key.
pub(super) type Sources = Box<dyn Fn(&str, &str) -> Result<Source>>;

/// How to read a file.
pub(super) struct Plan {
    pub(super) layout: Layout,
    pub(super) networks: Option<Wanted>,
}

/// Which networks, and where they are.
pub(super) struct Wanted {
    pub(super) config: Config,
    /// `g`, `d` or `g_ema`, and what stands before its keys.
    pub(super) parts: Vec<(&'static str, String)>,
    /// By `g`, `d` or `g_ema` and our key.
    pub(super) source: Sources,
    /// Key of the mean w behind the prefix of a generator.
    pub(super) w_avg: Option<&'static str>,
}

impl Plan {
    /// By the keys of the file; none where they are of no known layout.
    pub(super) fn of(leaves: &Leaves) -> Result<Option<Self>, String> {
        if extractor::is_one(leaves) {
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
    pub(super) fn parts(&self, leaves: &Leaves) -> Vec<String> {
        let networks = self.networks.iter().flat_map(|n| n.parts.iter().map(|(n, _)| *n));
        let optimisers = ["g", "d"].into_iter().filter(|name| adam::prefix(leaves, name).is_some());
        let optimisers = optimisers.map(|name| format!("optimiser of {name}"));
        networks.map(str::to_owned).chain(optimisers).collect()
    }
}

impl Wanted {
    /// The networks with their numbers.
    pub(super) fn read(&self, layout: Layout, leaves: &Leaves) -> Result<Networks, String> {
        let mut networks = Networks {
            layout,
            config: self.config.clone(),
            values: BTreeMap::new(),
            moments: BTreeMap::new(),
            w_avg: BTreeMap::new(),
            lod: lod(leaves),
            progress: progress(leaves),
            augment: leaves.plain("ada_aug_p").and_then(Json::as_f64),
            args: leaves.tree("args"),
        };
        for (name, prefix) in &self.parts {
            let keys = keys(&self.config, name);
            let part = Part { leaves, name, prefix, source: &self.source };
            networks.values.insert(name, part.values(keys.iter().flatten())?);
            let is_generator = *name != "d";
            if let Some(key) = self.w_avg.filter(|_| is_generator) {
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
pub(super) fn keys(config: &Config, network: &str) -> [Vec<(String, Shape)>; 2] {
    let (mut builder, device) = (Builder::default(), Device::cpu());
    match network {
        "d" => drop(config.discriminator(&mut builder, &device)),
        _ => drop(config.generator(&mut builder, &device)),
    }
    builder.keys()
}

/// One network of a file.
pub(super) struct Part<'a> {
    pub(super) leaves: &'a Leaves<'a>,
    pub(super) name: &'static str,
    pub(super) prefix: &'a str,
    pub(super) source: &'a Sources,
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
    pub(super) fn converted(
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
