//! What a step reports, on its way to the host: one read per step, taken a step late.

use super::state::State;
use super::step::StepOutputs;
use crate::tensor::{Pending, Tensor};
use crate::{Error, Result};

/// Statistics and finite checks of one step.
pub struct Report {
    step: u64,
    /// Real pictures that the step showed.
    pub pictures: u64,
    names: Vec<&'static str>,
    /// Phase, network and number of parameters of each update.
    flags: Vec<(&'static str, &'static str, usize)>,
    values: Pending,
}

impl Report {
    /// Starts to read what step number `step` put out.
    ///
    /// # Panics
    /// When it put out nothing.
    pub fn new(step: u64, outputs: &StepOutputs) -> Self {
        let scalars: Vec<_> = outputs.stats.iter().filter(|(_, v)| v.numel() == 1).collect();
        let flags = outputs.flags.iter();
        let values: Vec<Tensor> = (scalars.iter().map(|(_, v)| v.reshape([1])))
            .chain(flags.clone().map(|f| f.bad.clone()))
            .collect();
        Self {
            step,
            pictures: outputs.pictures,
            names: scalars.iter().map(|(name, _)| *name).collect(),
            flags: flags.map(|f| (f.phase, f.network, f.bad.numel())).collect(),
            values: Tensor::cat(&values.iter().collect::<Vec<_>>(), 0).read_async(),
        }
    }

    /// The scalars by name.
    ///
    /// # Errors
    /// What the device reports, and [`Error::NonFinite`] with the first parameter whose gradient
    /// was not finite.
    pub fn wait(self, state: &State) -> Result<Vec<(&'static str, f32)>> {
        let values = self.values.wait()?;
        let (scalars, mut flags) = values.split_at(self.names.len());
        for (phase, network, n) in self.flags {
            let (own, rest) = flags.split_at(n);
            flags = rest;
            if let Some(k) = own.iter().position(|&bad| bad != 0.0) {
                let params = if network == "d" { &state.d.params } else { &state.g.params };
                let key = params.keys().nth(k).unwrap_or_default();
                return Err(Error::NonFinite {
                    parameter: format!("the gradient of {network}.{key}"),
                    step: self.step,
                    phase: phase.into(),
                });
            }
        }
        Ok(self.names.into_iter().zip(scalars.iter().copied()).collect())
    }
}
