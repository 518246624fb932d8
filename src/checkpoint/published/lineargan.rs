//! Generators of the linear-semantics release: GenForce's networks under older names, some with the
//! axes of TensorFlow.

use super::genforce_config::{self, Kind};
use super::shapes::Shapes;
use super::{Layout, Leaves, Source, Wanted, genforce};
use crate::models::pggan::{Auto, FusedScale};
use crate::models::{Config, pggan, stylegan};

/// Axes of `[O, I, k, k]` in the stored `[k, k, I, O]`.
const OUT_IN: [usize; 4] = [3, 2, 0, 1];
/// Axes of `[I, O, k, k]` in the stored `[k, k, I, O]`.
const IN_OUT: [usize; 4] = [2, 3, 0, 1];

/// The generator of the release that the file is, where it is one.
pub(super) fn wanted(leaves: &Leaves) -> Result<Option<(Layout, Wanted)>, String> {
    let Some(g) = Shapes::of(leaves, "") else { return Ok(None) };
    let kind = if g.has("synthesis.layer0.style.fc.weight") {
        Kind::StyleGan2
    } else if g.has("synthesis.layer0.epilogue.bias") {
        Kind::StyleGan
    } else if g.has("layer0.wscale.bias") {
        Kind::Pggan
    } else {
        return Ok(None);
    };
    let before = if kind == Kind::Pggan { "" } else { "synthesis." };
    let is_fused = |k: &usize| g.has(&format!("{before}layer{k}.weight"));
    let fused: Vec<usize> = (0..32).filter(is_fused).collect();
    let names = Names { kind, fused };
    let named = |key: &str| names.of(key);
    let config = genforce_config::generator(kind, &g.named(&named))?;
    let config = names.scaled(config)?;
    let prefix = g.prefix;
    let source = move |_: &str, key: &str| match kind {
        Kind::StyleGan2 => genforce::generator(key).map(|source| names.renamed(source)),
        _ => Ok(names.of(key)),
    };
    let wanted = Wanted {
        config,
        parts: vec![("g_ema", prefix)],
        source: Box::new(source),
        w_avg: Some("truncation.w_avg"),
    };
    Ok(Some((Layout::LinearGan, wanted)))
}

/// The release's names of GenForce's keys.
struct Names {
    kind: Kind,
    /// Layers whose convolution changes the resolution, which are stored in another way.
    fused: Vec<usize>,
}

impl Names {
    fn of(&self, key: &str) -> Source {
        self.renamed(Source::of(key))
    }

    /// The same tensor as the release has it.
    fn renamed(&self, source: Source) -> Source {
        let Some((place, name)) = source.key.rsplit_once('.') else { return source };
        let with = |key: String| source.clone().renamed(key);
        let layer = place.strip_prefix("synthesis.").unwrap_or(place);
        let number = layer.strip_prefix("layer").and_then(|k| k.parse().ok());
        let is_fused = number.is_some_and(|k| self.fused.contains(&k));
        match (self.kind, name) {
            (Kind::StyleGan2, "weight") if place.ends_with(".style") || is_dense(place) => {
                with(format!("{place}.fc.weight"))
            }
            (Kind::StyleGan2, "weight") => source.permuted(OUT_IN),
            (Kind::StyleGan2, _) => source,
            (Kind::StyleGan, _) if is_dense(place) => with(format!(
                "{place}.{}",
                if name == "bias" { "wscale.bias" } else { "fc.weight" }
            )),
            (_, "weight") if is_fused && self.kind == Kind::StyleGan => source.permuted(OUT_IN),
            (_, "weight") if is_fused => source.permuted(IN_OUT),
            (_, "weight") if number.is_some() || layer.starts_with("output") => {
                with(format!("{place}.conv.weight"))
            }
            (Kind::Pggan, "bias") => with(format!("{place}.wscale.bias")),
            (Kind::StyleGan, _) => with(self.of_epilogue(place, name, number.is_some())),
            _ => source,
        }
    }

    /// What stands behind a convolution of StyleGAN.
    fn of_epilogue(&self, place: &str, name: &str, is_layer: bool) -> String {
        if let Some(layer) = place.strip_suffix(".apply_noise") {
            return format!("{layer}.epilogue.apply_noise.{name}");
        }
        if let Some(layer) = place.strip_suffix(".style") {
            let part = if name == "bias" { "wscale.bias" } else { "fc.weight" };
            return format!("{layer}.epilogue.style_mod.dense.{part}");
        }
        match name {
            "bias" if is_layer => format!("{place}.epilogue.bias"),
            _ => format!("{place}.{name}"),
        }
    }

    /// With where the convolutions change the resolution.
    fn scaled(&self, config: Config) -> Result<Config, String> {
        let resolution = config.resolution();
        let doubling: Vec<usize> = (1..=resolution.ilog2() as usize - 2).map(|k| 2 * k).collect();
        let matches = |scale: FusedScale| {
            let is_fused = |k: &usize| scale.is_at(4 << (k / 2));
            let wanted: Vec<usize> = doubling.iter().copied().filter(is_fused).collect();
            wanted == self.fused
        };
        let usual = match self.kind {
            Kind::Pggan => FusedScale::All(false),
            _ => FusedScale::Auto(Auto::Auto),
        };
        let scales = [usual, FusedScale::All(false), FusedScale::All(true)];
        let scale = scales.into_iter().find(|&scale| matches(scale));
        let strange = || format!("layers {:?} double in their convolution", self.fused);
        Ok(match config {
            Config::StyleGan(config) => Config::StyleGan(stylegan::Config {
                fused_scale: scale.ok_or_else(strange)?,
                ..config
            }),
            Config::Pggan(config) => {
                Config::Pggan(pggan::Config { fused_scale: scale.ok_or_else(strange)?, ..config })
            }
            other => other,
        })
    }
}

/// Whether a layer is one of the mapping's.
fn is_dense(place: &str) -> bool {
    place.starts_with("mapping.")
}
