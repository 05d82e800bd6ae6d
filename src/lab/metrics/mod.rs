//! From features and predictions to numbers. Pure functions, f64, one order of summation.
//!
//! In reading order: an [`Extractor`] turns pictures into [`Taps`]: [`Features`] and [`Logits`]
//! ([`extractors`] are the published ones);
//! [`fid`], [`kid`], [`inception_score`], [`prdc`] and [`memorisation`] measure generated pictures
//! against real ones; [`accuracy`] and [`calibration`] measure a classifier. [`Metric`] is what an
//! experiment file may name, [`Metric::measure`] the one match over it.
//!
//! Invariants: no number depends on the number of threads or on the batches features were
//! extracted in; nothing is clamped, no epsilon is added, and every [`Score`](crate::terms::Score)
//! carries its protocol.

mod accuracy;
mod calibration;
mod extractor;
pub mod extractors;
mod features;
mod frechet;
mod inception_score;
mod kernel;
mod measure;
mod memorisation;
mod moments;
mod prdc;
mod predictions;
mod spectrum;
mod tiles;

pub use accuracy::{Accuracy, ClassAccuracy, accuracy};
pub use calibration::{BINS, Bin, Calibration, calibration};
pub use extractor::{Extractor, Taps};
pub use features::Features;
pub use frechet::{Distance, Frechet, Route, fid, fid_of_moments};
pub use inception_score::{InceptionScore, SPLITS, inception_score};
pub use kernel::{Kid, KidSubsets, kid, kid_subsets};
pub use measure::{Evidence, Measured, protocol};
pub use memorisation::{Memorisation, MemorisationSets, Neighbour, memorisation};
pub use moments::Moments;
pub use prdc::{Boundary, Manifolds, Prdc, PrdcSpec, prdc};
pub use predictions::{Logits, Probabilities};

use measure::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::Direction;

/// What to measure about generated pictures.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Fréchet distance of features: `fid`.
    Fid,
    /// Kernel distance of features over all pairs: `kid`.
    Kid,
    /// Inception score over 10 splits: `is`.
    Is,
    /// `precision`, `recall`, `density` and `coverage`, k = 5.
    Prdc,
    /// Copies of training pictures: `authentic` and `near-train`.
    Memorisation,
}

impl Metric {
    /// All metrics, in the order of tables.
    pub const ALL: [Self; 5] = [Self::Fid, Self::Kid, Self::Is, Self::Prdc, Self::Memorisation];

    fn entry(self) -> &'static Entry {
        match self {
            Self::Fid => &frechet::ENTRY,
            Self::Kid => &kernel::ENTRY,
            Self::Is => &inception_score::ENTRY,
            Self::Prdc => &prdc::ENTRY,
            Self::Memorisation => &memorisation::ENTRY,
        }
    }

    /// Returns the names of its scores, and which way each improves.
    pub fn scores(self) -> &'static [(&'static str, Direction)] {
        self.entry().scores
    }

    /// Returns how many pictures it needs at least on each side.
    pub fn least_pictures(self) -> usize {
        self.entry().least_pictures
    }

    /// Measures generated pictures.
    ///
    /// ```
    /// use ersatz::lab::metrics::{Evidence, Features, Measured, Metric};
    /// use ersatz::terms::Seed;
    /// let real = Features::new(1, (0..50).map(|i| i as f32).collect());
    /// let fake = Features::new(1, (0..40).map(|i| i as f32 + 2.0).collect());
    /// let evidence = Evidence {
    ///     extractor: "brightness", reference: "train", real: &real, fake: &fake,
    ///     probabilities: None, unseen: None, seed: Seed::root(0),
    /// };
    /// let Measured::Scores(scores) = Metric::Fid.measure(&evidence) else { panic!() };
    /// assert_eq!(scores[0].protocol.0, "fid[extractor=brightness;f64;N=50/40;ref=train]");
    /// assert!(matches!(Metric::Is.measure(&evidence), Measured::Refused(_)));
    /// ```
    pub fn measure(self, evidence: &Evidence<'_>) -> Measured {
        self.entry().apply(evidence)
    }
}
