//! Precision, recall, density and coverage of generated pictures.
//!
//! Kynkäänniemi et al. 2019 (arXiv:1904.06991), equation 1: the manifold of a set is the union of
//! balls around its points, each reaching to the point's k-th neighbour within the set. Naeem et
//! al. 2020 (arXiv:2002.09797), section 3: density counts the real balls around a fake, coverage
//! asks of each real ball whether a fake lies in it; both use real balls only. Density
//! may exceed 1.
//!
//! A point is not its own neighbour, by position; a duplicate of it is one. Distances are exact
//! (see `tiles`), so a tie is a tie.
//!
//! DIFFERS: the tools take the (k + 1)-th smallest distance of a row to its own set, itself
//! included, which is the same as long as nothing but the row itself comes out as nearest;
//! torch-fidelity's and ADM's distances are rounded to f32 and f16, so near ties may differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Features;
use super::measure::{Entry, Evidence, Found};
use super::tiles::{Distances, nearest_within};
use crate::terms::Direction;

/// The four shares in the table of metrics, with the balls of the prdc package.
pub(super) const ENTRY: Entry = Entry {
    scores: &[
        ("precision", Direction::Higher),
        ("recall", Direction::Higher),
        ("density", Direction::Higher),
        ("coverage", Direction::Higher),
    ],
    least_pictures: PrdcSpec::PACKAGE.neighbours + 1,
    compares: true,
    measure,
};

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    let spec = PrdcSpec::PACKAGE;
    let got = prdc(Manifolds { real: evidence.real, fake: evidence.fake }, spec);
    Ok(Found {
        values: vec![got.precision, got.recall, got.density, got.coverage],
        details: vec![spec.describe()],
    })
}

/// Whether a point on the edge of a ball lies inside. Pictures that repeat make this count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// No (`<`), as the prdc package.
    #[default]
    Open,
    /// Yes (`<=`), as torch-fidelity and ADM.
    Closed,
}

impl Boundary {
    fn inside(self, distance: f64, radius: f64) -> bool {
        match self {
            Self::Open => distance < radius,
            Self::Closed => distance <= radius,
        }
    }

    /// Returns the comparison as it stands in protocol strings.
    fn sign(self) -> &'static str {
        match self {
            Self::Open => "<",
            Self::Closed => "<=",
        }
    }
}

/// How the balls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PrdcSpec {
    /// Which neighbour gives the radius: 5 in the prdc package, 3 in torch-fidelity and ADM.
    #[schemars(range(min = 1))]
    pub neighbours: usize,
    /// Whether the edge of a ball belongs to it.
    pub boundary: Boundary,
}

impl PrdcSpec {
    /// The balls of the prdc package, version 0.2.
    pub const PACKAGE: Self = Self { neighbours: 5, boundary: Boundary::Open };

    /// Returns the balls as they stand in protocol strings: `k=5,<`.
    pub fn describe(self) -> String {
        format!("k={},{}", self.neighbours, self.boundary.sign())
    }
}

/// Whose precision and recall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrProtocol {
    /// The prdc package 0.2: `k=5,<`. The only one with density and coverage.
    #[default]
    Prdc,
    /// torch-fidelity 0.4: `k=3,<=`. The only one with an F-score.
    TorchFidelity,
    /// ADM's evaluator (guided-diffusion), after the authors' own code: `k=3,<=`. As balls the same
    /// as torch-fidelity's; published numbers are in the features of TensorFlow's Inception.
    Adm,
}

impl PrProtocol {
    /// Returns its name in protocol strings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prdc => "pr-prdc",
            Self::TorchFidelity => "pr-tf",
            Self::Adm => "pr-adm",
        }
    }

    /// Returns its balls.
    pub fn spec(self) -> PrdcSpec {
        match self {
            Self::Prdc => PrdcSpec::PACKAGE,
            Self::TorchFidelity | Self::Adm => {
                PrdcSpec { neighbours: 3, boundary: Boundary::Closed }
            }
        }
    }

    /// Returns what the protocol string says: `pr-tf(k=3,<=)`.
    pub fn details(self) -> Vec<String> {
        vec![format!("{}({})", self.name(), self.spec().describe())]
    }
}

impl Default for PrdcSpec {
    fn default() -> Self {
        Self::PACKAGE
    }
}

/// The two sets, by name: exchanged arguments would exchange precision and recall.
#[derive(Clone, Copy, Debug)]
pub struct Manifolds<'a> {
    /// Features of real pictures.
    pub real: &'a Features,
    /// Features of generated pictures.
    pub fake: &'a Features,
}

/// The four shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prdc {
    /// Share of fakes inside at least one real ball: are they realistic?
    pub precision: f64,
    /// Share of reals inside at least one fake ball: could the generator have made them?
    pub recall: f64,
    /// Mean number of real balls around a fake, divided by the number of neighbours.
    pub density: f64,
    /// Share of real balls with at least one fake inside.
    pub coverage: f64,
}

