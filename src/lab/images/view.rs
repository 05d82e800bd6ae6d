//! The size at which a net sees pictures, where it is not that of the data.
//!
//! In training the random crop scales to it. In tests, and in training without such a crop, the
//! picture is scaled; then, in tests, its middle is shown, as torchvision's and timm's evaluation
//! do: `Resize(int(pixels / centre))`, `CenterCrop(pixels)`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cut::{Area, cut};
use super::resize::{Filter, resize};
use crate::terms::{Picture, Problem};

/// The size at which a net sees pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum View {
    /// That of the data.
    #[default]
    Data,
    /// Another one.
    Scaled(Scaled),
}

/// Another size than that of the data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Scaled {
    /// Side of the square that the net sees, in pixels.
    #[schemars(range(min = 1))]
    pub pixels: usize,
    /// Share of a test picture's side that is shown, around its middle. Usual for ImageNet: 0.875,
    /// which shows the middle 224 of 256 pixels.
    #[schemars(range(min = 0.1, max = 1.0))]
    pub centre: f64,
    /// How pictures are scaled outside of the random crop.
    pub filter: Filter,
}

impl Default for Scaled {
    fn default() -> Self {
        Self { pixels: 224, centre: 0.875, filter: Filter::Bicubic }
    }
}

impl View {
    /// Returns whether pictures are seen as the data have them.
    pub fn is_data(&self) -> bool {
        *self == Self::Data
    }

    /// Returns the side of the pictures that the net sees, in pixels, if it is not the data's.
    pub fn side(&self) -> Option<usize> {
        match self {
            Self::Data => None,
            Self::Scaled(scaled) => Some(scaled.pixels),
        }
    }

    /// Returns a test picture as the net sees it.
    pub fn shown<'a>(&self, picture: &'a Picture) -> Cow<'a, Picture> {
        let Self::Scaled(Scaled { pixels, centre, filter }) = *self else {
            return Cow::Borrowed(picture);
        };
        let side = (pixels as f64 / centre) as usize;
        let scaled = resize(picture, side, side, filter);
        let start = ((side - pixels) as f64 / 2.0).round_ties_even() as usize;
        Cow::Owned(cut(&scaled, Area { x: start, y: start, width: pixels, height: pixels }))
    }

    /// Returns the whole of a picture at the size that the net sees.
    pub fn whole(&self, picture: &Picture) -> Picture {
        match self {
            Self::Data => picture.clone(),
            Self::Scaled(Scaled { pixels, filter, .. }) => {
                resize(picture, *pixels, *pixels, *filter)
            }
        }
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        let Self::Scaled(Scaled { pixels, centre, .. }) = *self else { return Vec::new() };
        let mut problems = Vec::new();
        if pixels == 0 {
            problems.push(Problem::new(source, "`pixels = 0`", "at least 1"));
        }
        if !(centre > 0.0 && centre <= 1.0) {
            problems.push(Problem::new(
                source,
                format!("`centre = {centre}`"),
                "above 0, at most 1",
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::golden_json;

    fn scaled(pixels: usize, centre: f64, filter: Filter) -> View {
        View::Scaled(Scaled { pixels, centre, filter })
    }

    #[test]
    fn test_pictures_are_torchvision_s() {
        for case in golden_json("images/view/view.json").as_array().unwrap() {
            let [side, pixels] = ["side", "pixels"].map(|key| whole(&case[key]));
            let filter: Filter = serde_json::from_value(case["filter"].clone()).unwrap();
            let view = scaled(pixels, case["centre"].as_f64().unwrap(), filter);
            assert_eq!(view.shown(&busy(side, side)).rgb(), bytes(&case["levels"]), "{view:?}");
        }
    }

    #[test]
    fn the_data_s_own_size_is_the_picture_itself() {
        let picture = busy(9, 9);
        assert_eq!(View::Data.shown(&picture).as_ref(), &picture);
        assert_eq!(scaled(9, 1.0, Filter::Bicubic).shown(&picture).as_ref(), &picture);
        assert_eq!(scaled(9, 1.0, Filter::Bicubic).whole(&picture), picture);
        assert_eq!(scaled(5, 0.5, Filter::Bicubic).whole(&picture).width(), 5);
        // 7 of 8 pixels in the middle of 8: nothing is scaled.
        let middle = scaled(7, 0.875, Filter::Bicubic).shown(&busy(8, 8)).into_owned();
        assert_eq!(middle, cut(&busy(8, 8), Area { x: 0, y: 0, width: 7, height: 7 }));
    }

    #[test]
    fn spelled_in_toml() {
        #[derive(Deserialize)]
        struct File {
            view: View,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.view);
        assert_eq!(read("view = \"data\"").unwrap(), View::Data);
        let view = read("[view.scaled]\npixels = 160").unwrap();
        assert_eq!(view, scaled(160, 0.875, Filter::Bicubic));
        assert!(view.check("here").is_empty());
        assert_eq!(read("[view.scaled]\npixels = 0\ncentre = 2").unwrap().check("here").len(), 2);
    }
}
