//! What a classifier says: logits, and probabilities in f64.

/// `n` rows of `k` logits, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    classes: usize,
    rows: Vec<f32>,
}

impl Logits {
    /// Wraps rows of `classes` logits.
    ///
    /// # Panics
    /// If there is no class, the numbers do not fill whole rows, or one of them is not finite.
    pub fn new(classes: usize, rows: Vec<f32>) -> Self {
        assert!(classes > 0, "a classifier knows at least one class");
        assert!(rows.len().is_multiple_of(classes), "logits fill whole rows");
        assert!(rows.iter().all(|value| value.is_finite()), "logits are finite");
        Self { classes, rows }
    }

    /// Returns the number of rows.
    pub fn n(&self) -> usize {
        self.rows.len() / self.classes
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the logits of row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.rows[i * self.classes..(i + 1) * self.classes]
    }

    /// Returns the softmax of every row, in f64.
    pub fn softmax(&self) -> Probabilities {
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in self.rows.chunks_exact(self.classes) {
            let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let start = rows.len();
            rows.extend(row.iter().map(|logit| (f64::from(*logit) - top).exp()));
            let sum: f64 = rows[start..].iter().sum();
            rows[start..].iter_mut().for_each(|value| *value /= sum);
        }
        Probabilities { classes: self.classes, rows }
    }
}

/// `n` rows of `k` probabilities that sum to 1, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    classes: usize,
    rows: Vec<f64>,
}

impl Probabilities {
    /// Wraps rows of `classes` probabilities.
    ///
    /// # Panics
    /// If there is no class, the numbers do not fill whole rows, one is negative or not a number,
    /// or a row misses 1 by more than 1e-6.
    pub fn new(classes: usize, rows: Vec<f64>) -> Self {
        assert!(classes > 0, "a classifier knows at least one class");
        assert!(rows.len().is_multiple_of(classes), "probabilities fill whole rows");
        assert!(rows.iter().all(|p| *p >= 0.0), "probabilities are not negative");
        let whole = |row: &[f64]| (row.iter().sum::<f64>() - 1.0).abs() <= 1e-6;
        assert!(rows.chunks_exact(classes).all(whole), "the probabilities of a row sum to 1");
        Self { classes, rows }
    }

    /// Joins probabilities of consecutive batches.
    ///
    /// # Panics
    /// If there is no batch or the batches differ in classes.
    pub fn join(batches: &[Self]) -> Self {
        let classes = batches.first().expect("at least one batch").classes;
        assert!(
            batches.iter().all(|batch| batch.classes == classes),
            "batches have the same classes"
        );
        Self { classes, rows: batches.iter().flat_map(|batch| &batch.rows).copied().collect() }
    }

    /// Returns the number of rows.
    pub fn n(&self) -> usize {
        self.rows.len() / self.classes
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the probabilities of row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.classes..(i + 1) * self.classes]
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::{Logits, Probabilities};

    /// Reads logits from golden JSON: a list of rows.
    pub(crate) fn from_json(rows: &serde_json::Value) -> Logits {
        let rows = rows.as_array().unwrap();
        let numbers = rows.iter().flat_map(|row| row.as_array().unwrap());
        Logits::new(
            rows[0].as_array().unwrap().len(),
            numbers.map(|value| value.as_f64().unwrap() as f32).collect(),
        )
    }

    /// Returns `n` certain rows: row `i` says class `i % classes`.
    pub(crate) fn one_hot(n: usize, classes: usize) -> Probabilities {
        let row = |i: usize| (0..classes).map(move |c| f64::from(u8::from(c == i % classes)));
        Probabilities::new(classes, (0..n).flat_map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close_all};

    #[test]
    fn softmax_survives_large_logits() {
        let got = Logits::new(3, vec![1000.0, 1000.0, -1000.0, 0.0, 0.0, 0.0]).softmax();
        close_all(got.row(0), &[0.5, 0.5, 0.0], Tol::absolute(1e-15));
        close_all(got.row(1), &[1.0 / 3.0; 3], Tol::absolute(1e-15));
        assert_eq!(Probabilities::join(&[got.clone(), got.clone()]).n(), 4);
    }
}
