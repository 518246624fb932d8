//! What the optimiser needs besides pointwise expressions: finding numbers that are not finite.

pub mod nonfinite;
