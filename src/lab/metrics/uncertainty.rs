//! How far a score could be from what other pictures of the same source would give: 95 %.
//!
//! Which method, and why:
//!
//! - FID, sFID, FD: jackknife by groups, both sides. A bootstrap repeats pictures and adds the bias
//!   of a smaller `N` to every draw: its draws lie above the score by about as much as the score
//!   lies above the truth. Leaving a twentieth out shifts all draws alike, and the shift cancels in
//!   their deviations.
//! - Inception score: jackknife by groups, for the same reason: the entropy of a mean is biased in
//!   `N`.
//! - FID-infinity: the standard error of the line ([`FidInfinity::interval`](super::FidInfinity)).
//! - KID over all pairs: its own standard error ([`Kid::standard_error`](super::Kid)), normal.
//! - Precision, recall, coverage (and authenticity): Wilson, as shares of pictures given the balls.
//!   Draws with replacement would put pictures on top of each other and shrink balls to nothing.
//! - Density: bootstrap over generated pictures, given the real balls.
//!
//! "Given the balls" leaves out what other reference pictures would do. Intervals are about
//! pictures, not about training again: that takes seeds.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::frechet::{Frechet, Side};
use super::inception_score::over_parts;
use super::prdc::{Hits, Manifolds, Prdc, PrdcSpec};
use super::{Features, IsProtocol, Kid, Probabilities};
use crate::lab::stats::{Interval, LEVEL, bootstrap, student_t_quantile, wilson};
use crate::terms::Seed;

/// Groups of the jackknife.
const GROUPS: usize = 20;

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// The 0.975 quantile of the standard normal law.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// Returns the interval of a Fréchet distance, or `None` where a distance is no number or a side
/// has fewer than 40 pictures. It takes 40 more distances, so `go_on` is asked before each:
/// `None` once it says no.
///
/// # Panics
/// If the sides differ in width.
pub fn fid_interval(
    sets: Manifolds<'_>,
    seed: &Seed,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Option<Interval> {
    let Manifolds { real, fake } = sets;
    if real.n().min(fake.n()) < 2 * GROUPS {
        return None;
    }
    let whole = [Side::of(real, None), Side::of(fake, None)];
    // Makes the root of the first side before threads ask for it.
    let value = number(whole[0].to(&whole[1]))?;
    let without = |side: usize, set: &Features| -> Option<f64> {
        let seed = seed.child(["real", "fake"][side]);
        let draws = kept(set.n(), &seed).into_par_iter().map(|rows| {
            let part = go_on().then(|| Side::of(set, Some(&rows)))?;
            number(if side == 0 { part.to(&whole[1]) } else { whole[0].to(&part) })
        });
        Some(jackknife_variance(&draws.collect::<Option<Vec<f64>>>()?))
    };
    Some(around(value, without(0, real)? + without(1, fake)?))
}

/// Returns the interval of an Inception score; `None` with fewer than 40 pictures.
pub fn inception_score_interval(
    rows: &Probabilities,
    protocol: IsProtocol,
    seed: &Seed,
) -> Option<Interval> {
    if rows.n() < 2 * GROUPS.max(protocol.least_pictures()) {
        return None;
    }
    // The order of the score itself, so that pictures leave their splits but do not change them.
    let parts = protocol.parts(rows.n(), seed);
    let value = over_parts(rows, &parts).mean;
    let draws: Vec<f64> = kept(rows.n(), &seed.child("jackknife"))
        .into_iter()
        .map(|kept| {
            let mut stays = vec![false; rows.n()];
            kept.into_iter().for_each(|i| stays[i] = true);
            let rest =
                parts.iter().map(|part| part.iter().copied().filter(|i| stays[*i]).collect());
            let rest: Vec<Vec<usize>> = rest.collect();
            let filled: Vec<Vec<usize>> =
                rest.into_iter().filter(|part| !part.is_empty()).collect();
            over_parts(rows, &filled).mean
        })
        .collect();
    Some(around(value, jackknife_variance(&draws)))
}

/// Returns the interval of a kernel distance over all pairs.
pub fn kid_interval(kid: &Kid) -> Interval {
    let half = NORMAL_QUANTILE * kid.standard_error;
    Interval { low: kid.value - half, high: kid.value + half }
}

/// The intervals of precision, recall, density and coverage, given the balls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrdcIntervals {
    /// Of precision, over generated pictures.
    pub precision: Interval,
    /// Of recall, over real pictures.
    pub recall: Interval,
    /// Of density, over generated pictures.
    pub density: Interval,
    /// Of coverage, over real pictures.
    pub coverage: Interval,
}

/// Returns the four shares with their intervals: one search for neighbours serves both.
///
/// # Panics
/// As [`prdc`](super::prdc).
pub fn prdc_with_intervals(
    sets: Manifolds<'_>,
    spec: PrdcSpec,
    seed: &Seed,
) -> (Prdc, PrdcIntervals) {
    let hits = Hits::count(sets, spec);
    let share = |hit: usize, n: usize| wilson(hit, n).expect("a side with balls has pictures");
    let marked = |marks: &[bool]| share(marks.iter().filter(|mark| **mark).count(), marks.len());
    let (n, k) = (hits.balls.len(), spec.neighbours as f64);
    let density = |rows: &[usize]| {
        rows.iter().map(|i| hits.balls[*i]).sum::<u64>() as f64 / (k * rows.len() as f64)
    };
    let intervals = PrdcIntervals {
        precision: share(hits.precise(), n),
        recall: marked(&hits.recalled),
        density: bootstrap(n, DRAWS, &seed.child("density"), density),
        coverage: marked(&hits.covered),
    };
    (hits.shares(), intervals)
}

