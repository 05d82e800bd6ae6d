//! Wrong set-ups explain themselves: known values and cheap checks, each with a sentence.
//!
//! Known values: the Inception score of the 50,000 training pictures of CIFAR-10 has been measured
//! so often, right and wrong, that a value tells the mistake (torch-fidelity's fixture 11.237; 9.67
//! and 9.737 with torchvision's weights, pytorch-fid #11 and #82; 5.63 to 6.19 with inputs
//! normalised twice, sbarratt's inception-score-pytorch #3; about 9 without shuffling, tsc2017 #5).
//! Checks: what can be seen in features and predictions alone.
//!
//! What cannot be seen is not pretended: precision and recall exchanged look like another
//! generator.

use std::cmp::Ordering;

use super::inception_score::{SPLITS, inception_score, inception_score_unshuffled};
use super::{Features, Probabilities};
use crate::terms::Seed;

/// Sets of pictures whose scores are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownSet {
    /// The training pictures of CIFAR-10.
    Cifar10Train,
}

impl KnownSet {
    /// Recognises a set by what people call it and by its counts. Generated pictures may share all
    /// counts with it, and a good generator a score that would be wrong for the set itself: without
    /// the name nothing is said.
    pub fn named(name: &str, pictures: usize, size: Option<(usize, usize)>) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let cifar = name.contains("cifar") && name.contains("train") && !name.contains("cifar100");
        (cifar && pictures == 50_000 && size == Some((32, 32))).then_some(Self::Cifar10Train)
    }
}

/// A value that only one mistake gives.
struct Signature {
    set: KnownSet,
    score: &'static str,
    range: std::ops::RangeInclusive<f64>,
    says: &'static str,
}

const SIGNATURES: [Signature; 3] = [
    Signature {
        set: KnownSet::Cifar10Train,
        score: "is",
        range: 5.4..=6.4,
        says: "an Inception score of 5.6 to 6.2 on CIFAR-10 train comes from inputs that are \
               normalised twice (`transform_input`); the right value is 11.24",
    },
    Signature {
        set: KnownSet::Cifar10Train,
        score: "is",
        range: 8.7..=9.3,
        says: "an Inception score near 9 on CIFAR-10 train comes from splits that are not \
               shuffled while the pictures are sorted by class; the right value is 11.24",
    },
    Signature {
        set: KnownSet::Cifar10Train,
        score: "is",
        range: 9.45..=9.95,
        says: "an Inception score of 9.67 or 9.74 on CIFAR-10 train comes from torchvision's \
               weights; the TensorFlow weights of 2015 give 11.24",
    },
];

/// Returns the sentence that explains a score of a known set, if a known mistake gives that value.
/// `score` is the name of the score, in whatever protocol.
///
/// ```
/// use ersatz::lab::metrics::{KnownSet, explain};
/// assert!(explain(KnownSet::Cifar10Train, "is", 9.67).unwrap().contains("torchvision"));
/// assert_eq!(explain(KnownSet::Cifar10Train, "is", 11.24), None);
/// ```
pub fn explain(set: KnownSet, score: &str, value: f64) -> Option<&'static str> {
    // Protocols of a score add their name after a dash.
    let family = score.split('-').next().unwrap_or(score);
    let fits = |it: &&Signature| it.set == set && it.score == family && it.range.contains(&value);
    SIGNATURES.iter().find(fits).map(|it| it.says)
}

/// Returns what is suspicious about two sets of features, one sentence each.
pub fn suspicious_features(real: &Features, fake: &Features) -> Vec<String> {
    let mut said = Vec::new();
    for (side, set) in [("real", real), ("generated", fake)] {
        if set.n() > 1 && (1..set.n()).all(|i| set.row(i) == set.row(0)) {
            said.push(format!(
                "all {} {side} pictures have the same features: either they are one picture, or \
                 the network does not see them",
                set.n()
            ));
        }
    }
    if said.is_empty() && same_rows(real, fake) {
        said.push(
            "real and generated pictures have the same features, picture for picture: both are \
             the same files, and every distance is 0"
                .to_owned(),
        );
    }
    said
}

/// Returns whether two sets hold the same rows in any order.
fn same_rows(a: &Features, b: &Features) -> bool {
    if a.n() != b.n() || a.d() != b.d() {
        return false;
    }
    let sorted = |set: &Features| {
        let mut order: Vec<usize> = (0..set.n()).collect();
        order.sort_by(|i, j| compare(set.row(*i), set.row(*j)));
        order
    };
    sorted(a).into_iter().zip(sorted(b)).all(|(i, j)| a.row(i) == b.row(j))
}

