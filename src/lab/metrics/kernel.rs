//! The kernel Inception distance: the squared maximum mean discrepancy under a cubic kernel.
//!
//! Bińkowski et al. 2018 (arXiv:1801.01401), section 4, with the unbiased estimate of Gretton
//! et al. 2012, Lemma 6: with `k(x, y) = (x·y / d + 1)³`,
//! `MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) - 2 mean_{i,j} k(x_i, y_j)`.
//! An estimate without bias scatters to both sides of 0: it is never clamped.
//!
//! DIFFERS: the tools average 100 random subsets of 1000 and call the deviation of subsets the
//! uncertainty. [`kid`] uses every pair, in tiles, and gives the standard error of that estimate;
//! [`kid_subsets`] repeats the tools with draws from our own seeds, [`kid_torch_fidelity`] with
//! torch-fidelity's own draws. The tools compute in f32; here all is f64.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::{Entry, Evidence, Found};
use super::prdc::Manifolds;
use super::tiles::Pairs;
use super::{Features, RandomState};
use crate::terms::Direction;

/// `kid` in the table of metrics.
pub(super) const ENTRY: Entry =
    Entry { scores: &[("kid", Direction::Lower)], least_pictures: 2, compares: true, measure };

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    Ok(Found {
        values: vec![kid(evidence.real, evidence.fake).value],
        details: vec!["poly3".to_owned(), "unbiased".to_owned(), "all-pairs".to_owned()],
    })
}

/// A kernel distance with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kid {
    /// The unbiased estimate over all pairs, times 1 (some papers print it times 1000).
    pub value: f64,
    /// Its standard error for other pictures of the same two laws, to first order: the deviations
    /// of the rows' shares of the estimate (Bounliphone et al. 2016, arXiv:1511.04581). Where both
    /// laws are one, the first order vanishes and this is an upper estimate.
    pub standard_error: f64,
}

/// Which subsets [`kid_torch_fidelity`] draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KidSubsets {
    /// How many subsets; 100 in the tools.
    #[schemars(range(min = 1))]
    pub subsets: usize,
    /// Pictures per subset and side, without replacement; 1000 in the tools.
    #[schemars(range(min = 2))]
    pub size: usize,
}

impl Default for KidSubsets {
    fn default() -> Self {
        Self { subsets: 100, size: 1000 }
    }
}

/// Returns the kernel distance over all pairs.
///
/// ```
/// use ersatz::lab::metrics::{Features, kid};
/// let left = Features::new(1, vec![0.0, 1.0, 2.0]);
/// let right = Features::new(1, vec![1.0, 2.0, 3.0, 4.0]);
/// assert!(kid(&left, &right).value > 0.0);
/// ```
///
/// # Panics
/// If a side has fewer than two rows, or the sides differ in width.
pub fn kid(real: &Features, fake: &Features) -> Kid {
    assert!(real.n() >= 2 && fake.n() >= 2, "the unbiased estimate needs two rows a side");
    let (n, m) = (real.n() as f64, fake.n() as f64);
    let (real_sums, _) = kernel_sums(real, real, true);
    let (fake_sums, _) = kernel_sums(fake, fake, true);
    let (real_cross, fake_cross) = kernel_sums(real, fake, false);
    let total = |sums: &[f64]| sums.iter().sum::<f64>();
    let value = total(&real_sums) / (n * (n - 1.0)) + total(&fake_sums) / (m * (m - 1.0))
        - 2.0 * total(&real_cross) / (n * m);
    // Each row's share of the estimate: how much it is at home minus how much it is abroad.
    let variance = |own: &[f64], cross: &[f64], n: f64, m: f64| {
        let shares: Vec<f64> =
            own.iter().zip(cross).map(|(own, cross)| own / (n - 1.0) - cross / m).collect();
        let mean = total(&shares) / n;
        shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    let square = 4.0 * variance(&real_sums, &real_cross, n, m) / n
        + 4.0 * variance(&fake_sums, &fake_cross, m, n) / m;
    Kid { value, standard_error: square.sqrt() }
}

/// The kernel distance as torch-fidelity prints it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KidOverSubsets {
    /// The mean over subsets; may be negative.
    pub mean: f64,
    /// The deviation of subsets (divisor `subsets`), its "±". It is *not* the standard error of
    /// `mean`: subsets share pictures, and more subsets do not make it smaller.
    pub sd: f64,
    /// How many subsets, and of what size.
    pub spec: KidSubsets,
    /// The seed of `numpy.random.RandomState`.
    pub seed: u32,
}

