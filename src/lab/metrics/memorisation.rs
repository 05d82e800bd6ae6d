//! Does the generator copy its training pictures?
//!
//! Two questions by nearest neighbours. *Authenticity* (Alaa et al. 2022, arXiv:2102.08921; the
//! share is "AuthPct" in dgm-eval, Stein et al. 2023, arXiv:2306.04675): a fake is authentic if
//! its nearest training picture has another training picture nearer than the fake. *Nearness*: how
//! many fakes lie closer to the training set than all but a few real test pictures do; a generator
//! that is as new as the test set scores that few.

use serde::{Deserialize, Serialize};

use super::Features;
use super::measure::{Entry, Evidence, Found};
use super::tiles::{Nearest, nearest, nearest_within};
use crate::lab::stats::quantile;
use crate::terms::Direction;

/// Share of test pictures that may lie as near to the training set as the `near-train` score asks
/// for.
pub const NEAR_SHARE: f64 = 0.05;

/// `authentic` and `near-train` in the table of metrics.
pub(super) const ENTRY: Entry = Entry {
    scores: &[("authentic", Direction::Higher), ("near-train", Direction::Lower)],
    least_pictures: 2,
    compares: true,
    measure,
};

fn measure(evidence: &Evidence<'_>) -> Result<Found, String> {
    let Some(test) = evidence.unseen.filter(|unseen| unseen.n() > 0) else {
        return Err("there are no unseen real pictures".to_owned());
    };
    let sets = MemorisationSets { train: evidence.real, test, fake: evidence.fake };
    let got = memorisation(sets, NEAR_SHARE);
    Ok(Found {
        values: vec![got.authentic, got.near_train],
        details: vec![format!("unseen={}", test.n()), format!("quantile={NEAR_SHARE}")],
    })
}

/// `authenticity` in the table of metrics: as `authentic`, without need of unseen pictures.
pub(super) const AUTHENTICITY: Entry = Entry {
    scores: &[("authenticity", Direction::Higher)],
    least_pictures: 2,
    compares: true,
    measure: measure_authenticity,
};

fn measure_authenticity(evidence: &Evidence<'_>) -> Result<Found, String> {
    let value = authenticity(evidence.real, evidence.fake);
    Ok(Found { values: vec![value], details: vec!["nearest=1".to_owned()] })
}

/// The sets, by name.
#[derive(Clone, Copy, Debug)]
pub struct MemorisationSets<'a> {
    /// Features of the pictures the generator was trained on.
    pub train: &'a Features,
    /// Features of real pictures it has not seen.
    pub test: &'a Features,
    /// Features of generated pictures.
    pub fake: &'a Features,
}

/// The nearest picture of another set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its position; the first of equals.
    pub index: usize,
    /// Its Euclidean distance.
    pub distance: f64,
}

/// What nearest neighbours say about copying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memorisation {
    /// Of each fake: its nearest training picture.
    pub to_train: Vec<Neighbour>,
    /// Of each fake: its nearest test picture.
    pub to_test: Vec<Neighbour>,
    /// Share of authentic fakes, 0..=1. A set of copies has 0.
    pub authentic: f64,
    /// The distance to the training set that this share of test pictures falls short of.
    pub threshold: f64,
    /// Share of fakes nearer to the training set than `threshold`.
    pub near_train: f64,
}

/// Returns nearest neighbours, authenticity, and the share of fakes that lie nearer to the training
/// set than the `share` quantile of the test set.
///
/// ```
/// use ersatz::lab::metrics::{Features, MemorisationSets, memorisation};
/// let train = Features::new(1, vec![0.0, 1.0, 2.0, 3.0]);
/// let test = Features::new(1, vec![0.4, 1.5, 2.6]);
/// let copies = Features::new(1, vec![1.0, 2.0]);
/// let got = memorisation(MemorisationSets { train: &train, test: &test, fake: &copies }, 0.05);
/// assert!(got.authentic == 0.0 && got.near_train == 1.0);
/// ```
///
/// # Panics
/// If a set is empty, the training set has fewer than two pictures, or `share` is not in 0..=1.
pub fn memorisation(sets: MemorisationSets<'_>, share: f64) -> Memorisation {
    let MemorisationSets { train, test, fake } = sets;
    assert!(fake.n() > 0 && test.n() > 0, "nearest neighbours need pictures");
    let to_train = neighbours(fake, train);
    let test_distances: Vec<f64> =
        neighbours(test, train).iter().map(|found| found.distance).collect();
    let threshold = quantile(&test_distances, share);
    let near = to_train.iter().filter(|found| found.distance < threshold).count();
    Memorisation {
        authentic: authentic(&to_train, train) as f64 / fake.n() as f64,
        near_train: near as f64 / fake.n() as f64,
        threshold,
        to_test: neighbours(fake, test),
        to_train,
    }
}

