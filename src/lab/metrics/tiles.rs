//! All pairs of two feature sets, tile by tile: nothing of size `n x n` is ever held.
//!
//! A tile's dot products come from one sequential matrix product; tiles of a fixed size are spread
//! over threads by row block. Pairs within one set are visited once, not twice.
//!
//! Distances are screened by `‖x‖² + ‖y‖² - 2 x·y` in f32, with a bound on its rounding, and
//! wherever that could decide they are taken from the differences themselves in f64. So every
//! decision (which neighbour, inside or outside) is that of the plain double loop over
//! [`squared_distance`], duplicates included, at the price of a matrix product in f32.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Features;
use super::features::{squared_distance, squared_norm};

/// Rows of `x` per block: what a thread keeps at hand.
const ROWS: usize = 512;
/// Rows of `y` per tile: large enough for the matrix product, small enough for the cache.
const COLUMNS: usize = 256;

/// Dot products of some rows of `x` with some rows of `y`.
pub(super) struct Tile<T> {
    /// The rows of `x`.
    pub(super) rows: Range<usize>,
    /// The rows of `y`.
    pub(super) columns: Range<usize>,
    dots: Vec<T>,
}

impl<T: Copy> Tile<T> {
    fn dots(&self, i: usize) -> &[T] {
        let (width, i) = (self.columns.len(), i - self.rows.start);
        &self.dots[i * width..(i + 1) * width]
    }

    /// Iterates over a row of the tile: position in `y` and dot product.
    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (usize, T)> {
        self.columns.clone().zip(self.dots(i).iter().copied())
    }
}

/// What some rows of a set are multiplied as, row major.
type Numbers<'a, T> = &'a (dyn Fn(Range<usize>) -> Vec<T> + Sync);

/// All pairs of rows of `x` and rows of `y`.
pub(super) struct Pairs<'a, T> {
    /// How many rows `x` and `y` have.
    pub(super) n: [usize; 2],
    /// How many numbers a row has.
    pub(super) d: usize,
    /// Rows of `x` and of `y`.
    pub(super) numbers: [Numbers<'a, T>; 2],
    /// Both are one set: tiles whose pairs all stand in earlier tiles, exchanged, are left out. The
    /// fold has to take pairs with `j > i` only, and for both rows.
    pub(super) same: bool,
}

impl<T: ComplexField + Copy + Send + Sync> Pairs<'_, T> {
    /// Folds all tiles, one state per block of rows of `x`, columns from left to right; returns the
    /// states from top to bottom.
    pub(super) fn fold<S: Send>(
        &self,
        start: impl Fn(Range<usize>) -> S + Sync,
        fold: impl Fn(&mut S, &Tile<T>) + Sync,
    ) -> Vec<S> {
        let ([n, m], [left, right]) = (self.n, self.numbers);
        (0..n.div_ceil(ROWS))
            .into_par_iter()
            .map(|block| {
                let rows = block * ROWS..((block + 1) * ROWS).min(n);
                let x = left(rows.clone());
                let mut state = start(rows.clone());
                for first in (if self.same { rows.start } else { 0 }..m).step_by(COLUMNS) {
                    let columns = first..(first + COLUMNS).min(m);
                    let y = right(columns.clone());
                    let mut dots = vec![T::zero_impl(); rows.len() * columns.len()];
                    matmul(
                        MatMut::from_row_major_slice_mut(&mut dots, rows.len(), columns.len()),
                        Accum::Replace,
                        MatRef::from_row_major_slice(&x, rows.len(), self.d),
                        MatRef::from_row_major_slice(&y, columns.len(), self.d).transpose(),
                        T::one_impl(),
                        Par::Seq, // Threads share blocks, never one product.
                    );
                    fold(&mut state, &Tile { rows: rows.clone(), columns, dots });
                }
                state
            })
            .collect()
    }
}

/// Squared distances between two sets: a cheap screen and the exact value.
pub(super) struct Distances<'a> {
    x: &'a Features,
    y: &'a Features,
    /// What is taken off every row before the screen: distances stay, products become smaller.
    centre: Vec<f64>,
    /// A power of two that brings the centred numbers below 1, so that no product overflows.
    scale: f64,
    x_norms: Vec<f64>,
    y_norms: Vec<f64>,
    /// Error of the screen, relative to the two norms.
    slack: f64,
    /// Its absolute error where products fall below the smallest number of f32.
    tiny: f64,
}