fn number(outcome: Frechet) -> Option<f64> {
    match outcome {
        Frechet::Sound(distance) | Frechet::RankDeficient(distance) => Some(distance.value),
        Frechet::Indefinite { .. } => None,
    }
}

/// Returns what is left of `0..n` without each of the random groups, in order.
fn kept(n: usize, seed: &Seed) -> Vec<Vec<usize>> {
    let order = seed.stream().permutation(n);
    let mut group = vec![0; n];
    order.iter().enumerate().for_each(|(place, i)| group[*i] = place % GROUPS);
    (0..GROUPS).map(|out| (0..n).filter(|i| group[*i] != out).collect()).collect()
}

/// Returns the variance of a statistic from its values without each group (Shao & Tu 1995, section
/// 2.3): `(g - 1)/g Σ (θ_i - mean)²`.
fn jackknife_variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (count - 1.0) / count * values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
}

fn around(value: f64, variance: f64) -> Interval {
    let quantile = student_t_quantile(0.5 + LEVEL / 2.0, (GROUPS - 1) as f64);
    let half = quantile * variance.sqrt();
    Interval { low: value - half, high: value + half }
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::normal;
    use super::super::{fid, kid, prdc};
    use super::*;
    use crate::lab::stats::Estimate;

    fn width(interval: Interval) -> f64 {
        interval.high - interval.low
    }

    /// Mean width of intervals, in deviations of the values they are about; 3.92 to 4.2 is right.
    fn widths(draw: impl Fn(u64) -> (f64, Interval)) -> f64 {
        let (values, intervals): (Vec<f64>, Vec<Interval>) = (0..40).map(draw).unzip();
        let mean = intervals.into_iter().map(width).sum::<f64>() / 40.0;
        mean / Estimate::of(&values).unwrap().sd.unwrap()
    }

    // A deviation of 40 draws is known to 11 %: three of these around 4.
    const RIGHT: std::ops::Range<f64> = 2.7..5.8;

    #[test]
    fn the_jackknife_knows_the_spread_of_distances() {
        let got = widths(|i| {
            let (x, y) = (normal(200 + i, 300, 6, 0.3, 1.0), normal(300 + i, 250, 6, 0.0, 1.1));
            let sets = Manifolds { real: &x, fake: &y };
            let value = fid(&x, &y).sound().unwrap().value;
            let interval = fid_interval(sets, &Seed::root(i), &|| true).unwrap();
            assert!(interval.low < value && value < interval.high);
            (value, interval)
        });
        assert!(RIGHT.contains(&got), "{got}");
        let few = normal(1, 39, 2, 0.0, 1.0);
        let alone = Manifolds { real: &few, fake: &few };
        assert_eq!(fid_interval(alone, &Seed::root(0), &|| true), None);
        let more = normal(2, 50, 2, 0.0, 1.0);
        let sets = Manifolds { real: &more, fake: &more };
        assert_eq!(fid_interval(sets, &Seed::root(0), &|| false), None, "told to stop");
    }

    #[test]
    fn the_jackknife_knows_the_spread_of_inception_scores() {
        let got = widths(|i| {
            let logits = normal(400 + i, 600, 5, 0.0, 2.0);
            let rows = super::super::Logits::new(5, logits.rows().to_vec()).softmax();
            let seed = Seed::root(i);
            let value = IsProtocol::Ersatz.score(&rows, &seed).mean;
            (value, inception_score_interval(&rows, IsProtocol::Ersatz, &seed).unwrap())
        });
        assert!(RIGHT.contains(&got), "{got}");
    }

    #[test]
    fn shares_and_kernels_lie_inside_their_intervals() {
        let (x, y) = (normal(5, 200, 4, 0.0, 1.0), normal(6, 150, 4, 0.4, 0.9));
        let sets = Manifolds { real: &x, fake: &y };
        let (got, spec, seed) = (prdc(sets, PrdcSpec::PACKAGE), PrdcSpec::PACKAGE, Seed::root(0));
        let (shares, intervals) = prdc_with_intervals(sets, spec, &seed);
        assert_eq!(shares, got);
        let distance = kid(&x, &y);
        for (value, interval) in [
            (got.precision, intervals.precision),
            (got.recall, intervals.recall),
            (got.density, intervals.density),
            (got.coverage, intervals.coverage),
            (distance.value, kid_interval(&distance)),
        ] {
            assert!(interval.low < value && value < interval.high, "{value} {interval:?}");
            assert!(width(interval) > 0.0 && width(interval) < 1.0);
        }
        assert_eq!(prdc_with_intervals(sets, spec, &seed).1, intervals);
    }
}
