//! `semgan groups edit`: codes of some groups from another picture.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{CommonArgs, Opened};
use crate::cli::pictures::NoiseMode;
use crate::edit::figures::edit_sheet;
use crate::edit::sarigan::{Edit, Editor, Strip, Target, interpolate, layer_groups, parse_layers};
use crate::sample::{Rgb, parse_groups, ranges, save_png};
use crate::{Error, Result};

/// Replaces the codes of some groups by another picture's, in steps
///
/// Prints a line per step:
///   t               how far it is, from the picture's own codes (0) to the other's (1)
///   change          mean absolute difference from step 0, of 255
///   change outside  share of it outside the region of the groups: where the mean of their channels,
///                   in the unedited picture, is above its own mean
/// The share of the area outside stands above: an edit that knows nothing of the region has both equal.
///
/// With --outdir:
///   edit-0.png ...  the steps
///   edit.png        all of them: first where the groups are active, with the outline of the region;
///                   then the steps, and below each its difference from step 0, mean over RGB, on one
///                   scale from dark to bright for all; last the picture of --from
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Run folder (its newest snapshot) or snapshot file
    #[arg(long, value_name = "RUN_OR_FILE")]
    network: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
    /// A key (convs.3), a resolution (both its layers) or all
    #[arg(long)]
    layer: String,
    /// Groups, like 3,5-7; `semgan groups` lists what there is
    #[arg(long, value_name = "GROUPS")]
    group: String,
    /// Seed of the picture that is edited
    #[arg(long)]
    seed: u64,
    /// Seed of the picture whose codes are taken
    #[arg(long, value_name = "SEED")]
    from: u64,
    /// Take the codes of the channels inside the groups
    #[arg(long)]
    intra: bool,
    /// Take the codes of the groups as wholes
    #[arg(long)]
    inter: bool,
    /// Steps from the picture's own codes to the other's, both ends included
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=64))]
    steps: u8,
    /// Where the noise of the pictures comes from
    #[arg(long, value_enum, default_value_t = NoiseMode::Const)]
    noise_mode: NoiseMode,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.intra && !args.inter {
        let reason = "give --intra for the codes of the channels inside the groups, --inter for \
                      those of the groups as wholes, or both";
        return Err(Error::config("--intra, --inter", reason).into());
    }
    let wanted = parse_groups(&args.group)?;
    let opened = args.common.open(&args.network, args.noise_mode)?;
    let editor = Editor::new(&opened.trained, opened.look);
    let layers = parse_layers(editor.g, &args.layer)?;
    let targets = Target::find(&layer_groups(&editor)?, &layers, &wanted)?;
    let edit = Edit { targets, inter: args.inter, intra: args.intra };
    let steps = usize::from(args.steps);
    let strip = interpolate(&editor, &edit, [args.seed, args.from], steps)?;
    if let Some(dir) = &args.common.outdir {
        let other = editor.sampler().picture(args.from)?;
        save(dir, args, &opened, &strip, &other)?;
        say!("{steps} pictures and edit.png in {}", dir.display());
    }
    let mut out = std::io::stdout().lock();
    if args.common.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report(args, &opened, &edit, &strip))?)?;
    } else {
        table(&mut out, &edit, &strip)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(args: &Args, opened: &Opened, edit: &Edit, strip: &Strip) -> Value {
    let targets = edit.targets.iter();
    let targets = targets.map(|t| json!({"layer": t.key(), "groups": t.groups}));
    let steps = strip.steps.iter().map(|step| {
        json!({
            "t": step.t, "change": step.change.mean(),
            "share_outside": step.share_outside(&strip.region),
        })
    });
    json!({
        "network": opened.source, "seed": args.seed, "from": args.from, "psi": opened.look.psi,
        "inter": edit.inter, "intra": edit.intra, "targets": targets.collect::<Value>(),
        "area_outside": strip.area_outside(), "steps": steps.collect::<Value>(),
    })
}

fn table(out: &mut impl Write, edit: &Edit, strip: &Strip) -> std::io::Result<()> {
    for target in &edit.targets {
        writeln!(out, "{}: group {}", target.key(), ranges(&target.groups))?;
    }
    writeln!(out, "area outside the region: {:.1}%", 100.0 * strip.area_outside())?;
    writeln!(out, "{:>4} {:>6} {:>8} {:>15}", "step", "t", "change", "change outside")?;
    for (k, step) in strip.steps.iter().enumerate() {
        let outside = step.share_outside(&strip.region);
        let outside = outside.map_or("-".into(), |share| format!("{:.1}%", 100.0 * share));
        writeln!(out, "{k:>4} {:>6.3} {:>8.3} {outside:>15}", step.t, step.change.mean())?;
    }
    Ok(())
}

/// Writes the pictures of the steps, and the strip.
fn save(dir: &Path, args: &Args, opened: &Opened, strip: &Strip, other: &Rgb) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let [seed, from] = [args.seed, args.from].map(|seed| seed.to_string());
    let psi = opened.look.psi.to_string();
    let codes = match (args.intra, args.inter) {
        (true, true) => "intra, inter",
        (true, false) => "intra",
        _ => "inter",
    };
    let text = [
        ("seed", seed.as_str()),
        ("from", &from),
        ("psi", &psi),
        ("network", &opened.source),
        ("layer", &args.layer),
        ("group", &args.group),
        ("codes", codes),
    ];
    for (k, step) in strip.steps.iter().enumerate() {
        let t = step.t.to_string();
        let text = [&text[..], &[("t", &t)]].concat();
        save_png(dir.join(format!("edit-{k}.png")), &step.picture, &text)?;
    }
    save_png(dir.join("edit.png"), &edit_sheet([args.seed, args.from], strip, other), &text)
}
