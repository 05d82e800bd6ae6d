//! Scaling pictures, as Pillow 9 to 12 do it (`src/libImaging/Resample.c`), and as the tools that
//! compute FID do it.
//!
//! Parts: [`Filter`] says which neighbours count how much (`kernel`); [`resize`] works on grey
//! levels and rounds after each direction, like Pillow on RGB pictures (`levels`); [`resize_f32`]
//! never rounds, like Pillow on pictures of mode `F` (`float`), and with [`resize_clean_fid`]
//! that is the scaling of clean-fid; [`resize_torch`] and [`resize_tf1`] have no antialias
//! (`linear`); [`Fit`] brings a picture to a square (`fit`); [`Resize`] names what metrics use.
//!
//! Pillow's widen the filter when they scale down (antialias), and scale rows before columns.
// DIFFERS: Pillow 13 scales columns before rows where the height shrinks by more than twice as many
// pixels as the width. Rounding in between then changes some levels by 1. Here rows always come
// first, as in Pillow 9 to 12, which published numbers come from so far.

mod fit;
mod float;
mod kernel;
mod levels;
mod linear;

pub use fit::Fit;
pub use float::{resize_clean_fid, resize_f32};
pub use kernel::Filter;
pub use levels::resize;
pub use linear::{resize_tf1, resize_torch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::Picture;

/// How a picture is brought to the square that a network of metrics sees; proportions are kept by
/// `pil-8bit-crop` only. The name is part of the protocol: feature distances move by whole points
/// with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// TensorFlow 1: linear, no antialias, moved to the upper left. The first FID, torch-fidelity.
    Tf1,
    /// PyTorch: linear, no antialias. pytorch-fid.
    TorchBilinear,
    /// Pillow: bicubic with antialias, never rounded, clamped. clean-fid.
    #[default]
    PilBicubicF32,
    /// Pillow: bicubic with antialias, rounded to grey levels after each direction.
    #[serde(rename = "pil-8bit")]
    Pil8Bit,
    /// The same of the shorter side, and the centre of what comes out. CLIP, clean-fid's too.
    #[serde(rename = "pil-8bit-crop")]
    Pil8BitCrop,
}

impl Resize {
    /// Returns the name in files and protocols.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tf1 => "tf1",
            Self::TorchBilinear => "torch-bilinear",
            Self::PilBicubicF32 => "pil-bicubic-f32",
            Self::Pil8Bit => "pil-8bit",
            Self::Pil8BitCrop => "pil-8bit-crop",
        }
    }

    /// Returns the picture as planes `[3, height, width]` in grey levels, 0 to 255.
    ///
    /// # Panics
    /// If a side is 0, or a crop is to be no square.
    pub fn apply(self, picture: &Picture, width: usize, height: usize) -> Vec<f32> {
        match self {
            Self::Tf1 => resize_tf1(picture, width, height),
            Self::TorchBilinear => resize_torch(picture, width, height),
            Self::PilBicubicF32 => resize_clean_fid(picture, width, height),
            Self::Pil8Bit => planes(&resize(picture, width, height, Filter::Bicubic)),
            Self::Pil8BitCrop => {
                assert_eq!(width, height, "a crop is a square");
                planes(&Fit::CropCentre.apply(picture, width, Filter::Bicubic))
            }
        }
    }
}

/// Returns the levels of a picture, channel by channel.
fn planes(picture: &Picture) -> Vec<f32> {
    let levels = |c| picture.rgb().iter().skip(c).step_by(3).map(|v| f32::from(*v));
    (0..3).flat_map(levels).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{busy, floats, whole};
    use super::*;
    use crate::testing::{Tol, close_f32, golden_json};

    #[test]
    fn agrees_with_the_packages_that_compute_fid() {
        for case in golden_json("images/resize_torch/cases.json").as_array().unwrap() {
            let [from_w, from_h, to_w, to_h] =
                ["from-width", "from-height", "width", "height"].map(|key| whole(&case[key]));
            let resize: Resize = serde_json::from_value(case["resize"].clone()).unwrap();
            let got = resize.apply(&busy(from_w, from_h), to_w, to_h);
            assert_eq!(got.len(), 3 * to_w * to_h);
            let rows = case["rows"].as_array().unwrap().iter();
            let got: Vec<f32> = rows
                .flat_map(|y| (0..3).map(move |c| (c * to_h + whole(y)) * to_w))
                .flat_map(|at| got[at..at + to_w].to_vec())
                .collect();
            // The same numbers in the same order, to the bit. Only torch works on 0 to 1 instead of
            // 0 to 255, and adds weighted neighbours: two units in the last place of a level.
            let tol = if resize == Resize::TorchBilinear { 4e-5 } else { 0.0 };
            close_f32(&got, &floats(&case["levels"]), Tol::absolute(tol));
        }
    }

    #[test]
    fn a_crop_is_that_of_torchvision() {
        let picture = busy(31, 20);
        let want = planes(&Fit::CropCentre.apply(&picture, 14, Filter::Bicubic));
        assert_eq!(Resize::Pil8BitCrop.apply(&picture, 14, 14), want);
    }

    #[test]
    fn names_are_those_of_files() {
        for resize in [
            Resize::Tf1,
            Resize::TorchBilinear,
            Resize::PilBicubicF32,
            Resize::Pil8Bit,
            Resize::Pil8BitCrop,
        ] {
            assert_eq!(serde_json::to_value(resize).unwrap(), resize.name());
        }
    }

    #[test]
    fn a_picture_of_the_right_size_keeps_its_levels() {
        let picture = busy(23, 11);
        let levels = |c| picture.rgb().iter().skip(c).step_by(3).map(|v| f32::from(*v));
        let levels: Vec<f32> = (0..3).flat_map(levels).collect();
        for resize in [Resize::Tf1, Resize::TorchBilinear, Resize::PilBicubicF32, Resize::Pil8Bit] {
            assert_eq!(resize.apply(&picture, 23, 11), levels, "{resize:?}");
        }
    }
}
