//! From features to scores, in the way of a tool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::features::FeatureSet;
use super::scores::{ClassLine, Line};
use super::tool::{KidWay, Tool, Wanted};
use crate::lab::metrics::extractors::Network;
use crate::lab::metrics::{
    ClassMetric, ClassScore, Distance, Features, Frechet, InfinitySizes, KidSubsets, KnownSet,
    Labelled, Manifolds, MemorisationSets, NEAR_SHARE, Pair, PrProtocol, Statistics,
    StatisticsFile, TORCH_FIDELITY_SEED, authentic, closest_pairs, explain, fid, fid_infinity,
    fid_interval, fid_of_statistics, inception_score_interval, kid, kid_interval,
    kid_torch_fidelity, memorisation, neighbours, per_class, prdc, prdc_with_intervals, protocol,
    suspicious_features, suspicious_predictions,
};
use crate::lab::stats::{Interval, wilson};
use crate::terms::{ClassId, Direction, Seed};

/// Pictures below which the literature gives no FID.
const CUSTOMARY: usize = 2048;

/// The smallest difference between the shares of JPEG that is worth a word.
const OTHER_COMPRESSION: f64 = 0.5;

/// The real side: what a file says of it, the features of its pictures, or both.
pub(super) struct Reference {
    pub(super) statistics: Option<Arc<StatisticsFile>>,
    pub(super) set: Option<FeatureSet>,
}

/// What is measured against what.
pub(super) struct Sides {
    pub(super) real: Reference,
    pub(super) fake: FeatureSet,
    /// Real pictures that the generator has not seen.
    pub(super) unseen: Option<FeatureSet>,
}

/// What shall be measured, and how.
#[derive(Clone, Debug)]
pub(super) struct Measuring {
    pub(super) tool: Tool,
    pub(super) network: Network,
    pub(super) wanted: BTreeSet<Wanted>,
    /// What the extractor says of itself.
    pub(super) extractor: String,
    /// What the real side is called, with the first digits of its key.
    pub(super) reference: String,
    /// What protocols say beside: how pictures were drawn, whose statistics they are.
    pub(super) details: Vec<String>,
    pub(super) allow_small_n: bool,
    pub(super) intervals: bool,
    pub(super) per_class: bool,
    /// How many of the closest pairs to keep.
    pub(super) pairs: usize,
}

/// A value on its way to a line.
struct Measured {
    name: String,
    value: f64,
    direction: Direction,
    interval: Option<Interval>,
    spread: Option<f64>,
    diagnostics: BTreeMap<String, f64>,
}

impl Measured {
    fn new(name: impl Into<String>, value: f64, direction: Direction) -> Self {
        let (name, diagnostics) = (name.into(), BTreeMap::new());
        Self { name, value, direction, interval: None, spread: None, diagnostics }
    }

    fn between(self, interval: Option<Interval>) -> Self {
        Self { interval, ..self }
    }

    fn spread(self, spread: f64) -> Self {
        Self { spread: Some(spread), ..self }
    }

    fn beside<const N: usize>(self, diagnostics: [(&str, f64); N]) -> Self {
        let diagnostics = diagnostics.map(|(name, value)| (name.to_owned(), value));
        Self { diagnostics: diagnostics.into(), ..self }
    }
}

/// Returns the fewest pictures of which a Fréchet distance is shown: those that are customary, or
/// for other networks than FID's one more than features, so that a covariance may be of full rank.
pub(super) fn least_pictures(network: Network) -> usize {
    if network == Network::Inception { CUSTOMARY } else { network.features() + 1 }
}

