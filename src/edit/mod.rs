//! Edits of pictures that trained networks make: one file per method, named after its paper.

pub mod figures;
pub mod sarigan;