impl KidOverSubsets {
    /// Returns what the protocol string says.
    pub fn details(&self) -> Vec<String> {
        let KidSubsets { subsets, size } = self.spec;
        vec!["poly3".to_owned(), format!("subsets={subsets}x{size},mt19937-{}", self.seed)]
    }
}

/// A subset is larger than a set it is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subset of {size} pictures cannot be drawn from {n}: choose a smaller subset")]
pub struct SubsetTooLarge {
    /// Pictures per subset.
    pub size: usize,
    /// Pictures of the smaller side.
    pub n: usize,
}

/// Returns the kernel distance over the very subsets that torch-fidelity 0.4 draws from `seed`
/// (its default is [`TORCH_FIDELITY_SEED`](super::TORCH_FIDELITY_SEED)): for each subset first
/// rows of the fakes, its "input 1", then rows of the reals, from one generator.
///
/// # Errors
/// If a side has fewer rows than a subset.
///
/// # Panics
/// If there is no subset, or a subset has fewer than two rows.
pub fn kid_torch_fidelity(
    sets: Manifolds<'_>,
    spec: KidSubsets,
    seed: u32,
) -> Result<KidOverSubsets, SubsetTooLarge> {
    let (real, fake, KidSubsets { subsets, size }) = (sets.real, sets.fake, spec);
    assert!(subsets > 0, "at least one subset");
    let n = real.n().min(fake.n());
    if size > n {
        return Err(SubsetTooLarge { size, n });
    }
    let mut state = RandomState::new(seed);
    let draws: Vec<[Vec<usize>; 2]> = (0..subsets)
        .map(|_| [state.choice(fake.n(), size), state.choice(real.n(), size)])
        .collect();
    let value =
        |[fakes, reals]: &[Vec<usize>; 2]| kid(&real.select(reals), &fake.select(fakes)).value;
    let values: Vec<f64> = draws.par_iter().map(value).collect();
    let mean = values.iter().sum::<f64>() / subsets as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Ok(KidOverSubsets { mean, sd: (squares / subsets as f64).sqrt(), spec, seed })
}

