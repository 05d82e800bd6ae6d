//! The Fréchet distance between two clouds of features, each taken as a normal law.
//!
//! Heusel et al. 2017 (arXiv:1706.08500), equation 6, after Dowson & Landau 1982:
//! `d² = ‖μ - μ'‖² + tr(Σ + Σ' - 2 (ΣΣ')^½)`, covariances with divisor `n - 1`. With the features
//! of the Inception network of 2015 this is "FID"; with others the protocol says whose.
//!
//! `tr (ΣΣ')^½` is the sum of the square roots of the eigenvalues of a symmetric matrix with the
//! same spectrum as `ΣΣ'`, and which one depends on the number of rows:
//! - [`Route::Eigen`], more rows than features: `Bᵀ Σ' B` with `Σ = BBᵀ`, which is `Σ^½ Σ' Σ^½`
//!   turned. `B` is the Cholesky factor, which costs little; of a singular `Σ`, that has none,
//!   `V Λ^½`;
//! - [`Route::Gram`], at most `d` rows on one side: the singular values of `Aᵀ A'`, which *are*
//!   the roots; `A = X̃ᵀ/√(n-1)` holds the centred rows of a small side, `A' = B'` the root of a
//!   large one. No digit is lost in the null space, where the root of a rounded zero would
//!   be 1e-8.
//!
//! DIFFERS: pytorch-fid and others take SciPy's `sqrtm` of the product and add 1e-6 to its diagonal
//! when that fails; here nothing is added and no complex number arises.

use std::sync::OnceLock;

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::Features;
use super::measure::{Entry, Evidence, Found};
use super::moments::{Moments, Statistics, centred};
use super::spectrum::{cholesky, congruence, eigen, eigenvalues, product, singular_values};
use crate::terms::Direction;

/// `fid` in the table of metrics.
pub(super) const ENTRY: Entry =
    Entry { scores: &[("fid", Direction::Lower)], least_pictures: 2, compares: true, measure };

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    let (value, details) = match fid(evidence.real, evidence.fake) {
        Frechet::Sound(distance) => (distance.value, vec![]),
        Frechet::RankDeficient(distance) => (distance.value, vec!["rank-deficient".to_owned()]),
        Frechet::Indefinite { lambda_min, lambda_max } => {
            return Err(format!(
                "the spectrum of the covariances reaches from {lambda_min:e} to {lambda_max:e}"
            ));
        }
    };
    Ok(Found { values: vec![value], details })
}

/// Which matrix gave the spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Both covariances, `d x d`.
    Eigen,
    /// The rows of a side that has no more of them than features.
    Gram,
}

/// A Fréchet distance and what tells whether to believe it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// `d²`, as FID is printed. May miss 0 by rounding, to either side.
    pub value: f64,
    /// `‖μ - μ'‖²`, the part that the means explain.
    pub means: f64,
    /// The smallest eigenvalue of the matrix whose root is taken; negative only by rounding.
    pub lambda_min: f64,
    /// Its largest eigenvalue.
    pub lambda_max: f64,
    /// How many of its eigenvalues exceed `lambda_max` times its size times 2.2e-16.
    pub rank: usize,
    /// The share of its trace that its eigenvalues miss.
    pub residual: f64,
    /// Which matrix it was.
    pub route: Route,
}

/// What came of measuring a Fréchet distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frechet {
    /// Both sides have more rows than features.
    Sound(Distance),
    /// A side has no more rows than features: its covariance is singular, and the number says more
    /// about `n` than about the pictures. Shown under the label `rank-deficient` only.
    RankDeficient(Distance),
    /// `lambda_min < -1e-3 lambda_max`: the arithmetic failed, there is no number.
    Indefinite {
        /// The smallest eigenvalue.
        lambda_min: f64,
        /// The largest eigenvalue.
        lambda_max: f64,
    },
}

impl Frechet {
    /// Returns the distance if both covariances are of full rank by count.
    pub fn sound(&self) -> Option<&Distance> {
        if let Self::Sound(distance) = self { Some(distance) } else { None }
    }
}

/// Returns the Fréchet distance between two sets of features.
///
/// ```
/// use ersatz::lab::metrics::{Features, fid};
/// let zeros = Features::new(2, vec![0.0, 1.0, 1.0, 0.0, 0.5, 0.5, 0.2, 0.4]);
/// let moved = Features::new(2, zeros.rows().iter().map(|x| x + 3.0).collect());
/// let distance = fid(&zeros, &moved);
/// assert!((distance.sound().unwrap().value - 18.0).abs() < 1e-5);
/// ```
///
/// # Panics
/// If a side has fewer than two rows, or the sides differ in width.
pub fn fid(real: &Features, fake: &Features) -> Frechet {
    assert_eq!(real.d(), fake.d(), "both sets come from one extractor");
    Side::of(real, None).to(&Side::of(fake, None))
}

