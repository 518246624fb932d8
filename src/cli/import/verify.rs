//! Whether an imported network makes the pictures that it should.

use std::path::Path;
use std::process::ExitCode;

use crate::checkpoint::{Checkpoint, real_tensors};
use crate::cli::DeviceArgs;
use crate::device::Device;
use crate::nn::Values;
use crate::sample::{Look, Rgb, Sampler, grid, save_png};
use crate::tensor::Tensor;
use crate::train::snapshot;
use crate::{Error, Result};

/// Seeds that are rendered.
const SEEDS: std::ops::Range<u64> = 0..4;
/// A picture may be so far from another program's, from -1 to 1: half a level of 255.
const TOLERANCE: f32 = 1.0 / 255.0;

/// Renders the seeds beside the snapshot `out`, and compares with the pictures of a file, or with
/// those in double precision.
pub(super) fn run(out: &Path, reference: Option<&Path>, device: &DeviceArgs) -> Result<ExitCode> {
    let device = device.open()?;
    let file = Checkpoint::load(out)?;
    let trained = snapshot::generator(&file, &device)?;
    let look = Look { class: class(&trained), ..snapshot::look(&file) };
    let sampler = trained.pictures(look);
    let pictures: Vec<Rgb> = sampler.pictures(SEEDS).collect::<Result<_>>()?;
    let sheet = out.with_extension("png");
    save_png(&sheet, &grid(&pictures, 2, 2), &[("seeds", "0-3"), ("psi", "1")])?;
    say!("seeds 0 to 3: {}", sheet.display());
    let (what, (got, want)) = match reference {
        Some(path) => (path.display().to_string(), against_file(&sampler, path, &device)?),
        None => ("double precision".to_owned(), against_twins(&sampler, &file, look)?),
    };
    let differences = got.iter().zip(&want).map(|(got, want)| (got - want).abs());
    let largest = differences.clone().fold(0.0, f32::max);
    let mean_square = differences.map(|d| f64::from(d).powi(2)).sum::<f64>() / got.len() as f64;
    let psnr = 10.0 * (4.0 / mean_square.max(1e-20)).log10();
    say!(
        "against {what}: largest error {largest:.2e} of {} numbers from -1 to 1, PSNR {psnr:.1} dB",
        got.len()
    );
    Ok(if largest <= TOLERANCE { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn class(trained: &snapshot::Trained) -> Option<usize> {
    (trained.config.sizes().classes > 0).then_some(0)
}

/// Numbers of pictures: those of this device, and those that they should be.
type Compared = (Vec<f32>, Vec<f32>);

/// Against pictures that another program made of the latents in the same file.
fn against_file(sampler: &Sampler, path: &Path, device: &Device) -> Result<Compared> {
    let file = real_tensors(path)?;
    let z = find(&file, &["z", "in.z", "in.z0"]);
    let names = ["image", "out.image", "out.generator_smooth.image"];
    let (Some(z), Some(image)) = (z, find(&file, &names)) else {
        let reason = "has no tensors z [N, Z] and image [N, 3, H, W] to compare with";
        return Err(Error::checkpoint(path, reason));
    };
    let [height, width] = sampler.sizes().picture;
    let n = z.0.first().copied().unwrap_or(0);
    if *z.0 != [n, sampler.sizes().latent] || *image.0 != [n, 3, height, width] {
        let reason = format!("z {:?} and image {:?} are of another network", z.0, image.0);
        return Err(Error::checkpoint(path, reason));
    }
    let z = Tensor::from_slice(&z.1, &z.0, device);
    let styles = sampler.styles(&sampler.map(&z, sampler.labels(n).as_ref()));
    let noise = given_noise(&file, sampler, n, device).unwrap_or_else(|| sampler.own_noise());
    let got = sampler.synthesize(&styles, &noise).to_vec()?;
    Ok((got, image.1.clone()))
}

fn find<'a>(file: &'a Values, names: &[&str]) -> Option<&'a (crate::tensor::Shape, Vec<f32>)> {
    names.iter().find_map(|name| file.get(*name))
}

/// The noise of every layer, where the file has it.
fn given_noise(file: &Values, sampler: &Sampler, n: usize, device: &Device) -> Option<Vec<Tensor>> {
    let layer = |(k, [c, h, w]): (usize, &[usize; 3])| {
        let names = [format!("noise{k}"), format!("in.noise{k}")];
        let (shape, values) = find(file, &names.each_ref().map(String::as_str))?;
        let fits = shape[1..] == [*c, *h, *w] && [1, n].contains(&shape[0]);
        fits.then(|| Tensor::from_slice(values, shape, device))
    };
    sampler.sizes().noise.iter().enumerate().map(layer).collect()
}

/// Against the pictures of the same seeds in double precision.
fn against_twins(sampler: &Sampler, file: &Checkpoint, look: Look) -> Result<Compared> {
    let twins = snapshot::generator(file, &Device::reference())?;
    let twins = twins.pictures(look);
    let mut compared = (Vec::new(), Vec::new());
    for seed in SEEDS {
        let numbers = |sampler: &Sampler| {
            let styles = sampler.styles(&sampler.w(seed));
            sampler.synthesize(&styles, &sampler.noise(seed)).to_vec()
        };
        compared.0.extend(numbers(sampler)?);
        compared.1.extend(numbers(&twins)?);
    }
    Ok(compared)
}
