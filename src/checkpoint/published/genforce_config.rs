//! GenForce's files: which networks they hold, and of which sizes.

use std::collections::BTreeMap;

use super::shapes::{Shapes, table};
use super::{Layout, Leaves, Source, Sources, Wanted, genforce};
use crate::models::Config;
use crate::models::pggan::{self, FusedScale};
use crate::models::stylegan::{self, NoiseType};
use crate::models::stylegan2::{self, Architecture};

/// The three generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pggan,
    StyleGan,
    StyleGan2,
}

impl Kind {
    /// By the keys of a generator.
    fn of(g: &Shapes) -> Option<Self> {
        let kinds = [
            ("synthesis.early_layer.const", Self::StyleGan2),
            ("synthesis.layer0.apply_noise.weight", Self::StyleGan),
            ("layer0.weight", Self::Pggan),
        ];
        let is_generator = g.has("synthesis.layer1.weight") || g.has("output0.weight");
        kinds.into_iter().find(|(key, _)| is_generator && g.has(key)).map(|(_, kind)| kind)
    }
}

/// Our names of the networks, and GenForce's, of trained and of converted files. A bare state
/// dictionary of a generator counts as its average.
const PREFIXES: [(&str, &str); 5] = [
    ("g", "models.generator."),
    ("g", "generator."),
    ("g_ema", "models.generator_smooth."),
    ("g_ema", "generator_smooth."),
    ("g_ema", ""),
];

/// Networks under GenForce's keys, where the file holds them.
pub(super) fn wanted(leaves: &Leaves) -> Result<Option<(Layout, Wanted)>, String> {
    let found = |(name, prefix): (&'static str, &str)| {
        let shapes = Shapes::of(leaves, prefix)?;
        Some((name, Kind::of(&shapes)?, shapes))
    };
    let generators: Vec<_> = PREFIXES.into_iter().filter_map(found).collect();
    let Some((_, kind, g)) = generators.first() else { return Ok(None) };
    let prefixes = ["models.discriminator.", "discriminator."];
    let d = prefixes.into_iter().find_map(|prefix| Shapes::of(leaves, prefix));
    let mut config = generator(*kind, g)?;
    if let Some(d) = &d {
        config = with_discriminator(config, d)?;
    }
    let source = sources(&config);
    let parts = generators.into_iter().map(|(name, _, shapes)| (name, shapes.prefix));
    let parts = parts.chain(d.map(|d| ("d", d.prefix))).collect();
    let wanted = Wanted { config, parts, source, w_avg: Some("truncation.w_avg") };
    Ok(Some((Layout::GenForce, wanted)))
}

/// Where each parameter is.
fn sources(config: &Config) -> Sources {
    match config {
        Config::StyleGan2(config) => {
            let size = config.size;
            Box::new(move |network, key| match network {
                "d" => genforce::discriminator(size, key),
                _ => genforce::generator(key),
            })
        }
        _ => Box::new(|_, key| Ok(Source::of(key))),
    }
}

/// A generator as the shapes say.
pub(super) fn generator(kind: Kind, g: &Shapes) -> Result<Config, String> {
    let config = match kind {
        Kind::Pggan => Config::Pggan(pggan(g)?),
        Kind::StyleGan => Config::StyleGan(stylegan(g)?),
        Kind::StyleGan2 => Config::StyleGan2(stylegan2(g)?),
    };
    config.check().map_err(|e| e.to_string())?;
    Ok(config)
}

/// What the three have in common: widths of latent and style, layers of the mapping and their
/// width, whether all layers share a style, classes.
struct Mapping {
    latent: usize,
    style: usize,
    layers: usize,
    hidden: usize,
    is_shared: bool,
    classes: usize,
}

impl Mapping {
    fn of(g: &Shapes) -> Result<Self, String> {
        let layers = g.count(0, |k| format!("mapping.dense{k}.weight"));
        let style = g.size("synthesis.layer0.style.weight", 1)?;
        let label = g.shape("mapping.label_weight");
        let last = format!("mapping.dense{}.weight", layers.saturating_sub(1));
        Ok(Self {
            latent: match &label {
                Some(label) => *label.get(1).ok_or("mapping.label_weight has one axis")?,
                None => g.size("mapping.dense0.weight", 1)?,
            },
            style,
            layers,
            hidden: if layers > 1 { g.size("mapping.dense0.weight", 0)? } else { style },
            is_shared: g.size(&last, 0)? == style,
            classes: label.map_or(0, |label| label[0]),
        })
    }
}

/// Channels by resolution, where `key(k)` is the weight of the layer at `4 << k`, whose axis tells.
fn channels(
    g: &Shapes,
    blocks: usize,
    key: impl Fn(usize) -> String,
    axis: usize,
) -> Result<BTreeMap<usize, usize>, String> {
    if blocks > 16 {
        return Err(format!("{blocks} blocks"));
    }
    (0..blocks).map(|k| Ok((4 << k, g.size(&key(k), axis)?))).collect()
}