impl Prdc {
    /// Returns the harmonic mean of precision and recall, as torch-fidelity: 0 if both are.
    pub fn f_score(&self) -> f64 {
        let Self { precision, recall, .. } = self;
        2.0 * precision * recall / (precision + recall).max(1e-5)
    }
}

/// Returns precision, recall, density and coverage.
///
/// ```
/// use ersatz::lab::metrics::{Features, Manifolds, PrdcSpec, prdc};
/// let real = Features::new(1, (0..20).map(|i| i as f32).collect());
/// let fake = Features::new(1, (0..20).map(|i| 9.4 + 0.01 * i as f32).collect());
/// let got = prdc(Manifolds { real: &real, fake: &fake }, PrdcSpec::default());
/// assert!(got.precision > 0.99 && got.recall < 0.01); // One tight mode.
/// ```
///
/// # Panics
/// If a side has no more rows than neighbours are asked for, or the sides differ in width.
pub fn prdc(sets: Manifolds<'_>, spec: PrdcSpec) -> Prdc {
    Hits::count(sets, spec).shares()
}

/// What the four shares are counted from, one entry per picture.
pub(super) struct Hits {
    spec: PrdcSpec,
    /// Of each fake: the number of real balls around it.
    pub(super) balls: Vec<u64>,
    /// Of each real: whether a fake lies in its ball.
    pub(super) covered: Vec<bool>,
    /// Of each real: whether it lies in the ball of a fake.
    pub(super) recalled: Vec<bool>,
}

impl Hits {
    pub(super) fn count(sets: Manifolds<'_>, spec: PrdcSpec) -> Self {
        let Manifolds { real, fake } = sets;
        let radii = |set: &Features| -> Vec<f64> {
            let k = spec.neighbours;
            nearest_within(set, k).into_iter().map(|row| row[k - 1].0).collect()
        };
        let (real_radii, fake_radii) = (radii(real), radii(fake));
        let distances = Distances::new(fake, real);
        let blocks = distances.fold(
            false,
            |rows| Self::none(spec, rows.len(), real.n()),
            |hits, tile| {
                for (i, balls) in tile.rows.clone().zip(hits.balls.iter_mut()) {
                    let limit = |j: usize| real_radii[j].max(fake_radii[i]);
                    distances.scan(tile, i, limit, |j, bounds| {
                        let within = |radius: f64| {
                            let inside = |d, r| spec.boundary.inside(d, r);
                            distances.compare((i, j), bounds, radius, inside)
                        };
                        if within(real_radii[j]) {
                            *balls += 1;
                            hits.covered[j] = true;
                        }
                        hits.recalled[j] = hits.recalled[j] || within(fake_radii[i]);
                    });
                }
            },
        );
        let mut all = Self::none(spec, 0, real.n());
        for block in blocks {
            all.balls.extend(block.balls);
            all.covered.iter_mut().zip(block.covered).for_each(|(all, hit)| *all |= hit);
            all.recalled.iter_mut().zip(block.recalled).for_each(|(all, hit)| *all |= hit);
        }
        all
    }

    fn none(spec: PrdcSpec, fakes: usize, reals: usize) -> Self {
        let (balls, covered, recalled) = (vec![0; fakes], vec![false; reals], vec![false; reals]);
        Self { spec, balls, covered, recalled }
    }

    /// Returns how many fakes lie in a real ball.
    pub(super) fn precise(&self) -> usize {
        self.balls.iter().filter(|count| **count > 0).count()
    }

