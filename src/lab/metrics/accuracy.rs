//! How often a classifier is right: top-1, top-5, per class, and what it takes for what.
//!
//! A class ranks before another if its logit is larger, or equal with a lower number; so a
//! classifier that says nothing (all logits equal) answers class 0 and is not credited for
//! silence.

use serde::{Deserialize, Serialize};

use super::Logits;
use crate::lab::stats::{Interval, wilson};
use crate::terms::ClassId;

/// The right answers of a classifier on one test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// How many pictures.
    pub n: usize,
    /// Share of pictures whose class is ranked first, 0..=1.
    pub top1: f64,
    /// The 95 % Wilson interval of `top1` over pictures (not over seeds).
    pub top1_interval: Interval,
    /// Share of pictures whose class is among the first five; `None` with at most five classes,
    /// where it would always be 1.
    pub top5: Option<f64>,
    /// Per class, in class order.
    pub per_class: Vec<ClassAccuracy>,
    /// `confusion[true class][predicted class]`, counts of pictures.
    pub confusion: Vec<Vec<usize>>,
}

/// The right answers on the pictures of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// The class.
    pub class: ClassId,
    /// How many pictures it has.
    pub n: usize,
    /// Share of them that are ranked first; `None` without pictures.
    pub top1: Option<f64>,
}

/// Returns the accuracy of `logits` against the true classes.
///
/// ```
/// use ersatz::{lab::metrics::{Logits, accuracy}, terms::ClassId};
/// let logits = Logits::new(3, vec![0.1, 0.9, 0.0, 0.5, 0.2, 0.7]);
/// let got = accuracy(&logits, &[ClassId(1), ClassId(0)]);
/// assert_eq!((got.top1, got.top5, got.confusion[0][2]), (0.5, None, 1));
/// ```
///
/// # Panics
/// If there is no picture, the numbers of rows differ, or a class has no logit.
pub fn accuracy(logits: &Logits, truth: &[ClassId]) -> Accuracy {
    let (n, classes) = (truth.len(), logits.classes());
    assert!(n > 0 && n == logits.n(), "one row of logits for each of at least one picture");
    assert!(truth.iter().all(|class| class.index() < classes), "every class has a logit");
    let mut confusion = vec![vec![0; classes]; classes];
    let mut within_five = 0;
    for (i, class) in truth.iter().enumerate() {
        let row = logits.row(i);
        confusion[class.index()][first(row)] += 1;
        within_five += usize::from(rank(row, class.index()) < 5);
    }
    let right: usize = (0..classes).map(|class| confusion[class][class]).sum();
    let class_accuracy = |(class, row): (u32, &Vec<usize>)| {
        let (n, class) = (row.iter().sum::<usize>(), ClassId(class));
        let top1 = (n > 0).then(|| row[class.index()] as f64 / n as f64);
        ClassAccuracy { class, n, top1 }
    };
    Accuracy {
        n,
        top1: right as f64 / n as f64,
        top1_interval: wilson(right, n).expect("there is a picture"),
        top5: (classes > 5).then(|| within_five as f64 / n as f64),
        per_class: (0..).zip(&confusion).map(class_accuracy).collect(),
        confusion,
    }
}

/// Returns the class that ranks first.
fn first(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

/// Returns how many classes rank before `class`.
fn rank(row: &[f32], class: usize) -> usize {
    let before =
        |other: &usize| row[*other] > row[class] || (*other < class && row[*other] >= row[class]);
    (0..row.len()).filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::super::predictions::testing::from_json;
    use super::*;
    use crate::testing::{Tol, close, close_all, golden_json};

    #[test]
    fn agrees_with_scikit_learn() {
        let golden = golden_json("metrics/accuracy/cases.json");
        let count = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let truth: Vec<ClassId> = golden["truth"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| ClassId(u32::try_from(class.as_u64().unwrap()).unwrap()))
            .collect();
        let got = accuracy(&from_json(&golden["logits"]), &truth);
        let want = ["top1", "top5"].map(|name| golden[name].as_f64().unwrap());
        close_all(&[got.top1, got.top5.unwrap()], &want, Tol::absolute(1e-15)); // Counts.
        for (class, row) in golden["confusion"].as_array().unwrap().iter().enumerate() {
            let row: Vec<usize> = row.as_array().unwrap().iter().map(count).collect();
            assert_eq!(got.confusion[class], row);
        }
        for (class, want) in got.per_class.iter().zip(golden["per_class"].as_array().unwrap()) {
            close(class.top1.unwrap(), want.as_f64().unwrap(), Tol::absolute(1e-15));
        }
    }

    #[test]
    fn ties_go_to_the_lower_class_and_silence_earns_nothing() {
        let silent = Logits::new(8, vec![0.0; 8 * 8]);
        let truth: Vec<ClassId> = (0..8).map(ClassId).collect();
        let got = accuracy(&silent, &truth);
        close_all(&[got.top1, got.top5.unwrap()], &[1.0 / 8.0, 5.0 / 8.0], Tol::absolute(0.0));
        assert!(got.confusion.iter().all(|row| row[0] == 1));
    }

    #[test]
    fn few_classes_have_no_top5_and_absent_ones_no_accuracy() {
        let got = accuracy(&Logits::new(5, vec![0.0, 1.0, 0.0, 0.0, 0.0]), &[ClassId(1)]);
        assert_eq!(
            (got.top5, got.per_class[0].top1, got.per_class[1].top1),
            (None, None, Some(1.0))
        );
    }
}
