//! Building blocks of networks: parameters by name, equalised layers, modulated convolution, the
//! optimiser and the moving average.

pub mod batch_norm;
pub mod conv;
pub mod linear;
pub mod module;
pub mod network;
pub mod optim;

pub use batch_norm::{RunningMoments, batch_norm_eval, batch_norm_train};
pub use conv::{
    Filter, Modulated, Resample, blur_kernel, fused_scale_weight, modulated_conv2d,
    resampled_conv2d,
};
pub use linear::EqualLinear;
pub use module::{Builder, Init, Param, Parameters, Values};
pub use network::Network;
pub use optim::{Adam, AdamForm, Moments, ema_update};
