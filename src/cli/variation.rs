//! `semgan variation`: what noise alone does to a picture.

use std::path::PathBuf;
use std::process::ExitCode;

use super::bench::at_least_one;
use super::pictures::NetworkArgs;
use crate::sample::{Noise, Rgb, Sheet, cell_side, parse_seeds, save_png};
use crate::{Error, Result};

/// Shows what noise does to pictures: one, their mean and their deviation over many noises
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pictures: NetworkArgs,
    /// Seeds, like 0-3
    #[arg(long, default_value = "0-3")]
    seeds: String,
    /// Noises of each picture
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one())]
    samples: usize,
    /// The sheet that is written
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
}

/// Rows of a sheet at most.
const MAX_SEEDS: usize = 64;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seeds = parse_seeds(&args.seeds)?;
    if seeds.len() > MAX_SEEDS {
        let reason = format!("{} rows are too many for a sheet; {MAX_SEEDS} at most", seeds.len());
        return Err(Error::config("--seeds", reason).into());
    }
    let found = args.pictures.find()?;
    if found.sizes.noise.is_empty() {
        let reason = "the network takes no noise: there is no variation to show";
        return Err(Error::config("--network", reason).into());
    }
    let opened = found.open(&args.pictures.file.device)?;
    let (still, moved) = (opened.sampler()?, opened.sampler_with(Noise::Random(0))?);
    let labels: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let columns = ["one", "mean", "deviation"].map(str::to_owned);
    let mut sheet: Option<Sheet> = None;
    for (row, &seed) in seeds.iter().enumerate() {
        let styles = still.styles(&still.w(seed));
        // The numbers of the noises of one seed are its own.
        let noise = |k: usize| moved.noise((seed << 32) + k as u64);
        let wanted = (0..args.samples).map(|k| (styles.clone(), noise(k)));
        let all: Vec<Rgb> = still.pictures_of(wanted).collect::<Result<_>>()?;
        let [mean, deviation] = moments(&all);
        let side = cell_side(mean.width);
        let sheet = sheet.get_or_insert_with(|| Sheet::new(side, &columns, &labels));
        for (column, picture) in [&still.picture(seed)?, &mean, &deviation].into_iter().enumerate()
        {
            sheet.place(column, row, &picture.resized(side));
        }
    }
    let sheet = sheet.expect("a list of seeds has one").into_picture();
    let (samples, source) = (args.samples.to_string(), &opened.source);
    let text = [("seeds", &*args.seeds), ("samples", &*samples), ("network", source)];
    save_png(&args.out, &sheet, &text)?;
    say!("{}", args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// Mean of pictures, and their deviation, grey and stretched so that its largest is white.
fn moments(pictures: &[Rgb]) -> [Rgb; 2] {
    let n = pictures.len() as f64;
    let of = |i: usize| pictures.iter().map(move |p| f64::from(p.pixels[i]));
    let size = pictures[0].pixels.len();
    let means: Vec<f64> = (0..size).map(|i| of(i).sum::<f64>() / n).collect();
    let variance = |i: usize| of(i).map(|v| (v - means[i]).powi(2)).sum::<f64>() / n;
    let deviation = |i: usize| ((0..3).map(|c| variance(3 * i + c)).sum::<f64>() / 3.0).sqrt();
    let deviations: Vec<f64> = (0..size / 3).map(deviation).collect();
    let most = deviations.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let grey = deviations.iter().flat_map(|d| [(255.0 * d / most).round() as u8; 3]);
    let mean = means.iter().map(|mean| mean.round() as u8).collect();
    [mean, grey.collect()].map(|pixels| Rgb { pixels, ..pictures[0].clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_of_each_pixel() {
        let picture = |pixels: [u8; 6]| Rgb { width: 2, height: 1, pixels: pixels.to_vec() };
        let [mean, deviation] =
            moments(&[picture([0, 4, 9, 9, 9, 9]), picture([8, 4, 9, 9, 9, 11])]);
        assert_eq!(mean.pixels, [4, 4, 9, 9, 9, 10]);
        assert_eq!(deviation.pixels, [255, 255, 255, 64, 64, 64]);
    }
}
