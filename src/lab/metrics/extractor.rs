//! The seam between pictures and numbers: whatever turns a picture into a point.

use super::{Features, Probabilities};
use crate::terms::Picture;

/// Turns pictures into features, and into class probabilities if it can.
///
/// Rows of the answer stand in the order of the pictures, and a picture's row must not depend on
/// its companions.
pub trait Extractor {
    /// Returns what decides the features, for the protocol string: network, layer, hash of the
    /// weights, resize; for instance `resnet-20.penultimate@1f3a09c2`.
    fn describe(&self) -> String;

    /// Returns the features of some pictures.
    fn features(&self, pictures: &[&Picture]) -> Features;

    /// Returns class probabilities of some pictures, or `None` if there are no classes.
    fn probabilities(&self, pictures: &[&Picture]) -> Option<Probabilities>;
}
