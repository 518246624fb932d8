//! Numbers for how alike two sets of pictures are.

pub mod sliced_wasserstein;

pub use sliced_wasserstein::sliced_wasserstein;
