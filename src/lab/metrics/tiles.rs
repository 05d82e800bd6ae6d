//! All pairs of two feature sets, tile by tile: nothing of size `n x n` is ever held.
//!
//! A tile's dot products come from one sequential f64 matrix product; tiles of a fixed size are
//! spread over threads by row block. Distances are screened by `‖x‖² + ‖y‖² - 2 x·y` and, wherever
//! its rounding could decide, taken from the differences themselves. So every decision (which
//! neighbour, inside or outside) is that of the plain double loop over [`squared_distance`],
//! duplicates included, at the price of a matrix product.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Features;
use super::features::{squared_distance, squared_norm};

/// Pictures per side of a tile: large enough for the matrix product, small enough for the cache.
const SIDE: usize = 256;

/// Dot products of some rows of `x` with some rows of `y`.
pub(super) struct Tile {
    /// The rows of `x`.
    pub(super) rows: Range<usize>,
    /// The rows of `y`.
    pub(super) columns: Range<usize>,
    dots: Vec<f64>,
}

impl Tile {
    /// Iterates over a row of the tile: position in `y` and dot product.
    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        let width = self.columns.len();
        let start = (i - self.rows.start) * width;
        self.columns.clone().zip(self.dots[start..start + width].iter().copied())
    }
}

/// Folds all tiles of `x·yᵀ`, one state per block of rows of `x`, columns from left to right;
/// returns the states from top to bottom.
pub(super) fn fold_tiles<S: Send>(
    x: &Features,
    y: &Features,
    start: impl Fn(Range<usize>) -> S + Sync,
    fold: impl Fn(&mut S, &Tile) + Sync,
) -> Vec<S> {
    assert_eq!(x.d(), y.d(), "both sets come from one extractor");
    (0..x.n().div_ceil(SIDE))
        .into_par_iter()
        .map(|block| {
            let rows = block * SIDE..((block + 1) * SIDE).min(x.n());
            let left = x.wide(rows.clone());
            let mut state = start(rows.clone());
            for first in (0..y.n()).step_by(SIDE) {
                let columns = first..(first + SIDE).min(y.n());
                let right = y.wide(columns.clone());
                let mut dots = vec![0.0; rows.len() * columns.len()];
                matmul(
                    MatMut::from_row_major_slice_mut(&mut dots, rows.len(), columns.len()),
                    Accum::Replace,
                    MatRef::from_row_major_slice(&left, rows.len(), x.d()),
                    MatRef::from_row_major_slice(&right, columns.len(), y.d()).transpose(),
                    1.0,
                    Par::Seq, // Threads share blocks, never one product.
                );
                fold(&mut state, &Tile { rows: rows.clone(), columns, dots });
            }
            state
        })
        .collect()
}

/// Squared distances between two sets: a cheap screen and the exact value.
pub(super) struct Distances<'a> {
    x: &'a Features,
    y: &'a Features,
    x_norms: Vec<f64>,
    y_norms: Vec<f64>,
    /// Relative error of the screen.
    slack: f64,
}

impl<'a> Distances<'a> {
    pub(super) fn new(x: &'a Features, y: &'a Features) -> Self {
        let norms = |set: &Features| (0..set.n()).map(|i| squared_norm(set.row(i))).collect();
        // A sum of d products is off by at most d·eps of the sum of their magnitudes, which is at
        // most (‖x‖² + ‖y‖²)/2 for the dot product; norms and differences add as much again.
        let slack = 4.0 * (x.d() as f64 + 4.0) * f64::EPSILON;
        Self { x, y, x_norms: norms(x), y_norms: norms(y), slack }
    }

    /// Returns the exact squared distance of row `i` of `x` and row `j` of `y`.
    pub(super) fn exact(&self, i: usize, j: usize) -> f64 {
        squared_distance(self.x.row(i), self.y.row(j))
    }

    /// Returns bounds that hold the exact squared distance, given the dot product.
    fn bounds(&self, i: usize, j: usize, dot: f64) -> (f64, f64) {
        let norms = self.x_norms[i] + self.y_norms[j];
        let (distance, slack) = (norms - 2.0 * dot, self.slack * norms);
        (distance - slack, distance + slack)
    }

    /// Returns the exact squared distance if it can be at most `limit`.
    pub(super) fn up_to(&self, i: usize, j: usize, dot: f64, limit: f64) -> Option<f64> {
        let (low, _) = self.bounds(i, j, dot);
        if low > limit {
            return None;
        }
        let distance = self.exact(i, j);
        (distance <= limit).then_some(distance)
    }

