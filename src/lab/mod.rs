//! The science: values in, values out. No room here knows a disk, a clock or an experiment file.

pub mod diffusion;
//! The science: values in, values out. Knows no disk, no clock and no cache; files are seen through
//! `terms::Files` only, and everything random through `terms::Seed`.

pub mod images;
