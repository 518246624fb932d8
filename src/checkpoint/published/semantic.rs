//! SemanticStyleGAN's files: `g`, `d`, `g_ema` and, as `args`, what the networks are. Widths are
//! told by the tensors.

use std::collections::BTreeMap;

use super::shapes::Shapes;
use super::{Layout, Leaves, Source, Wanted};
use crate::models::semantic_stylegan::Config;
use crate::models::{self, stylegan2};

/// Networks of SemanticStyleGAN, where the file holds them.
pub(super) fn wanted(leaves: &Leaves) -> Result<Option<(Layout, Wanted)>, String> {
    let mut parts = Vec::new();
    for (name, prefix) in [("g", "g."), ("g_ema", "g_ema.")] {
        let shapes = Shapes::of(leaves, prefix);
        let shapes = shapes.filter(|shapes| shapes.has("local_nets.0.to_feat.conv.weight"));
        parts.extend(shapes.map(|shapes| (name, shapes)));
    }
    let Some((_, g)) = parts.first() else { return Ok(None) };
    let args = leaves.tree("args");
    if !args.is_object() {
        return Err("args is missing, which says what the networks of this file are".into());
    }
    let config: Config = serde_json::from_value(args).map_err(|e| format!("args: {e}"))?;
    let d = Shapes::of(leaves, "d.").filter(|d| d.has("convs_img.0.0.weight"));
    let config = Config {
        channels: channels(&config, g)?,
        d_channels: match &d {
            Some(d) => critic_channels(&config, d)?,
            None => stylegan2::channels(config.size.max(4), 2),
        },
        ..config
    };
    let parts = parts.into_iter().chain(d.map(|d| ("d", d)));
    let wanted = Wanted {
        config: models::Config::SemanticStyleGan(config),
        parts: parts.map(|(name, shapes)| (name, shapes.prefix)).collect(),
        source: Box::new(|_, key| Ok(Source::of(key))),
        w_avg: None,
    };
    Ok(Some((Layout::SemanticStyleGan, wanted)))
}

/// Channels of the render net: two layers at each resolution above the smallest.
fn channels(config: &Config, g: &Shapes) -> Result<BTreeMap<usize, usize>, String> {
    let layers = g.count(0, |k| format!("render_net.convs.{k}.weight"));
    let side = |k: usize| config.min_feat_size.checked_shl(k as u32 / 2 + 1);
    let layer = |k: usize| {
        let side = side(k).filter(|_| k < 64).ok_or("a render net of too many layers")?;
        Ok((side, g.size(&format!("render_net.convs.{k}.weight"), 0)?))
    };
    (0..layers).step_by(2).map(layer).collect()
}

/// Channels of the discriminator from the picture down.
fn critic_channels(config: &Config, d: &Shapes) -> Result<BTreeMap<usize, usize>, String> {
    let blocks = d.count(1, |k| format!("convs_img.{k}.conv2.1.weight"));
    let mut channels = BTreeMap::from([(config.size, d.size("convs_img.0.0.weight", 0)?)]);
    for k in (1..=blocks).take(16) {
        let width = d.size(&format!("convs_img.{k}.conv2.1.weight"), 0)?;
        channels.insert(config.size >> k, width);
    }
    Ok(channels)
}
