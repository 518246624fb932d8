//! SariGAN's and rosinality's files: `g`, `d` and `g_ema` under the keys that our networks have.

use std::collections::BTreeMap;

use super::shapes::Shapes;
use super::{Layout, Leaves, Source, Wanted};
use crate::models::stylegan2::{Architecture, Config};
use crate::models::{self, sarigan};

/// Networks of SariGAN or StyleGAN2 under these keys, where the file holds them. A bare state
/// dictionary of a generator counts as its average.
pub(super) fn wanted(leaves: &Leaves) -> Result<Option<(Layout, Wanted)>, String> {
    let mut parts = Vec::new();
    for (name, prefix) in [("g", "g."), ("g_ema", "g_ema."), ("g_ema", "")] {
        let shapes = Shapes::of(leaves, prefix).filter(|shapes| shapes.has("to_rgb1.conv.weight"));
        parts.extend(shapes.map(|shapes| (name, shapes)));
    }
    let Some((_, g)) = parts.first() else { return Ok(None) };
    let d = Shapes::of(leaves, "d.").filter(|d| d.has("convs.0.0.weight"));
    let (layout, config) = match g.has("final_style.weight") {
        true => (Layout::Sarigan, models::Config::Sarigan(sarigan(g, d.as_ref())?)),
        false => (Layout::Rosinality, models::Config::StyleGan2(stylegan2(g, d.as_ref())?)),
    };
    let parts = parts.into_iter().chain(d.map(|d| ("d", d)));
    let wanted = Wanted {
        config,
        parts: parts.map(|(name, shapes)| (name, shapes.prefix)).collect(),
        source: Box::new(|_, key| Ok(Source::of(key))),
        w_avg: Some("latent_avg"),
    };
    Ok(Some((layout, wanted)))
}

/// StyleGAN2 as the shapes say.
fn stylegan2(g: &Shapes, d: Option<&Shapes>) -> Result<Config, String> {
    let n_mlp = g.count(1, |k| format!("style.{k}.weight"));
    if n_mlp == 0 {
        return Err(format!("{}style.1.weight is missing", g.prefix));
    }
    let style_dim = g.size(&format!("style.{n_mlp}.weight"), 0)?;
    let other = |width: usize| Some(width).filter(|&width| width != style_dim);
    let config = Config {
        style_dim,
        n_mlp,
        latent_dim: other(g.size("style.1.weight", 1)?),
        mlp_width: if n_mlp > 1 { other(g.size("style.1.weight", 0)?) } else { None },
        ..synthesis(g)?
    };
    match d {
        Some(d) => discriminator(config, d),
        None => Ok(config),
    }
}

/// What SariGAN's and StyleGAN2's synthesis networks have in common.
fn synthesis(g: &Shapes) -> Result<Config, String> {
    let n_convs = g.count(0, |k| format!("convs.{k}.conv.weight"));
    if n_convs == 0 || !n_convs.is_multiple_of(2) || n_convs > 2 * 16 {
        return Err(format!("{}convs has {n_convs} layers, not two for each doubling", g.prefix));
    }
    let mut channels = BTreeMap::from([(4, g.size("conv1.conv.weight", 1)?)]);
    for k in (0..n_convs).step_by(2) {
        channels.insert(8 << (k / 2), g.size(&format!("convs.{k}.conv.weight"), 1)?);
    }
    let default = Config::default();
    Ok(Config {
        size: 4 << (n_convs / 2),
        base: [g.size("input.input", 2)?, g.size("input.input", 3)?],
        image_channels: g.size("to_rgb1.conv.weight", 1)?,
        channels,
        blur_kernel: g.taps("convs.0.conv.blur.kernel").unwrap_or(default.blur_kernel.clone()),
        ..default
    })
}

/// With what the discriminator's shapes say.
fn discriminator(config: Config, d: &Shapes) -> Result<Config, String> {
    let last = config.channels[&4];
    let width = d.size("final_linear.0.weight", 0)?;
    let is_residual = d.has("convs.1.skip.1.weight");
    Ok(Config {
        discriminator: if is_residual { Architecture::Residual } else { Architecture::Origin },
        score_width: Some(width).filter(|&width| width != last),
        stddev_maps: d.size("final_conv.0.weight", 1)?.saturating_sub(last),
        ..config
    })
}

/// SariGAN as the shapes say, by the published code's rule.
fn sarigan(g: &Shapes, _d: Option<&Shapes>) -> Result<sarigan::Config, String> {
    let base = synthesis(g)?;
    let n_convs = 2 * (base.channels.len() - 1);
    let groups = |k: usize| g.size(&format!("convs.{k}.conv.cluster"), 0);
    let most = groups(0)?;
    let mut groups_at = BTreeMap::new();
    for k in (0..n_convs).step_by(2) {
        let own = groups(k)?;
        if own != most {
            groups_at.insert(8 << (k / 2), own);
        }
    }
    let style_dim = g.size("final_style.weight", 1)?;
    let is_feature = g.size("convs.0.conv.modulation_bases.weight", 0)? == 2 * most;
    Ok(sarigan::Config {
        base: base.base,
        n_mlp: 1 + g.count(1, |k| format!("style.{k}.weight")),
        groups: most,
        groups_at,
        form: if is_feature { sarigan::Form::Feature } else { sarigan::Form::Weight },
        blur_kernel: base.blur_kernel,
        ..sarigan::Config::with_channels(style_dim, base.channels)
    })
}
