//! semgan: semantic GANs that train and run on any GPU (Vulkan, Metal, DX12) through WGSL compute
//! shaders, or on the CPU. No CUDA, no compiler step, no Python.
//!
//! # Architecture
//!
//! A layer uses only what stands below it.
//!
//! ```text
//! cli                                 what a person touches
//! edit  metrics  train                jobs
//! sample                              pictures from seeds
//! models  nn  data  checkpoint        networks, parameters, files
//! ops  autograd  tensor               mathematics
//! device                              wgpu, and the CPU
//! ```
//!
//! A [`Tensor`] is a cheap handle on immutable numbers. An operation ([`ops::Op`]) is one Rust file
//! and, if it has a kernel, one WGSL file of the same path: `src/ops/conv/conv2d.rs` and
//! `shaders/conv/conv2d.wgsl`. [`ops::apply`] is the only door from an operation to a [`Device`], so
//! that everything is on the tape ([`autograd`]). The rules are written with operations and the
//! families are closed under differentiation, so gradients have gradients: the penalties that GANs
//! train with (R1, path length) need that.
//!
//! Every operation is written up to four times, and each judges the others: a *twin* in plain
//! loops, run in f64 by `reference` and in f32 by `cpu`; a *native* form in f32 where `cpu` needs
//! speed; a *kernel*; a *definition* in other operations, for tests. [`verify::Judge`] compares
//! them, and finite differences, at any shapes. Golden files that an independent program computed
//! judge all of them ([`verify`]); `semgan verify` lets a user run them on his own GPU.
//!
//! All that is elementwise is one expression type ([`ops::pointwise::Expr`]) that becomes one
//! generated kernel, so `bias + noise + activation + gain` is one pass over memory. Numbers and
//! sizes are run-time parameters: the number of pipelines depends on neither.
//!
//! On a GPU, operations only record ([`device`]); work is submitted in pieces of bounded time, and
//! nothing waits inside a training step. Everything is deterministic: reductions have a fixed order,
//! random numbers are a function of (seed, stream, step, index) ([`ops::random`]), and nothing
//! depends on the number of threads. So a run that stops and resumes equals one that does not, bit
//! for bit ([`train`]).
//!
//! Parameters of a network lie in one flat tensor, a slab ([`nn::module`]): the optimiser and the
//! moving average are a dispatch or two each, and a test for numbers that are not finite is one.
//!
//! # Errors
//!
//! Mistakes in shapes and arguments are bugs in the program's text: they panic at the caller's line
//! with every shape in the message. Everything that touches the world returns [`Error`].
//!
//! # Example
//!
//! ```
//! use semgan::autograd::grad;
//! use semgan::{Device, Tensor};
//!
//! // The penalty |d f / d x|² and its gradient: a derivative of a derivative.
//! let x = Tensor::from_slice(&[1.0, 2.0], [2], &Device::cpu()).tracked();
//! let f = x.square().sum_all();
//! let slope = grad(&[&f], &[None], &[&x], true).remove(0).expect("f depends on x");
//! let penalty = slope.square().sum_all();
//! let second = grad(&[&penalty], &[None], &[&x], false).remove(0).expect("so does its slope");
//! assert_eq!(second.to_vec()?, [8.0, 16.0]);
//! # Ok::<(), semgan::Error>(())
//! ```

pub mod autograd;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod edit;
pub mod error;
pub mod files;
#[doc(hidden)]
pub mod fuzz;
pub mod memory;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod ops;
pub mod sample;
pub mod tensor;
pub mod train;
pub mod verify;

pub use device::Device;
pub use error::{Error, Result};
pub use tensor::{Shape, Tensor};
