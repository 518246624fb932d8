//! What other programs store though it follows from the configuration: filters, levels of detail.

use super::To;
use crate::device::Device;
use crate::models::Config;
use crate::nn::blur_kernel;
use crate::tensor::Shape;

/// Sizes and numbers.
type Values = (Shape, Vec<f32>);

/// Such tensors of a network whose parameters have these keys and sizes.
pub(super) fn tensors(
    config: &Config,
    to: To,
    is_discriminator: bool,
    lod: f64,
    present: &[(String, Vec<usize>)],
) -> Vec<(String, Values)> {
    let mut fixed = Vec::new();
    for (key, shape) in present {
        fixed.extend(match (to, config) {
            (To::Rosinality, _) => rosinality(config, key),
            (To::GenForce, Config::StyleGan2(_)) => stylegan2(config, is_discriminator, key),
            (To::GenForce, Config::StyleGan(_)) => stylegan(config, is_discriminator, key, shape),
            (To::GenForce, _) => None,
        });
    }
    if to == To::GenForce {
        let lod = (Shape::default(), vec![lod as f32]);
        match config {
            Config::StyleGan2(_) if !is_discriminator => {
                fixed.push(("synthesis.upsample.kernel".into(), kernel(config, 4.0, true)));
            }
            Config::StyleGan(_) if !is_discriminator => fixed.push(("synthesis.lod".into(), lod)),
            Config::StyleGan(_) | Config::Pggan(_) => fixed.push(("lod".into(), lod)),
            _ => {}
        }
    }
    fixed
}

/// The filter of a sum, `[k, k]` or `[1, 1, k, k]`.
fn kernel(config: &Config, sum: f64, has_channels: bool) -> Values {
    let taps = config.blur_kernel();
    let kernel = blur_kernel(&taps, sum, &Device::cpu()).to_vec();
    let values = kernel.expect("the processor does not fail");
    let k = taps.len();
    (if has_channels { [1, 1, k, k].into() } else { [k, k].into() }, values)
}

/// The filter beside a weight, where there is one.
fn rosinality(config: &Config, key: &str) -> Option<(String, Values)> {
    let beside = |from: &str, to: &str| key.strip_suffix(from).map(|start| format!("{start}{to}"));
    let halved = beside(".conv2.1.weight", ".conv2.0.kernel");
    let halved = halved.or_else(|| beside(".skip.1.weight", ".skip.0.kernel"));
    if let Some(name) = halved {
        return Some((name, kernel(config, 1.0, false)));
    }
    let is_doubling = |place: &str| {
        let number = key.strip_prefix(place)?.split('.').next()?.parse::<usize>().ok()?;
        (number % 2 == 0).then_some(())
    };
    let sums = ["to_rgbs.", "to_segs.", "to_feat.", "to_depth."];
    let name = if sums.iter().any(|part| key.contains(part)) {
        beside(".conv.weight", ".upsample.kernel")
    } else if is_doubling("convs.").is_some() {
        beside(".conv.weight", ".conv.blur.kernel")
    } else if is_doubling("render_net.convs.").is_some() {
        let is_weight = key.matches('.').count() == 3;
        beside(".weight", ".blur.kernel").filter(|_| is_weight)
    } else {
        None
    };
    name.map(|name| (name, kernel(config, 4.0, false)))
}

/// The number of the layer whose weight a key is.
fn layer_of(key: &str, prefix: &str) -> Option<usize> {
    key.strip_prefix(prefix)?.strip_suffix(".weight")?.parse().ok()
}

/// Layers of a discriminator that halve: the second one of each block but the last.
fn is_halving(config: &Config, layer: usize) -> bool {
    layer % 2 == 1 && layer < 2 * (config.resolution().ilog2() as usize - 2)
}

fn stylegan2(config: &Config, is_discriminator: bool, key: &str) -> Option<(String, Values)> {
    let name = || key.replace(".weight", ".filter.kernel");
    if !is_discriminator {
        let layer = layer_of(key, "synthesis.layer")?;
        return (layer % 2 == 1).then(|| (name(), kernel(config, 4.0, true)));
    }
    let is_skip = layer_of(key, "skip_layer").is_some();
    let halves = is_skip || layer_of(key, "layer").is_some_and(|layer| is_halving(config, layer));
    halves.then(|| (name(), kernel(config, 1.0, true)))
}

fn stylegan(
    config: &Config,
    is_discriminator: bool,
    key: &str,
    shape: &[usize],
) -> Option<(String, Values)> {
    const TAPS: [f32; 3] = [0.25, 0.5, 0.25];
    let layer = layer_of(key, if is_discriminator { "layer" } else { "synthesis.layer" })?;
    let (blurs, channels) = match is_discriminator {
        true => (is_halving(config, layer), shape.get(1)),
        false => (layer >= 2 && layer % 2 == 0, shape.first()),
    };
    let channels = channels.filter(|_| blurs).copied()?;
    let one = TAPS.iter().flat_map(|a| TAPS.map(|b| a * b));
    let values: Vec<f32> = std::iter::repeat_n(one, channels).flatten().collect();
    Some((key.replace(".weight", ".blur.kernel"), ([channels, 1, 3, 3].into(), values)))
}