/// Returns the Fréchet distance between two stored pairs of moments, by [`Route::Eigen`].
///
/// # Panics
/// If a side has fewer than two rows, or the sides differ in width.
pub fn fid_of_moments(real: &Moments, fake: &Moments) -> Frechet {
    fid_of_statistics(&Statistics::of(real), &Statistics::of(fake))
}

/// Returns the Fréchet distance between two pairs of statistics, by [`Route::Eigen`]. Where a side
/// does not say how many pictures it was made from, its covariance is taken for singular if it has
/// no Cholesky factor.
///
/// # Panics
/// If the sides differ in width.
pub fn fid_of_statistics(real: &Statistics, fake: &Statistics) -> Frechet {
    Side::of_statistics(real.clone()).to(&Side::of_statistics(fake.clone()))
}

/// Eigenvalues of the matrix whose root is taken, and its trace.
struct Spectrum {
    values: Vec<f64>,
    /// Square roots, never negative.
    roots: Vec<f64>,
    trace: f64,
}

impl Spectrum {
    /// Returns the spectrum of `halfᵀ covariance half`.
    fn between(half: &Half, covariance: MatRef<'_, f64>) -> Self {
        let matrix = match half {
            Half::Triangle(lower) => congruence(lower.as_ref(), covariance),
            Half::Full(half) => {
                product(half.transpose(), product(covariance, half.as_ref()).as_ref())
            }
        };
        let values = eigenvalues(matrix.as_ref());
        let roots = values.iter().map(|value| value.max(0.0).sqrt()).collect();
        Self { values, roots, trace: trace(matrix.as_ref()) }
    }

    /// Returns the spectrum of `cross crossᵀ`, whose roots are the singular values of `cross`.
    fn of_singular_values(cross: MatRef<'_, f64>) -> Self {
        let roots = singular_values(cross);
        let values = roots.iter().map(|root| root * root).collect();
        Self { values, roots, trace: cross.squared_norm_l2() }
    }

    fn distance(&self, means: f64, traces: f64, route: Route) -> Frechet {
        let lambda_min = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let lambda_max = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if lambda_min < -1e-3 * lambda_max {
            return Frechet::Indefinite { lambda_min, lambda_max };
        }
        let floor = lambda_max * self.values.len() as f64 * f64::EPSILON;
        let missed = (self.values.iter().sum::<f64>() - self.trace).abs();
        Frechet::Sound(Distance {
            value: means + traces - 2.0 * self.roots.iter().sum::<f64>(),
            means,
            lambda_min,
            lambda_max,
            rank: self.values.iter().filter(|value| **value > floor).count(),
            residual: if self.trace > 0.0 { missed / self.trace } else { missed },
            route,
        })
    }
}

/// One set, ready to be measured against others.
pub(super) struct Side {
    /// How many rows; `None` if that is not known.
    n: Option<usize>,
    mean: Vec<f64>,
    /// The trace of the covariance.
    trace: f64,
    spread: Spread,
}

enum Spread {
    /// The covariance, and its root once it is needed.
    Covariance { covariance: Mat<f64>, half: OnceLock<Half> },
    /// The centred rows divided by `√(n - 1)`, as columns: no more of them than features.
    Rows(Mat<f64>),
}

/// `B` with covariance `B Bᵀ`.
enum Half {
    /// Lower triangular, zeros above.
    Triangle(Mat<f64>),
    /// From the eigenvectors.
    Full(Mat<f64>),
}