    /// Returns whether the exact squared distance satisfies a comparison with `limit` that only
    /// changes at `limit`.
    pub(super) fn compare(
        &self,
        pair: (usize, usize),
        dot: f64,
        limit: f64,
        inside: impl Fn(f64, f64) -> bool,
    ) -> bool {
        let (low, high) = self.bounds(pair.0, pair.1, dot);
        if high < limit {
            return true;
        }
        low <= limit && inside(self.exact(pair.0, pair.1), limit)
    }
}

/// The rows of `y` nearest to one row of `x`, as (squared distance, position), nearest first; equal
/// distances in order of position.
pub(super) struct Nearest {
    count: usize,
    pub(super) found: Vec<(f64, usize)>,
}

impl Nearest {
    fn new(count: usize) -> Self {
        Self { count, found: Vec::with_capacity(count + 1) }
    }

    fn limit(&self) -> f64 {
        if self.found.len() < self.count { f64::INFINITY } else { self.found[self.count - 1].0 }
    }

    fn offer(&mut self, distance: f64, position: usize) {
        let place = self.found.partition_point(|(known, _)| *known <= distance);
        self.found.insert(place, (distance, position));
        self.found.truncate(self.count);
    }
}

/// Returns the `count` nearest rows of `y` for every row of `x`. With `same`, `x` and `y` are one
/// set and a row is not its own neighbour; its duplicates are.
pub(super) fn nearest(x: &Features, y: &Features, count: usize, same: bool) -> Vec<Nearest> {
    let others = y.n() - usize::from(same);
    assert!((1..=others).contains(&count), "{count} neighbours among {others} rows");
    let distances = Distances::new(x, y);
    let blocks = fold_tiles(
        x,
        y,
        |rows| rows.map(|_| Nearest::new(count)).collect::<Vec<_>>(),
        |state, tile| {
            for (i, nearest) in tile.rows.clone().zip(state.iter_mut()) {
                for (j, dot) in tile.row(i).filter(|(j, _)| !(same && *j == i)) {
                    if let Some(distance) = distances.up_to(i, j, dot, nearest.limit()) {
                        nearest.offer(distance, j);
                    }
                }
            }
        },
    );
    blocks.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{normal, on_threads};
    use super::*;

    fn plain(x: &Features, y: &Features, count: usize, same: bool) -> Vec<Vec<(f64, usize)>> {
        let row = |i: usize| {
            let mut all: Vec<(f64, usize)> = (0..y.n())
                .filter(|j| !(same && *j == i))
                .map(|j| (squared_distance(x.row(i), y.row(j)), j))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            all.truncate(count);
            all
        };
        (0..x.n()).map(row).collect()
    }

    #[test]
    fn tiled_is_plain_bit_for_bit_with_duplicates_and_far_from_zero() {
        // 600 rows are three row blocks, the last one partial; a mean of 1e4 makes the screen
        // useless to six digits, and every row stands there three times.
        let base = normal(3, 200, 9, 1e4, 1.0);
        let x = Features::join(&[base.clone(), base.clone(), base]);
        let y = normal(4, 300, 9, 1e4, 1.0);
        for (a, b, count, same) in [(&x, &x, 5, true), (&y, &x, 7, false), (&x, &y, 1, false)] {
            let want = plain(a, b, count, same);
            for threads in [1, 3] {
                let got = on_threads(threads, || nearest(a, b, count, same));
                for (row, (got, want)) in got.iter().zip(&want).enumerate() {
                    assert_eq!(&got.found, want, "row {row}");
                }
            }
        }
    }

    #[test]
    fn the_screen_holds_the_exact_distance() {
        let (x, y) = (normal(5, 40, 64, 300.0, 1.0), normal(6, 30, 64, 300.0, 1e-3));
        let distances = Distances::new(&x, &y);
        let inside = fold_tiles(
            &x,
            &y,
            |_| true,
            |state, tile| {
                for i in tile.rows.clone() {
                    for (j, dot) in tile.row(i) {
                        let (low, high) = distances.bounds(i, j, dot);
                        *state &= (low..=high).contains(&distances.exact(i, j));
                    }
                }
            },
        );
        assert!(inside.into_iter().all(|block| block));
    }
}
