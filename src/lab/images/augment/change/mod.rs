//! The changes of a picture that policies of augmentation choose from, as Pillow computes them.
//!
//! Cubuk et al. 2019 (arXiv:1805.09501), Table 6 without Cutout and SamplePairing. In reading
//! order: `levels`, changes of single grey levels by a table; `enhance`, mixtures of a picture with
//! a poorer one; `affine`, changes of place. Equal to Pillow to the last grey level.

mod affine;
mod enhance;
mod levels;

use crate::terms::Picture;

pub use affine::Interpolation;
use affine::Map;

/// One change with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Each channel is stretched to all levels from 0 to 255.
    AutoContrast,
    /// Each channel is remapped so that its levels are about equally frequent.
    Equalize,
    /// Levels are mirrored: 0 becomes 255.
    Invert,
    /// Only the highest bits of each level are kept; 8 keeps all, 0 gives a black picture.
    Posterize(u32),
    /// Levels from a threshold on are mirrored; 256 changes nothing.
    Solarize(u32),
    /// Levels below 128 become brighter by this much.
    SolarizeAdd(u32),
    /// A mixture with the grey picture: 0 is grey, 1 the picture, more is more colourful.
    Colour(f64),
    /// A mixture with its mean grey.
    Contrast(f64),
    /// A mixture with black.
    Brightness(f64),
    /// A mixture with a smoothed picture.
    Sharpness(f64),
    /// Counter-clockwise around the centre, in degrees.
    Rotate(f64),
    /// Every row moves left by this times its distance from the top.
    ShearX(f64),
    /// Every column moves up by this times its distance from the left.
    ShearY(f64),
    /// Left by this share of the width.
    TranslateX(f64),
    /// Up by this share of the height.
    TranslateY(f64),
}

/// What changes of place put between pixels and outside of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// How levels between pixels are found.
    pub interpolation: Interpolation,
    /// The colour of what comes into view.
    pub fill: [u8; 3],
}

impl Change {
    /// Returns the changed picture, of the same size.
    pub fn apply(self, picture: &Picture, ground: Ground) -> Picture {
        let (w, h) = (picture.width() as f64, picture.height() as f64);
        let moved = |map: Map| map.apply(picture, ground);
        match self {
            Self::AutoContrast => levels::auto_contrast(picture),
            Self::Equalize => levels::equalize(picture),
            Self::Invert => levels::remap(picture, |level| 255 - level),
            Self::Posterize(bits) => levels::posterize(picture, bits),
            Self::Solarize(threshold) => levels::solarize(picture, threshold),
            Self::SolarizeAdd(add) => levels::solarize_add(picture, add),
            Self::Colour(factor) => enhance::colour(picture, factor),
            Self::Contrast(factor) => enhance::contrast(picture, factor),
            Self::Brightness(factor) => enhance::brightness(picture, factor),
            Self::Sharpness(factor) => enhance::sharpness(picture, factor),
            Self::Rotate(degrees) => moved(Map::rotation(degrees, w, h)),
            Self::ShearX(factor) => moved(Map([1.0, factor, 0.0, 0.0, 1.0, 0.0])),
            Self::ShearY(factor) => moved(Map([1.0, 0.0, 0.0, factor, 1.0, 0.0])),
            Self::TranslateX(share) => moved(Map([1.0, 0.0, share * w, 0.0, 1.0, 0.0])),
            Self::TranslateY(share) => moved(Map([1.0, 0.0, 0.0, 0.0, 1.0, share * h])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::golden_json;

    fn change(name: &str, argument: &Value) -> Change {
        let number = || argument.as_f64().unwrap();
        let count = || whole(argument) as u32;
        match name {
            "AutoContrast" => Change::AutoContrast,
            "Equalize" => Change::Equalize,
            "Invert" => Change::Invert,
            "Posterize" => Change::Posterize(count()),
            "Solarize" => Change::Solarize(count()),
            "SolarizeAdd" => Change::SolarizeAdd(count()),
            "Color" => Change::Colour(number()),
            "Contrast" => Change::Contrast(number()),
            "Brightness" => Change::Brightness(number()),
            "Sharpness" => Change::Sharpness(number()),
            "Rotate" => Change::Rotate(number()),
            "ShearX" => Change::ShearX(number()),
            "ShearY" => Change::ShearY(number()),
            "TranslateXRel" => Change::TranslateX(number()),
            "TranslateYRel" => Change::TranslateY(number()),
            _ => panic!("`{name}` is not known"),
        }
    }

    /// A picture of the golden data: busy, or with few levels, or of one colour.
    fn picture(case: &Value) -> Picture {
        let [width, height] = ["width", "height"].map(|key| whole(&case[key]));
        let mut picture = busy(width, height);
        let [scale, offset] = ["scale", "offset"].map(|key| whole(&case[key]) as u32);
        for level in picture.rgb_mut() {
            *level = (u32::from(*level) * scale / 256 + offset) as u8;
        }
        picture
    }

    #[test]
    fn every_change_is_pillow_s_to_the_last_level() {
        let golden = golden_json("images/augment/changes.json");
        let mut names = std::collections::BTreeSet::new();
        for case in golden.as_array().unwrap() {
            let name = case["change"].as_str().unwrap();
            names.insert(name);
            let interpolation = match case["interpolation"].as_str().unwrap() {
                "bilinear" => Interpolation::Bilinear,
                _ => Interpolation::Bicubic,
            };
            let ground = Ground { interpolation, fill: [124, 116, 104] };
            let got = change(name, &case["argument"]).apply(&picture(case), ground);
            let want = bytes(&case["levels"]);
            let wrong = got.rgb().iter().zip(&want).filter(|(a, b)| a != b).count();
            let short = format!("{name} {} {interpolation:?}", case["argument"]);
            assert_eq!(
                wrong,
                0,
                "{short} of {:?}: {wrong} of {} levels",
                picture(case),
                want.len()
            );
        }
        assert_eq!(names.len(), 15, "all of them: {names:?}");
    }

    #[test]
    fn no_strength_is_no_change() {
        let picture = busy(13, 9);
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
            let ground = Ground { interpolation, fill: [1, 2, 3] };
            for change in [
                Change::Posterize(8),
                Change::Solarize(256),
                Change::SolarizeAdd(0),
                Change::Colour(1.0),
                Change::Contrast(1.0),
                Change::Brightness(1.0),
                Change::Sharpness(1.0),
                Change::Rotate(0.0),
                Change::ShearX(0.0),
                Change::ShearY(0.0),
                Change::TranslateX(0.0),
                Change::TranslateY(0.0),
            ] {
                assert_eq!(change.apply(&picture, ground), picture, "{change:?}");
            }
        }
    }

    #[test]
    fn no_bits_are_black_and_two_inversions_nothing() {
        let (picture, ground) =
            (busy(5, 4), Ground { interpolation: Interpolation::Bilinear, fill: [0; 3] });
        let black = Change::Posterize(0).apply(&picture, ground);
        assert!(black.rgb().iter().all(|level| *level == 0));
        let once = Change::Invert.apply(&picture, ground);
        assert_eq!(Change::Invert.apply(&once, ground), picture);
    }
}
