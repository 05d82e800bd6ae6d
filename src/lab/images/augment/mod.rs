//! Training pictures changed at random, always at an address: the same picture and the same seed
//! give the same result.
//!
//! Parts: one picture at a time, on grey levels: [`padded_crop`], [`random_resized_crop`],
//! [`flip`], and [`RandAugment`], which draws from every [`Change`] that policies know; on
//! normalised numbers, [`RandomErasing`]; all listed by [`Augmentation`]. A whole batch, with soft
//! targets: [`Mixing`] (MixUp, CutMix) and [`soft_targets`] (label smoothing).

mod change;
mod erasing;
mod flip;
mod mix;
mod padded;
mod rand_augment;
mod resized;
mod targets;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Picture, Problem, Seed};

pub use change::{Change, Ground, Interpolation};
pub use erasing::{Content, RandomErasing};
pub use flip::flip;
pub use mix::{Cutmix, Either, Mixing, Mixup};
pub use padded::{Padded, padded_crop};
pub use rand_augment::{RandAugment, Scale};
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
    /// A few random changes of colour and place; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rand_augment: Option<RandAugment>,
    /// A random part is replaced after normalisation; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasing: Option<RandomErasing>,
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
        let mirrored = self.flip && seed.child("flip").stream().chance(0.5);
        let shown = if mirrored { flip(&shown) } else { shown };
        match &self.rand_augment {
            Some(policy) => policy.apply(&shown, seed.child("changes")),
            None => shown,
        }
    }

    /// Erases a part of a normalised picture, planes `shape = [c, h, w]`, if the draw at this
    /// address says so.
    pub fn erase(&self, planes: &mut [f32], shape: [usize; 3], seed: Seed) {
        if let Some(erasing) = &self.erasing {
            erasing.apply(planes, shape, seed.child("erasing"));
        }
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        let mut problems = match &self.crop {
            Crop::None | Crop::Padded(_) => Vec::new(),
            Crop::Resized(law) => law.check(source),
        };
        problems.extend(self.rand_augment.iter().flat_map(|policy| policy.check(source)));
        problems.extend(self.erasing.iter().flat_map(|erasing| erasing.check(source)));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::busy;
    use super::*;

    fn all() -> Vec<Augmentation> {
        let crops =
            [Crop::None, Crop::Padded(Padded::default()), Crop::Resized(ResizedCrop::default())];
        let each =
            |crop| [false, true].map(|flip| Augmentation { crop, flip, ..Augmentation::default() });
        let policy = Augmentation {
            rand_augment: Some(RandAugment { probability: 1.0, ..RandAugment::default() }),
            ..Augmentation::default()
        };
        crops.into_iter().flat_map(each).chain([policy]).collect()
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
        let deit = read("[rand-augment]\n[erasing]").unwrap();
        assert_eq!(deit.rand_augment, Some(RandAugment::default()));
        assert_eq!(deit.erasing, Some(RandomErasing::default()));
        let wrong = read("[rand-augment]\nmagnitude = -1\n[erasing]\nprobability = 3").unwrap();
        assert_eq!(wrong.check("here").len(), 2);
    }

    /// What is not used is not written, so that results of before it existed keep their keys.
    #[test]
    fn what_is_absent_leaves_no_trace() {
        let written = serde_json::to_string(&Augmentation::default()).unwrap();
        assert_eq!(written, r#"{"crop":"none","flip":false}"#);
    }

    #[test]
    fn erasing_has_an_address_of_its_own() {
        let erasing = Some(RandomErasing { probability: 1.0, ..RandomErasing::default() });
        let augmentation = Augmentation { erasing, ..Augmentation::default() };
        let erased = |of: &Augmentation, seed| {
            let mut planes = vec![9.0; 3 * 8 * 8];
            of.erase(&mut planes, [3, 8, 8], Seed::root(seed));
            planes
        };
        let untouched = |planes: &[f32]| planes.iter().all(|x| (x - 9.0).abs() <= 0.0);
        assert!(untouched(&erased(&Augmentation::default(), 1)));
        assert!(!untouched(&erased(&augmentation, 1)));
        assert_eq!(erased(&augmentation, 1), erased(&augmentation, 1));
        assert_ne!(erased(&augmentation, 1), erased(&augmentation, 2));
        assert_eq!(augmentation.apply(&busy(4, 4), Seed::root(1)), busy(4, 4));
    }
}
