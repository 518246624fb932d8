//! What a run will need, before it begins: parameters, memory, time.

#![expect(clippy::disallowed_methods, reason = "speed is measured")]

use std::time::Instant;

use super::options::Options;
use crate::device::Device;
use crate::memory::human;
use crate::models::sarigan::Form;
use crate::nn::Builder;
use crate::ops::conv::Conv2d;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Bytes per trainable number: of the generator itself, its average, moment, gradient and an update
/// in flight; of the discriminator the same without an average.
const BYTES_PER_PARAMETER: [u64; 2] = [20, 16];
/// Tensors of a layer's size that the worst phase holds at once. Measured: 28 to 33.
const LIVE_TENSORS: u64 = 32;
/// Of the feature form, whose normalised inputs are tensors of their own. Measured: 33 to 34.
const LIVE_TENSORS_FEATURE: u64 = 36;
/// A CPU's process also holds code, pictures and scratch of the matrix products.
const HOST_OVERHEAD: f64 = 1.6;
/// Bytes per trainable number while a snapshot is written: of the generator, its average and moment,
/// and of the discriminator and its moment, as numbers and as a file.
const SNAPSHOT_BYTES: [u64; 2] = [24, 16];
/// Forward passes that an iteration's convolutions cost: 4.75 of the generator, 8.4 of the
/// discriminator, lazy phases averaged in.
const PASSES: [f64; 2] = [4.75, 8.375];
/// Times that an iteration goes over every layer's output otherwise. Measured: 90 to 160.
const SWEEPS: f64 = 120.0;
/// Work of one convolution whose speed is measured.
const PROBE_FLOPS: f64 = 4e8;
/// Elements that are swept to measure the speed of that.
const PROBE_ELEMENTS: usize = 1 << 20;

/// Needs of a run on a device.
#[derive(Clone, Debug)]
pub struct Plan {
    device: Device,
    /// Trainable numbers of the generator and the discriminator.
    pub parameters: [usize; 2],
    /// Bytes for the layers' outputs of one picture.
    pub picture_bytes: u64,
    /// The largest of these outputs.
    pub largest_bytes: u64,
    /// Bytes that the device has; `None` where the driver does not tell.
    pub available_bytes: Option<u64>,
    /// What a kernel can bind of a tensor, which has to hold one picture; `None` without limit.
    pub binding_bytes: Option<u64>,
}

impl Plan {
    /// Of a run that has not begun. Nothing is allocated.
    pub fn new(options: &Options, device: &Device) -> Self {
        let config = &options.network;
        let parameters = [
            count(|b| drop(config.generator(b, device))),
            count(|b| drop(config.discriminator(b, device))),
        ];
        let live = match config.sarigan().map(|config| config.form) {
            Some(Form::Feature) => LIVE_TENSORS_FEATURE,
            _ => LIVE_TENSORS,
        };
        let levels = config.levels();
        let planes: usize = levels.iter().map(|(size, channels)| size * size * channels).sum();
        // Before its blur a layer's output has a border of up to three pixels.
        let largest = levels.iter().map(|(size, channels)| (size + 3).pow(2) * channels).max();
        Self {
            device: device.clone(),
            parameters,
            picture_bytes: 4 * live * planes as u64,
            largest_bytes: 4 * largest.unwrap_or(0) as u64,
            available_bytes: device.memory_bytes(),
            binding_bytes: device.max_tensor_bytes(),
        }
    }

    /// Bytes of the process (`cpu`, `reference`) or of the device with so many pictures at once.
    pub fn bytes(&self, batch_gpu: usize) -> u64 {
        let bytes = self.parameter_sum(BYTES_PER_PARAMETER) + self.picture_bytes * batch_gpu as u64;
        let host = |factor: f64| (factor * HOST_OVERHEAD * bytes as f64) as u64;
        let snapshot = self.parameter_sum(SNAPSHOT_BYTES);
        match self.device {
            Device::Gpu(_) => bytes,
            Device::Cpu(_) => host(1.0) + snapshot,
            Device::Reference(_) => host(2.0) + snapshot,
        }
    }