/// Returns the sums of the kernel over the rows of `x` and over the rows of `y`; with `same`, both
/// are one set and no row meets itself.
fn kernel_sums(x: &Features, y: &Features, same: bool) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(x.d(), y.d(), "both sets come from one extractor");
    let scale = 1.0 / x.d() as f64;
    let pairs = Pairs {
        n: [x.n(), y.n()],
        d: x.d(),
        numbers: [&|rows| x.wide(rows), &|rows| y.wide(rows)],
        same,
    };
    let blocks = pairs.fold(
        |rows| (vec![0.0; rows.len()], vec![0.0; y.n()]),
        |(row_sums, column_sums), tile| {
            for (i, row_sum) in tile.rows.clone().zip(row_sums.iter_mut()) {
                for (j, dot) in tile.row(i).filter(|(j, _)| !same || *j > i) {
                    let kernel = (dot * scale + 1.0).powi(3);
                    *row_sum += kernel;
                    column_sums[j] += kernel;
                }
            }
        },
    );
    let mut columns = vec![0.0; y.n()];
    let mut rows = Vec::with_capacity(x.n());
    for (row_sums, column_sums) in blocks {
        rows.extend(row_sums);
        columns.iter_mut().zip(column_sums).for_each(|(sum, part)| *sum += part);
    }
    if same {
        // Each pair was seen from its first row: the other half of a row's sum is its column.
        rows.iter_mut().zip(&mut columns).for_each(|(row, column)| {
            *row += *column;
            *column = *row;
        });
    }
    (rows, columns)
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{from_json, normal, on_threads};
    use super::*;
    use crate::lab::metrics::TORCH_FIDELITY_SEED;
    use crate::lab::stats::Estimate;
    use crate::testing::{Tol, close, close_all, golden_json};

    #[test]
    fn agrees_with_torch_fidelity() {
        for case in golden_json("metrics/kernel/cases.json").as_array().unwrap() {
            let (real, fake) = (from_json(&case["real"]), from_json(&case["fake"]));
            // Means of kernels near 1 to 100, in another order of summation.
            let got = kid(&real, &fake);
            close(
                got.value,
                case["kid"].as_f64().unwrap(),
                Tol::absolute(1e-12).or_relative(1e-12),
            );
        }
    }

    #[test]
    fn tiled_is_the_double_loop() {
        let (x, y) = (normal(40, 200, 16, 0.2, 1.0), normal(41, 330, 16, 0.0, 1.1));
        let mean = |a: &Features, b: &Features, same: bool| {
            let mut sum = 0.0;
            for i in 0..a.n() {
                for j in (0..b.n()).filter(|j| !(same && *j == i)) {
                    let dot: f64 = a
                        .row(i)
                        .iter()
                        .zip(b.row(j))
                        .map(|(p, q)| f64::from(*p) * f64::from(*q))
                        .sum();
                    sum += (dot / 16.0 + 1.0).powi(3);
                }
            }
            sum / (a.n() * (b.n() - usize::from(same))) as f64
        };
        let want = mean(&x, &x, true) + mean(&y, &y, true) - 2.0 * mean(&x, &y, false);
        close(kid(&x, &y).value, want, Tol::absolute(1e-12));
        close(kid(&y, &x).value, want, Tol::absolute(1e-12));
    }

    #[test]
    fn scatters_around_zero_and_knows_how_far() {
        // 60 pairs of draws: of one law (the first order vanishes) and of two laws.
        let spread = |shift: f32| {
            let draws: Vec<Kid> = (0..60)
                .map(|i| {
                    kid(&normal(100 + i, 80, 4, 0.0, 1.0), &normal(200 + i, 70, 4, shift, 1.0))
                })
                .collect();
            let values: Vec<f64> = draws.iter().map(|kid| kid.value).collect();
            let errors: f64 = draws.iter().map(|kid| kid.standard_error).sum::<f64>() / 60.0;
            (Estimate::of(&values).unwrap(), errors)
        };
        let (same, error) = spread(0.0);
        assert!(same.mean.abs() < 4.0 * same.standard_error().unwrap(), "biased: {same:?}");
        assert!(error > 0.8 * same.sd.unwrap(), "too sure: {error} against {same:?}");
        let (apart, error) = spread(0.7);
        // A deviation of 60 draws is known to 9 %; heavy tails of a cubic kernel add as much again.
        let ratio = error / apart.sd.unwrap();
        assert!((0.7..1.4).contains(&ratio), "{ratio}");
    }

    #[test]
    fn repeats_the_subsets_of_torch_fidelity() {
        for case in golden_json("metrics/kernel/subsets.json").as_array().unwrap() {
            let sets =
                Manifolds { real: &from_json(&case["real"]), fake: &from_json(&case["fake"]) };
            let count = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
            let spec = KidSubsets { subsets: count("subsets"), size: count("size") };
            let got = kid_torch_fidelity(sets, spec, TORCH_FIDELITY_SEED).unwrap();
            let want = ["mean", "sd"].map(|name| case[name].as_f64().unwrap());
            // Kernels near 1 to 10 in f64, in another order.
            close_all(&[got.mean, got.sd], &want, Tol::absolute(1e-13).or_relative(1e-10));
            // As the tool is run, in f32: its kernels carry 1e-7 each.
            let want = ["mean32", "sd32"].map(|name| case[name].as_f64().unwrap());
            close_all(&[got.mean, got.sd], &want, Tol::absolute(1e-6));
        }
        let x = normal(46, 20, 3, 0.0, 1.0);
        let few = kid_torch_fidelity(Manifolds { real: &x, fake: &x }, KidSubsets::default(), 1);
        assert_eq!(few.unwrap_err(), SubsetTooLarge { size: 1000, n: 20 });
    }

    #[test]
    fn subsets_average_to_the_whole() {
        let (x, y) = (normal(42, 120, 5, 0.5, 1.0), normal(43, 110, 5, 0.0, 1.0));
        let sets = Manifolds { real: &x, fake: &y };
        let got = kid_torch_fidelity(sets, KidSubsets { subsets: 200, size: 60 }, 7).unwrap();
        let whole = kid(&x, &y).value;
        // Subsets without replacement are unbiased for the whole.
        let error = got.sd / 200_f64.sqrt();
        assert!((got.mean - whole).abs() < 4.0 * error, "{got:?}, {whole}");
        let sets = Manifolds { real: &x, fake: &x };
        let all = kid_torch_fidelity(sets, KidSubsets { subsets: 2, size: 120 }, 1).unwrap();
        close(all.mean, kid(&x, &x).value, Tol::absolute(1e-12)); // Subsets of everything.
    }

    #[test]
    fn no_bit_depends_on_threads() {
        let (x, y) = (normal(44, 1100, 30, 0.0, 1.0), normal(45, 600, 30, 0.1, 1.0));
        let run = |threads| {
            on_threads(threads, || {
                let got = kid(&x, &y);
                [got.value.to_bits(), got.standard_error.to_bits()]
            })
        };
        assert_eq!(run(1), run(3));
    }
}
