//! Does synthetic image data help a classifier, which kind, and how much?

pub mod cli;
pub mod comparison;
pub mod engine;
pub mod experiment;
pub mod lab;
pub mod nets;
pub mod report;
pub mod stages;
pub mod terms;

#[cfg(test)]
mod testing;
