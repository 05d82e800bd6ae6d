//! The seam between pictures and numbers: whatever turns a picture into a point.

use super::{Features, Logits};
use crate::terms::Picture;

/// Turns pictures into features, and into logits and spatial features if it can.
///
/// Rows of the answer stand in the order of the pictures, and a picture's row must not depend on
/// its companions.
pub trait Extractor {
    /// Returns what decides the features, for the protocol string: network, layer, hash of the
    /// weights, resize; for instance `resnet-20.penultimate@1f3a09c2`.
    fn describe(&self) -> String;

    /// Returns all that one pass of the network says about some pictures, of which there is at
    /// least one.
    fn taps(&self, pictures: &[&Picture]) -> Taps;
}

/// What one pass of a network says about `n` pictures, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// The picture as a point.
    pub features: Features,
    /// What the picture shows, if the network has classes.
    pub logits: Option<Logits>,
    /// What the picture shows where, if the network has a layer for that.
    pub spatial: Option<Features>,
}