impl<'a> Distances<'a> {
    pub(super) fn new(x: &'a Features, y: &'a Features) -> Self {
        assert_eq!(x.d(), y.d(), "both sets come from one extractor");
        let d = x.d() as f64;
        let mut centre = vec![0.0; x.d()];
        for row in y.rows().chunks_exact(x.d()) {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        centre.iter_mut().for_each(|sum| *sum /= y.n().max(1) as f64);
        let largest = [x, y].into_iter().flat_map(|set| set.rows().chunks_exact(x.d())).fold(
            f64::MIN_POSITIVE,
            |largest, row| {
                let away = row.iter().zip(&centre).map(|(v, c)| (f64::from(*v) - c).abs());
                away.fold(largest, f64::max)
            },
        );
        let scale = (-largest.log2().ceil()).clamp(-1000.0, 1000.0).exp2();
        let mut screen = Self {
            x,
            y,
            centre,
            scale,
            x_norms: vec![],
            y_norms: vec![],
            // With u = eps/2, a product of rounded rows, summed in any order, is off by at most
            // (d + 2) u of half the sum of both squared norms; twice the product by (d + 2) u of
            // the sum. Rounding the rows adds 4.2 u, the two norms and the exact distance a
            // d·1e-16 each. The rest is room.
            slack: 0.6 * (d + 10.0) * f64::from(f32::EPSILON),
            tiny: d * 1e-42 / (scale * scale),
        };
        screen.x_norms = screen.norms(x);
        screen.y_norms = screen.norms(y);
        screen
    }

    fn norms(&self, set: &Features) -> Vec<f64> {
        let back = 1.0 / (self.scale * self.scale);
        (0..set.n()).map(|i| squared_norm(&self.rounded(set, i..i + 1)) * back).collect()
    }

    /// Returns some rows as the screen sees them.
    fn rounded(&self, set: &Features, rows: Range<usize>) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows.len() * set.d());
        for i in rows {
            let pairs = set.row(i).iter().zip(&self.centre);
            out.extend(pairs.map(|(v, c)| ((f64::from(*v) - c) * self.scale) as f32));
        }
        out
    }

    /// Folds all tiles of the screen.
    pub(super) fn fold<S: Send>(
        &self,
        same: bool,
        start: impl Fn(Range<usize>) -> S + Sync,
        fold: impl Fn(&mut S, &Tile<f32>) + Sync,
    ) -> Vec<S> {
        let numbers: [Numbers<'_, f32>; 2] =
            [&|rows| self.rounded(self.x, rows), &|rows| self.rounded(self.y, rows)];
        let n = [self.x.n(), self.y.n()];
        Pairs { n, d: self.x.d(), numbers, same }.fold(start, fold)
    }

    /// Returns the exact squared distance of row `i` of `x` and row `j` of `y`.
    pub(super) fn exact(&self, i: usize, j: usize) -> f64 {
        squared_distance(self.x.row(i), self.y.row(j))
    }

    /// Returns bounds that hold the exact squared distance, given the dot product of the screen.
    pub(super) fn bounds(&self, i: usize, j: usize, dot: f32) -> (f64, f64) {
        let norms = self.x_norms[i] + self.y_norms[j];
        let distance = norms - 2.0 * f64::from(dot) / (self.scale * self.scale);
        let slack = self.slack * norms + self.tiny;
        (distance - slack, distance + slack)
    }

    /// Finds the pairs of a row of a tile whose squared distance may be at most `limit(j)`, and
    /// gives position and bounds of each to `hit`.
    pub(super) fn scan(
        &self,
        tile: &Tile<f32>,
        i: usize,
        limit: impl Fn(usize) -> f64,
        mut hit: impl FnMut(usize, (f64, f64)),
    ) {
        // The lower bound again, with what belongs to `i` taken out of the loop. It may round
        // otherwise by 1e-16, for which `slack` has room.
        let (keep, twice) = (1.0 - self.slack, 2.0 / (self.scale * self.scale));
        let here = keep * self.x_norms[i] - self.tiny;
        let near =
            |j: usize, dot: f32| here + keep * self.y_norms[j] - twice * f64::from(dot) <= limit(j);
        let mut first = tile.columns.start;
        for dots in tile.dots(i).chunks(16) {
            // Almost always none: one answer for many pairs.
            if dots.iter().zip(first..).fold(false, |any, (dot, j)| any | near(j, *dot)) {
                for (dot, j) in dots.iter().zip(first..) {
                    if near(j, *dot) {
                        hit(j, self.bounds(i, j, *dot));
                    }
                }
            }
            first += dots.len();
        }
    }

    /// Returns whether the exact squared distance, of which bounds are known, satisfies a
    /// comparison with `limit` that only changes at `limit`.
    pub(super) fn compare(
        &self,
        pair: (usize, usize),
        (low, high): (f64, f64),
        limit: f64,
        inside: impl Fn(f64, f64) -> bool,
    ) -> bool {
        if high < limit {
            return true;
        }
        low <= limit && inside(self.exact(pair.0, pair.1), limit)
    }
}