impl Measuring {
    /// Measures one score, or says why there is none. `go_on` is asked now and then: once it says
    /// no, what comes back is of no use.
    pub(super) fn measure(
        &self,
        wanted: Wanted,
        sides: &Sides,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Line>, String> {
        if let Some(network) = self.tool.insists(wanted, self.network) {
            let (tool, name) = (self.tool.name(), network.name());
            return Err(format!(
                "{tool} takes it in the features of `{name}`: `--extractor {name}`"
            ));
        }
        let fake = &sides.fake;
        match wanted {
            Wanted::Fid => self.frechet(&sides.real, fake, false, go_on),
            Wanted::Sfid => self.frechet(&sides.real, fake, true, go_on),
            Wanted::Is => self.inception_score(fake),
            other => {
                let none = "statistics of the real side are not enough";
                let sets = Manifolds {
                    real: &sides.real.set.as_ref().ok_or(none)?.features,
                    fake: &fake.features,
                };
                match other {
                    Wanted::FidInfinity => self.fid_infinity(sets),
                    Wanted::Kid => self.kid(sets),
                    Wanted::Pr => self.precision_recall(sets),
                    Wanted::Authenticity => self.authenticity(sets),
                    _ => self.near_train(sets, sides.unseen.as_ref()),
                }
            }
        }
    }

    fn frechet(
        &self,
        real: &Reference,
        fake: &FeatureSet,
        spatial: bool,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Line>, String> {
        let fakes = self.points(fake, spatial)?;
        self.enough(fakes.n())?;
        let (n_real, outcome, interval) = match (&real.statistics, &real.set) {
            (Some(file), _) => {
                let real = if spatial { file.spatial.as_ref() } else { Some(&file.pooled) };
                let real = real.ok_or("the statistics have no `mu_s`")?;
                if real.d() != fakes.d() {
                    let (theirs, ours) = (real.d(), fakes.d());
                    return Err(format!("the statistics have {theirs} features, not {ours}"));
                }
                self.enough(real.n().unwrap_or(usize::MAX))?;
                (real.n(), fid_of_statistics(real, &Statistics::of_features(fakes)), None)
            }
            (None, Some(real)) => {
                let sets = Manifolds { real: self.points(real, spatial)?, fake: fakes };
                self.enough(sets.real.n())?;
                let sure = || fid_interval(sets, &self.seed("fid"), go_on);
                let interval = if self.intervals { sure() } else { None };
                (Some(sets.real.n()), fid(sets.real, fakes), interval)
            }
            (None, None) => return Err("there is no real side".to_owned()),
        };
        let (distance, deficient) = sound(outcome)?;
        let name = if spatial { "sfid" } else { self.network.distance() };
        let details = deficient.then(|| "rank-deficient".to_owned()).into_iter().collect();
        let line =
            Measured::new(name, distance.value, Direction::Lower).between(interval).beside([
                ("means", distance.means),
                ("lambda-min", distance.lambda_min),
                ("lambda-max", distance.lambda_max),
                ("rank", distance.rank as f64),
                ("residual", distance.residual),
            ]);
        Ok(self.lines(vec![line], details, (Some(n_real), fakes.n())))
    }

    fn points<'a>(&self, set: &'a FeatureSet, spatial: bool) -> Result<&'a Features, String> {
        if !spatial {
            return Ok(&set.features);
        }
        let none = || format!("`{}` has no spatial features", self.network.name());
        set.spatial.as_ref().ok_or_else(none)
    }

    /// Refuses what has no moments, and what says more about the number of pictures than about
    /// them.
    fn enough(&self, n: usize) -> Result<(), String> {
        two(n)?;
        let least = least_pictures(self.network);
        if self.allow_small_n || n >= least {
            return Ok(());
        }
        Err(format!(
            "of {n} pictures a distance says more about their number than about them, at least \
             {least} are usual; `--allow-small-n` shows it all the same"
        ))
    }

    fn fid_infinity(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        self.enough(sets.real.n().min(sets.fake.n()))?;
        let got = fid_infinity(sets, InfinitySizes::Ersatz, TORCH_FIDELITY_SEED)?;
        let name = format!("{}-infinity", self.network.distance());
        // The line's error says nothing of other pictures: no interval.
        let line = Measured::new(name, got.value, Direction::Lower)
            .spread(got.standard_error)
            .beside([("slope", got.slope), ("r-squared", got.r_squared)]);
        Ok(self.lines(vec![line], got.details(), (Some(Some(sets.real.n())), sets.fake.n())))
    }

