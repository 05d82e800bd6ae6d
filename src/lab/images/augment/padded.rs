//! Padded random crop: a picture with a border added, cut to its old size at a random place.
//!
//! He et al. 2016 (arXiv:1512.03385), Section 4.2: 4 pixels on each side of CIFAR pictures;
//! torchvision's `RandomCrop(size, padding)` with a constant border.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Picture, Seed};

/// A border, and a cut to the old size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Padded {
    /// Width of the border in pixels; the content moves by at most so much in each direction.
    pub pixels: usize,
    /// Grey level of the border, 0 to 255.
    pub fill: u8,
}

impl Default for Padded {
    fn default() -> Self {
        Self { pixels: 4, fill: 0 }
    }
}

/// Returns the picture moved by up to `padding` pixels in each direction; what comes into view has
/// the grey level `fill`. The size stays.
pub fn padded_crop(picture: &Picture, padding: usize, fill: u8, seed: Seed) -> Picture {
    let mut stream = seed.stream();
    let (x, y) = (stream.below(2 * padding + 1), stream.below(2 * padding + 1));
    window(picture, padding, fill, (x, y))
}

/// Returns the part of the padded picture with the corner `(x, y)`, of the picture's own size.
fn window(picture: &Picture, padding: usize, fill: u8, (x, y): (usize, usize)) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut out = Picture::filled(width, height, [fill; 3]);
    // Row r of the window is row r + y - padding of the picture, if there is one; columns alike.
    let kept = |length: usize, start: usize| {
        let first = padding.saturating_sub(start);
        let last = (length + padding).saturating_sub(start).min(length);
        first..last
    };
    let (columns, rows) = (kept(width, x), kept(height, y));
    if columns.is_empty() {
        return out;
    }
    for row in rows {
        let from = ((row + y - padding) * width + columns.start + x - padding) * 3;
        let to = (row * width + columns.start) * 3;
        let length = columns.len() * 3;
        out.rgb_mut()[to..to + length].copy_from_slice(&picture.rgb()[from..from + length]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::golden_json;

    #[test]
    fn equals_torchvision() {
        for case in golden_json("images/augment/padded.json").as_array().unwrap() {
            let [width, height, padding, fill, x, y] =
                ["width", "height", "padding", "fill", "x", "y"].map(|key| whole(&case[key]));
            let got = window(&busy(width, height), padding, fill as u8, (x, y));
            assert_eq!(got.rgb(), bytes(&case["levels"]), "{case}");
        }
    }

    #[test]
    fn every_place_is_reached_and_no_padding_changes_nothing() {
        let picture = busy(6, 5);
        let places: std::collections::BTreeSet<Vec<u8>> = (0..400)
            .map(|i| padded_crop(&picture, 1, 7, Seed::root(1).index(i)).rgb().to_vec())
            .collect();
        assert_eq!(places.len(), 9); // A place is missed with probability 9 * (8/9)^400 < 1e-19.
        assert_eq!(padded_crop(&picture, 0, 7, Seed::root(1)), picture);
    }
}
