//! From features to scores, in the way of a tool.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::features::FeatureSet;
use super::tool::{KidWay, Tool, Wanted};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::metrics::extractors::Network;
use crate::lab::metrics::{
    Features, Fingerprint, Frechet, InfinitySizes, KidSubsets, Manifolds, PrProtocol, Statistics,
    StatisticsFile, TORCH_FIDELITY_SEED, authenticity, authenticity_interval, explain, fid,
    fid_infinity, fid_interval, fid_of_statistics, inception_score_interval, kid, kid_interval,
    kid_torch_fidelity, prdc, prdc_intervals, protocol, suspicious_features,
    suspicious_predictions,
};
use crate::lab::stats::Interval;
use crate::terms::{Direction, Protocol, Seed};

/// The inputs of the stage.
pub(super) const REAL: &str = "real";
pub(super) const FAKE: &str = "fake";

/// The file the stage leaves.
const RESULT: &str = "scores.json";

/// Pictures from which on a covariance of Inception's features is of full rank, and below which
/// the literature gives no FID.
pub const LEAST_PICTURES: usize = 2048;

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
    /// The deviation that its tool prints behind "±": of splits or subsets, no standard error.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spread: Option<f64>,
    /// Which way it improves.
    pub direction: Direction,
    /// How it was measured.
    pub protocol: Protocol,
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
}

impl Scores {
    /// Reads what the stage left.
    pub(super) fn read(entry: &Entry) -> Result<Self, Failure> {
        serde_json::from_slice(&entry.read(RESULT)?).map_err(Failure::other)
    }
}

/// The real side: features, or what a file says of them.
pub(super) enum Reference {
    Features(FeatureSet),
    Statistics(Arc<StatisticsFile>),
}

/// What shall be measured, and how.
#[derive(Clone, Debug)]
pub(super) struct Measuring {
    pub(super) tool: Tool,
    pub(super) network: Network,
    pub(super) wanted: BTreeSet<Wanted>,
    /// What the extractor says of itself.
    pub(super) extractor: String,
    /// What the real side is called.
    pub(super) reference: String,
    pub(super) allow_small_n: bool,
    pub(super) intervals: bool,
}

/// Measures features against features.
pub(super) struct ScoresStage {
    pub(super) measuring: Measuring,
    /// What a file says of the real side, where there are no pictures, and the file's hash.
    pub(super) statistics: Option<(Arc<StatisticsFile>, String)>,
    /// What people call the generated side.
    pub(super) name: String,
}

impl Stage for ScoresStage {
    fn kind(&self) -> &'static str {
        "comparison"
    }

    fn version(&self) -> u32 {
        1
    }

    fn spec(&self) -> Value {
        let Measuring { tool, wanted, extractor, reference, allow_small_n, intervals, .. } =
            &self.measuring;
        json!({
            "tool": tool.name(),
            "scores": wanted.iter().map(|it| it.name()).collect::<Vec<_>>(),
            "extractor": extractor,
            "reference": reference,
            "allow-small-n": allow_small_n,
            "intervals": intervals,
            "statistics": self.statistics.as_ref().map(|(_, hash)| hash),
        })
    }

    fn label(&self) -> String {
        format!("scores of {} by {}", self.name, self.measuring.tool.name())
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 30.0, bytes: 1 << 14 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let real = match &self.statistics {
            Some((file, _)) => Reference::Statistics(file.clone()),
            None => Reference::Features(FeatureSet::read(inputs.entry(REAL))?),
        };
        let fake = FeatureSet::read(inputs.entry(FAKE))?;
        let mut scores = Scores::default();
        for (i, wanted) in self.measuring.wanted.iter().enumerate() {
            context.proceed()?;
            context.progress(i, self.measuring.wanted.len(), wanted.name());
            match self.measuring.measure(*wanted, &real, &fake) {
                Ok(lines) => scores.lines.extend(lines),
                Err(why) => scores.refused.push(format!("{}: {why}", wanted.name())),
            }
        }
        scores.warnings = self.measuring.warnings(&real, &fake, &scores.lines);
        Ok(bench.put(RESULT, &serde_json::to_vec_pretty(&scores).expect("plain data"))?)
    }
}

/// A value on its way to a line.
struct Measured {
    name: String,
    value: f64,
    interval: Option<Interval>,
    spread: Option<f64>,
    direction: Direction,
}

impl Measured {
    fn new(name: impl Into<String>, value: f64, direction: Direction) -> Self {
        Self { name: name.into(), value, interval: None, spread: None, direction }
    }

    fn between(self, interval: Option<Interval>) -> Self {
        Self { interval, ..self }
    }

    fn spread(self, spread: f64) -> Self {
        Self { spread: Some(spread), ..self }
    }
}

