//! Scores class by class: a good mean may hide classes that fail.
//!
//! Each class is measured alone, its generated pictures against its real ones. Classes with too
//! few pictures are refused with the reason, never measured badly.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Features;
use super::frechet::{Frechet, fid};
use super::prdc::{Manifolds, PrdcSpec, prdc};
use crate::terms::ClassId;

/// Features of pictures whose classes are known.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The features.
    pub features: &'a Features,
    /// The class of each row.
    pub classes: &'a [ClassId],
}

/// What is measured of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassMetric {
    /// The Fréchet distance; each side needs more pictures than features.
    Fid,
    /// Recall under these balls; each side needs more pictures than neighbours.
    Recall(PrdcSpec),
}

/// What came of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassOutcome {
    /// Its score.
    Score(f64),
    /// Why there is none.
    Refused(String),
}

/// The score of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub class: ClassId,
    /// How many real pictures it has.
    pub real: usize,
    /// How many generated ones.
    pub fake: usize,
    /// Its score, or why there is none.
    pub outcome: ClassOutcome,
}

/// Returns a score for every class that either side knows, in order of classes.
///
/// # Panics
/// If a row has no class, or the sides differ in width.
pub fn per_class(real: Labelled<'_>, fake: Labelled<'_>, metric: ClassMetric) -> Vec<ClassScore> {
    for side in [real, fake] {
        assert_eq!(side.features.n(), side.classes.len(), "every row has a class");
    }
    assert_eq!(real.features.d(), fake.features.d(), "both sets come from one extractor");
    let classes: BTreeSet<ClassId> = real.classes.iter().chain(fake.classes).copied().collect();
    let score = |class: ClassId| {
        let (reals, fakes) = (real.of(class), fake.of(class));
        let outcome = metric.measure(&reals, &fakes);
        let outcome = outcome.map_or_else(ClassOutcome::Refused, ClassOutcome::Score);
        ClassScore { class, real: reals.n(), fake: fakes.n(), outcome }
    };
    classes.into_iter().map(score).collect()
}

impl Labelled<'_> {
    fn of(&self, class: ClassId) -> Features {
        let rows = (0..self.classes.len()).filter(|i| self.classes[*i] == class);
        self.features.select(&rows.collect::<Vec<_>>())
    }
}

impl ClassMetric {
    fn measure(self, real: &Features, fake: &Features) -> Result<f64, String> {
        let (least, why) = match self {
            Self::Fid => (real.d() + 1, format!("a covariance of {} features", real.d())),
            Self::Recall(spec) => (spec.neighbours + 1, format!("balls of {}", spec.describe())),
        };
        for (side, set) in [("real", real), ("generated", fake)] {
            if set.n() < least {
                let n = set.n();
                return Err(format!("{n} {side} pictures; {why} needs at least {least}"));
            }
        }
        match self {
            Self::Recall(spec) => Ok(prdc(Manifolds { real, fake }, spec).recall),
            Self::Fid => match fid(real, fake) {
                Frechet::Sound(distance) | Frechet::RankDeficient(distance) => Ok(distance.value),
                Frechet::Indefinite { .. } => Err("the covariances have no root".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::normal;
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn a_class_is_measured_alone() {
        let (real, fake) = (normal(120, 90, 4, 0.0, 1.0), normal(121, 70, 4, 0.2, 1.0));
        // Real: classes 0, 1, 2 in turns. Fake: 0 and 1 in turns, but three rows of class 7.
        let reals: Vec<ClassId> = (0..90).map(|i| ClassId(i % 3)).collect();
        let fakes: Vec<ClassId> = (0..70).map(|i| ClassId(if i < 3 { 7 } else { i % 2 })).collect();
        let sides = (
            Labelled { features: &real, classes: &reals },
            Labelled { features: &fake, classes: &fakes },
        );
        for metric in [ClassMetric::Fid, ClassMetric::Recall(PrdcSpec::PACKAGE)] {
            let got = per_class(sides.0, sides.1, metric);
            let counts: Vec<_> = got.iter().map(|it| (it.class.0, it.real, it.fake)).collect();
            assert_eq!(counts, [(0, 30, 33), (1, 30, 34), (2, 30, 0), (7, 0, 3)]);
            let rows = |classes: &[ClassId], class: u32| -> Vec<usize> {
                (0..classes.len()).filter(|i| classes[*i] == ClassId(class)).collect()
            };
            let (one, other) = (real.select(&rows(&reals, 1)), fake.select(&rows(&fakes, 1)));
            let want = match metric {
                ClassMetric::Fid => fid(&one, &other).sound().unwrap().value,
                ClassMetric::Recall(spec) => {
                    prdc(Manifolds { real: &one, fake: &other }, spec).recall
                }
            };
            let ClassOutcome::Score(value) = got[1].outcome else { panic!("{got:?}") };
            close(value, want, Tol::absolute(0.0));
            assert!(matches!(&got[2].outcome, ClassOutcome::Refused(why)
                if why.starts_with("0 generated pictures; ")));
            assert!(matches!(&got[3].outcome, ClassOutcome::Refused(why)
                if why.starts_with("0 real pictures; ")));
        }
    }
}
