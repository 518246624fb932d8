//! StyleGAN2-ADA's pickles, `network-snapshot-NNNNNN.pkl`: `G`, `D` and `G_ema`, each an object of
//! a class whose source text lies in the file. The text is not read; the objects' attributes are.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::shapes::Shapes;
use super::{Layout, Leaves, Source, Wanted};
use crate::models::Config;
use crate::models::stylegan2::{self, Architecture};
use crate::{Error, Result};

/// Or what is wrong, in words.
type Said<T> = std::result::Result<T, String>;

/// Classes of the networks that are known here.
const GENERATOR: &str = "Generator";
const DISCRIMINATOR: &str = "Discriminator";

/// Networks of StyleGAN2-ADA, where the file holds them.
pub(super) fn wanted(leaves: &Leaves) -> Said<Option<(Layout, Wanted)>> {
    let found = |(name, prefix, class): (&'static str, &str, &str)| {
        let is_one = leaves.plain(&format!("{prefix}class_name"))?.as_str() == Some(class);
        Some((name, Shapes::of(leaves, prefix).filter(|_| is_one)?))
    };
    let prefixes =
        [("g", "G.", GENERATOR), ("g_ema", "G_ema.", GENERATOR), ("d", "D.", DISCRIMINATOR)];
    let parts: Vec<_> = prefixes.into_iter().filter_map(found).collect();
    let Some((_, g)) = parts.iter().find(|(name, _)| *name != "d") else { return Ok(None) };
    let mut config = generator(leaves, g)?;
    if let Some((_, d)) = parts.iter().find(|(name, _)| *name == "d") {
        config = with_discriminator(leaves, config, d)?;
    }
    let size = config.size;
    let parts = parts.into_iter();
    let wanted = Wanted {
        config: Config::StyleGan2(config),
        parts: parts.map(|(name, shapes)| (name, shapes.prefix)).collect(),
        source: Box::new(move |network, key| {
            let key = if network == "d" { critic_key(size, key) } else { generator_key(key) };
            key.map(Source::of)
        }),
        w_avg: Some("mapping.w_avg"),
    };
    Ok(Some((Layout::Nvidia, wanted)))
}

/// A plain attribute of an object in the network at `prefix`.
fn attribute<'a>(leaves: &'a Leaves, prefix: &str, path: &str) -> Option<&'a Json> {
    leaves.plain(&format!("{prefix}{path}"))
}

/// Refuses what was configured in a way that nobody published.
fn check(leaves: &Leaves, prefix: &str) -> Said<()> {
    let is_other = |path: &str, value: &Json| match path.rsplit('.').next() {
        Some("activation") => !matches!(value.as_str(), Some("lrelu" | "linear")),
        Some("use_noise") => value == &Json::Bool(false),
        _ => false,
    };
    let plain = leaves.plain_below(prefix);
    match plain.into_iter().find(|(path, value)| is_other(path, value)) {
        Some((path, value)) => Err(format!("{path} is {value}, which no network here has")),
        None => Ok(()),
    }
}

fn generator(leaves: &Leaves, g: &Shapes) -> Said<stylegan2::Config> {
    check(leaves, &g.prefix)?;
    let blocks = g.count(0, |k| format!("synthesis.b{}.conv1.weight", 4usize << k.min(20)));
    if !(2..=9).contains(&blocks) {
        return Err(format!("{}synthesis has {blocks} blocks", g.prefix));
    }
    let conv = |k: usize| format!("synthesis.b{}.conv1.weight", 4 << k);
    let channels = (0..blocks).map(|k| Ok((4 << k, g.size(&conv(k), 0)?)));
    let channels = channels.collect::<Said<BTreeMap<_, _>>>()?;
    let size = 2 << blocks;
    let layers = g.count(0, |k| format!("mapping.fc{k}.weight"));
    let style_dim = g.size(&format!("mapping.fc{}.weight", layers.saturating_sub(1)), 0)?;
    let other = |width: usize| Some(width).filter(|&width| width != style_dim);
    let label = g.shape("mapping.embed.weight");
    let latent = match &label {
        Some(label) => g.size("mapping.fc0.weight", 1)?.saturating_sub(label[0]),
        None => g.size("mapping.fc0.weight", 1)?,
    };
    let is_skip = g.has("synthesis.b4.torgb.weight");
    let lr_mlp = attribute(leaves, &g.prefix, "mapping.fc0.bias_gain").and_then(Json::as_f64);
    if g.has(&format!("synthesis.b{size}.skip.weight")) {
        return Err("a residual generator, of which no file was ever published".into());
    }
    Ok(stylegan2::Config {
        size,
        base: [g.size("synthesis.b4.const", 1)?, g.size("synthesis.b4.const", 2)?],
        image_channels: g.size(&format!("synthesis.b{size}.torgb.weight"), 0)?,
        style_dim,
        latent_dim: other(latent),
        n_mlp: layers,
        mlp_width: if layers > 1 { other(g.size("mapping.fc0.weight", 0)?) } else { None },
        lr_mlp: lr_mlp.unwrap_or(0.01),
        classes: label.map_or(0, |label| label.get(1).copied().unwrap_or(0)),
        channels,
        blur_kernel: g.taps("synthesis.b8.resample_filter").unwrap_or(vec![1.0, 3.0, 3.0, 1.0]),
        generator: if is_skip { Architecture::Skip } else { Architecture::Origin },
        projection: g.has("mapping.embed.weight").then_some(8),
        ..stylegan2::Config::default()
    })
}