impl Measuring {
    fn measure(
        &self,
        wanted: Wanted,
        real: &Reference,
        fake: &FeatureSet,
    ) -> Result<Vec<Line>, String> {
        match wanted {
            Wanted::Fid => self.frechet(real, fake, false),
            Wanted::Sfid => self.frechet(real, fake, true),
            Wanted::Is => self.inception_score(fake),
            other => {
                let Reference::Features(real) = real else {
                    return Err("statistics of the real side are not enough".to_owned());
                };
                let sets = Manifolds { real: &real.features, fake: &fake.features };
                match other {
                    Wanted::FidInfinity => self.fid_infinity(sets),
                    Wanted::Kid => self.kid(sets),
                    Wanted::Pr => self.precision_recall(sets),
                    _ => self.authenticity(sets),
                }
            }
        }
    }

    fn frechet(
        &self,
        real: &Reference,
        fake: &FeatureSet,
        spatial: bool,
    ) -> Result<Vec<Line>, String> {
        let fakes = self.points(fake, spatial)?;
        let (n_real, distance, interval) = match real {
            Reference::Features(real) => {
                let sets = Manifolds { real: self.points(real, spatial)?, fake: fakes };
                let n = sets.real.n();
                self.enough(n.min(fakes.n()))?;
                let interval =
                    self.intervals.then(|| fid_interval(sets, &self.seed("fid"))).flatten();
                (Some(n), fid(sets.real, fakes), interval)
            }
            Reference::Statistics(file) => {
                let real = if spatial { file.spatial.as_ref() } else { Some(&file.pooled) };
                let real = real.ok_or("the statistics have no `mu_s`")?;
                if real.d() != fakes.d() {
                    let (theirs, ours) = (real.d(), fakes.d());
                    return Err(format!("the statistics have {theirs} features, not {ours}"));
                }
                self.enough(real.n().map_or(fakes.n(), |n| n.min(fakes.n())))?;
                (real.n(), fid_of_statistics(real, &Statistics::of_features(fakes)), None)
            }
        };
        let (value, deficient) = match distance {
            Frechet::Sound(distance) => (distance.value, false),
            Frechet::RankDeficient(distance) => (distance.value, true),
            Frechet::Indefinite { lambda_min, lambda_max } => {
                let found = format!("eigenvalues from {lambda_min:e} to {lambda_max:e}");
                return Err(format!("the product of the covariances is indefinite: {found}"));
            }
        };
        let name = if spatial { "sfid" } else { self.network.distance() };
        let details = deficient.then(|| "rank-deficient".to_owned()).into_iter().collect();
        let line = Measured::new(name, value, Direction::Lower).between(interval);
        Ok(self.lines(vec![line], details, Some((n_real, fakes.n()))))
    }

