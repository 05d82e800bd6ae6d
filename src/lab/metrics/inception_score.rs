//! The Inception score: predictions should be certain, and classes even.
//!
//! Salimans et al. 2016 (arXiv:1606.03498), section 4: `exp E_x KL(p(y|x) ‖ p(y))`, with `p(y)`
//! the mean of `p(y|x)` over the pictures of a split; reported as mean and deviation over splits.
//! The deviation (divisor `splits`, as all tools print it) is *not* a standard error.
//!
//! DIFFERS: ADM splits without a shuffle, so class-sorted pictures score low; torch-fidelity
//! shuffles with NumPy's generator; here the order comes from the given seed.

use serde::{Deserialize, Serialize};

use super::Probabilities;
use super::measure::{Entry, Evidence, Found};
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
    let score = inception_score(rows, SPLITS, &evidence.seed.child("inception-score"));
    let (classes, splits) = (format!("classes={}", rows.classes()), format!("splits={SPLITS}"));
    Ok(Found { values: vec![score.mean], details: vec![classes, splits, "shuffled".to_owned()] })
}

/// How many splits the original code and most papers use.
pub const SPLITS: usize = 10;

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
    over_splits(rows, &seed.stream().permutation(rows.n()), splits)
}

fn over_splits(rows: &Probabilities, order: &[usize], splits: usize) -> InceptionScore {
    assert!(splits > 0 && splits <= rows.n(), "every split needs a row");
    let bounds = |i: usize| i * order.len() / splits;
    let scores: Vec<f64> =
        (0..splits).map(|i| score(rows, &order[bounds(i)..bounds(i + 1)])).collect();
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
    fn agrees_with_torch_fidelity() {
        let golden = golden_json("metrics/inception_score/cases.json");
        let rows = from_json(&golden["logits"]).softmax();
        for case in golden["scores"].as_array().unwrap() {
            let splits = usize::try_from(case["splits"].as_u64().unwrap()).unwrap();
            let order: Vec<usize> = (0..rows.n()).collect(); // The golden is not shuffled.
            let got = over_splits(&rows, &order, splits);
            let want = ["mean", "sd"].map(|name| case[name].as_f64().unwrap());
            // f64 on both sides, log-softmax there.
            close_all(&[got.mean, got.sd], &want, Tol::absolute(1e-12));
        }
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
        let plain: Vec<usize> = (0..100).collect();
        close(over_splits(&sorted, &plain, 10).mean, 1.0, Tol::absolute(1e-12));
        assert!(inception_score(&sorted, 10, &Seed::root(0)).mean > 4.0);
    }
}