    fn kid(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        let least = sets.real.n().min(sets.fake.n());
        two(least)?;
        let counts = (Some(Some(sets.real.n())), sets.fake.n());
        match self.tool.kernel_distance() {
            KidWay::Exact => {
                let got = kid(sets.real, sets.fake);
                let line = Measured::new("kid", got.value, Direction::Lower)
                    .between(Some(kid_interval(&got)));
                let details = ["poly3", "unbiased", "all-pairs"].map(str::to_owned).into();
                Ok(self.lines(vec![line], details, counts))
            }
            KidWay::Subsets { shrink } => {
                let usual = KidSubsets::default();
                let size = if shrink { usual.size.min(least) } else { usual.size };
                let spec = KidSubsets { size, ..usual };
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
            Measured::new(way.name(), got.mean, Direction::Higher).spread(got.sd).between(interval);
        Ok(self.lines(vec![line], way.details(), (None, logits.n())))
    }

    fn precision_recall(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        let way = self.tool.precision_recall();
        let spec = way.spec();
        let (fewest, k) = (sets.real.n().min(sets.fake.n()), spec.neighbours);
        if fewest <= k {
            return Err(format!("{fewest} pictures are too few for {k} neighbours"));
        }
        let (got, sure) = if self.intervals {
            let (got, sure) = prdc_with_intervals(sets, spec, &self.seed("prdc"));
            (got, Some(sure))
        } else {
            (prdc(sets, spec), None)
        };
        let line = |name: &str, value: f64, interval: Option<Interval>| {
            Measured::new(name, value, Direction::Higher).between(interval)
        };
        let mut lines = vec![
            line("precision", got.precision, sure.map(|it| it.precision)),
            line("recall", got.recall, sure.map(|it| it.recall)),
        ];
        match way {
            PrProtocol::Prdc => lines.extend([
                line("density", got.density, sure.map(|it| it.density)),
                line("coverage", got.coverage, sure.map(|it| it.coverage)),
            ]),
            PrProtocol::TorchFidelity => lines.push(line("f-score", got.f_score(), None)),
            PrProtocol::Adm => {}
        }
        Ok(self.lines(lines, way.details(), (Some(Some(sets.real.n())), sets.fake.n())))
    }

    fn authenticity(&self, sets: Manifolds<'_>) -> Result<Vec<Line>, String> {
        two(sets.real.n())?;
        let n = sets.fake.n();
        let hits = authentic(&neighbours(sets.fake, sets.real), sets.real);
        let line = Measured::new("authenticity", hits as f64 / n as f64, Direction::Higher)
            .between(wilson(hits, n));
        let counts = (Some(Some(sets.real.n())), n);
        Ok(self.lines(vec![line], vec!["nearest=1".to_owned()], counts))
    }

    fn near_train(
        &self,
        sets: Manifolds<'_>,
        unseen: Option<&FeatureSet>,
    ) -> Result<Vec<Line>, String> {
        two(sets.real.n())?;
        let unseen = unseen.ok_or("it needs real pictures that were not trained on: `--unseen`")?;
        let test = &unseen.features;
        let sets = MemorisationSets { train: sets.real, test, fake: sets.fake };
        let got = memorisation(sets, NEAR_SHARE);
        let n = sets.fake.n();
        let hits = (got.near_train * n as f64).round() as usize;
        let line = Measured::new("near-train", got.near_train, Direction::Lower)
            .between(wilson(hits, n))
            .beside([("threshold", got.threshold)]);
        let details = vec![format!("unseen={}", test.n()), format!("quantile={NEAR_SHARE}")];
        Ok(self.lines(vec![line], details, (Some(Some(sets.train.n())), n)))
    }

    /// Measures class by class; every row comes with its class.
    pub(super) fn classes(
        &self,
        real: (&FeatureSet, &[String]),
        fake: (&FeatureSet, &[String]),
    ) -> Vec<ClassLine> {
        let names: BTreeSet<&String> = real.1.iter().chain(fake.1).collect();
        let names: Vec<&String> = names.into_iter().collect();
        let ids = |of_rows: &[String]| -> Vec<ClassId> {
            let id = |name: &String| names.binary_search(&name).expect("a name of these");
            let id = |name| ClassId(u32::try_from(id(name)).expect("classes fit in 32 bits"));
            of_rows.iter().map(id).collect()
        };
        let (reals, fakes) = (ids(real.1), ids(fake.1));
        let measured = |metric: ClassMetric| {
            let real = Labelled { features: &real.0.features, classes: &reals };
            let fake = Labelled { features: &fake.0.features, classes: &fakes };
            per_class(real, fake, metric)
        };
        let distances = measured(ClassMetric::Fid);
        let recalls = measured(ClassMetric::Recall(self.tool.precision_recall().spec()));
        let line = |(distance, recall): (ClassScore, ClassScore)| ClassLine {
            class: names[distance.class.index()].clone(),
            real: distance.real,
            fake: distance.fake,
            distance: distance.outcome,
            recall: recall.outcome,
        };
        distances.into_iter().zip(recalls).map(line).collect()
    }

    /// Returns the closest pairs, by rows of the two sets.
    pub(super) fn closest(&self, real: &FeatureSet, fake: &FeatureSet) -> Vec<Pair> {
        if self.pairs == 0 {
            return Vec::new();
        }
        closest_pairs(&neighbours(&fake.features, &real.features), self.pairs)
    }

    /// Puts values under their protocol. `counts` are the real pictures, if the score looks at
    /// them and if their number is known, and the generated ones.
    fn lines(
        &self,
        values: Vec<Measured>,
        details: Vec<String>,
        (real, fake): (Option<Option<usize>>, usize),
    ) -> Vec<Line> {
        let mut parts = vec![
            format!("tool={}", self.tool.name()),
            format!("extractor={}", self.extractor),
            format!("jpeg={}", super::DECODER),
            "f64".to_owned(),
        ];
        parts.extend(details);
        match real {
            None => parts.push(format!("N={fake}")),
            Some(real) => {
                let real = real.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
                parts.push(format!("N={real}/{fake}"));
                parts.push(format!("ref={}", self.reference));
            }
        }
        parts.extend_from_slice(&self.details);
        let line = |it: Measured| Line {
            protocol: protocol(&it.name, &parts),
            name: it.name,
            value: it.value,
            interval: it.interval,
            spread: it.spread,
            direction: it.direction,
            n: fake,
            diagnostics: it.diagnostics,
        };
        values.into_iter().map(line).collect()
    }

    pub(super) fn warnings(&self, sides: &Sides, name: &str, lines: &[Line]) -> Vec<String> {
        let Sides { real, fake, unseen } = sides;
        let mut said = Vec::new();
        if let Some(real) = &real.set {
            said.extend(left_out("real", real));
            said.extend(other_compression(real, fake));
            said.extend(suspicious_features(&real.features, &fake.features));
        }
        said.extend(left_out("generated", fake));
        said.extend(unseen.as_ref().and_then(|unseen| left_out("unseen", unseen)));
        if let Some(logits) = &fake.logits {
            said.extend(suspicious_predictions(&logits.softmax(), &self.seed("order")));
        }
        let known = KnownSet::named(name, fake.features.n(), fake.size);
        if let Some(known) = known.filter(|_| self.network == Network::Inception) {
            let explained = lines.iter().filter_map(|it| explain(known, &it.name, it.value));
            said.extend(explained.map(str::to_owned));
        }
        said
    }

    fn seed(&self, of: &str) -> Seed {
        Seed::root(0).child("comparison").child(of)
    }
}

fn two(n: usize) -> Result<(), String> {
    if n < 2 { Err(format!("{n} picture is too few")) } else { Ok(()) }
}

/// Returns the distance, and whether a covariance is singular.
fn sound(outcome: Frechet) -> Result<(Distance, bool), String> {
    match outcome {
        Frechet::Sound(distance) => Ok((distance, false)),
        Frechet::RankDeficient(distance) => Ok((distance, true)),
        Frechet::Indefinite { lambda_min, lambda_max } => {
            let found = format!("eigenvalues from {lambda_min:e} to {lambda_max:e}");
            Err(format!("the product of the covariances is indefinite: {found}"))
        }
    }
}

/// Says how many pictures of a side were not measured.
fn left_out(side: &str, set: &FeatureSet) -> Option<String> {
    let (count, all) = (set.left_out.len(), set.left_out.len() + set.features.n());
    (count > 0).then(|| format!("{count} of {all} {side} pictures cannot be read: left out"))
}

/// Says where one side is compressed and the other is not.
fn other_compression(real: &FeatureSet, fake: &FeatureSet) -> Option<String> {
    let [of_real, of_fake] = [real, fake].map(FeatureSet::lossy_share);
    ((of_real - of_fake).abs() > OTHER_COMPRESSION).then(|| {
        format!(
            "{:.0} % of the real pictures are JPEG and {:.0} % of the generated ones: scores also \
             measure the compression",
            100.0 * of_real,
            100.0 * of_fake
        )
    })
}
