//! Mean and covariance of features, exact enough to publish.
//!
//! Rows are taken in chunks of fixed size; each chunk is centred on its own mean and chunks are
//! merged in order (Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115), so neither
//! the batches of the extractor nor the number of threads can change a bit.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::Features;

/// Rows per chunk. Part of the order of summation: a change moves the last bits of every FID.
const CHUNK: usize = 512;

/// Columns of the scatter matrix per task.
const PANEL: usize = 128;

/// Mean and scatter of some rows.
#[derive(Clone, Debug)]
pub struct Moments {
    n: usize,
    mean: Vec<f64>,
    /// `Σ (x - mean)(x - mean)ᵀ`; only the lower triangle is kept up to date.
    scatter: Mat<f64>,
}

impl Moments {
    /// Returns the moments of all rows.
    ///
    /// # Panics
    /// If there is no row.
    pub fn of(features: &Features) -> Self {
        let chunks = (0..features.n()).step_by(CHUNK);
        let wide = |first: usize| features.wide(first..(first + CHUNK).min(features.n()));
        Self::of_chunks(features.d(), chunks.map(wide))
    }

    /// Returns the moments of the rows at these positions, in this order; the same as those of
    /// [`Features::select`], without the copy.
    pub(super) fn of_rows(features: &Features, rows: &[usize]) -> Self {
        let wide = |rows: &[usize]| {
            rows.iter().flat_map(|i| features.row(*i)).map(|value| f64::from(*value)).collect()
        };
        Self::of_chunks(features.d(), rows.chunks(CHUNK).map(wide))
    }

    fn of_chunks(d: usize, chunks: impl Iterator<Item = Vec<f64>>) -> Self {
        let mut all = Self { n: 0, mean: vec![0.0; d], scatter: Mat::zeros(d, d) };
        for chunk in chunks {
            let n = chunk.len() / d;
            let (mean, centred) = centred(chunk, d);
            let chunk = MatRef::from_row_major_slice(&centred, n, d);
            all.shift(n, &mean);
            add_lower(&mut all.scatter, chunk.transpose(), chunk);
        }
        assert!(all.n > 0, "moments need a row");
        all
    }

    /// Returns the moments of the rows of both.
    ///
    /// # Panics
    /// If the two differ in width.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        assert_eq!(self.mean.len(), other.mean.len(), "both come from one extractor");
        self.shift(other.n, &other.mean);
        self.scatter += &other.scatter;
        self
    }

    /// Takes in the count and mean of further rows, and what the distance of the two means adds to
    /// the scatter: `δ δᵀ n m / (n + m)`.
    fn shift(&mut self, n: usize, mean: &[f64]) {
        let (old, new) = (self.n as f64, n as f64);
        let total = old + new;
        let delta: Vec<f64> = mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        for (mean, delta) in self.mean.iter_mut().zip(&delta) {
            *mean += delta * (new / total);
        }
        if self.n > 0 {
            let root = (old * new / total).sqrt();
            let scaled: Vec<f64> = delta.iter().map(|delta| delta * root).collect();
            let row = MatRef::from_row_major_slice(&scaled, 1, scaled.len());
            add_lower(&mut self.scatter, row.transpose(), row);
        }
        self.n += n;
    }

    /// Returns the number of rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Returns the mean of every feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Returns the covariance matrix with divisor `n - 1`; only its lower triangle is meaningful.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub(super) fn covariance(&self) -> Mat<f64> {
        assert!(self.n >= 2, "a covariance needs two rows");
        &self.scatter * faer::Scale(1.0 / (self.n - 1) as f64)
    }
}

/// Mean and covariance as tools exchange them: they may come from a file, and not say from how many
/// pictures they were made.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    pub(super) n: Option<usize>,
    pub(super) mean: Vec<f64>,
    /// Both triangles.
    pub(super) covariance: Mat<f64>,
}

