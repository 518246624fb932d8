//! Looking at a whole set: [`check`](fn@check) names everything that is wrong with it,
//! [`Statistics`] count what is in it.

mod check;
mod statistics;

pub use check::{Finding, Report, Severity, check};
pub use statistics::Statistics;
