//! The science: values in, values out. Knows no clock, no cache and no experiment file; files are seen
//! through [`Files`](crate::terms::Files) only, and everything random through
//! [`Seed`](crate::terms::Seed).

pub mod data;
pub mod diffusion;
pub mod images;
