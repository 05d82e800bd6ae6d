//! RandAugment: a few changes, drawn with equal probability, of one strength.
//!
//! Cubuk et al. 2020 (arXiv:1909.13719), Figure 2; the fifteen changes and what a magnitude means
//! for each are those of timm's `auto_augment.py` (1.0.31), which follows the code of EfficientNet.
//! timm names a policy by a word: `rand-m9-mstd0.5-inc1` is the default here.
//!
//! DIFFERS: the paper draws from the identity as well and has no `SolarizeAdd`; timm applies each
//! drawn change with a probability of 1/2 instead, and we follow timm. The code behind ResNet-RS
//! (TensorFlow) always applies it, also cuts out squares, and moves pictures by up to 100 pixels
//! where we move them by 0.45 of their side; its arithmetic is TensorFlow's, ours Pillow's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Ground, Interpolation};
use crate::terms::{Picture, Problem, Seed, Stream};

/// A few random changes of one strength.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RandAugment {
    /// Changes in a row, drawn with replacement. timm's `n`; DeiT and ResNet-RS: 2.
    pub changes: usize,
    /// The strength, where 10 is the strongest that the papers on policies use. timm's `m`; DeiT:
    /// 9, ResNet-RS: 10 or 15.
    #[schemars(range(min = 0.0, max = 30.0))]
    pub magnitude: f64,
    /// Standard deviation of the strength, drawn anew for each change. timm's `mstd`; DeiT: 0.5.
    #[schemars(range(min = 0.0))]
    pub deviation: f64,
    /// The largest strength that may be drawn. timm's `mmax`; its default is 10.
    #[schemars(range(min = 0.0, max = 30.0))]
    pub magnitude_max: f64,
    /// The probability that a drawn change is applied. timm's `p`, by default 0.5; ResNet-RS: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
    /// What a strength means.
    pub scale: Scale,
    /// How rotated, sheared and moved pictures are interpolated.
    pub interpolation: Interpolation,
    /// The colour of what comes into view. timm: the mean of the data; the default is ImageNet's.
    pub fill: [u8; 3],
}

impl Default for RandAugment {
    fn default() -> Self {
        Self {
            changes: 2,
            magnitude: 9.0,
            deviation: 0.5,
            magnitude_max: 10.0,
            probability: 0.5,
            scale: Scale::Increasing,
            interpolation: Interpolation::Bicubic,
            fill: [124, 116, 104],
        }
    }
}

/// What a strength means for those changes where code disagrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// A larger strength is always a larger change. timm's `inc1`.
    #[default]
    Increasing,
    /// As in EfficientNet's code: colour, contrast, brightness and sharpness go from a factor of
    /// 0.1 at 0 to 1.9 at 10, with no change between; posterize and solarize change less and less.
    Efficientnet,
}

/// The changes, by the names of timm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    SolarizeAdd,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateXRel,
    TranslateYRel,
}

const KINDS: [Kind; 15] = [
    Kind::AutoContrast,
    Kind::Equalize,
    Kind::Invert,
    Kind::Rotate,
    Kind::Posterize,
    Kind::Solarize,
    Kind::SolarizeAdd,
    Kind::Color,
    Kind::Contrast,
    Kind::Brightness,
    Kind::Sharpness,
    Kind::ShearX,
    Kind::ShearY,
    Kind::TranslateXRel,
    Kind::TranslateYRel,
];

