//! The science: values in, values out. No clocks, no disk but through `terms::Files`, no engine.

pub mod metrics;
pub mod stats;
