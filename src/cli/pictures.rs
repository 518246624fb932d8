//! What commands that make pictures have in common: the network, and how its pictures look.

#![expect(clippy::disallowed_methods, reason = "a random seed is taken from the clock")]

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::DeviceArgs;
use super::bench::at_least_one;
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::models::{Sizes, System};
use crate::sample::{Look, Noise, Sampler};
use crate::train::snapshot::Trained;
use crate::train::{folder, snapshot};
use crate::{Error, Result};

/// Most modes of truncation.
const MAX_MODES: usize = 256;

/// A network.
#[derive(clap::Args, Debug)]
pub(super) struct FileArgs {
    /// Run folder (its newest snapshot) or snapshot file
    #[arg(long, value_name = "RUN_OR_FILE")]
    pub(super) network: PathBuf,
    /// Class of all pictures, where the network has classes
    #[arg(long, value_name = "N")]
    pub(super) class: Option<usize>,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

/// A network, and how its pictures look.
#[derive(clap::Args, Debug)]
pub(super) struct NetworkArgs {
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) truncation: Truncation,
    /// Where the noise of a picture comes from
    #[arg(long, value_enum, default_value_t = NoiseMode::Const)]
    pub(super) noise_mode: NoiseMode,
}

/// How far samples may be from the mean.
#[derive(clap::Args, Debug, Clone, Copy)]
pub(super) struct Truncation {
    /// Truncation psi: 1 is the network's whole variety, 0 the mean picture
    #[arg(
        long = "trunc",
        default_value_t = 1.0,
        value_name = "PSI",
        allow_negative_numbers = true
    )]
    psi: f64,
    /// Pull toward the nearest of so many modes of the styles instead of their mean
    #[arg(long = "trunc-modes", value_name = "K", value_parser = at_least_one())]
    modes: Option<usize>,
    /// Layers that are truncated, from the first on [default: all]
    #[arg(long = "trunc-cutoff", value_name = "LAYERS")]
    cutoff: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum NoiseMode {
    /// From the seed: the same picture every time
    Const,
    /// New at every call
    Random,
    /// None
    None,
}

impl NoiseMode {
    fn noise(self) -> Noise {
        match self {
            Self::Const => Noise::Const,
            Self::None => Noise::None,
            Self::Random => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Noise::Random(now.as_nanos() as u64)
            }
        }
    }
}

impl Truncation {
    /// As all pictures are to be, with noise of a mode.
    pub(super) fn look(self, noise: NoiseMode) -> Result<Look> {
        if !self.psi.is_finite() {
            return Err(Error::config("--trunc", format!("{} is not a number", self.psi)));
        }
        let Self { psi, cutoff, .. } = self;
        Ok(Look { psi, cutoff, noise: noise.noise(), ..Look::default() })
    }
}

/// A snapshot that was found; its numbers have not been read yet.
pub(super) struct Found {
    file: Checkpoint,
    look: Look,
    modes: Option<usize>,
    /// What goes into the generator, and what comes out.
    pub(super) sizes: Sizes,
    /// Which networks.
    pub(super) system: System,
}

/// A network for pictures.
pub(super) struct Opened {
    trained: Trained,
    look: Look,
    modes: Option<usize>,
    /// The snapshot's path.
    pub(super) source: String,
    /// Where it computes.
    pub(super) device: Device,
}

impl FileArgs {
    /// Finds the snapshot, and refuses a class that does not fit the network.
    pub(super) fn find(&self) -> Result<Found> {
        let (file, passed_over) = folder::network(&self.network)?;
        let config = snapshot::network_config(&file)?;
        passed_over.iter().for_each(|p| say!("passed over {p}"));
        let (sizes, system) = (config.sizes(), config.system());
        match (self.class, sizes.classes) {
            (Some(_), 0) => {
                return Err(Error::config("--class", "the network has no classes; leave it out"));
            }
            (Some(class), n) if class >= n => {
                return Err(Error::config(
                    "--class",
                    format!("{class} is not from 0 to {}", n - 1),
                ));
            }
            (None, n @ 1..) => {
                let reason = format!("is missing: the network has classes 0 to {}", n - 1);
                return Err(Error::config("--class", reason));
            }
            _ => {}
        }
        let look = Look { class: self.class, ..snapshot::look(&file) };
        Ok(Found { file, look, modes: None, sizes, system })
    }
}

impl NetworkArgs {
    /// Finds the snapshot, and refuses flags that do not fit the network.
    pub(super) fn find(&self) -> Result<Found> {
        let look = self.truncation.look(self.noise_mode)?;
        let found = self.file.find()?;
        if look.psi != 1.0 && found.sizes.style.is_none() {
            let name = found.system.name();
            let reason = format!("{name} has no styles that could be truncated; leave it out");
            return Err(Error::config("--trunc", reason));
        }
        let modes = self.truncation.modes;
        if let Some(k) = modes.filter(|&k| k > MAX_MODES) {
            let reason = format!("{k} modes; {MAX_MODES} at most");
            return Err(Error::config("--trunc-modes", reason));
        }
        let Look { psi, cutoff, noise, .. } = look;
        Ok(Found { look: Look { psi, cutoff, noise, ..found.look }, modes, ..found })
    }

    /// Finds the snapshot, opens the device and reads the network.
    pub(super) fn open(&self) -> Result<Opened> {
        self.find()?.open(&self.file.device)
    }
}

impl Found {
    /// Opens the device and reads the network.
    pub(super) fn open(self, device: &DeviceArgs) -> Result<Opened> {
        let device = device.open()?;
        let trained = snapshot::generator(&self.file, &device)?;
        let source = self.file.path.display().to_string();
        Ok(Opened { trained, look: self.look, modes: self.modes, source, device })
    }
}

impl Opened {
    /// The network and its mean style.
    pub(super) fn trained(&self) -> &Trained {
        &self.trained
    }

    /// The network, to be changed.
    pub(super) fn trained_mut(&mut self) -> &mut Trained {
        &mut self.trained
    }

    /// How its pictures look.
    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Its pictures.
    pub(super) fn sampler(&self) -> Result<Sampler<'_>> {
        self.sampler_with(self.look.noise)
    }

    /// Its pictures with other noise.
    pub(super) fn sampler_with(&self, noise: Noise) -> Result<Sampler<'_>> {
        let sampler = self.trained.pictures(Look { noise, ..self.look });
        match self.modes {
            Some(k) if self.look.psi != 1.0 => sampler.with_modes(k),
            _ => Ok(sampler),
        }
    }
}