impl Statistics {
    /// Returns the statistics of some moments.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn of(moments: &Moments) -> Self {
        let covariance = whole(moments.covariance());
        Self { n: Some(moments.n), mean: moments.mean.clone(), covariance }
    }

    /// Returns the statistics of some features.
    ///
    /// # Panics
    /// If there are fewer than two rows.
    pub fn of_features(features: &Features) -> Self {
        Self::of(&Moments::of(features))
    }

    /// Returns the number of pictures, if it is known.
    pub fn n(&self) -> Option<usize> {
        self.n
    }

    /// Returns the number of features.
    pub fn d(&self) -> usize {
        self.mean.len()
    }

    /// Returns the mean of every feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Returns the covariance (divisor `n - 1`) of features `i` and `j`.
    pub fn covariance(&self, i: usize, j: usize) -> f64 {
        self.covariance[(i, j)]
    }
}

/// Copies the lower triangle of a symmetric matrix to the upper.
fn whole(mut lower: Mat<f64>) -> Mat<f64> {
    for j in 0..lower.ncols() {
        for i in 0..j {
            lower[(i, j)] = lower[(j, i)];
        }
    }
    lower
}

/// Returns the mean of some rows and the rows without it.
pub(super) fn centred(mut rows: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let n = (rows.len() / d) as f64;
    let mut mean = vec![0.0; d];
    for row in rows.chunks_exact(d) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    for row in rows.chunks_exact_mut(d) {
        row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
    (mean, rows)
}

/// Adds `a b` to a square matrix, on and below the diagonal at least.
fn add_lower(to: &mut Mat<f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let d = to.nrows();
    to.par_col_chunks_mut(PANEL).enumerate().for_each(|(panel, out)| {
        let first = panel * PANEL;
        let b = b.subcols(first, out.ncols());
        let out = out.subrows_mut(first, d - first);
        matmul(out, Accum::Add, a.subrows(first, d - first), b, 1.0, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{normal, on_threads};
    use super::*;
    use crate::testing::{Tol, close};

    fn bits(moments: &Moments) -> Vec<u64> {
        let d = moments.mean.len();
        let lower = (0..d).flat_map(|j| (j..d).map(move |i| (i, j)));
        let covariance = moments.covariance();
        lower
            .map(|at| covariance[at].to_bits())
            .chain(moments.mean.iter().map(|m| m.to_bits()))
            .collect()
    }

    #[test]
    fn agree_with_the_definition_far_from_zero() {
        let (n, d) = (1300, 5);
        let x = normal(9, n, d, 1000.0, 1.0);
        let moments = Moments::of(&x);
        for a in 0..d {
            let at = |i: usize, j: usize| f64::from(x.row(i)[j]);
            let mean = |j: usize| (0..n).map(|i| at(i, j)).sum::<f64>() / n as f64;
            // 1,300 additions of numbers near 1,000.
            close(moments.mean()[a], mean(a), Tol::relative(1e-14));
            for b in 0..=a {
                let sum: f64 = (0..n).map(|i| (at(i, a) - mean(a)) * (at(i, b) - mean(b))).sum();
                let want = sum / (n - 1) as f64;
                close(moments.covariance()[(a, b)], want, Tol::absolute(1e-12));
            }
        }
    }

    #[test]
    fn merged_is_whole() {
        let x = normal(10, 900, 6, 3.0, 2.0);
        let parts: Vec<usize> = (0..900).collect();
        let (a, b) = (Moments::of(&x.select(&parts[..123])), Moments::of(&x.select(&parts[123..])));
        let (whole, merged) = (Moments::of(&x), a.merge(&b));
        assert_eq!(merged.n(), 900);
        for i in 0..6 {
            close(merged.mean()[i], whole.mean()[i], Tol::relative(1e-13)); // Another order.
            for j in 0..=i {
                let (got, want) = (merged.covariance()[(i, j)], whole.covariance()[(i, j)]);
                close(got, want, Tol::absolute(1e-12));
            }
        }
    }

    #[test]
    fn chosen_rows_are_a_selection() {
        let x = normal(12, 1500, 7, 1.0, 1.0);
        let rows: Vec<usize> = (0..1300).map(|i| (i * 7) % 1500).collect();
        let (got, want) = (Moments::of_rows(&x, &rows), Moments::of(&x.select(&rows)));
        assert_eq!(bits(&got), bits(&want));
    }

    #[test]
    fn no_bit_depends_on_threads() {
        let x = normal(11, 1100, 300, 1.0, 1.0);
        let run = |threads| on_threads(threads, || bits(&Moments::of(&x)));
        assert_eq!(run(1), run(4));
    }
}
