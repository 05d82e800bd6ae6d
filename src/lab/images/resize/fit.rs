//! Bringing a picture of any shape to a square.
//!
//! Follows torchvision: `Resize(size)` gives the longer side `int(size * long / short)` pixels,
//! `CenterCrop(size)` starts at `round((side - size) / 2)` with halves to the even number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::cut::{Area, cut};
use super::{Filter, resize};
use crate::terms::Picture;

/// How a picture of any shape becomes a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scale both sides, whatever becomes of the proportions.
    Stretch,
    /// Scale the shorter side, then cut off what is too long on both ends (torchvision's `Resize`
    /// and `CenterCrop`).
    #[default]
    CropCentre,
}

impl Fit {
    /// Returns the picture as a square of `size` pixels.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn apply(self, picture: &Picture, size: usize, filter: Filter) -> Picture {
        match self {
            Self::Stretch => resize(picture, size, size, filter),
            Self::CropCentre => crop_centre(picture, size, filter),
        }
    }
}

fn crop_centre(picture: &Picture, size: usize, filter: Filter) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let short = width.min(height);
    // The shorter side becomes exactly `size`.
    let scaled = resize(picture, size * width / short, size * height / short, filter);
    let start = |side: usize| ((side - size) as f64 / 2.0).round_ties_even() as usize;
    let (x, y) = (start(scaled.width()), start(scaled.height()));
    cut(&scaled, Area { x, y, width: size, height: size })
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::golden_json;

    #[test]
    fn equals_torchvision_to_the_grey_level() {
        for case in golden_json("images/resize/fit.json").as_array().unwrap() {
            let [width, height, size] = ["width", "height", "size"].map(|key| whole(&case[key]));
            let fit: Fit = serde_json::from_value(case["fit"].clone()).unwrap();
            let filter: Filter = serde_json::from_value(case["filter"].clone()).unwrap();
            let got = fit.apply(&busy(width, height), size, filter);
            assert_eq!(got.rgb(), bytes(&case["levels"]), "{width}x{height} -> {size}, {fit:?}");
        }
    }
}
