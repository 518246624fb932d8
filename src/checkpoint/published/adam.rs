//! The state of Adam in files of PyTorch: by the number of a parameter, or in old files by where it
//! was in memory, in the order of the optimiser's groups.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{Leaf, Leaves, Part};
use crate::nn::Values;
use crate::tensor::Shape;

/// What Adam remembers of the parameters of one network, by our keys. A parameter that was never
/// reached has zeros.
#[derive(Clone, Debug)]
pub struct Adam {
    /// First moments.
    pub m: Values,
    /// Second moments.
    pub v: Values,
    /// Updates so far, of the parameter that has most.
    pub step: u64,
}

/// What stands before the state of a network's optimiser, where it is there.
pub(super) fn prefix(leaves: &Leaves, network: &str) -> Option<String> {
    let long = if network == "g" { "generator" } else { "discriminator" };
    let names = [format!("{network}_optim."), format!("optimizers.{long}.")];
    names.into_iter().find(|prefix| leaves.has(&format!("{prefix}state.")))
}

impl Adam {
    /// The optimiser of a network whose trainable parameters have these keys and sizes; none where
    /// the file has none.
    pub(super) fn read(part: &Part, keys: &[(String, Shape)]) -> Result<Option<Self>, String> {
        let Some(prefix) = prefix(part.leaves, part.name).filter(|_| part.name != "g_ema") else {
            return Ok(None);
        };
        let numbers = numbers(part, &prefix, keys)?;
        let mut adam = Self { m: Values::new(), v: Values::new(), step: 0 };
        for (key, shape) in keys {
            let source = (part.source)(part.name, key).map_err(|e| e.to_string())?;
            let state = numbers.get(source.key.as_str()).map(|id| format!("{prefix}state.{id}."));
            let moment = |name: &str| {
                let path = format!("{}{name}", state.as_deref()?);
                part.leaves.get(&path)?;
                Some(part.converted(&source, &path, shape))
            };
            let zeros = || Ok((shape.clone(), vec![0.0; shape.numel()]));
            adam.m.insert(key.clone(), moment("exp_avg").unwrap_or_else(zeros)?);
            adam.v.insert(key.clone(), moment("exp_avg_sq").unwrap_or_else(zeros)?);
            let step = state.and_then(|state| step(part.leaves, &format!("{state}step")));
            adam.step = adam.step.max(step.unwrap_or(0));
        }
        Ok(Some(adam))
    }
}

/// The name of the state of each trainable parameter of the file, by the file's key.
fn numbers<'p>(
    part: &'p Part,
    prefix: &str,
    keys: &[(String, Shape)],
) -> Result<HashMap<&'p str, String>, String> {
    let mut trained = std::collections::HashSet::new();
    for (key, _) in keys {
        trained.insert((part.source)(part.name, key).map_err(|e| e.to_string())?.key);
    }
    let ids = ids(part.leaves, prefix);
    let stored = part.leaves.tensors(part.prefix).map(|(key, _)| key);
    let stored: Vec<&str> = stored.filter(|key| trained.contains(*key)).collect();
    if ids.len() != stored.len() {
        let (n, have) = (stored.len(), ids.len());
        return Err(format!("{prefix}param_groups has {have} parameters for {n} of the network"));
    }
    Ok(stored.into_iter().zip(ids).collect())
}

/// Names of the parameters of all groups, in their order.
fn ids(leaves: &Leaves, prefix: &str) -> Vec<String> {
    let id = |(path, leaf): &(String, Leaf)| match leaf {
        Leaf::Plain(Json::Number(id)) => {
            let rest = path.strip_prefix(prefix)?.strip_prefix("param_groups.")?;
            rest.split_once('.')?.1.strip_prefix("params.").map(|_| id.to_string())
        }
        _ => None,
    };
    leaves.all.iter().filter_map(id).collect()
}

/// The number of updates: a whole number in old files, a tensor in newer ones.
fn step(leaves: &Leaves, path: &str) -> Option<u64> {
    match leaves.get(path)? {
        Leaf::Plain(step) => step.as_u64(),
        Leaf::Tensor(_) => Some(*leaves.raw(path).ok()?.real().ok()?.1.first()? as u64),
    }
}
