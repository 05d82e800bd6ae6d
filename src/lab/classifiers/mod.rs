//! Classifiers and what they learn from.
//!
//! In reading order: a [`Mix`] says which share of the real pictures and how many synthetic ones
//! make the training set; [`Supervised`] is the task of naming what they show; [`predict`] asks a
//! trained net.

mod mix;
mod predict;
mod supervised;

pub use mix::{Mix, MixError};
pub use predict::{Predicted, Sight, predict};
pub use supervised::{Supervised, SupervisedSpec};
