//! The science: values in, values out. No room here knows a disk, a clock or an experiment file.

pub mod diffusion;
