//! The Fréchet distance that infinitely many generated pictures would have.
//!
//! Chong & Forsyth 2020 (arXiv:1911.07023), section 3: the bias of the distance is nearly linear in
//! `1/N`, so distances of ever larger draws lie on a line whose value at `1/N = 0` is free of it.
//! The real pictures stay as they are. Draws are without replacement, by NumPy's
//! `RandomState(seed).choice`, so anyone can repeat them.
//!
//! DIFFERS: dgm-eval starts at `min(5000, max(N/10, 2))`, where small draws still bend the line,
//! and draws from an unseeded generator; ours starts as [`InfinitySizes::Ersatz`] says. The paper
//! draws by quasi-random numbers, which only a generator in the loop can use.

use serde::{Deserialize, Serialize};

use super::frechet::{Frechet, Side};
use super::measure::{Entry, Evidence, Found};
use super::prdc::Manifolds;
use super::{RandomState, TORCH_FIDELITY_SEED};
use crate::lab::stats::{Interval, LEVEL, student_t_quantile};
use crate::terms::Direction;

/// `fid-infinity` in the table of metrics.
pub(super) const ENTRY: Entry = Entry {
    scores: &[("fid-infinity", Direction::Lower)],
    least_pictures: 2 * POINTS,
    compares: true,
    measure,
};

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    let sets = Manifolds { real: evidence.real, fake: evidence.fake };
    let got = fid_infinity(sets, InfinitySizes::Ersatz, TORCH_FIDELITY_SEED)?;
    Ok(Found { values: vec![got.value], details: got.details() })
}

/// How many sizes are drawn.
pub const POINTS: usize = 15;

/// Which sizes are drawn, all from smallest to `N` in even steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfinitySizes {
    /// From the larger of 5,000 and `N/10`; of fewer than 10,000 pictures from `N/2`, because
    /// draws of no more pictures than features leave the line.
    #[default]
    Ersatz,
    /// From `min(5000, max(N/10, 2))`, as dgm-eval.
    DgmEval,
}

impl InfinitySizes {
    /// Returns the sizes for `n` pictures, or `None` if they would repeat themselves.
    pub fn of(self, n: usize) -> Option<Vec<usize>> {
        let start = match self {
            Self::Ersatz if n < 10_000 => n / 2,
            Self::Ersatz => (n / 10).max(5000),
            Self::DgmEval => (n / 10).clamp(2, 5000),
        };
        if start < 2 || start + POINTS > n + 1 {
            return None;
        }
        // The rounding of NumPy's `linspace(...).astype(int)`, which adds before it cuts off.
        let step = (n - start) as f64 / (POINTS - 1) as f64;
        let inner = |i: usize| (i as f64 * step + start as f64) as usize;
        let size = |i: usize| if i + 1 == POINTS { n } else { inner(i) };
        Some((0..POINTS).map(size).collect())
    }
}

/// The distance of one draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// How many pictures were drawn.
    pub n: usize,
    /// Their distance.
    pub fid: f64,
}

/// A line through distances over `1/N`, and what it says of endless pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FidInfinity {
    /// The distance at `1/N = 0`. May be negative where the line is uncertain.
    pub value: f64,
    /// Its standard error from the scatter around the line. Draws share pictures, so it tells how
    /// well the line fits rather than what other pictures would give.
    pub standard_error: f64,
    /// How fast the distance grows with `1/N`.
    pub slope: f64,
    /// The share of the distances' variance that the line explains; 1 for equal distances.
    pub r_squared: f64,
    /// The draws, from smallest to all pictures.
    pub points: Vec<Point>,
    /// The seed of `numpy.random.RandomState`.
    pub seed: u32,
    /// Whether some draw, or the real side, has no more pictures than features.
    pub rank_deficient: bool,
}

impl FidInfinity {
    /// Returns the 95 % interval of the line at 0. It is about the line, not about pictures, and
    /// too narrow for those.
    pub fn interval(&self) -> Interval {
        let quantile = student_t_quantile(0.5 + LEVEL / 2.0, (self.points.len() - 2) as f64);
        let half = quantile * self.standard_error;
        Interval { low: self.value - half, high: self.value + half }
    }

    /// Returns what the protocol string says.
    pub fn details(&self) -> Vec<String> {
        let sizes = self.points.iter().map(|point| point.n);
        let (low, high) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
        let mut details =
            vec![format!("sizes={POINTS}:{low}..{high}"), format!("mt19937-{}", self.seed)];
        details.extend(self.rank_deficient.then(|| "rank-deficient".to_owned()));
        details
    }
}

