//! Architectures in burn; one file is one family. They know no data, no losses, no training.
//!
//! In reading order: [`blocks`] are the few layers that all families share, with the parameter
//! names and shapes of PyTorch; the families follow. Every forward pass takes its [`Mode`] as an
//! argument, so that "evaluated" never depends on the device a tensor lives on. [`weights`] moves
//! their numbers in and out of files; [`classifier`] is the choice among the families that name
//! what a picture shows. [`inception`], [`vgg`], [`dinov2`] and [`clip`] turn pictures into
//! features: their weights come from files.

pub mod blocks;
pub mod classifier;
pub mod clip;
pub mod dinov2;
pub mod inception;
pub mod kernels;
pub mod resnet;
pub mod resnet_rs;
pub mod unet;
pub mod vgg;
pub mod vit;
pub mod weights;
pub mod workers;

#[cfg(test)]
pub(crate) mod golden;
