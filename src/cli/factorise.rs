//! `semgan factorise`: the directions that a network's weights tell.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::pictures::{NetworkArgs, Opened};
use crate::checkpoint::save_tensors;
use crate::edit::factorization::{Factorization, closed_form, stacked};
use crate::sample::{Rgb, Sheet, cell_side, parse_layers, parse_list, parse_seeds, save_png};
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Finds the directions of the style space that change pictures most (closed form, SeFa)
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Directions that are shown, like 0-4; the first ones change most
    #[arg(long, value_name = "NUMBERS", default_value = "0-4")]
    directions: String,
    /// Seeds whose pictures move along them
    #[arg(long, default_value = "0-3")]
    seeds: String,
    /// How far they move, to both sides
    #[arg(long, value_name = "LENGTH", default_value_t = 5.0)]
    degree: f64,
    /// Pictures of each movement
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..))]
    steps: u8,
    /// Layers whose styles move, like 0-3 [default: all]
    #[arg(long, value_name = "LAYERS")]
    styles: Option<String>,
    /// Folder for factors.safetensors and a strip for each direction; without it there are none
    #[arg(long, value_name = "DIR")]
    outdir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seeds = parse_seeds(&args.seeds)?;
    let shown = parse_list("--directions", "direction", &args.directions)?;
    let shown: Vec<usize> = shown.into_iter().map(|k| k as usize).collect();
    if !args.degree.is_finite() {
        return Err(Error::config("--degree", format!("{} is not a number", args.degree)).into());
    }
    let opened = args.pictures.open()?;
    let sizes = opened.trained().config.sizes();
    let layers = match &args.styles {
        Some(text) => parse_layers(text, sizes.layers)?,
        None => (0..sizes.layers).collect(),
    };
    let params = &opened.trained().network.params;
    let params = params.split(params.slab())?;
    let (weight, width) = stacked(&opened.trained().config, &params);
    let found = closed_form(&weight, width);
    if let Some(&k) = shown.iter().find(|&&k| k >= width) {
        let reason = format!("there is no direction {k}, only 0 to {}", width - 1);
        return Err(Error::config("--directions", reason).into());
    }
    if let Some(dir) = &args.outdir {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        save(dir, args, &opened, &found, (&seeds, &shown, &layers))?;
        say!("{} strips and factors.safetensors in {}", shown.len(), dir.display());
    }
    let total: f64 = found.singular.iter().map(|s| s * s).sum();
    let mut out = std::io::stdout().lock();
    if args.json {
        let report =
            json!({ "network": opened.source, "width": width, "singular": found.singular });
        writeln!(out, "{report:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "direction  singular value  share")?;
    for &k in &shown {
        let value = found.singular[k];
        writeln!(out, "{k:9}  {value:14.4}  {:4.1}%", 100.0 * value * value / total)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn save(
    dir: &std::path::Path,
    args: &Args,
    opened: &Opened,
    found: &Factorization,
    (seeds, shown, layers): (&[u64], &[usize], &[usize]),
) -> Result<()> {
    let width = found.singular.len();
    let direction = |k: usize| -> Vec<f32> {
        (0..width).map(|i| found.vectors[i * width + k] as f32).collect()
    };
    let singular: Vec<f32> = found.singular.iter().map(|&s| s as f32).collect();
    let rows: Vec<f32> = (0..width).flat_map(direction).collect();
    let tensors = [
        ("singular".to_owned(), ([width].into(), singular)),
        ("directions".to_owned(), ([width, width].into(), rows)),
    ];
    save_tensors(&dir.join("factors.safetensors"), &tensors.into())?;
    let sampler = opened.sampler()?;
    let steps = usize::from(args.steps);
    let at = |k: usize| args.degree * (2.0 * k as f64 / (steps - 1) as f64 - 1.0);
    let columns: Vec<String> = (0..steps).map(|k| format!("{:.1}", at(k))).collect();
    let labels: Vec<String> = seeds.iter().map(u64::to_string).collect();
    for &k in shown {
        let along = Tensor::from_slice(&direction(k), [1, width], &opened.device);
        let moved = |seed: u64, step: usize| {
            let mut styles = sampler.styles(&sampler.w(seed));
            layers.iter().for_each(|&k| styles[k] = &styles[k] + &along * at(step));
            (styles, sampler.noise(seed))
        };
        let wanted = seeds.iter().flat_map(|&seed| (0..steps).map(move |step| (seed, step)));
        let pictures = sampler.pictures_of(wanted.map(|(seed, step)| moved(seed, step)));
        let pictures: Vec<Rgb> = pictures.collect::<Result<_>>()?;
        let side = cell_side(pictures[0].width);
        let mut sheet = Sheet::new(side, &columns, &labels);
        for (n, picture) in pictures.iter().enumerate() {
            sheet.place(n % steps, n / steps, &picture.resized(side));
        }
        let (psi, number) = (opened.look().psi.to_string(), k.to_string());
        let text = [
            ("direction", &*number),
            ("seeds", &args.seeds),
            ("psi", &psi),
            ("network", &opened.source),
        ];
        save_png(dir.join(format!("direction-{k}.png")), &sheet.into_picture(), &text)?;
    }
    Ok(())
}