/// Returns the distance extrapolated to endless generated pictures.
///
/// # Errors
/// If there are too few generated pictures for [`POINTS`] different sizes, or a distance is no
/// number.
///
/// # Panics
/// If there are fewer than two real pictures, or the sides differ in width.
pub fn fid_infinity(
    sets: Manifolds<'_>,
    sizes: InfinitySizes,
    seed: u32,
) -> Result<FidInfinity, String> {
    let n = sets.fake.n();
    let sizes =
        sizes.of(n).ok_or_else(|| format!("{n} pictures are too few for {POINTS} draws"))?;
    let real = Side::of(sets.real, None);
    let mut state = RandomState::new(seed);
    let mut points = Vec::new();
    let mut rank_deficient = false;
    for n in sizes {
        let fake = Side::of(sets.fake, Some(&state.choice(sets.fake.n(), n)));
        let distance = match real.to(&fake) {
            Frechet::Sound(distance) => distance,
            Frechet::RankDeficient(distance) => {
                rank_deficient = true;
                distance
            }
            Frechet::Indefinite { .. } => return Err(format!("the draw of {n} has no distance")),
        };
        points.push(Point { n, fid: distance.value });
    }
    let Line { value, standard_error, slope, r_squared } = line(&points);
    Ok(FidInfinity { value, standard_error, slope, r_squared, points, seed, rank_deficient })
}

struct Line {
    value: f64,
    standard_error: f64,
    slope: f64,
    r_squared: f64,
}

/// Fits `fid = value + slope / n` by least squares; at least three points.
fn line(points: &[Point]) -> Line {
    let count = points.len() as f64;
    let x: Vec<f64> = points.iter().map(|point| 1.0 / point.n as f64).collect();
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / count;
    let (x_mean, y_mean) =
        (mean(&mut x.iter().copied()), mean(&mut points.iter().map(|point| point.fid)));
    let pairs = || x.iter().zip(points).map(|(x, point)| (x - x_mean, point.fid - y_mean));
    let spread: f64 = pairs().map(|(x, _)| x * x).sum();
    let slope = pairs().map(|(x, y)| x * y).sum::<f64>() / spread;
    let rest: f64 = pairs().map(|(x, y)| (y - slope * x).powi(2)).sum();
    let total: f64 = pairs().map(|(_, y)| y * y).sum();
    Line {
        value: y_mean - slope * x_mean,
        standard_error: (rest / (count - 2.0) * (1.0 / count + x_mean * x_mean / spread)).sqrt(),
        slope,
        r_squared: if total > 0.0 { 1.0 - rest / total } else { 1.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{normal, on_threads};
    use super::super::fid;
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    #[test]
    fn a_bias_of_a_plus_b_over_n_returns_a() {
        for (a, b) in [(3.0, 4000.0), (0.0, 1.0), (-0.5, 0.0)] {
            let point = |n: usize| Point { n, fid: a + b / n as f64 };
            let sizes = InfinitySizes::Ersatz.of(50_000).unwrap();
            let got = line(&sizes.into_iter().map(point).collect::<Vec<_>>());
            // Rounding of b/n, a few eps.
            close(got.value, a, Tol::absolute(1e-13));
            close(got.slope, b, Tol::absolute(1e-8));
            close(got.standard_error, 0.0, Tol::absolute(1e-12));
            close(got.r_squared, 1.0, Tol::absolute(1e-9));
        }
    }

    #[test]
    fn sizes_are_what_they_say() {
        let ends = |sizes: InfinitySizes, n: usize| {
            let sizes = sizes.of(n).unwrap();
            assert!(sizes.len() == POINTS && sizes.windows(2).all(|two| two[0] < two[1]));
            (sizes[0], sizes[POINTS - 1])
        };
        let ours = InfinitySizes::Ersatz;
        assert_eq!([ends(ours, 50_000), ends(ours, 200_000)], [(5000, 50_000), (20_000, 200_000)]);
        assert_eq!([ends(ours, 9999), ends(ours, 30)], [(4999, 9999), (15, 30)]);
        assert_eq!(ends(InfinitySizes::DgmEval, 10_000), (1000, 10_000));
        assert_eq!((ours.of(26), InfinitySizes::DgmEval.of(15)), (None, None));
    }

    #[test]
    fn sizes_are_numpys() {
        let golden = golden_json("metrics/fid_infinity/sizes.json");
        for case in golden.as_array().unwrap() {
            let n = usize::try_from(case["n"].as_u64().unwrap()).unwrap();
            for (sizes, name) in
                [(InfinitySizes::Ersatz, "ersatz"), (InfinitySizes::DgmEval, "dgm-eval")]
            {
                let want: Vec<usize> = serde_json::from_value(case[name].clone()).unwrap();
                assert_eq!(sizes.of(n).unwrap(), want, "{name}, {n}");
            }
        }
    }

    #[test]
    fn takes_the_bias_away_and_repeats_itself() {
        // Two draws of one law: the true distance is 0, the biased one is about d²/2n = 1/3 here.
        let (real, fake) = (normal(110, 20_000, 16, 0.0, 1.0), normal(111, 600, 16, 0.0, 1.0));
        let sets = Manifolds { real: &real, fake: &fake };
        let run = |threads: usize| {
            on_threads(threads, || fid_infinity(sets, InfinitySizes::Ersatz, 2020).unwrap())
        };
        let (got, biased) = (run(1), fid(&real, &fake).sound().unwrap().value);
        assert!(biased > 0.1 && got.value.abs() < 0.4 * biased, "{} of {biased}", got.value);
        close(got.points[POINTS - 1].fid, biased, Tol::relative(1e-9)); // All, in another order.
        assert!(got.slope > 0.0 && !got.rank_deficient);
        let Interval { low, high } = got.interval();
        assert!(low < got.value && got.value < high);
        assert_eq!(run(3), got);
    }
}