impl Side {
    /// Returns the side of these rows of some features, or of all.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub(super) fn of(features: &Features, rows: Option<&[usize]>) -> Self {
        let (n, d) = (rows.map_or(features.n(), <[_]>::len), features.d());
        assert!(n >= 2, "a covariance needs two rows");
        if n > d {
            let moments = match rows {
                Some(rows) => Moments::of_rows(features, rows),
                None => Moments::of(features),
            };
            return Self::of_statistics(Statistics::of(&moments));
        }
        let numbers = match rows {
            Some(rows) => features.select(rows).wide(0..n),
            None => features.wide(0..n),
        };
        let (mean, numbers) = centred(numbers, d);
        let scale = 1.0 / ((n - 1) as f64).sqrt();
        let rows = Mat::from_fn(d, n, |j, i| numbers[i * d + j] * scale);
        Self { n: Some(n), mean, trace: rows.squared_norm_l2(), spread: Spread::Rows(rows) }
    }

    pub(super) fn of_statistics(statistics: Statistics) -> Self {
        let Statistics { n, mean, covariance } = statistics;
        let trace = trace(covariance.as_ref());
        Self { n, mean, trace, spread: Spread::Covariance { covariance, half: OnceLock::new() } }
    }

    /// Returns the distance to another side.
    pub(super) fn to(&self, other: &Self) -> Frechet {
        let d = self.mean.len();
        assert_eq!(d, other.mean.len(), "both sets come from one extractor");
        let (means, traces) =
            (squared_difference(&self.mean, &other.mean), self.trace + other.trace);
        let outcome = match (&self.spread, &other.spread) {
            (
                Spread::Covariance { covariance, half },
                Spread::Covariance { covariance: fake, .. },
            ) => {
                let spectrum = Spectrum::between(half_of(covariance, half), fake.as_ref());
                spectrum.distance(means, traces, Route::Eigen)
            }
            _ => {
                let cross = product(self.factor().transpose(), other.factor());
                Spectrum::of_singular_values(cross.as_ref()).distance(means, traces, Route::Gram)
            }
        };
        match outcome {
            Frechet::Sound(distance) if !(self.spans() && other.spans()) => {
                Frechet::RankDeficient(distance)
            }
            other => other,
        }
    }

    /// Returns whether the covariance may have full rank: by the number of rows, or, where nobody
    /// knows it, because it has a Cholesky factor. The rank of the product would not tell: its
    /// condition is that of both covariances multiplied.
    fn spans(&self) -> bool {
        match (self.n, &self.spread) {
            (Some(n), _) => n > self.mean.len(),
            (None, Spread::Rows(_)) => false,
            (None, Spread::Covariance { covariance, half }) => match half.get() {
                Some(half) => matches!(half, Half::Triangle(_)),
                None => cholesky(covariance.as_ref()).is_some(),
            },
        }
    }

    /// Returns `B` with covariance `B Bᵀ`, `d` rows.
    fn factor(&self) -> MatRef<'_, f64> {
        match &self.spread {
            Spread::Rows(rows) => rows.as_ref(),
            Spread::Covariance { covariance, half } => match half_of(covariance, half) {
                Half::Triangle(half) | Half::Full(half) => half.as_ref(),
            },
        }
    }
}

/// Returns the root of a covariance, made once.
fn half_of<'a>(covariance: &Mat<f64>, half: &'a OnceLock<Half>) -> &'a Half {
    half.get_or_init(|| {
        let triangle = cholesky(covariance.as_ref()).map(Half::Triangle);
        triangle.unwrap_or_else(|| Half::Full(root(covariance.as_ref())))
    })
}

/// Returns `V Λ^½`.
fn root(covariance: MatRef<'_, f64>) -> Mat<f64> {
    let (values, vectors) = eigen(covariance);
    // A covariance has no negative eigenvalue; what rounding leaves below 0 is 0.
    let roots: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
    Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| vectors[(i, j)] * roots[j])
}

