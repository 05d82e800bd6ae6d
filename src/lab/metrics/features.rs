//! Pictures as points: one row of numbers per picture.

use std::ops::Range;

/// `n` rows of `d` features, row major: feature `j` of picture `i` is `rows()[i * d + j]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    n: usize,
    d: usize,
    rows: Vec<f32>,
}

impl Features {
    /// Wraps rows of `d` features.
    ///
    /// ```
    /// use ersatz::lab::metrics::Features;
    /// let features = Features::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// assert_eq!((features.n(), features.row(2)), (3, &[5.0, 6.0][..]));
    /// ```
    ///
    /// # Panics
    /// If `d` is 0, the numbers do not fill whole rows, or one of them is not finite: a network
    /// that diverged is stopped in training and never measured.
    pub fn new(d: usize, rows: Vec<f32>) -> Self {
        assert!(d > 0, "a picture has at least one feature");
        assert!(rows.len().is_multiple_of(d), "features fill whole rows");
        assert!(rows.iter().all(|value| value.is_finite()), "features are finite");
        Self { n: rows.len() / d, d, rows }
    }

    /// Wraps rows of `d` features that come from outside of this program, which may hold anything.
    ///
    /// ```
    /// use ersatz::lab::metrics::Features;
    /// let error = Features::checked(2, vec![1.0, 2.0, 3.0, f32::NAN]).unwrap_err();
    /// assert_eq!(error.to_string(), "feature 1 of picture 1 is NaN");
    /// ```
    ///
    /// # Errors
    /// If the numbers do not fill whole rows of at least one feature; or names the first picture
    /// with a number that is not finite.
    pub fn checked(d: usize, rows: Vec<f32>) -> Result<Self, BadFeatures> {
        if d == 0 || !rows.len().is_multiple_of(d) {
            return Err(BadFeatures::Ragged { numbers: rows.len(), d });
        }
        if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
            return Err(BadFeatures::NotFinite {
                picture: at / d,
                feature: at % d,
                value: rows[at],
            });
        }
        Ok(Self { n: rows.len() / d, d, rows })
    }

    /// Joins features of consecutive batches.
    ///
    /// # Panics
    /// If there is no batch or the batches differ in width.
    pub fn join(batches: &[Self]) -> Self {
        let d = batches.first().expect("at least one batch").d;
        assert!(batches.iter().all(|batch| batch.d == d), "batches have the same width");
        let rows: Vec<f32> = batches.iter().flat_map(|batch| &batch.rows).copied().collect();
        Self { n: rows.len() / d, d, rows }
    }

    /// Returns the rows at these positions, in their order.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let rows = positions.iter().flat_map(|i| self.row(*i)).copied().collect();
        Self { n: positions.len(), d: self.d, rows }
    }

    /// Returns the number of pictures.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Returns the number of features of a picture.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Returns all numbers, row by row.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// Returns the features of picture `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// Returns some rows in double precision, row major.
    pub(super) fn wide(&self, rows: Range<usize>) -> Vec<f64> {
        let numbers = &self.rows[rows.start * self.d..rows.end * self.d];
        numbers.iter().map(|value| f64::from(*value)).collect()
    }
}

/// Why numbers are no features.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadFeatures {
    /// The numbers do not fill whole rows.
    #[error("{numbers} numbers do not fill rows of {d} features")]
    Ragged {
        /// How many there are.
        numbers: usize,
        /// How many a row has.
        d: usize,
    },
    /// A number is NaN or infinite: broken weights, or an overflow in half precision.
    #[error("feature {feature} of picture {picture} is {value}")]
    NotFinite {
        /// The position of the first such picture, from 0.
        picture: usize,
        /// The position of the feature in its row.
        feature: usize,
        /// What stands there.
        value: f32,
    },
}

/// Returns `‖x - y‖²` as the sum of squared differences in f64: exactly 0 for equal rows, the same
/// bits for `(x, y)` and `(y, x)`, on every machine.
pub(super) fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    lanes(x, y, |a, b| (a - b) * (a - b))
}

/// Returns `‖x‖²` in f64.
pub(super) fn squared_norm(x: &[f32]) -> f64 {
    lanes(x, x, |a, b| a * b)
}

/// Sums a term over two rows in eight interleaved partial sums, an order that compilers may
/// vectorise without changing it.
fn lanes(x: &[f32], y: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const WIDTH: usize = 8;
    let mut sums = [0.0; WIDTH];
    let (x_blocks, x_rest) = x.as_chunks::<WIDTH>();
    let (y_blocks, y_rest) = y.as_chunks::<WIDTH>();
    for (xs, ys) in x_blocks.iter().zip(y_blocks) {
        for lane in 0..WIDTH {
            sums[lane] += term(f64::from(xs[lane]), f64::from(ys[lane]));
        }
    }
    let rest: f64 =
        x_rest.iter().zip(y_rest).map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
pub(super) mod testing {
    use super::Features;
    use crate::terms::Seed;

    /// Reads features from golden JSON: a list of rows.
    pub(crate) fn from_json(rows: &serde_json::Value) -> Features {
        let rows = rows.as_array().unwrap();
        let d = rows[0].as_array().unwrap().len();
        let numbers = rows.iter().flat_map(|row| row.as_array().unwrap());
        Features::new(d, numbers.map(|value| value.as_f64().unwrap() as f32).collect())
    }

    /// Returns normal features: mean `shift`, deviation `scale`.
    pub(crate) fn normal(seed: u64, n: usize, d: usize, shift: f32, scale: f32) -> Features {
        let numbers = Seed::root(seed).child("features").stream().normals(n * d);
        Features::new(d, numbers.into_iter().map(|z| shift + scale * z).collect())
    }

    /// Runs on a pool of so many threads.
    pub(crate) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::normal;
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn distances_are_exact_at_zero_and_symmetric() {
        for d in [1, 7, 8, 9, 50] {
            let x = normal(1, 2, d, 100.0, 1.0);
            close(squared_distance(x.row(0), x.row(0)), 0.0, Tol::absolute(0.0));
            let (there, back) =
                (squared_distance(x.row(0), x.row(1)), squared_distance(x.row(1), x.row(0)));
            assert_eq!(there.to_bits(), back.to_bits());
            let naive: f64 = x
                .row(0)
                .iter()
                .zip(x.row(1))
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum();
            close(there, naive, Tol::relative(1e-14)); // Another order of at most 50 terms.
        }
    }

    #[test]
    fn batches_join_and_rows_select() {
        let x = normal(2, 5, 3, 0.0, 1.0);
        let parts = [x.select(&[0, 1]), x.select(&[2]), x.select(&[3, 4])];
        assert_eq!(Features::join(&parts), x);
    }

    #[test]
    fn what_comes_from_outside_is_checked() {
        assert_eq!(Features::checked(2, vec![1.0; 6]), Ok(Features::new(2, vec![1.0; 6])));
        let ragged = BadFeatures::Ragged { numbers: 5, d: 2 };
        assert_eq!(Features::checked(2, vec![0.0; 5]), Err(ragged));
        assert!(Features::checked(0, vec![]).is_err());
        let mut rows = vec![0.0; 12];
        (rows[7], rows[9]) = (f32::NEG_INFINITY, f32::NAN);
        let error = Features::checked(3, rows).unwrap_err();
        assert_eq!(error.to_string(), "feature 1 of picture 2 is -inf");
    }

    #[test]
    #[should_panic(expected = "features are finite")]
    fn nan_is_refused() {
        Features::new(1, vec![f32::NAN]);
    }
}
