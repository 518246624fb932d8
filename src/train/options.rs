//! What a run was asked to do: every option present and checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::recipe::{Phase, Recipe};
use crate::models::sarigan::Config;
use crate::{Error, Result};

/// Options of a run. Those of the first group decide its arithmetic and are fixed once it has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Sizes of the networks.
    pub network: Config,
    /// Phases and weights.
    pub recipe: Recipe,
    /// Pictures per step.
    pub batch: usize,
    /// Decides every random number of the run.
    pub seed: u64,
    /// Whether pictures are mirrored at random.
    pub mirror: bool,
    /// What the pictures are: names and sizes, hashed.
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
        check_res(self.network.size)?;
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
        let weights = self.recipe.phases.iter().map(|s| match s.phase {
            Phase::R1 { gamma } => gamma,
            _ => 0.0,
        });
        if weights.into_iter().any(|w| !w.is_finite() || w < 0.0) {
            return Err(Error::config("--r1-gamma", "has to be 0 or more"));
        }
        Ok(())
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
            let reason = "the resumed run has a network of other sizes; leave it out, or start a \
                          new run";
            return Err(Error::config("--res or --preset", reason));
        }
        let compared = [
            ("--recipe, --r1-gamma or --lr", self.recipe == before.recipe),
            ("--batch", self.batch == before.batch),
            ("--seed", self.seed == before.seed),
            ("--mirror", self.mirror == before.mirror),
            ("--data (other pictures)", self.fingerprint == before.fingerprint),
        ];
        let changed: Vec<_> = compared.iter().filter(|(_, same)| !same).map(|(f, _)| *f).collect();
        if changed.is_empty() || is_override {
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
