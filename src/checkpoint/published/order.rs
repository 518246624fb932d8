//! The order in which other programs store parameters, which numbers them for their optimisers.

use super::To;
use crate::models::Config;

/// Parts of rosinality's generators and SemanticStyleGAN's, in their order; within a part ours is
/// the same.
const ROSINALITY: &[&str] =
    &["style", "final_style", "input", "conv1", "to_rgb1", "convs", "to_rgbs", "noises"];
const SEMANTIC: &[&str] = &["pos_embed", "local_nets", "render_net", "style"];

/// Sorts by the key of each item.
pub(super) fn sort<T>(
    config: &Config,
    to: To,
    is_discriminator: bool,
    items: &mut [T],
    key: impl Fn(&T) -> &String,
) {
    items.sort_by_key(|item| rank(config, to, is_discriminator, key(item)));
}

fn rank(config: &Config, to: To, is_discriminator: bool, key: &str) -> [usize; 4] {
    let first = key.split('.').next().unwrap_or_default();
    let place =
        |parts: &[&str]| parts.iter().position(|part| *part == first).unwrap_or(parts.len());
    match to {
        To::Rosinality if is_discriminator => [0; 4],
        To::Rosinality if key.starts_with("style") || place(ROSINALITY) < ROSINALITY.len() => {
            let parts = if is_semantic(config) { SEMANTIC } else { ROSINALITY };
            [place(parts), 0, 0, 0]
        }
        To::Rosinality => [place(SEMANTIC), 0, 0, 0],
        To::GenForce => genforce(config, is_discriminator, key),
    }
}

fn is_semantic(config: &Config) -> bool {
    config.system().name() == "semantic_stylegan"
}

/// GenForce: mapping, mean, then block by block the layers and what makes a picture of them.
fn genforce(config: &Config, is_discriminator: bool, key: &str) -> [usize; 4] {
    let part = key.strip_prefix("synthesis.");
    let (name, field) = part.unwrap_or(key).split_once('.').unwrap_or((part.unwrap_or(key), ""));
    let group = match key.split('.').next() {
        Some("lod" | "mapping") => 0,
        Some("truncation") => 1,
        _ => 2,
    };
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = digits.parse::<usize>().unwrap_or(0);
    let is_doubled_first = matches!(config, Config::StyleGan2(_)) && !is_discriminator;
    let block = |k: usize| if is_doubled_first { k.div_ceil(2) } else { k / 2 };
    let (block, place) = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "label_weight" | "lod" | "early_layer" => (0, 0),
        "dense" => (number + 1, 0),
        "input" => (number, 1),
        "layer" => {
            (block(number), 2 + number % 2 + usize::from(is_doubled_first && number % 2 == 0))
        }
        "skip_layer" => (number, 5),
        "output" => (number, 6),
        "mapping" => (usize::MAX, 0),
        _ => (usize::MAX - 1, 0),
    };
    [group, block, place, field_rank(config, is_discriminator, name, field)]
}

/// Fields of a layer.
fn field_rank(config: &Config, is_discriminator: bool, name: &str, field: &str) -> usize {
    const STYLEGAN: &[&str] = &[
        "bias",
        "const",
        "weight",
        "apply_noise.weight",
        "apply_noise.noise",
        "style.weight",
        "style.bias",
        "blur.kernel",
    ];
    const OTHER: &[&str] = &[
        "weight",
        "bias",
        "noise_strength",
        "noise",
        "filter.kernel",
        "blur.kernel",
        "style.weight",
        "style.bias",
    ];
    let is_styled = matches!(config, Config::StyleGan(_)) && !is_discriminator;
    let fields = if is_styled && name != "mapping" { STYLEGAN } else { OTHER };
    fields.iter().position(|f| *f == field).unwrap_or(fields.len())
}
