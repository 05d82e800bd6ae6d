//! The science: values in, values out. Knows no clock, no cache and no experiment file; files are
//! seen through [`Files`](crate::terms::Files) only, and everything random through
//! [`Seed`](crate::terms::Seed).

pub mod classifiers;
pub mod data;
pub mod diffusion;
pub mod generators;
pub mod images;
pub mod metrics;
pub mod stats;
pub mod training;