    fn points<'a>(&self, set: &'a FeatureSet, spatial: bool) -> Result<&'a Features, String> {
        if !spatial {
            return Ok(&set.features);
        }
        let none = || format!("`{}` has no spatial features", self.network.name());
        set.spatial.as_ref().ok_or_else(none)
    }

    /// Refuses what says more about the number of pictures than about them.
    fn enough(&self, n: usize) -> Result<(), String> {
        if self.allow_small_n || n >= LEAST_PICTURES {
            return Ok(());
        }
        Err(format!(
            "of {n} pictures a distance says more about their number than about them, at least \
             {LEAST_PICTURES} are usual; `--allow-small-n` shows it all the same"
        ))
    }

    fn fid_infinity(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        self.enough(sets.real.n().min(sets.fake.n()))?;
        let got = fid_infinity(sets, InfinitySizes::Ersatz, TORCH_FIDELITY_SEED)?;
        let name = format!("{}-infinity", self.network.distance());
        let line = Measured::new(name, got.value, Direction::Lower).between(Some(got.interval()));
        Ok(self.lines(vec![line], got.details(), Some((Some(sets.real.n()), sets.fake.n()))))
    }

    fn kid(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        let counts = Some((Some(sets.real.n()), sets.fake.n()));
        match self.tool.kernel_distance() {
            KidWay::Exact => {
                let got = kid(sets.real, sets.fake);
                let line = Measured::new("kid", got.value, Direction::Lower)
                    .between(Some(kid_interval(&got)));
                let details = ["poly3", "unbiased", "all-pairs"].map(str::to_owned).into();
                Ok(self.lines(vec![line], details, counts))
            }
            KidWay::Subsets => {
                let spec = KidSubsets { subsets: 100, size: 1000 };
                let got = kid_torch_fidelity(sets, spec, TORCH_FIDELITY_SEED)
                    .map_err(|error| error.to_string())?;
                let line = Measured::new("kid", got.mean, Direction::Lower).spread(got.sd);
                Ok(self.lines(vec![line], got.details(), counts))
            }
        }
    }

    fn inception_score(&self, fake: &FeatureSet) -> Result<Vec<Line>, String> {
        let logits = fake.logits.as_ref();
        let logits = logits.ok_or_else(|| format!("`{}` has no classes", self.network.name()))?;
        let way = self.tool.inception_score();
        if logits.n() < way.least_pictures() {
            return Err(format!("{} pictures are too few", logits.n()));
        }
        let rows = logits.softmax();
        let seed = self.seed("inception-score");
        let got = way.score(&rows, &seed);
        let interval =
            if self.intervals { inception_score_interval(&rows, way, &seed) } else { None };
        let line =
            Measured::new("is", got.mean, Direction::Higher).spread(got.sd).between(interval);
        Ok(self.lines(vec![line], way.details(), None))
    }

    fn precision_recall(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        let way = self.tool.precision_recall();
        let spec = way.spec();
        let fewest = sets.real.n().min(sets.fake.n());
        if fewest <= spec.neighbours {
            return Err(format!(
                "{fewest} pictures are too few for {} neighbours",
                spec.neighbours
            ));
        }
        let got = prdc(sets, spec);
        let sure = self.intervals.then(|| prdc_intervals(sets, spec, &self.seed("prdc")));
        let line = |name: &str, value: f64, interval: Option<Interval>| {
            Measured::new(name, value, Direction::Higher).between(interval)
        };
        let mut lines = vec![
            line("precision", got.precision, sure.as_ref().map(|it| it.precision)),
            line("recall", got.recall, sure.as_ref().map(|it| it.recall)),
        ];
        match way {
            PrProtocol::Prdc => lines.extend([
                line("density", got.density, sure.as_ref().map(|it| it.density)),
                line("coverage", got.coverage, sure.as_ref().map(|it| it.coverage)),
            ]),
            PrProtocol::TorchFidelity => lines.push(line("f-score", got.f_score(), None)),
            PrProtocol::Adm => {}
        }
        let counts = Some((Some(sets.real.n()), sets.fake.n()));
        Ok(self.lines(lines, way.details(), counts))
    }

    fn authenticity(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        if sets.real.n() < 2 {
            return Err("one real picture has no neighbour".to_owned());
        }
        let value = authenticity(sets.real, sets.fake);
        let interval = authenticity_interval(sets.real, sets.fake);
        let line = Measured::new("authenticity", value, Direction::Higher).between(Some(interval));
        let counts = Some((Some(sets.real.n()), sets.fake.n()));
        Ok(self.lines(vec![line], vec!["nearest=1".to_owned()], counts))
    }

    /// Puts values under their protocol; `counts` are real and fake pictures, where both matter.
    fn lines(
        &self,
        values: Vec<Measured>,
        details: Vec<String>,
        counts: Option<(Option<usize>, usize)>,
    ) -> Vec<Line> {
        let mut parts = vec![
            format!("tool={}", self.tool.name()),
            format!("extractor={}", self.extractor),
            format!("jpeg={}", super::DECODER),
            "f64".to_owned(),
        ];
        parts.extend(details);
        if let Some((real, fake)) = counts {
            let real = real.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
            parts.push(format!("N={real}/{fake}"));
            parts.push(format!("ref={}", self.reference));
        }
        let line = |it: Measured| Line {
            protocol: protocol(&it.name, &parts),
            name: it.name,
            value: it.value,
            interval: it.interval,
            spread: it.spread,
            direction: it.direction,
        };
        values.into_iter().map(line).collect()
    }

    fn warnings(&self, real: &Reference, fake: &FeatureSet, lines: &[Line]) -> Vec<String> {
        let mut said = Vec::new();
        if let Reference::Features(real) = real {
            said.extend(left_out("real", real));
            said.extend(suspicious_features(&real.features, &fake.features));
        }
        said.extend(left_out("generated", fake));
        if let Some(logits) = &fake.logits {
            said.extend(suspicious_predictions(&logits.softmax(), &self.seed("order")));
        }
        let fingerprint =
            Fingerprint { pictures: fake.features.n(), size: fake.size, classes: None };
        if let Some(known) = fingerprint.known() {
            let explained = lines.iter().filter_map(|it| explain(known, &it.name, it.value));
            said.extend(explained.map(str::to_owned));
        }
        said
    }

    fn seed(&self, of: &str) -> Seed {
        Seed::root(0).child("comparison").child(of)
    }
}

/// Says how many pictures of a side were not measured.
fn left_out(side: &str, set: &FeatureSet) -> Option<String> {
    let (count, all) = (set.unreadable, set.unreadable + set.features.n());
    (count > 0).then(|| format!("{count} of {all} {side} pictures cannot be read: left out"))
}
