//! Does synthetic image data help a classifier, which kind, and how much?

pub mod report;
pub mod terms;

#[cfg(test)]
mod testing;
