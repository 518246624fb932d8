//! Edits of pictures that trained networks make: one file per method, named after its paper.

pub mod factorization;
pub mod figures;
pub mod linear_semantics;
pub mod sarigan;