/// The rows of `y` nearest to one row of `x`, as (squared distance, position), nearest first; equal
/// distances in order of position.
pub(super) type Nearest = Vec<(f64, usize)>;

/// What may be nearest, as far as rows have been seen. The order in which they come does not matter
/// to what is found.
#[derive(Clone)]
struct Search {
    count: usize,
    /// The smallest upper bounds, ascending: `count` rows lie within the last of them.
    highs: Vec<f64>,
    /// Lower bound and position of all that may lie within that.
    candidates: Vec<(f64, usize)>,
}

impl Search {
    fn new(count: usize) -> Self {
        Self { count, highs: vec![], candidates: vec![] }
    }

    fn limit(&self) -> f64 {
        if self.highs.len() < self.count { f64::INFINITY } else { self.highs[self.count - 1] }
    }

    fn offer(&mut self, position: usize, (low, high): (f64, f64), exact: impl Fn(usize) -> f64) {
        if low > self.limit() {
            return;
        }
        let place = self.highs.partition_point(|known| *known <= high);
        self.highs.insert(place, high);
        self.highs.truncate(self.count);
        self.candidates.push((low, position));
        let full = 4 * self.count + 32;
        if self.candidates.len() > full {
            let limit = self.limit();
            self.candidates.retain(|(low, _)| *low <= limit);
            if self.candidates.len() > full / 2 {
                // Bounds do not tell them apart, as with duplicates.
                self.candidates = self.settle(exact);
                self.highs = self.candidates.iter().map(|(distance, _)| *distance).collect();
            }
        }
    }

    /// Returns the nearest of the candidates by their exact distances.
    fn settle(&self, exact: impl Fn(usize) -> f64) -> Nearest {
        let limit = self.limit();
        let near = self.candidates.iter().filter(|(low, _)| *low <= limit);
        let mut found: Nearest = near.map(|(_, position)| (exact(*position), *position)).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found.truncate(self.count);
        found
    }
}

/// Returns the `count` nearest rows of `y` for every row of `x`.
///
/// # Panics
/// If there is no neighbour to be found or more than there are.
pub(super) fn nearest(x: &Features, y: &Features, count: usize) -> Vec<Nearest> {
    assert!((1..=y.n()).contains(&count), "{count} neighbours among {} rows", y.n());
    let distances = Distances::new(x, y);
    let blocks = distances.fold(
        false,
        |rows| vec![Search::new(count); rows.len()],
        |state, tile| {
            for (i, search) in tile.rows.clone().zip(state.iter_mut()) {
                let limit = search.limit();
                distances.scan(
                    tile,
                    i,
                    |_| limit,
                    |j, bounds| {
                        search.offer(j, bounds, |j| distances.exact(i, j));
                    },
                );
            }
        },
    );
    settle(blocks.into_iter().flatten().collect(), &distances)
}

