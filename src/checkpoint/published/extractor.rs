//! Extractors of the linear-semantics release: a description under `arch`, parameters under `param`.

use serde_json::json;

use super::super::torch::Leaves;
use super::Contents;
use super::shapes::Shapes;
use crate::device::Device;
use crate::models::linear_semantics::{Config, Extractor};
use crate::nn::{Builder, Network, Values};

/// Whether the file holds an extractor.
pub(super) fn is_one(leaves: &Leaves) -> bool {
    let is_decoder = leaves.get("param.visualizer.weight").is_some();
    leaves.has("param.") && (leaves.has("arch.") || is_decoder)
}

/// The extractor of the file.
///
/// # Errors
/// In words: when it is described in no known way, or its tensors do not fit.
pub(super) fn read(leaves: &Leaves) -> Result<Contents, String> {
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
fn arch(leaves: &Leaves) -> Result<Config, String> {
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
    let arch: Config = serde_json::from_value(arch).map_err(|e| format!("arch: {e}"))?;
    arch.check().map_err(|e| e.to_string())?;
    Ok(arch)
}
