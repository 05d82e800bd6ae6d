//! The Inception score: predictions should be certain, and classes even.
//!
//! Salimans et al. 2016 (arXiv:1606.03498), section 4: `exp E_x KL(p(y|x) ‖ p(y))`, with `p(y)`
//! the mean of `p(y|x)` over the pictures of a split; reported as mean and deviation over splits.
//! The deviation (divisor `splits`, as all tools print it) is *not* a standard error.
//!
//! DIFFERS: torch-fidelity shuffles with NumPy's generator and seed 2020; ADM takes parts of 5,000
//! in the order of the file, so class-sorted pictures score low, and leaves the bias out of its
//! logits, as torch-fidelity does (the caller's matter: whatever logits are given count); here the
//! order comes from the given seed. [`IsProtocol`] names them. ADM and the original code take the
//! softmax in f32; everything is f64 here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::{Entry, Evidence, Found};
use super::{Probabilities, RandomState};
use crate::terms::{Direction, Seed};

/// `is` in the table of metrics.
pub(super) const ENTRY: Entry = Entry {
    scores: &[("is", Direction::Higher)],
    least_pictures: SPLITS,
    compares: false,
    measure,
};

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    let rows = evidence.probabilities.ok_or("the extractor has no classes")?;
    let score = IsProtocol::Ersatz.score(rows, &evidence.seed.child("inception-score"));
    let mut details = vec![format!("classes={}", rows.classes())];
    details.extend(IsProtocol::Ersatz.details());
    Ok(Found { values: vec![score.mean], details })
}

/// How many splits the original code and most papers use.
pub const SPLITS: usize = 10;

/// The seed of torch-fidelity's shuffles and subsets, its default.
pub const TORCH_FIDELITY_SEED: u32 = 2020;

/// Pictures per split in ADM's evaluator.
const ADM_SPLIT: usize = 5000;

/// Whose splits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IsProtocol {
    /// [`SPLITS`] splits, shuffled from our own seed.
    #[default]
    Ersatz,
    /// torch-fidelity 0.4: 10 splits, shuffled by `RandomState(2020)`.
    TorchFidelity,
    /// ADM's evaluator (guided-diffusion): splits of 5,000 in the given order, the last shorter.
    Adm,
}

impl IsProtocol {
    /// Returns the name of the score: numbers of different protocols are not one column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ersatz => "is",
            Self::TorchFidelity => "is-torch-fidelity",
            Self::Adm => "is-adm",
        }
    }

    /// Returns what the protocol string says of the splits.
    pub fn details(self) -> Vec<String> {
        let parts: &[&str] = match self {
            Self::Ersatz => &["splits=10", "shuffled"],
            Self::TorchFidelity => &["splits=10", "shuffled=mt19937-2020"],
            Self::Adm => &["split-size=5000", "unshuffled"],
        };
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    /// Returns how many rows it needs at least.
    pub fn least_pictures(self) -> usize {
        if self == Self::Adm { 1 } else { SPLITS }
    }

    /// Returns the score; `seed` matters to [`Self::Ersatz`] only.
    ///
    /// # Panics
    /// If there are fewer rows than [`Self::least_pictures`].
    pub fn score(self, rows: &Probabilities, seed: &Seed) -> InceptionScore {
        over_parts(rows, &self.parts(rows.n(), seed))
    }

    /// Returns the rows of each split.
    pub(super) fn parts(self, n: usize, seed: &Seed) -> Vec<Vec<usize>> {
        match self {
            Self::Ersatz => cut(&seed.stream().permutation(n), SPLITS),
            Self::TorchFidelity => {
                cut(&RandomState::new(TORCH_FIDELITY_SEED).permutation(n), SPLITS)
            }
            Self::Adm => (0..n).collect::<Vec<_>>().chunks(ADM_SPLIT).map(<[_]>::to_vec).collect(),
        }
    }
}

/// An Inception score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InceptionScore {
    /// The mean over splits, between 1 and the number of classes.
    pub mean: f64,
    /// The deviation of splits (divisor `splits`).
    pub sd: f64,
    /// How many splits.
    pub splits: usize,
}

/// Returns the Inception score over `splits` parts of the shuffled rows.
///
/// ```
/// use ersatz::{lab::metrics::{Probabilities, inception_score}, terms::Seed};
/// let blind = Probabilities::new(2, vec![0.5; 2 * 20]);
/// assert!((inception_score(&blind, 10, &Seed::root(0)).mean - 1.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// If there is no split, or fewer rows than splits.
pub fn inception_score(rows: &Probabilities, splits: usize, seed: &Seed) -> InceptionScore {
    over_parts(rows, &cut(&seed.stream().permutation(rows.n()), splits))
}

/// Returns the Inception score over `splits` parts of the rows as they stand: of class-sorted
/// pictures it is too low, which is how such an order is found.
///
/// # Panics
/// If there is no split, or fewer rows than splits.
pub fn inception_score_unshuffled(rows: &Probabilities, splits: usize) -> InceptionScore {
    over_parts(rows, &cut(&(0..rows.n()).collect::<Vec<_>>(), splits))
}

