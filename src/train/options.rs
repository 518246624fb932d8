//! What a run was asked to do: every option present and checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::growing::Stage;
use super::recipe::{Phase, Recipe};
use crate::models::{Config, System};
use crate::ops::norm::stddev_group;
use crate::{Error, Result};

/// Options of a run. Those of the first group decide its arithmetic and are fixed once it has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Sizes of the networks.
    pub network: Config,
    /// Phases and weights.
    pub recipe: Recipe,
    /// Pictures per step; of networks that grow, at the full resolution.
    pub batch: usize,
    /// Pictures that are computed at once.
    pub batch_gpu: usize,
    /// Decides every random number of the run.
    pub seed: u64,
    /// Whether pictures are mirrored at random.
    pub mirror: bool,
    /// Layers of the discriminator, from the picture on, that stay as they are.
    #[serde(default)]
    pub freezed: usize,
    /// Run folder or snapshot whose networks are the first ones.
    #[serde(default)]
    pub transfer: Option<PathBuf>,
    /// Where the networks come from, if another program trained them before: whose layout, and its
    /// trainer's arguments.
    #[serde(default)]
    pub origin: Value,
    /// What the pictures are: names and sizes, hashed; empty for networks of another program, which
    /// goes on with any pictures and flags.
    pub fingerprint: String,

    /// Folder or archive of pictures.
    pub data: PathBuf,
    /// Length of the run in thousands of pictures.
    pub kimg: f64,
    /// Thousands of pictures between two progress lines.
    pub tick_kimg: f64,
    /// Progress lines between two snapshots.
    pub snap_ticks: u64,
    /// Minutes after which a snapshot is due in any case.
    pub snap_minutes: f64,
    /// Snapshots that are kept.
    pub keep: usize,
}

impl Options {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// Naming the flag.
    pub fn check(&self) -> Result<()> {
        if self.network.system() == System::SemanticStyleGan && self.transfer.is_none() {
            let reason = "semantic_stylegan needs label maps, which training does not read yet; \
                          --transfer in its place adapts the networks to pictures alone";
            return Err(Error::config("--resume", reason));
        }
        check_res(self.network.resolution())?;
        self.network.check_square()?;
        let positive = [
            ("--batch", self.batch as f64),
            ("--kimg", self.kimg),
            ("--tick", self.tick_kimg),
            ("--snap", self.snap_ticks as f64),
            ("--snap-minutes", self.snap_minutes),
            ("--keep", self.keep as f64),
            ("--lr", self.recipe.lr),
        ];
        for (flag, value) in positive {
            if !value.is_finite() || value <= 0.0 {
                return Err(Error::config(flag, format!("{value} is not above 0")));
            }
        }
        if let Some(growing) = &self.recipe.growing {
            growing.check(self.network.resolution())?;
        }
        for scheduled in &self.recipe.phases {
            let (flag, weight) = match scheduled.phase {
                Phase::R1 { gamma } | Phase::Discriminator { gamma, .. } => ("--r1-gamma", gamma),
                Phase::Generator { info_weight, .. } => ("--info-weight", info_weight),
                _ => continue,
            };
            if !weight.is_finite() || weight < 0.0 {
                return Err(Error::config(flag, format!("{weight} is not 0 or more")));
            }
        }
        self.network.check().map_err(|error| match error {
            Error::Config { field, reason } if field.starts_with("groups") => {
                Error::config("--groups", reason)
            }
            Error::Config { field, reason } if field == "stddev_group" => {
                Error::config("--mbstd-group", reason)
            }
            other => other,
        })?;
        self.parts().map(|_| ())
    }

    /// In how many parts a batch is computed.
    ///
    /// # Errors
    /// When the parts would not judge as the whole batch does, naming the sizes that would.
    pub fn parts(&self) -> Result<usize> {
        let (batch, part) = (self.batch, self.batch_gpu);
        let group = stddev_group(batch, *self.network.clone().stddev_group());
        let fits = |part: usize| batch.is_multiple_of(part) && part.is_multiple_of(group);
        if part > 0 && fits(part) {
            return Ok(batch / part);
        }
        let possible: Vec<_> = (1..=batch).filter(|&n| fits(n)).map(|n| n.to_string()).collect();
        let possible = possible.join(", ");
        let reason = format!(
            "{part} does not split {batch} pictures whose deviation is shared by {group}; possible: \
             {possible} (smaller ones with a smaller --mbstd-group)"
        );
        Err(Error::config("--batch-gpu", reason))
    }

    /// What is trained after so many images.
    pub fn stage(&self, images: u64) -> Stage {
        let whole = Stage {
            lod: 0.0,
            resolution: self.network.resolution(),
            batch_size: self.batch,
            lr_scale: 1.0,
        };
        self.recipe.growing.as_ref().map_or(whole, |growing| growing.stage(images))
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> u64 {
        let total = self.images();
        let (mut images, mut steps) = (0, 0);
        while images < total {
            images += self.stage(images).batch_size as u64;
            steps += 1;
        }
        steps
    }

    /// Images that the whole run shows.
    pub fn images(&self) -> u64 {
        (self.kimg * 1000.0).ceil() as u64
    }

    /// Refuses what would change the arithmetic of a run with options `before`. With `override`,
    /// only the network has to be the same.
    ///
    /// # Errors
    /// Naming the flags.
    pub fn check_resumed(&self, before: &Self, is_override: bool) -> Result<()> {
        if self.network != before.network {
            let reason = "the resumed run has another network; leave it out, or start a new run";
            let flags =
                "--cfg, --res, --preset, --cond, --form, --groups, --mbstd-group or --recipe";
            return Err(Error::config(flags, reason));
        }
        let compared = [
            ("--recipe, --r1-gamma, --info-weight, --lr or --grow", self.recipe == before.recipe),
            ("--freezed", self.freezed == before.freezed),
            ("--batch", self.batch == before.batch),
            ("--seed", self.seed == before.seed),
            ("--mirror", self.mirror == before.mirror),
            ("--data (other pictures)", self.fingerprint == before.fingerprint),
        ];
        let changed: Vec<_> = compared.iter().filter(|(_, same)| !same).map(|(f, _)| *f).collect();
        if changed.is_empty() || is_override || before.fingerprint.is_empty() {
            return Ok(());
        }
        let reason = "differs from the resumed run, which would change its arithmetic; leave it \
                      out, or add --override";
        Err(Error::config(changed.join(" and "), reason))
    }
}

/// Refuses a side that networks cannot have.
///
/// # Errors
/// Naming the flag and a side that they can have.
pub fn check_res(res: usize) -> Result<()> {
    if res.is_power_of_two() && (8..=1024).contains(&res) {
        return Ok(());
    }
    let lower = (1usize << res.max(8).ilog2()).min(1024);
    let reason = format!("{res} is not a power of two from 8 to 1024; try {lower}");
    Err(Error::config("--res", reason))
}
