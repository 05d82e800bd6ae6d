//! Does a classifier know when it may be wrong?
//!
//! Guo et al. 2017 (arXiv:1706.04599), equations 2 and 3: predictions are sorted by confidence
//! (the largest probability) into equal-width bins `((m-1)/M, m/M]`; the expected calibration
//! error is the mean of |accuracy - confidence| over bins, weighted by their pictures.

use serde::{Deserialize, Serialize};

use super::Probabilities;
use crate::terms::ClassId;

/// How many bins the paper uses.
pub const BINS: usize = 15;

/// One bar of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Confidences above this ...
    pub low: f64,
    /// ... and up to this.
    pub high: f64,
    /// How many predictions.
    pub n: usize,
    /// Share of them that are right; `None` without predictions.
    pub accuracy: Option<f64>,
    /// Their mean confidence; `None` without predictions.
    pub confidence: Option<f64>,
}

/// A reliability table and its summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The expected calibration error, 0..=1; 0 is best.
    pub error: f64,
    /// The bins from low to high confidence.
    pub bins: Vec<Bin>,
}

/// Returns the expected calibration error over [`BINS`] bins, and the bins.
///
/// # Panics
/// If there is no picture, or the numbers of rows differ.
pub fn calibration(rows: &Probabilities, truth: &[ClassId]) -> Calibration {
    assert!(
        !truth.is_empty() && truth.len() == rows.n(),
        "one row for each of at least one picture"
    );
    let mut sums = [(0_usize, 0_usize, 0.0); BINS]; // Predictions, right ones, sum of confidences.
    for (i, class) in truth.iter().enumerate() {
        let row = rows.row(i);
        let best =
            (1..row.len()).fold(0, |best, other| if row[other] > row[best] { other } else { best });
        let bin = (row[best] * BINS as f64).ceil() as usize;
        let (n, right, confidence) = &mut sums[bin.clamp(1, BINS) - 1];
        *n += 1;
        *right += usize::from(best == class.index());
        *confidence += row[best];
    }
    let gap = |(_, right, confidence): &(usize, usize, f64)| (*right as f64 - confidence).abs();
    let bar = |(i, (n, right, confidence)): (usize, &(usize, usize, f64))| Bin {
        low: i as f64 / BINS as f64,
        high: (i + 1) as f64 / BINS as f64,
        n: *n,
        accuracy: (*n > 0).then(|| *right as f64 / *n as f64),
        confidence: (*n > 0).then(|| confidence / *n as f64),
    };
    Calibration {
        error: sums.iter().map(gap).sum::<f64>() / truth.len() as f64,
        bins: sums.iter().enumerate().map(bar).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Logits;
    use super::super::predictions::testing::{from_json, one_hot};
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    #[test]
    fn agrees_with_torchmetrics() {
        let golden = golden_json("metrics/accuracy/cases.json");
        let truth: Vec<ClassId> = golden["truth"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| ClassId(u32::try_from(class.as_u64().unwrap()).unwrap()))
            .collect();
        let got = calibration(&from_json(&golden["logits"]).softmax(), &truth);
        // torchmetrics sums probabilities and bins in f32.
        close(got.error, golden["calibration_error"].as_f64().unwrap(), Tol::absolute(1e-6));
        assert_eq!(got.bins.iter().map(|bin| bin.n).sum::<usize>(), truth.len());
    }

    #[test]
    fn certain_and_right_is_perfect_certain_and_wrong_is_worst() {
        let truth: Vec<ClassId> = (0..30).map(|i| ClassId(i % 3)).collect();
        let wrong: Vec<ClassId> = (0..30).map(|i| ClassId((i + 1) % 3)).collect();
        let rows = one_hot(30, 3);
        close(calibration(&rows, &truth).error, 0.0, Tol::absolute(0.0));
        close(calibration(&rows, &wrong).error, 1.0, Tol::absolute(0.0));
        let blind = Logits::new(3, vec![0.0; 90]).softmax();
        close(calibration(&blind, &truth).error, 0.0, Tol::absolute(1e-12)); // A third is right.
        assert_eq!(calibration(&rows, &truth).bins[14].n, 30);
    }
}
