//! The science: values in, values out. What reads files does so through [`crate::terms::Files`].

pub mod data;