    /// So many bytes for each trainable number of the generator and of the discriminator.
    fn parameter_sum(&self, bytes: [u64; 2]) -> u64 {
        self.parameters.iter().zip(bytes).map(|(&n, bytes)| n as u64 * bytes).sum()
    }

    fn fits(&self, batch_gpu: usize) -> bool {
        self.available_bytes.is_none_or(|available| self.bytes(batch_gpu) <= available)
    }

    /// The most pictures at once, up to `--batch-gpu`, that fit and train the same.
    pub fn fitting(&self, options: &Options) -> Option<usize> {
        let is_possible = |&batch_gpu: &usize| {
            self.fits(batch_gpu) && Options { batch_gpu, ..options.clone() }.parts().is_ok()
        };
        (1..=options.batch_gpu).rev().find(is_possible)
    }

    /// Refuses a run that does not fit, and says which flag makes it fit.
    ///
    /// # Errors
    /// Naming `--batch-gpu`, or what else helps.
    pub fn check(&self, options: &Options) -> Result<()> {
        let (pictures, device) = (options.batch_gpu, self.device.describe());
        if let Some(most) = self.binding_bytes.filter(|&most| self.largest_bytes > most) {
            let (picture, most) = (human(self.largest_bytes), human(most));
            let reason = format!(
                "a layer of one picture takes {picture}, and {device} binds {most} at most; a \
                 smaller --res or --preset lowers it"
            );
            return Err(Error::config("--res", reason));
        }
        if self.fits(pictures) {
            return Ok(());
        }
        let helps = match self.fitting(options) {
            Some(n) => format!("--batch-gpu {n} fits and trains the same"),
            None => "a smaller --mbstd-group with --batch-gpu, --res or --preset lowers it".into(),
        };
        let needed = human(self.bytes(pictures));
        let available = human(self.available_bytes.unwrap_or(0));
        let reason = format!(
            "{pictures} pictures at once need about {needed}, and {device} has {available}"
        );
        Err(Error::config("--batch-gpu", format!("{reason}; {helps}")))
    }

    /// The memory with so many pictures at once, for people.
    pub fn memory(&self, batch_gpu: usize) -> String {
        let available = match self.available_bytes {
            Some(bytes) => format!("{} are available", human(bytes)),
            None => "the driver does not tell how much there is".into(),
        };
        format!(
            "about {}: networks and optimiser {}, layers of {batch_gpu} pictures {}; {available}",
            human(self.bytes(batch_gpu)),
            human(self.parameter_sum(BYTES_PER_PARAMETER)),
            human(self.picture_bytes * batch_gpu as u64)
        )
    }
}

/// Trainable numbers of what `build` makes.
fn count(build: impl FnOnce(&mut Builder)) -> usize {
    let mut builder = Builder::default();
    build(&mut builder);
    builder.count()
}

/// Seconds that an iteration will take about, from the measured speed of one convolution at each
/// resolution and of one activation.
///
/// # Errors
/// What the device reports.
pub fn seconds_per_step(options: &Options, device: &Device) -> Result<f64> {
    let config = &options.network;
    let sweep = sweep_seconds(device)?;
    let mut seconds = 0.0;
    let mut below = 0;
    for (size, channels) in config.levels() {
        let speed = convolution_speed(size, channels, options.batch_gpu, device)?;
        // Two 3x3 convolutions, one of them at half the resolution on one side.
        let pixels = (size * size) as f64;
        let flops = 18.0 * pixels * (channels * channels + channels * below / 4) as f64;
        seconds += flops * (PASSES[0] + PASSES[1]) / speed;
        seconds += SWEEPS * pixels * channels as f64 * sweep;
        below = channels;
    }
    Ok(seconds * options.batch as f64)
}

