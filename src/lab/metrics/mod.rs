//! From features and predictions to numbers. Pure functions, f64, one order of summation.
//!
//! In reading order: an [`Extractor`] turns pictures into [`Taps`]: [`Features`] and [`Logits`];
//! [`extractors`] are those that numbers are published with.
//! [`fid`], [`fid_infinity`], [`kid`], [`inception_score`], [`prdc`], [`memorisation`] and
//! [`authenticity`] measure generated pictures against real ones, [`per_class`] class by class;
//! [`accuracy`] and [`calibration`] measure a classifier. [`IsProtocol`], [`PrProtocol`] and
//! [`kid_torch_fidelity`] repeat other tools by name, with NumPy's draws ([`RandomState`]).
//! `uncertainty` gives each score its interval, [`StatisticsFile`] and [`read_samples`] exchange
//! files with other tools, and `signatures` knows the values of wrong set-ups. [`Metric`] is what
//! an experiment file may name, [`Metric::measure`] the one match over it.
//!
//! Invariants: no number depends on the number of threads or on the batches features were
//! extracted in; nothing is clamped, no epsilon is added, and every [`Score`](crate::terms::Score)
//! carries its protocol.

mod accuracy;
#[cfg(test)]
mod agreement;
mod calibration;
mod extractor;
pub mod extractors;
mod features;
mod fid_infinity;
mod frechet;
mod inception_score;
mod kernel;
mod measure;
mod memorisation;
mod moments;
mod mt19937;
mod npz;
mod per_class;
mod prdc;
mod predictions;
mod samples;
mod signatures;
mod spectrum;
mod statistics;
mod tiles;
mod uncertainty;

pub use accuracy::{Accuracy, ClassAccuracy, accuracy};
pub use calibration::{BINS, Bin, Calibration, calibration};
pub use extractor::{Extractor, Taps};
pub use features::{BadFeatures, Features};
pub use fid_infinity::{FidInfinity, InfinitySizes, POINTS, Point, fid_infinity};
pub use frechet::{Distance, Frechet, Route, fid, fid_of_moments, fid_of_statistics};
pub use inception_score::{
    InceptionScore, IsProtocol, SPLITS, TORCH_FIDELITY_SEED, inception_score,
    inception_score_unshuffled,
};
pub use kernel::{Kid, KidOverSubsets, KidSubsets, SubsetTooLarge, kid, kid_torch_fidelity};
pub use measure::{Evidence, Measured, protocol};
pub use memorisation::{
    Memorisation, MemorisationSets, NEAR_SHARE, Neighbour, Pair, authentic, authenticity,
    closest_pairs, memorisation, neighbours,
};
pub use moments::{Moments, Statistics};
pub use mt19937::RandomState;
pub use npz::NpzError;
pub use per_class::{ClassMetric, ClassOutcome, ClassScore, Labelled, per_class};
pub use prdc::{Boundary, Manifolds, PrProtocol, Prdc, PrdcSpec, prdc};
pub use predictions::{Logits, Probabilities};
pub use samples::{Samples, read_samples, visit_samples};
pub use signatures::{KnownSet, explain, suspicious_features, suspicious_predictions};
pub use statistics::StatisticsFile;
pub use uncertainty::{
    PrdcIntervals, fid_interval, inception_score_interval, kid_interval, prdc_with_intervals,
};

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
    /// Fréchet distance extrapolated to endless pictures: `fid-infinity`.
    FidInfinity,
    /// Share of pictures that are no near-copy of a training picture (AuthPct): `authenticity`.
    Authenticity,
}

impl Metric {
    /// All metrics, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Fid,
        Self::Kid,
        Self::Is,
        Self::Prdc,
        Self::Memorisation,
        Self::FidInfinity,
        Self::Authenticity,
    ];

    fn entry(self) -> &'static Entry {
        match self {
            Self::Fid => &frechet::ENTRY,
            Self::Kid => &kernel::ENTRY,
            Self::Is => &inception_score::ENTRY,
            Self::Prdc => &prdc::ENTRY,
            Self::Memorisation => &memorisation::ENTRY,
            Self::FidInfinity => &fid_infinity::ENTRY,
            Self::Authenticity => &memorisation::AUTHENTICITY,
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
