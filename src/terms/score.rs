//! A number that knows its name, its direction and how it was measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which way a score improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
}

/// How a number was measured, in one comparable string, for instance
/// `fid[extractor=resnet-20@1f3a;f64;N=1200/1200;ref=train]`.
///
/// Numbers with different protocols never share a column silently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Protocol(pub String);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The standard name: `top1`, `cas`, `fid`, `recall`, ...
    pub name: String,
    /// The value; shares are in 0..=1, not per cent.
    pub value: f64,
    /// Which way it improves.
    pub direction: Direction,
    /// How it was measured.
    pub protocol: Protocol,
}
