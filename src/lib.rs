//! Does synthetic image data help a classifier, which kind, and how much?

pub mod nets;
pub mod lab;
pub mod terms;

#[cfg(test)]
mod testing;
