//! Training pictures changed at random, always at an address: the same picture and the same seed
//! give the same result.
//!
//! Parts: one picture at a time, on grey levels: [`padded_crop`], [`random_resized_crop`],
//! [`flip`], listed by [`Augmentation`]; a whole batch, on normalised numbers and soft targets:
//! [`Mixing`] (MixUp, CutMix) and [`soft_targets`] (label smoothing).

mod flip;
mod mix;
mod padded;
mod resized;
mod targets;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Picture, Problem, Seed};

pub use flip::flip;
pub use mix::{Cutmix, Either, Mixing, Mixup};
pub use padded::{Padded, padded_crop};
pub use resized::{ResizedCrop, random_resized_crop};
pub use targets::soft_targets;

/// What happens to a training picture, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Augmentation {
    /// Which part of the picture is shown.
    pub crop: Crop,
    /// Whether every second picture, at random, is mirrored left to right.
    pub flip: bool,
}

/// Which part of a training picture is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Crop {
    /// All of it.
    #[default]
    None,
    /// A window of the same size, moved over a border: the usual choice for CIFAR.
    Padded(Padded),
    /// A random area, scaled: the usual choice for ImageNet.
    Resized(ResizedCrop),
}

impl Augmentation {
    /// Returns the picture as training sees it at this address. The size stays: a random area is
    /// scaled back to the size of the picture it comes from.
    pub fn apply(&self, picture: &Picture, seed: Seed) -> Picture {
        self.apply_to(picture, picture.width(), picture.height(), seed)
    }

    /// Returns the picture as training sees it at this address, where a random area is scaled to
    /// `width` x `height` pixels: for pictures that were not brought to the size of training
    /// before.
    ///
    /// # Panics
    /// If the crop does not scale, and the picture does not have this size already.
    pub fn apply_to(&self, picture: &Picture, width: usize, height: usize, seed: Seed) -> Picture {
        let at = seed.child("crop");
        let shown = match &self.crop {
            Crop::None => picture.clone(),
            Crop::Padded(border) => padded_crop(picture, border.pixels, border.fill, at),
            Crop::Resized(law) => random_resized_crop(picture, width, height, law, at),
        };
        assert!(
            (shown.width(), shown.height()) == (width, height),
            "only a resized crop changes the size of {picture:?}"
        );
        if self.flip && seed.child("flip").stream().chance(0.5) { flip(&shown) } else { shown }
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        match &self.crop {
            Crop::None | Crop::Padded(_) => Vec::new(),
            Crop::Resized(law) => law.check(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::busy;
    use super::*;

    fn all() -> Vec<Augmentation> {
        let crops =
            [Crop::None, Crop::Padded(Padded::default()), Crop::Resized(ResizedCrop::default())];
        let each = |crop| [false, true].map(|flip| Augmentation { crop, flip });
        crops.into_iter().flat_map(each).collect()
    }

    #[test]
    fn nothing_listed_is_the_identity() {
        let picture = busy(11, 6);
        assert_eq!(Augmentation::default().apply(&picture, Seed::root(0)), picture);
    }

    #[test]
    fn the_address_decides() {
        let picture = busy(16, 12);
        for augmentation in all().into_iter().skip(1) {
            let seeds: Vec<Seed> = (0..32).map(|i| Seed::root(4).index(i)).collect();
            let results: Vec<Picture> =
                seeds.iter().map(|seed| augmentation.apply(&picture, *seed)).collect();
            assert!(results.iter().all(|p| (p.width(), p.height()) == (16, 12)));
            for (seed, result) in seeds.iter().zip(&results) {
                assert_eq!(&augmentation.apply(&picture, *seed), result);
            }
            assert!(results.iter().any(|p| p != &results[0]), "{augmentation:?} never varies");
        }
    }

    #[test]
    fn half_of_the_pictures_are_flipped() {
        let picture = busy(3, 1);
        let mirror = Augmentation { flip: true, ..Augmentation::default() };
        let n = 2_000;
        let flipped = (0..n)
            .map(|i| mirror.apply(&picture, Seed::root(6).index(i)))
            .filter(|p| p == &flip(&picture))
            .count();
        // Five standard deviations: 5 * sqrt(2000) / 2 = 112.
        assert!(flipped.abs_diff(1_000) < 112, "{flipped} of {n}");
    }

    #[test]
    fn spelled_in_toml() {
        let read = |text: &str| toml::from_str::<Augmentation>(text);
        assert_eq!(read("").unwrap(), Augmentation::default());
        assert_eq!(read("flip = true\ncrop = \"none\"").unwrap().crop, Crop::None);
        let padded = read("[crop.padded]\npixels = 2").unwrap();
        assert_eq!(padded.crop, Crop::Padded(Padded { pixels: 2, fill: 0 }));
        let resized = read("[crop.resized]\nscale-min = 0.5\nfilter = \"bicubic\"").unwrap();
        let Crop::Resized(law) = resized.crop else { panic!("{resized:?}") };
        assert!(law.scale_min.to_bits() == 0.5_f64.to_bits() && law.check("here").is_empty());
        assert!(read("flipp = true").is_err());
        let wrong =
            read("[crop.resized]\nscale-min = 0.5\nscale-max = 0.2\nratio-min = 0").unwrap();
        assert_eq!(wrong.check("here").len(), 2);
    }
}
