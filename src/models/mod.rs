//! Networks, one file or folder per paper, in the paper's order and with the published checkpoints' keys.
//! Nothing here knows about devices, files or flags: tensors are made only on the device that a
//! network was built for.

pub mod lpips;
pub mod pggan;
pub mod sarigan;
pub mod stylegan;
pub mod stylegan2;
