//! The scores of a set of generated pictures: a stage, and what it leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::album::Album;
use super::features::{Beside, FeatureSet, wrong};
use super::measuring::{Measuring, Reference, Sides};
use super::tool::Wanted;
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::metrics::{ClassOutcome, Pair, StatisticsFile};
use crate::lab::stats::Interval;
use crate::terms::{Direction, Key, Protocol};

/// The inputs of the stage.
pub(super) const REAL: &str = "real";
pub(super) const FAKE: &str = "fake";
pub(super) const UNSEEN: &str = "unseen";

/// The file the stage leaves.
const RESULT: &str = "scores.json";

/// One score of a set of generated pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its 95 % interval, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval: Option<Interval>,
    /// The deviation that its tool prints behind "±": of splits or subsets, no standard error; of
    /// `fid-infinity`, the standard error of the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spread: Option<f64>,
    /// Which way it improves.
    pub direction: Direction,
    /// How many generated pictures it is of.
    pub n: usize,
    /// How it was measured.
    pub protocol: Protocol,
    /// What tells whether to believe it: eigenvalues, rank and residual of a Fréchet distance, the
    /// line of `fid-infinity`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub diagnostics: BTreeMap<String, f64>,
}

/// The scores of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassLine {
    /// Its name.
    pub class: String,
    /// How many real pictures it has.
    pub real: usize,
    /// How many generated ones.
    pub fake: usize,
    /// Its Fréchet distance.
    pub distance: ClassOutcome,
    /// Its recall.
    pub recall: ClassOutcome,
}

/// The scores of a set of generated pictures against real ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The scores.
    pub lines: Vec<Line>,
    /// Scores that were asked for and are not there, each with the reason.
    pub refused: Vec<String>,
    /// What looks wrong, and what to think of.
    pub warnings: Vec<String>,
    /// Class by class, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<ClassLine>,
    /// The generated pictures nearest to a real one, nearest first, by their positions in the two
    /// sets, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pairs: Vec<Pair>,
}

impl Scores {
    /// Reads what the stage left.
    pub(super) fn read(entry: &Entry) -> Result<Self, Failure> {
        serde_json::from_slice(&entry.read(RESULT)?).map_err(Failure::other)
    }
}

/// Measures features against features.
pub(super) struct ScoresStage {
    pub(super) measuring: Measuring,
    /// What a file says of the real side, and the file's hash.
    pub(super) statistics: Option<(Arc<StatisticsFile>, Key)>,
    /// The pictures of each input.
    pub(super) albums: BTreeMap<&'static str, Arc<Album>>,
    pub(super) skip_unreadable: bool,
    /// What people call the generated side.
    pub(super) name: String,
}

impl ScoresStage {
    /// Reads the features of an input; refuses those of a set with unreadable pictures.
    fn features(
        &self,
        name: &str,
        inputs: &Inputs,
        beside: Beside,
    ) -> Result<Option<FeatureSet>, Failure> {
        let Some(entry) = inputs.get(name) else { return Ok(None) };
        let set = FeatureSet::read(entry, beside)?;
        match self.albums.get(name) {
            Some(album) if !self.skip_unreadable && !set.left_out.is_empty() => {
                Err(wrong(album, &set.left_out))
            }
            _ => Ok(Some(set)),
        }
    }

    fn sides(&self, inputs: &Inputs) -> Result<Sides, Failure> {
        let wants = |wanted: Wanted| self.measuring.wanted.contains(&wanted);
        let spatial = wants(Wanted::Sfid);
        let fake = Beside { logits: true, spatial };
        let missing = || Failure::other("measure pictures that are not there");
        Ok(Sides {
            fake: self.features(FAKE, inputs, fake)?.ok_or_else(missing)?,
            real: Reference {
                statistics: self.statistics.as_ref().map(|(file, _)| file.clone()),
                set: self.features(REAL, inputs, Beside { logits: false, spatial })?,
            },
            unseen: self.features(UNSEEN, inputs, Beside::default())?,
        })
    }

    /// Returns the class of every row of an input.
    fn classes(&self, name: &str, set: &FeatureSet) -> Option<Vec<String>> {
        let classes = self.albums.get(name)?.classes()?;
        Some(set.positions().into_iter().map(|i| classes[i].to_owned()).collect())
    }

    /// Turns rows of the two sets into positions in their albums.
    fn placed(pairs: Vec<Pair>, real: &FeatureSet, fake: &FeatureSet) -> Vec<Pair> {
        let (reals, fakes) = (real.positions(), fake.positions());
        let place = |mut pair: Pair| {
            pair.fake = fakes[pair.fake];
            pair.real.index = reals[pair.real.index];
            pair
        };
        pairs.into_iter().map(place).collect()
    }
}

impl Stage for ScoresStage {
    fn kind(&self) -> &'static str {
        "comparison"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        let Measuring { tool, wanted, extractor, reference, .. } = &self.measuring;
        let Measuring { allow_small_n, intervals, per_class, pairs, details, .. } = &self.measuring;
        // Classes come from names, which are no part of the key of the pictures.
        let classes = per_class.then(|| {
            let of = |name| self.albums.get(name).map(|album| album.classes());
            Key::of_stage("classes", 1, &json!([of(REAL), of(FAKE)]), &[]).hex()
        });
        json!({
            "tool": tool.name(),
            "scores": wanted.iter().map(|it| it.name()).collect::<Vec<_>>(),
            "extractor": extractor,
            "reference": reference,
            "details": details,
            "allow-small-n": allow_small_n,
            "intervals": intervals,
            "classes": classes,
            "pairs": pairs,
            "statistics": self.statistics.as_ref().map(|(_, hash)| hash.hex()),
            "skip-unreadable": self.skip_unreadable,
        })
    }

    fn label(&self) -> String {
        format!("scores of {} by {}", self.name, self.measuring.tool.name())
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 30.0, bytes: 1 << 14 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let sides = self.sides(inputs)?;
        let measuring = &self.measuring;
        let mut scores = Scores::default();
        for (i, wanted) in measuring.wanted.iter().enumerate() {
            context.proceed()?;
            context.progress(i, measuring.wanted.len(), wanted.name());
            match measuring.measure(*wanted, &sides, &|| !context.stopping()) {
                Ok(lines) => scores.lines.extend(lines),
                Err(why) => scores.refused.push(format!("{}: {why}", wanted.name())),
            }
        }
        context.proceed()?;
        if let Some(real) = &sides.real.set {
            if measuring.per_class {
                let [reals, fakes] = [(REAL, real), (FAKE, &sides.fake)]
                    .map(|(name, set)| self.classes(name, set).unwrap_or_default());
                scores.classes = measuring.classes((real, &reals), (&sides.fake, &fakes));
            }
            context.proceed()?;
            let pairs = measuring.closest(real, &sides.fake);
            scores.pairs = Self::placed(pairs, real, &sides.fake);
        }
        scores.warnings = measuring.warnings(&sides, &self.name, &scores.lines);
        Ok(bench.put(RESULT, &serde_json::to_vec_pretty(&scores).expect("plain data"))?)
    }
}
