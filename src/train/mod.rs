//! Training: recipes, the one `step` of all systems, and the loop around it.
//!
//! [`step`](step::step) computes; it draws nothing and touches no file. The loop ([`run`]) fills its
//! inputs from counters and the loader, and `verify` fills them from a golden file. What is random
//! is a function of (seed, step), so that a run that stops and resumes equals one that does not.

pub mod adaptation;
pub mod adopt;
pub mod augment;
pub mod events;
pub mod folder;
pub mod game;
pub mod growing;
pub mod inputs;
pub mod lock;
pub mod loss;
pub mod options;
pub mod plan;
pub mod recipe;
pub mod report;
pub mod run;
pub mod snapshot;
pub mod state;
pub mod stats;
pub mod status;
pub mod step;

pub use growing::Growing;
pub use inputs::{Draws, Mix, PathInputs, Reals, StepInputs};
pub use options::Options;
pub use recipe::{Augment, Average, LabelWeights, Mixing, Objective, Phase, Recipe, Scheduled};
pub use report::Report;
pub use run::{Outcome, Run, Watch};
pub use state::State;
pub use step::{StepOutputs, step};