/// Returns the `count` nearest other rows for every row of a set. A row is not its own neighbour;
/// its duplicates are.
///
/// # Panics
/// If there is no neighbour to be found or more than there are.
pub(super) fn nearest_within(x: &Features, count: usize) -> Vec<Nearest> {
    let others = x.n().saturating_sub(1);
    assert!((1..=others).contains(&count), "{count} neighbours among {others} rows");
    let distances = Distances::new(x, x);
    // Every pair is seen once and offered to both rows.
    let strips: Vec<Mutex<Vec<Search>>> = (0..x.n())
        .step_by(COLUMNS)
        .map(|first| Mutex::new(vec![Search::new(count); COLUMNS.min(x.n() - first)]))
        .collect();
    let open = |strip: usize| strips[strip].lock().unwrap_or_else(PoisonError::into_inner);
    distances.fold(
        true,
        |_| (),
        |(), tile| {
            for first in tile.rows.clone().step_by(COLUMNS) {
                let mut strip = open(first / COLUMNS);
                for (i, search) in (first..tile.rows.end).zip(strip.iter_mut()) {
                    let limit = search.limit();
                    distances.scan(
                        tile,
                        i,
                        |_| limit,
                        |j, bounds| {
                            if j > i {
                                search.offer(j, bounds, |j| distances.exact(i, j));
                            }
                        },
                    );
                }
            }
            let start = tile.columns.start;
            let mut strip = open(start / COLUMNS);
            let limits: Vec<f64> = strip.iter().map(Search::limit).collect();
            for i in tile.rows.clone() {
                distances.scan(
                    tile,
                    i,
                    |j| limits[j - start],
                    |j, bounds| {
                        if j > i {
                            strip[j - start].offer(i, bounds, |i| distances.exact(i, j));
                        }
                    },
                );
            }
        },
    );
    let take = |strip: Mutex<_>| strip.into_inner().unwrap_or_else(PoisonError::into_inner);
    settle(strips.into_iter().flat_map(take).collect(), &distances)
}

fn settle(searches: Vec<Search>, distances: &Distances<'_>) -> Vec<Nearest> {
    let settle = |(i, search): (usize, Search)| search.settle(|j| distances.exact(i, j));
    searches.into_par_iter().enumerate().map(settle).collect()
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
        // 1,200 rows are three row blocks, the last one partial; a mean of 1e4 leaves few digits,
        // and every row stands there three times.
        let base = normal(3, 400, 9, 1e4, 1.0);
        let x = Features::join(&[base.clone(), base.clone(), base]);
        let y = normal(4, 300, 9, 1e4, 1.0);
        for (a, b, count, same) in [(&x, &x, 5, true), (&y, &x, 7, false), (&x, &y, 1, false)] {
            let want = plain(a, b, count, same);
            for threads in [1, 3] {
                let got = on_threads(threads, || {
                    if same { nearest_within(a, count) } else { nearest(a, b, count) }
                });
                for (row, (got, want)) in got.iter().zip(&want).enumerate() {
                    assert_eq!(got, want, "row {row}");
                }
            }
        }
    }

    #[test]
    fn equal_rows_are_found_in_order_and_not_hoarded() {
        let x = Features::new(3, [0.5, -2.0, 7.0].repeat(700));
        for threads in [1, 3] {
            let got = on_threads(threads, || nearest_within(&x, 2));
            assert_eq!(
                [&got[0], &got[1], &got[699]],
                [&[(0.0, 1), (0.0, 2)], &[(0.0, 0), (0.0, 2)], &[(0.0, 0), (0.0, 1)],]
            );
        }
        let mut search = Search::new(2);
        (0..1000).for_each(|j| search.offer(j, (0.0, 1.0), |_| 0.5));
        assert!(search.candidates.len() < 50);
    }

    #[test]
    fn the_screen_holds_the_exact_distance() {
        let far = |shift: f32, scale: f32| {
            (normal(5, 40, 64, shift, scale), normal(6, 30, 64, -shift, 1e-3 * scale))
        };
        // Near and far from zero; where products of f32 overflow and where they vanish.
        for (x, y) in [far(300.0, 1.0), far(0.0, 1.0), far(0.0, 1e25), far(0.0, 1e-25)] {
            let distances = Distances::new(&x, &y);
            let inside = distances.fold(
                false,
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

    #[test]
    fn the_screen_decides_most() {
        // Else a screen in f32 would be no gain: the bound is a few thousandths of the distance.
        let x = normal(7, 50, 2048, 3.0, 1.0);
        let distances = Distances::new(&x, &x);
        let (low, high) = distances.bounds(0, 1, 0.0);
        let distance = distances.exact(0, 1);
        assert!(high - low < 0.01 * distance, "{low} to {high} around {distance}");
    }
}