/// Returns the share of authentic fakes, 0..=1 (AuthPct is 100 times this): those whose nearest
/// training picture has another training picture nearer to it than the fake.
///
/// DIFFERS: dgm-eval takes distances from `torch.cdist` in f32, which may merge neighbours that
/// differ in the seventh digit; here they are exact, and a duplicate of a training picture is its
/// nearest neighbour in both.
///
/// ```
/// use ersatz::lab::metrics::{Features, authenticity};
/// let train = Features::new(1, vec![0.0, 1.0, 3.0]);
/// let fake = Features::new(1, vec![0.1, 4.5]);
/// assert!(authenticity(&train, &fake) == 0.0); // 2 is the distance of 3 to its neighbour.
/// ```
///
/// # Panics
/// If there is no fake, there are fewer than two training pictures, or the sets differ in width.
pub fn authenticity(train: &Features, fake: &Features) -> f64 {
    assert!(fake.n() > 0, "a share needs pictures");
    authentic(&neighbours(fake, train), train) as f64 / fake.n() as f64
}

/// Returns how many fakes are authentic; `to_train[i]` is the nearest training picture of fake `i`.
///
/// # Panics
/// If there are fewer than two training pictures.
pub fn authentic(to_train: &[Neighbour], train: &Features) -> usize {
    let within: Vec<Neighbour> = nearest_within(train, 1).iter().map(first).collect();
    let far = |found: &&Neighbour| within[found.index].distance < found.distance;
    to_train.iter().filter(far).count()
}

/// A generated picture beside its nearest real one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The position of the generated picture.
    pub fake: usize,
    /// The real picture nearest to it.
    pub real: Neighbour,
}

/// Returns the `count` generated pictures that lie nearest to a real one, nearest first, equals in
/// order of position: the rows of a sheet of suspected copies. `to_real[i]` is the nearest real
/// picture of fake `i`.
pub fn closest_pairs(to_real: &[Neighbour], count: usize) -> Vec<Pair> {
    let pair = |(fake, real): (usize, &Neighbour)| Pair { fake, real: *real };
    let mut pairs: Vec<Pair> = to_real.iter().enumerate().map(pair).collect();
    pairs.sort_by(|a, b| a.real.distance.total_cmp(&b.real.distance).then(a.fake.cmp(&b.fake)));
    pairs.truncate(count);
    pairs
}

/// Returns the nearest row of `among` for every row of `of`.
///
/// # Panics
/// If `among` is empty, or the sets differ in width.
pub fn neighbours(of: &Features, among: &Features) -> Vec<Neighbour> {
    nearest(of, among, 1).iter().map(first).collect()
}

fn first(row: &Nearest) -> Neighbour {
    let (square, index) = row[0];
    Neighbour { index, distance: square.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{from_json, normal};
    use super::*;
    use crate::testing::{Tol, close, close_all, golden_json};

    #[test]
    fn agrees_with_scikit_learn() {
        let golden = golden_json("metrics/memorisation/cases.json");
        let [train, test, fake] = ["train", "test", "fake"].map(|name| from_json(&golden[name]));
        let got = memorisation(MemorisationSets { train: &train, test: &test, fake: &fake }, 0.05);
        for (found, name) in [(&got.to_train, "to_train"), (&got.to_test, "to_test")] {
            let list = |key: &str| golden[name][key].as_array().unwrap().clone();
            let distances: Vec<f64> =
                list("distance").iter().map(|v| v.as_f64().unwrap()).collect();
            let ours: Vec<f64> = found.iter().map(|found| found.distance).collect();
            close_all(&ours, &distances, Tol::absolute(1e-12)); // Direct distances in f64.
            let indices: Vec<u64> = list("index").iter().map(|v| v.as_u64().unwrap()).collect();
            assert_eq!(found.iter().map(|found| found.index as u64).collect::<Vec<_>>(), indices);
        }
        let want =
            ["authentic", "threshold", "near_train"].map(|key| golden[key].as_f64().unwrap());
        close_all(&[got.authentic, got.threshold, got.near_train], &want, Tol::absolute(1e-12));
    }

    #[test]
    fn the_closest_pairs_come_first() {
        let (train, fake) = (normal(83, 60, 4, 0.0, 1.0), normal(84, 30, 4, 0.0, 1.0));
        let fake = Features::join(&[fake, train.select(&[7, 7])]); // Two copies, at 30 and 31.
        let to_train = neighbours(&fake, &train);
        let pairs = closest_pairs(&to_train, 5);
        let copy = Neighbour { index: 7, distance: 0.0 };
        assert_eq!(pairs[..2], [Pair { fake: 30, real: copy }, Pair { fake: 31, real: copy }]);
        assert!(pairs.windows(2).all(|two| two[0].real.distance <= two[1].real.distance));
        let last = pairs[4].real.distance;
        assert_eq!(to_train.iter().filter(|found| found.distance <= last).count(), 5);
        assert_eq!(closest_pairs(&to_train, 1000).len(), 32);
    }

    #[test]
    fn copies_are_found_and_fresh_draws_are_not() {
        let (train, test) = (normal(80, 400, 6, 0.0, 1.0), normal(81, 400, 6, 0.0, 1.0));
        let run = |fake: &Features| {
            memorisation(MemorisationSets { train: &train, test: &test, fake }, 0.05)
        };
        let copies = run(&train);
        close_all(&[copies.authentic, copies.near_train], &[0.0, 1.0], Tol::absolute(0.0));
        assert!(copies.to_train.iter().enumerate().all(|(i, found)| found.index == i));
        let fresh = run(&normal(82, 400, 6, 0.0, 1.0));
        // As new as the test set: 5 %, give or take three deviations of two shares of 400.
        close(fresh.near_train, 0.05, Tol::absolute(0.047));
        assert!(fresh.authentic > 0.4);
    }
}
