//! Architectures in burn; one file is one family. They know no data, no losses, no training.
//!
//! In reading order: [`blocks`] are the few layers that all families share, with the parameter names
//! and shapes of PyTorch; the families follow. Every forward pass takes its [`Mode`] as an argument, so
//! that "evaluated" never depends on the device a tensor lives on.

pub mod blocks;
pub mod kernels;