fn compare(x: &[f32], y: &[f32]) -> Ordering {
    let pairs = x.iter().zip(y).map(|(x, y)| x.partial_cmp(y).expect("features are finite"));
    pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Returns what is suspicious about predictions, one sentence each; `seed` shuffles.
pub fn suspicious_predictions(rows: &Probabilities, seed: &Seed) -> Vec<String> {
    let mut said = Vec::new();
    if rows.n() < 10 * SPLITS {
        return said; // Splits of fewer than ten pictures say nothing.
    }
    if (1..rows.n()).all(|i| rows.row(i) == rows.row(0)) {
        said.push(format!("all {} predictions are equal", rows.n()));
        return said;
    }
    let shuffled = inception_score(rows, SPLITS, seed);
    let plain = inception_score_unshuffled(rows, SPLITS);
    // Of pictures in random order both are one quantity, and differ by what splits differ.
    let noise = 4.0 * shuffled.sd / (SPLITS as f64).sqrt();
    if shuffled.mean - plain.mean > noise.max(0.03 * shuffled.mean) {
        said.push(format!(
            "the pictures are sorted: splits in their order give an Inception score of {:.2}, \
             shuffled ones {:.2}; protocols without a shuffle (`is-adm`) are too low here",
            plain.mean, shuffled.mean
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::super::Logits;
    use super::super::features::testing::normal;
    use super::*;

    #[test]
    fn the_published_mistakes_are_named_and_right_values_are_not() {
        let known = |name: &str, n: usize| KnownSet::named(name, n, Some((32, 32)));
        let set = known("CIFAR10-train.npz", 50_000).unwrap();
        for (value, word) in [
            (9.67, Some("torchvision")),
            (9.737, Some("torchvision")),
            (5.63, Some("normalised twice")),
            (6.19, Some("normalised twice")),
            (9.0, Some("not shuffled")),
            (11.237, None),
            (10.751, None), // 5,000 pictures of it.
            (4.511, None),  // Its first 100.
        ] {
            for name in ["is", "is-torch-fidelity", "is-adm"] {
                let said = explain(set, name, value);
                let fits = said.is_some_and(|said| word.is_some_and(|word| said.contains(word)));
                assert!(fits || (said.is_none() && word.is_none()), "{value}: {said:?}");
            }
            assert_eq!(explain(set, "fid", value), None);
        }
        for other in ["cifar10-train", "samples", "cifar100-train", "cifar-samples"] {
            let pictures = if other == "cifar10-train" { 10_000 } else { 50_000 };
            assert_eq!(known(other, pictures), None, "{other}");
        }
        assert_eq!(KnownSet::named("cifar10_train", 50_000, None), None);
    }

    #[test]
    fn no_value_has_two_explanations() {
        for (i, a) in SIGNATURES.iter().enumerate() {
            for b in &SIGNATURES[i + 1..] {
                assert!(a.range.end() < b.range.start() || b.range.end() < a.range.start());
            }
        }
    }

    #[test]
    fn the_same_files_and_blind_networks_are_seen() {
        let (x, y) = (normal(130, 50, 4, 0.0, 1.0), normal(131, 50, 4, 0.0, 1.0));
        assert_eq!(suspicious_features(&x, &y), Vec::<String>::new());
        let turned: Vec<usize> = (0..50).map(|i| (i * 7) % 50).collect();
        let said = suspicious_features(&x, &x.select(&turned));
        assert!(said.len() == 1 && said[0].contains("same files"), "{said:?}");
        let mut nearly = turned.clone();
        nearly[3] = nearly[4];
        assert_eq!(suspicious_features(&x, &x.select(&nearly)), Vec::<String>::new());
        let blind = suspicious_features(&x, &y.select(&[2; 50]));
        assert!(blind.len() == 1 && blind[0].starts_with("all 50 generated"), "{blind:?}");
    }

    #[test]
    fn sorted_pictures_are_seen() {
        // Predictions that lean to the class of the picture, with noise.
        let noise = normal(132, 2000, 10, 0.0, 1.0);
        let rows = |class: &dyn Fn(usize) -> usize| {
            let logit =
                |i: usize, c: usize| noise.row(i)[c] + if class(i) == c { 2.5 } else { 0.0 };
            let all = (0..2000).flat_map(|i| (0..10).map(move |c| (i, c)));
            Logits::new(10, all.map(|(i, c)| logit(i, c)).collect()).softmax()
        };
        let seed = Seed::root(0);
        let sorted = suspicious_predictions(&rows(&|i| i / 200), &seed);
        assert!(sorted.len() == 1 && sorted[0].contains("are sorted"), "{sorted:?}");
        assert_eq!(suspicious_predictions(&rows(&|i| i % 10), &seed), Vec::<String>::new());
        let equal = Probabilities::new(2, [0.3, 0.7].repeat(200));
        assert_eq!(suspicious_predictions(&equal, &seed), ["all 200 predictions are equal"]);
    }
}