    pub(super) fn shares(&self) -> Prdc {
        let (n, m) = (self.covered.len() as f64, self.balls.len() as f64);
        let share = |marks: &[bool]| marks.iter().filter(|mark| **mark).count() as f64 / n;
        Prdc {
            precision: self.precise() as f64 / m,
            recall: share(&self.recalled),
            density: self.balls.iter().sum::<u64>() as f64 / (self.spec.neighbours as f64 * m),
            coverage: share(&self.covered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::squared_distance;
    use super::super::features::testing::{from_json, normal, on_threads};
    use super::*;
    use crate::testing::{Tol, close_all, golden_json};

    const CLOSED: PrdcSpec = PrdcSpec { neighbours: 3, boundary: Boundary::Closed };

    #[test]
    fn protocols_say_their_balls() {
        let all = [PrProtocol::Prdc, PrProtocol::TorchFidelity, PrProtocol::Adm];
        let said: Vec<String> = all.iter().flat_map(|protocol| protocol.details()).collect();
        assert_eq!(said, ["pr-prdc(k=5,<)", "pr-tf(k=3,<=)", "pr-adm(k=3,<=)"]);
    }

    fn measure(real: &Features, fake: &Features, spec: PrdcSpec) -> [f64; 4] {
        let got = prdc(Manifolds { real, fake }, spec);
        [got.precision, got.recall, got.density, got.coverage]
    }

    #[test]
    fn agrees_with_prdc_and_torch_fidelity() {
        for case in golden_json("metrics/prdc/cases.json").as_array().unwrap() {
            let (real, fake) = (from_json(&case["real"]), from_json(&case["fake"]));
            let want = |names: &[&str], of: &str| -> Vec<f64> {
                names.iter().map(|name| case[of][*name].as_f64().unwrap()).collect()
            };
            let names = ["precision", "recall", "density", "coverage"];
            // Counts divided by counts.
            let got = measure(&real, &fake, PrdcSpec::default());
            close_all(&got, &want(&names, "prdc"), Tol::absolute(1e-12));
            let got = measure(&real, &fake, CLOSED);
            // torch-fidelity's means are in f32.
            close_all(&got[..2], &want(&names[..2], "torch_fidelity"), Tol::absolute(1e-6));
            let f_score = prdc(Manifolds { real: &real, fake: &fake }, CLOSED).f_score();
            close_all(&[f_score], &want(&["f_score"], "torch_fidelity"), Tol::absolute(1e-6));
            close_all(&got[..2], &want(&names[..2], "adm"), Tol::absolute(1e-12));
        }
    }

    /// The definition, as a double loop.
    fn plain(real: &Features, fake: &Features, spec: PrdcSpec) -> [f64; 4] {
        let radii = |set: &Features| -> Vec<f64> {
            let radius = |i: usize| {
                let others = (0..set.n()).filter(|j| *j != i);
                let mut all: Vec<f64> =
                    others.map(|j| squared_distance(set.row(i), set.row(j))).collect();
                all.sort_by(f64::total_cmp);
                all[spec.neighbours - 1]
            };
            (0..set.n()).map(radius).collect()
        };
        let (real_radii, fake_radii) = (radii(real), radii(fake));
        let within = |j: usize, i: usize, radius: f64| {
            spec.boundary.inside(squared_distance(real.row(j), fake.row(i)), radius)
        };
        let share = |hits: usize, of: usize| hits as f64 / of as f64;
        let (n, m) = (real.n(), fake.n());
        let balls = |i: usize| (0..n).filter(|j| within(*j, i, real_radii[*j])).count();
        [
            share((0..m).filter(|i| balls(*i) > 0).count(), m),
            share((0..n).filter(|j| (0..m).any(|i| within(*j, i, fake_radii[i]))).count(), n),
            share((0..m).map(balls).sum(), m * spec.neighbours),
            share((0..n).filter(|j| (0..m).any(|i| within(*j, i, real_radii[*j]))).count(), n),
        ]
    }

    #[test]
    fn tiled_is_the_double_loop_on_any_threads_with_duplicates() {
        let base = normal(60, 350, 6, 50.0, 1.0);
        let real = Features::join(&[base.clone(), normal(61, 200, 6, 50.0, 1.0)]);
        let fake = Features::join(&[base, normal(62, 150, 6, 50.3, 1.0)]); // Half are copies.
        for spec in [PrdcSpec::default(), CLOSED] {
            let want = plain(&real, &fake, spec);
            for threads in [1, 3] {
                let got = on_threads(threads, || measure(&real, &fake, spec));
                close_all(&got, &want, Tol::absolute(0.0));
            }
        }
    }

    #[test]
    fn a_set_against_itself_is_perfect() {
        let x = normal(63, 300, 5, 0.0, 1.0);
        // Open balls of k-th neighbours hold the centre and k - 1 others.
        close_all(&measure(&x, &x, PrdcSpec::default()), &[1.0; 4], Tol::absolute(1e-12));
    }

    #[test]
    fn one_tight_mode_is_precise_and_recalls_nothing() {
        let (real, tight) = (normal(64, 300, 8, 0.0, 1.0), normal(65, 300, 8, 0.0, 0.05));
        for spec in [PrdcSpec::default(), CLOSED] {
            let [precision, recall, ..] = measure(&real, &tight, spec);
            assert!(precision > 0.8 && recall < 0.3, "precision {precision}, recall {recall}");
            let [precision, recall, ..] = measure(&tight, &real, spec);
            assert!(precision < 0.3 && recall > 0.8, "exchanged: {precision}, {recall}");
        }
    }

    #[test]
    fn far_apart_is_nothing() {
        let (real, fake) = (normal(66, 60, 3, 0.0, 1.0), normal(67, 50, 3, 1000.0, 1.0));
        close_all(&measure(&real, &fake, PrdcSpec::default()), &[0.0; 4], Tol::absolute(0.0));
    }

    #[test]
    #[ignore = "a minute of work: the published figure of the prdc package at its own size"]
    fn repeats_the_published_example() {
        let (x, y) = (normal(68, 10_000, 1000, 0.0, 1.0), normal(69, 10_000, 1000, 0.0, 1.0));
        let want = [0.4772, 0.4705, 1.0555, 0.9735]; // README of prdc 0.2, one random draw.
        close_all(&measure(&x, &y, PrdcSpec::default()), &want, Tol::absolute(0.01));
    }
}