fn trace(matrix: MatRef<'_, f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

fn squared_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{from_json, normal, on_threads};
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    fn value(outcome: Frechet) -> f64 {
        match outcome {
            Frechet::Sound(distance) | Frechet::RankDeficient(distance) => distance.value,
            Frechet::Indefinite { .. } => panic!("no number: {outcome:?}"),
        }
    }

    fn shifted(x: &Features, by: f32) -> Features {
        Features::new(x.d(), x.rows().iter().map(|value| value + by).collect())
    }

    #[test]
    fn agrees_with_scipy_and_torch_fidelity() {
        for case in golden_json("metrics/frechet/cases.json").as_array().unwrap() {
            let (real, fake) = (from_json(&case["real"]), from_json(&case["fake"]));
            let got = fid(&real, &fake);
            let full = real.n().min(fake.n()) > real.d();
            assert_eq!(got.sound().is_some(), full);
            let want = |name: &str| case[name].as_f64().unwrap();
            // With full rank, all three take the root of a well-conditioned matrix. Without, the
            // null space of the product holds rounding near 1e-16, whose root is 1e-8 per
            // dimension; the singular values (`nuclear`) have no such loss.
            let root = if full { Tol::relative(1e-10) } else { Tol::absolute(1e-5) };
            close(value(got), want("sqrtm"), root);
            close(value(got), want("torch_fidelity"), root);
            close(value(got), want("nuclear"), Tol::relative(1e-10));
        }
    }

    #[test]
    fn obeys_its_laws() {
        for (n, m, d) in
            [(50, 60, 4), (300, 200, 16), (8, 30, 12), (9, 7, 20), (2, 2, 3), (33, 200, 32)]
        {
            let x = normal(20, n, d, 0.5, 1.0);
            let y = normal(21, m, d, 0.0, 1.5);
            // A root of rounding (1e-16) in each direction without spread.
            close(value(fid(&x, &x)), 0.0, Tol::absolute(1e-6));
            close(value(fid(&x, &y)), value(fid(&y, &x)), Tol::relative(1e-9));
            assert!(value(fid(&x, &y)) > 0.01);
        }
    }

    #[test]
    fn a_shift_costs_its_square() {
        for (n, d) in [(100, 5), (6, 10)] {
            // Multiples of 1/4 keep their differences exact when 2 is added in f32.
            let x = normal(22, n, d, 0.0, 1.0);
            let x = Features::new(d, x.rows().iter().map(|v| (v * 4.0).round() / 4.0).collect());
            close(value(fid(&x, &shifted(&x, 2.0))), 4.0 * d as f64, Tol::absolute(1e-6));
        }
        let zeros = Features::new(2048, vec![0.0; 2 * 2048]);
        close(value(fid(&zeros, &shifted(&zeros, 1.0))), 2048.0, Tol::absolute(0.0));
    }

    #[test]
    fn diagonal_covariances_have_a_closed_form() {
        // Rows ±s_j e_j: mean 0, covariance diag(2 s_j² / (2d - 1)).
        let d = 6;
        let cross = |scale: &dyn Fn(usize) -> f32| {
            let row = |i: usize| {
                let sign = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
                (0..d).map(move |j| if j == i / 2 { sign * scale(j) } else { 0.0 })
            };
            Features::new(d, (0..2 * d).flat_map(row).collect())
        };
        let (a, b) = (cross(&|j| 1.0 + j as f32), cross(&|j| 4.0 / (1.0 + j as f32)));
        let want: f64 = (0..d)
            .map(|j| {
                let root = |scale: f64| (2.0 * scale * scale / (2 * d - 1) as f64).sqrt();
                (root(1.0 + j as f64) - root(f64::from(4.0 / (1.0 + j as f32)))).powi(2)
            })
            .sum();
        close(value(fid(&a, &b)), want, Tol::relative(1e-12));
    }

    #[test]
    fn the_routes_agree() {
        // Gram against eigen on the same rows, from very thin to nearly square; 5 decimals as
        // torch-fidelity asks, for the roots of rounding on the eigen side.
        for (n, m, d) in [(2, 40, 8), (5, 5, 64), (20, 300, 32), (31, 33, 32), (40, 3, 256)] {
            let (x, y) = (normal(23, n, d, 0.0, 1.0), normal(24, m, d, 0.2, 1.3));
            let gram = fid(&x, &y);
            let eigen = fid_of_moments(&Moments::of(&x), &Moments::of(&y));
            assert!(gram.sound().is_none() && eigen.sound().is_none());
            close(value(gram), value(eigen), Tol::absolute(1e-5));
        }
    }

    #[test]
    fn rank_is_what_the_rows_span() {
        let x = normal(25, 100, 6, 0.0, 1.0);
        // Two of eight features never move, as dead units of a network do.
        let padded = |x: &Features| {
            let row = |i: usize| x.row(i).iter().copied().chain([0.0, 1.0]);
            Features::new(8, (0..x.n()).flat_map(row).collect())
        };
        let y = normal(26, 120, 6, 0.3, 1.0);
        let (narrow, wide) = (fid(&x, &y), fid(&padded(&x), &padded(&y)));
        assert_eq!(narrow.sound().unwrap().rank, 6);
        assert_eq!(wide.sound().unwrap().rank, 6);
        assert!(wide.sound().unwrap().residual < 1e-12);
        // Roots of rounding in two directions.
        close(value(wide), value(narrow), Tol::relative(1e-7));
        let thin = normal(27, 5, 8, 0.0, 1.0);
        let Frechet::RankDeficient(distance) = fid(&thin, &padded(&y)) else {
            panic!("5 rows in 8-d")
        };
        assert_eq!((distance.rank, distance.route), (4, Route::Gram));
    }

    #[test]
    fn no_bit_depends_on_threads() {
        // Three panels of columns on the one side, and the Gram side on the other.
        let (x, y) = (normal(28, 700, 600, 0.0, 1.0), normal(29, 650, 600, 0.1, 1.0));
        let few = y.select(&(0..90).collect::<Vec<_>>());
        let run = |threads| {
            on_threads(threads, || [value(fid(&x, &y)).to_bits(), value(fid(&x, &few)).to_bits()])
        };
        assert_eq!(run(1), run(2));
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn a_negative_spectrum_is_no_number() {
        let bad = Spectrum { values: vec![-0.1, 1.0], roots: vec![0.0, 1.0], trace: 0.9 };
        assert!(matches!(bad.distance(0.0, 2.0, Route::Eigen), Frechet::Indefinite { .. }));
        let rounding = Spectrum { values: vec![-1e-9, 1.0], roots: vec![0.0, 1.0], trace: 1.0 };
        assert!(rounding.distance(0.0, 2.0, Route::Eigen).sound().is_some());
    }
}