impl Kind {
    /// Returns the change of this strength, in the direction of `sign`, 1 or -1.
    fn change(self, magnitude: f64, scale: Scale, sign: f64) -> Change {
        let share = magnitude / 10.0;
        let factor = match scale {
            Scale::Increasing => (1.0 + share * 0.9 * sign).max(0.1),
            Scale::Efficientnet => share * 1.8 + 0.1,
        };
        match self {
            Self::AutoContrast => Change::AutoContrast,
            Self::Equalize => Change::Equalize,
            Self::Invert => Change::Invert,
            Self::Rotate => Change::Rotate(share * 30.0 * sign),
            Self::Posterize => {
                let bits = (share * 4.0) as u32;
                Change::Posterize(match scale {
                    Scale::Increasing => 4_u32.saturating_sub(bits),
                    Scale::Efficientnet => bits,
                })
            }
            Self::Solarize => {
                let threshold = ((share * 256.0) as u32).min(256);
                Change::Solarize(match scale {
                    Scale::Increasing => 256 - threshold,
                    Scale::Efficientnet => threshold,
                })
            }
            Self::SolarizeAdd => Change::SolarizeAdd(((share * 110.0) as u32).min(128)),
            Self::Color => Change::Colour(factor),
            Self::Contrast => Change::Contrast(factor),
            Self::Brightness => Change::Brightness(factor),
            Self::Sharpness => Change::Sharpness(factor),
            Self::ShearX => Change::ShearX(share * 0.3 * sign),
            Self::ShearY => Change::ShearY(share * 0.3 * sign),
            Self::TranslateXRel => Change::TranslateX(share * 0.45 * sign),
            Self::TranslateYRel => Change::TranslateY(share * 0.45 * sign),
        }
    }
}

impl RandAugment {
    /// Returns the picture after the changes drawn at this address.
    pub(super) fn apply(&self, picture: &Picture, seed: Seed) -> Picture {
        let ground = Ground { interpolation: self.interpolation, fill: self.fill };
        let drawn = (0..self.changes).filter_map(|i| self.draw(&mut seed.index(i as u64).stream()));
        drawn.fold(picture.clone(), |picture, change| change.apply(&picture, ground))
    }