/// Cuts an order into parts whose sizes differ by at most one, where torch-fidelity cuts.
fn cut(order: &[usize], splits: usize) -> Vec<Vec<usize>> {
    assert!(splits > 0 && splits <= order.len(), "every split needs a row");
    let bound = |i: usize| i * order.len() / splits;
    (0..splits).map(|i| order[bound(i)..bound(i + 1)].to_vec()).collect()
}

/// Returns mean and deviation of the scores of the parts.
pub(super) fn over_parts(rows: &Probabilities, parts: &[Vec<usize>]) -> InceptionScore {
    let splits = parts.len();
    assert!(parts.iter().all(|part| !part.is_empty()) && splits > 0, "every split needs a row");
    let scores: Vec<f64> = parts.iter().map(|part| score(rows, part)).collect();
    let mean = scores.iter().sum::<f64>() / splits as f64;
    let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
    InceptionScore { mean, sd: (squares / splits as f64).sqrt(), splits }
}

fn score(rows: &Probabilities, chosen: &[usize]) -> f64 {
    let n = chosen.len() as f64;
    let mut marginal = vec![0.0; rows.classes()];
    for i in chosen {
        marginal.iter_mut().zip(rows.row(*i)).for_each(|(sum, p)| *sum += p);
    }
    marginal.iter_mut().for_each(|sum| *sum /= n);
    let divergence: f64 = chosen.iter().map(|i| divergence(rows.row(*i), &marginal)).sum();
    (divergence / n).exp()
}

/// Returns `KL(p ‖ q)`; a class of probability 0 adds nothing.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::predictions::testing::{from_json, one_hot};
    use super::*;
    use crate::testing::{Tol, close, close_all, golden_json};

    #[test]
    fn agrees_with_torch_fidelity_and_adm() {
        let golden = golden_json("metrics/inception_score/cases.json");
        let rows = from_json(&golden["logits"]).softmax();
        for case in golden["scores"].as_array().unwrap() {
            let got = match case["protocol"].as_str().unwrap() {
                "unshuffled" => {
                    let splits = usize::try_from(case["splits"].as_u64().unwrap()).unwrap();
                    inception_score_unshuffled(&rows, splits)
                }
                "torch-fidelity" => IsProtocol::TorchFidelity.score(&rows, &Seed::root(0)),
                "adm" => IsProtocol::Adm.score(&rows, &Seed::root(0)),
                other => panic!("no such protocol: {other}"),
            };
            let want = ["mean", "sd"].map(|name| case[name].as_f64().unwrap());
            // f64 on both sides, log-softmax there.
            close_all(&[got.mean, got.sd], &want, Tol::absolute(1e-12));
        }
    }

    #[test]
    fn adm_cuts_at_5000() {
        // Two sorted classes of 5,000: each part says one class only. Then 100 that say both.
        let class = |i: usize| if i < 10_000 { i / 5000 } else { i % 2 };
        let one_hot = |i: usize| [0, 1].map(|c| f64::from(u8::from(class(i) == c)));
        let rows = Probabilities::new(2, (0..10_100).flat_map(one_hot).collect());
        let got = IsProtocol::Adm.score(&rows, &Seed::root(0));
        assert_eq!(got.splits, 3);
        close(got.mean, (1.0 + 1.0 + 2.0) / 3.0, Tol::absolute(1e-12));
        assert!(IsProtocol::TorchFidelity.score(&rows, &Seed::root(0)).mean > 1.98);
    }

    #[test]
    fn obeys_its_laws() {
        let seed = Seed::root(0);
        for classes in [2, 7, 10] {
            let blind = Probabilities::new(classes, vec![1.0 / classes as f64; classes * 40]);
            close(inception_score(&blind, 4, &seed).mean, 1.0, Tol::absolute(1e-12));
            let certain = inception_score(&one_hot(6 * classes, classes), 1, &seed);
            close(certain.mean, classes as f64, Tol::relative(1e-12));
            close(certain.sd, 0.0, Tol::absolute(0.0));
        }
        let collapsed = Probabilities::new(3, [1.0, 0.0, 0.0].repeat(30));
        close(inception_score(&collapsed, 10, &seed).mean, 1.0, Tol::absolute(1e-12));
    }

    #[test]
    fn sorted_classes_are_shuffled_first() {
        // Class-sorted rows in as many splits as classes would each score 1.
        let sorted: Vec<f64> = (0..100)
            .flat_map(|i| (0..10).map(move |class| f64::from(u8::from(class == i / 10))))
            .collect();
        let sorted = Probabilities::new(10, sorted);
        close(inception_score_unshuffled(&sorted, 10).mean, 1.0, Tol::absolute(1e-12));
        assert!(inception_score(&sorted, 10, &Seed::root(0)).mean > 4.0);
    }
}