fn stylegan2(g: &Shapes) -> Result<stylegan2::Config, String> {
    let mapping = Mapping::of(g)?;
    let layers = g.count(0, |k| format!("synthesis.layer{k}.weight"));
    let blocks = layers.div_ceil(2);
    let weight = |k: usize| format!("synthesis.layer{}.weight", (2 * k).saturating_sub(1));
    let other = |width: usize| Some(width).filter(|&width| width != mapping.style);
    let is_skip = g.has("synthesis.output0.weight");
    let base = |axis| g.size("synthesis.early_layer.const", axis);
    Ok(stylegan2::Config {
        size: 2usize << blocks.min(16),
        base: [base(2)?, base(3)?],
        image_channels: g
            .size(&format!("synthesis.output{}.weight", blocks.saturating_sub(1)), 0)?,
        style_dim: mapping.style,
        latent_dim: other(mapping.latent),
        n_mlp: mapping.layers,
        mlp_width: other(mapping.hidden),
        own_styles: !mapping.is_shared,
        classes: mapping.classes,
        channels: channels(g, blocks, weight, 0)?,
        modulation_offset: 1.0,
        generator: if is_skip { Architecture::Skip } else { Architecture::Origin },
        ..stylegan2::Config::default()
    })
}

fn stylegan(g: &Shapes) -> Result<stylegan::Config, String> {
    let mapping = Mapping::of(g)?;
    let blocks = g.count(0, |k| format!("synthesis.output{k}.weight"));
    let output = |k: usize| format!("synthesis.output{k}.weight");
    let [fmaps_base, fmaps_max] = table(&channels(g, blocks, output, 1)?)?;
    let is_spatial = g.shape("synthesis.layer0.apply_noise.weight").is_some_and(|s| s.len() == 1);
    let const_input = g.has("synthesis.layer0.const");
    let first = if const_input { "synthesis.layer0.const" } else { "synthesis.layer0.weight" };
    Ok(stylegan::Config {
        resolution: 2usize << blocks.min(16),
        base: [g.size(first, 2)?, g.size(first, 3)?],
        z_space_dim: mapping.latent,
        w_space_dim: mapping.style,
        label_size: mapping.classes,
        mapping_layers: mapping.layers,
        mapping_fmaps: mapping.hidden,
        repeat_w: mapping.is_shared,
        image_channels: g.size("synthesis.output0.weight", 0)?,
        const_input,
        noise_type: if is_spatial { NoiseType::Spatial } else { NoiseType::Channel },
        fmaps_base,
        fmaps_max,
        ..stylegan::Config::default()
    })
}

fn pggan(g: &Shapes) -> Result<pggan::Config, String> {
    let blocks = g.count(0, |k| format!("output{k}.weight"));
    let channels = channels(g, blocks, |k| format!("output{k}.weight"), 1)?;
    let [fmaps_base, fmaps_max] = table(&channels)?;
    // Doubling layers store [in, out, 3, 3] where the convolution itself doubles.
    let outputs = |k: usize| Ok::<_, String>((g.size(&format!("layer{}.weight", 2 * k), 0)?, k));
    let weights = (1..blocks).map(outputs).collect::<Result<Vec<_>, _>>()?;
    let is_fused = weights.iter().any(|&(first, k)| first != channels[&(4 << k)]);
    Ok(pggan::Config {
        resolution: 2usize << blocks.min(16),
        base: [g.size("layer0.weight", 2)?, g.size("layer0.weight", 3)?],
        z_space_dim: g.size("layer0.weight", 1)?,
        image_channels: g.size("output0.weight", 0)?,
        fused_scale: FusedScale::All(is_fused),
        fmaps_base,
        fmaps_max,
        ..pggan::Config::default()
    })
}

/// With what the shapes of the discriminator say.
fn with_discriminator(config: Config, d: &Shapes) -> Result<Config, String> {
    let blocks = config.resolution().ilog2() as usize - 1;
    let layer = |k: usize, axis| d.size(&format!("layer{k}.weight"), axis);
    let behind = 2 * (blocks - 1);
    let maps = layer(behind, 1)?.saturating_sub(layer(behind, 0)?);
    let (width, scores) = (layer(behind + 1, 0)?, layer(behind + 2, 0)?);
    let group = |published: usize| if maps > 0 { published } else { 0 };
    Ok(match config {
        Config::StyleGan2(config) => Config::StyleGan2(stylegan2::Config {
            discriminator: match (d.has("skip_layer0.weight"), d.has("input1.weight")) {
                (true, _) => Architecture::Residual,
                (_, true) => Architecture::Skip,
                _ => Architecture::Origin,
            },
            score_width: Some(width).filter(|width| *width != config.channels[&4]),
            stddev_maps: maps,
            ..config
        }),
        Config::StyleGan(config) => Config::StyleGan(stylegan::Config {
            minibatch_std_group_size: group(4),
            minibatch_std_channels: maps.max(1),
            ..config
        }),
        Config::Pggan(config) => Config::Pggan(pggan::Config {
            minibatch_std_group_size: group(16),
            label_size: scores.saturating_sub(1),
            z_space_dim: config.z_space_dim.saturating_sub(scores.saturating_sub(1)),
            ..config
        }),
        other => other,
    })
}