    /// Draws one change, or none.
    fn draw(&self, stream: &mut Stream) -> Option<Change> {
        let kind = KINDS[stream.below(KINDS.len())];
        let applied = stream.chance(self.probability);
        let sign = if stream.chance(0.5) { 1.0 } else { -1.0 };
        let magnitude = self.magnitude + self.deviation * stream.normal();
        let magnitude = magnitude.min(self.magnitude_max).max(0.0);
        applied.then(|| kind.change(magnitude, self.scale, sign))
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub(super) fn check(&self, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut tell = |wrong: bool, name: &str, value: f64, expected: &str| {
            if wrong {
                problems.push(Problem::new(source, format!("`{name} = {value}`"), expected));
            }
        };
        let strong = |x: f64| !(0.0..=30.0).contains(&x);
        tell(strong(self.magnitude), "magnitude", self.magnitude, "0 to 30");
        tell(strong(self.magnitude_max), "magnitude-max", self.magnitude_max, "0 to 30");
        let wide = !(self.deviation >= 0.0 && self.deviation.is_finite());
        tell(wide, "deviation", self.deviation, "a number from 0 on");
        let share = !(0.0..=1.0).contains(&self.probability);
        tell(share, "probability", self.probability, "0 to 1");
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::busy;
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    /// The strength of a change as one number, as timm passes it.
    fn argument(change: Change) -> Option<f64> {
        match change {
            Change::AutoContrast | Change::Equalize | Change::Invert => None,
            Change::Posterize(n) | Change::Solarize(n) | Change::SolarizeAdd(n) => {
                Some(f64::from(n))
            }
            Change::Colour(x)
            | Change::Contrast(x)
            | Change::Brightness(x)
            | Change::Sharpness(x)
            | Change::Rotate(x)
            | Change::ShearX(x)
            | Change::ShearY(x)
            | Change::TranslateX(x)
            | Change::TranslateY(x) => Some(x),
        }
    }

    #[test]
    fn strengths_mean_what_they_mean_in_timm() {
        for case in golden_json("images/augment/strengths.json").as_array().unwrap() {
            let scale = match case["scale"].as_str().unwrap() {
                "increasing" => Scale::Increasing,
                _ => Scale::Efficientnet,
            };
            let [magnitude, sign] = ["magnitude", "sign"].map(|key| case[key].as_f64().unwrap());
            let wanted = case["arguments"].as_array().unwrap();
            let names = case["names"].as_array().unwrap();
            assert_eq!(wanted.len(), KINDS.len());
            for ((kind, name), want) in KINDS.into_iter().zip(names).zip(wanted) {
                let name = name.as_str().unwrap().trim_end_matches("Increasing");
                assert_eq!(format!("{kind:?}"), name);
                let got = argument(kind.change(magnitude, scale, sign));
                assert_eq!(got.is_some(), want.is_number(), "{name}");
                // The same products of double precision, up to the order of two of them.
                let want = want.as_f64().unwrap_or(0.0);
                close(got.unwrap_or(0.0), want, Tol::absolute(1e-12));
            }
        }
    }

    #[test]
    fn draws_follow_the_law() {
        let policy = RandAugment { magnitude: 5.0, ..RandAugment::default() };
        let n = 30_000;
        let draws: Vec<Option<Change>> =
            (0..n).map(|i| policy.draw(&mut Seed::root(3).index(i).stream())).collect();
        let applied: Vec<Change> = draws.into_iter().flatten().collect();
        // Five deviations of a binomial law: 5 * sqrt(n) / 2 = 433.
        assert!(applied.len().abs_diff(n as usize / 2) < 433, "{} applied", applied.len());
        let angles: Vec<f64> = applied
            .iter()
            .filter_map(
                |change| if let Change::Rotate(degrees) = change { Some(*degrees) } else { None },
            )
            .collect();
        // One of fifteen of 15,000: 1,000 with a deviation of 31.
        assert!(angles.len().abs_diff(1_000) < 160, "{} rotations", angles.len());
        let mean = |f: &dyn Fn(f64) -> f64| {
            angles.iter().map(|x| f(*x)).sum::<f64>() / angles.len() as f64
        };
        // |angle| is N(15, 1.5), its sign is fair.
        close(mean(&f64::abs), 15.0, Tol::absolute(5.0 * 1.5 / 30.0));
        close(mean(&|x| x), 0.0, Tol::absolute(5.0 * 15.0 / 30.0));
        close(mean(&|x| (x.abs() - 15.0).powi(2)), 2.25, Tol::relative(0.25));
    }

    #[test]
    fn strengths_stay_within_bounds() {
        let policy = RandAugment { magnitude: 9.5, deviation: 5.0, ..RandAugment::default() };
        for i in 0..2_000 {
            if let Some(Change::Rotate(degrees)) = policy.draw(&mut Seed::root(4).index(i).stream())
            {
                assert!(degrees.abs() <= 30.0, "{degrees}");
            }
        }
    }

    #[test]
    fn no_change_is_the_identity_and_the_address_decides() {
        let picture = busy(16, 12);
        let none = RandAugment { changes: 0, ..RandAugment::default() };
        assert_eq!(none.apply(&picture, Seed::root(0)), picture);
        let policy = RandAugment { probability: 1.0, ..RandAugment::default() };
        let at = |i| policy.apply(&picture, Seed::root(1).index(i));
        let seen: std::collections::BTreeSet<Vec<u8>> =
            (0..60).map(|i| at(i).rgb().to_vec()).collect();
        assert!(seen.len() > 40, "{} different of 60", seen.len());
        assert_eq!(at(7), at(7));
    }

    #[test]
    fn spelled_in_toml() {
        let read = |text: &str| toml::from_str::<RandAugment>(text);
        assert_eq!(read("").unwrap(), RandAugment::default());
        let rs = read(
            "magnitude = 15\nmagnitude-max = 15\ndeviation = 0\nprobability = 1\n\
             scale = \"efficientnet\"\ninterpolation = \"bilinear\"\nfill = [0, 0, 0]",
        );
        assert_eq!(rs.unwrap().check("here"), []);
        let wrong = read("magnitude = 31\nmagnitude-max = -1\ndeviation = -1\nprobability = 2");
        assert_eq!(wrong.unwrap().check("here").len(), 4);
    }
}