/// With what the discriminator says.
fn with_discriminator(
    leaves: &Leaves,
    config: stylegan2::Config,
    d: &Shapes,
) -> Said<stylegan2::Config> {
    check(leaves, &d.prefix)?;
    let last = config.channels[&4];
    let size = config.size;
    let of_deviation = |name: &str| {
        attribute(leaves, &d.prefix, &format!("b4.mbstd.{name}")).and_then(Json::as_u64)
    };
    let maps = d.size("b4.conv.weight", 1)?.saturating_sub(last);
    let is_residual = d.has(&format!("b{size}.skip.weight"));
    let is_skip = d.has("b8.fromrgb.weight") && size > 8;
    let width = d.size("b4.fc.weight", 0)?;
    let layers = d.count(0, |k| format!("mapping.fc{k}.weight"));
    Ok(stylegan2::Config {
        discriminator: match (is_residual, is_skip) {
            (true, _) => Architecture::Residual,
            (_, true) => Architecture::Skip,
            _ => Architecture::Origin,
        },
        score_width: Some(width).filter(|&width| width != last),
        // A group of nothing is the whole batch.
        stddev_group: of_deviation("group_size").map_or(usize::MAX, |n| n as usize),
        stddev_maps: maps,
        projection: config.projection.map(|_| layers),
        ..config
    })
}

fn unknown(ours: &str) -> Error {
    Error::config(ours, "no such parameter in StyleGAN2-ADA")
}

/// The file's key of a parameter of the generator.
fn generator_key(ours: &str) -> Result<String> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| unknown(ours));
    // Layers count on through the resolutions: one at 4, then two at each.
    let block = |k: usize| (4usize << k.div_ceil(2), if k % 2 == 1 { "conv0" } else { "conv1" });
    let parts: Vec<&str> = ours.split('.').collect();
    Ok(match parts.as_slice() {
        ["embed", name] => format!("mapping.embed.{name}"),
        ["style", k, name] => format!("mapping.fc{}.{name}", number(k)?.saturating_sub(1)),
        ["input", "input"] => "synthesis.b4.const".into(),
        ["noises", name] => {
            let (r, conv) = block(number(name.strip_prefix("noise_").unwrap_or(name))?);
            format!("synthesis.b{r}.{conv}.noise_const")
        }
        ["conv1", rest @ ..] => format!("synthesis.b4.conv1.{}", part(ours, rest)?),
        ["convs", k, rest @ ..] => {
            let (r, conv) = block(number(k)? + 1);
            format!("synthesis.b{r}.{conv}.{}", part(ours, rest)?)
        }
        ["to_rgb1", rest @ ..] => format!("synthesis.b4.torgb.{}", part(ours, rest)?),
        ["to_rgbs", j, rest @ ..] => {
            format!("synthesis.b{}.torgb.{}", 8 << number(j)?, part(ours, rest)?)
        }
        _ => return Err(unknown(ours)),
    })
}

/// Part of a layer of the generator.
fn part(ours: &str, rest: &[&str]) -> Result<&'static str> {
    Ok(match rest {
        ["conv", "weight"] => "weight",
        ["conv", "modulation", "weight"] => "affine.weight",
        ["conv", "modulation", "bias"] => "affine.bias",
        ["noise", "weight"] => "noise_strength",
        ["activate", "bias"] | ["bias"] => "bias",
        _ => return Err(unknown(ours)),
    })
}

/// The file's key of a parameter of the discriminator of pictures of side `size`.
fn critic_key(size: usize, ours: &str) -> Result<String> {
    let (place, name) = ours.rsplit_once('.').ok_or_else(|| unknown(ours))?;
    let parts: Vec<&str> = place.split('.').collect();
    let number = |text: &str| text.parse::<u32>().map_err(|_| unknown(ours));
    let layer = match parts.as_slice() {
        ["class_map", "embed"] => "mapping.embed".into(),
        ["class_map", k] => format!("mapping.fc{k}"),
        ["convs", "0", _] => format!("b{size}.fromrgb"),
        ["from_rgbs", k, _] => format!("b{}.fromrgb", size >> (number(k)? + 1)),
        ["convs", k, layer, _] => {
            let r = size >> number(k)?.checked_sub(1).ok_or_else(|| unknown(ours))?;
            match *layer {
                "conv1" => format!("b{r}.conv0"),
                "conv2" => format!("b{r}.conv1"),
                "skip" => format!("b{r}.skip"),
                _ => return Err(unknown(ours)),
            }
        }
        ["final_conv", _] => "b4.conv".into(),
        ["final_linear", "0"] => "b4.fc".into(),
        ["final_linear", "1"] => "b4.out".into(),
        _ => return Err(unknown(ours)),
    };
    Ok(format!("{layer}.{name}"))
}