/// Floating-point operations per second of the 3x3 convolution at one resolution.
fn convolution_speed(
    size: usize,
    channels: usize,
    batch_gpu: usize,
    device: &Device,
) -> Result<f64> {
    let flops_each = 18.0 * (size * size * channels * channels) as f64;
    let batch = (PROBE_FLOPS / flops_each).ceil().min(batch_gpu as f64) as usize;
    let x = Tensor::full(0.5, [batch, channels, size, size], device);
    let w = Tensor::full(0.01, [channels, channels, 3, 3], device);
    let seconds = measured(device, || drop(x.conv2d(&w, &Conv2d::padded(1))))?;
    Ok(flops_each * batch as f64 / seconds)
}

/// Seconds per element of an activation.
fn sweep_seconds(device: &Device) -> Result<f64> {
    let x = Tensor::full(0.5, [PROBE_ELEMENTS], device);
    let seconds = measured(device, || drop(x.map(|x| (x * 1.5 + 0.5).leaky_relu(0.2))))?;
    Ok(seconds / PROBE_ELEMENTS as f64)
}

/// The better of two runs; one before them compiles.
fn measured(device: &Device, work: impl Fn()) -> Result<f64> {
    let run = || {
        let start = Instant::now();
        work();
        device.sync()?;
        Ok::<_, Error>(start.elapsed().as_secs_f64())
    };
    run()?;
    Ok(run()?.min(run()?).max(1e-9))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::models::sarigan::Config;
    use crate::train::Recipe;

    fn options(network: Config, batch: usize) -> Options {
        Options {
            network: network.into(),
            recipe: Recipe::official(),
            batch,
            batch_gpu: batch,
            seed: 0,
            mirror: false,
            freezed: 0,
            transfer: None,
            origin: serde_json::Value::Null,
            fingerprint: String::new(),
            data: PathBuf::new(),
            kimg: 1.0,
            tick_kimg: 1.0,
            snap_ticks: 1,
            snap_minutes: 1.0,
            keep: 1,
        }
    }

    #[test]
    fn published_networks_have_the_published_number_of_parameters() {
        let of = |network| Plan::new(&options(network, 4), &Device::cpu()).parameters;
        assert_eq!(of(Config::published(256)), [25_199_290, 24_526_401]);
        assert_eq!(of(Config::published(512)), [25_310_723, 24_556_065]);
        assert_eq!(of(Config::published(1024)), [25_367_740, 24_563_473]);
        assert_eq!(of(Config::wide(256)), [30_479_482, 29_389_441]);
        assert_eq!(of(Config::wide(1024)), [30_852_652, 29_537_825]);
    }

    #[test]
    fn a_plan_that_does_not_fit_says_which_flag_helps() {
        let options = options(Config::tiny(64), 16);
        let roomy = Plan::new(&options, &Device::cpu());
        let fitting =
            |bytes| Plan { available_bytes: Some(bytes), ..roomy.clone() }.fitting(&options);
        assert_eq!([16, 9, 3].map(|n| fitting(roomy.bytes(n))), [Some(16), Some(8), None]);
        let error = |plan: &Plan| plan.check(&options).expect_err("too large").to_string();
        assert!(Plan { available_bytes: None, ..roomy.clone() }.check(&options).is_ok());

        let tight = Plan { available_bytes: Some(roomy.bytes(9)), ..roomy.clone() };
        let text = error(&tight);
        assert!(text.starts_with("--batch-gpu: 16 pictures at once need about"), "{text}");
        assert!(text.ends_with("--batch-gpu 8 fits and trains the same"), "{text}");

        let text = error(&Plan { available_bytes: Some(roomy.bytes(3)), ..roomy.clone() });
        assert!(text.contains("a smaller --mbstd-group"), "four share a deviation: {text}");

        let bound = Plan { binding_bytes: Some(roomy.largest_bytes - 1), ..roomy.clone() };
        let text = error(&bound);
        assert!(text.starts_with("--res: a layer of one picture takes"), "{text}");
    }
}
