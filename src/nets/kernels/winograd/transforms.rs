//! The transforms of minimal filtering, a plane at a time.

use super::super::shifts::Shape;
use super::super::tile::Finish;
use super::super::vector::{LANES, vectorised};

/// The tiles of a plane.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    w: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Grid {
    pub(super) fn new(s: &Shape) -> Self {
        Self { w: s.w, rows: s.h.div_ceil(2), columns: s.w.div_ceil(2) }
    }

    pub(super) fn tiles(&self) -> usize {
        self.rows * self.columns
    }

    /// Numbers of one of the four parts of a plane: even or odd rows of even or odd columns,
    /// between two rows of zeros; vectors may reach behind.
    pub(super) fn part(&self) -> usize {
        self.tiles() + 2 * self.columns + LANES
    }
}

/// Splits a plane into even and odd rows of even and odd columns, behind a row of zeros each.
#[inline(always)]
fn split_loop(plane: &[f32], grid: Grid, parts: &mut [f32]) {
    let (size, half) = (grid.part(), grid.w / 2);
    for (y, row) in plane.chunks_exact(grid.w).enumerate() {
        let (even, odd) = parts[y % 2 * 2 * size..][..2 * size].split_at_mut(size);
        let start = (y / 2 + 1) * grid.columns;
        let (even, odd) = (&mut even[start..start + grid.columns], &mut odd[start..start + half]);
        for ((even, odd), pair) in even.iter_mut().zip(odd).zip(row.as_chunks::<2>().0) {
            [*even, *odd] = *pair;
        }
        if grid.w % 2 == 1 {
            even[half] = row[grid.w - 1];
        }
    }
}

vectorised!(pub(super) split = split_loop, (plane: &[f32], grid: Grid, parts: &mut [f32]));

#[inline(always)]
pub(super) fn lanes(from: &[f32], at: usize) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    out.copy_from_slice(&from[at..at + LANES]);
    out
}

#[inline(always)]
pub(super) fn plus(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(|i| a[i] + b[i])
}

#[inline(always)]
pub(super) fn minus(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(|i| a[i] - b[i])
}

/// Writes `B^T d` of all tiles in lines: for each row of it the even and the odd columns, between a
/// vector of zeros and what a vector reaches behind.
#[inline(always)]
fn columns_transform_loop(grid: Grid, parts: &[f32], lines: &mut [f32]) {
    let (tiles, above, size) = (grid.tiles(), grid.columns, grid.part());
    let pitch = tiles + 2 * LANES;
    for column in 0..2 {
        let (even, odd) = (&parts[column * size..][..size], &parts[(2 + column) * size..][..size]);
        for i in (0..tiles).step_by(LANES) {
            let [e, o] = [even, odd].map(|part| lanes(part, i + above));
            let before = minus(lanes(odd, i), o);
            let sums = [before, plus(e, o), minus(o, e), minus(e, lanes(even, i + 2 * above))];
            for (row, sum) in sums.into_iter().enumerate() {
                let at = (2 * row + column) * pitch + LANES + i;
                lines[at..at + LANES].copy_from_slice(&sum);
            }
        }
    }
}

vectorised!(pub(super) columns_transform = columns_transform_loop,
    (grid: Grid, parts: &[f32], lines: &mut [f32]));

/// Writes the product of the lines with `B`, place by place, `step` numbers apart, from `start` on.
#[inline(always)]
fn rows_transform_loop(grid: Grid, lines: &[f32], seen: &mut [f32], [step, start]: [usize; 2]) {
    let tiles = grid.tiles();
    let pitch = tiles + 2 * LANES;
    for row in 0..4 {
        let (even, odd) = lines[2 * row * pitch..][..2 * pitch].split_at(pitch);
        for i in (0..tiles).step_by(LANES) {
            let [e, o] = [even, odd].map(|line| lanes(line, LANES + i));
            let before = minus(lanes(odd, LANES + i - 1), o);
            let after = minus(e, lanes(even, LANES + i + 1));
            for (column, sum) in [before, plus(e, o), minus(o, e), after].into_iter().enumerate() {
                let at = (4 * row + column) * step + start + i;
                let count = LANES.min(tiles - i);
                if count == LANES {
                    seen[at..at + LANES].copy_from_slice(&sum);
                } else {
                    seen[at..at + count].iter_mut().zip(sum).for_each(|(to, sum)| *to = sum);
                }
            }
        }
        // Left and right of the plane are zeros.
        for first in (0..tiles).step_by(grid.columns) {
            let last = first + grid.columns - 1;
            seen[4 * row * step + start + first] = -odd[LANES + first];
            seen[(4 * row + 3) * step + start + last] = even[LANES + last];
        }
    }
}

vectorised!(pub(super) rows_transform = rows_transform_loop,
    (grid: Grid, lines: &[f32], seen: &mut [f32], place: [usize; 2]));

/// Writes `A^T m A` of all tiles, finished: the four outputs of a tile in lines of their own.
#[inline(always)]
fn output_transform_loop(
    grid: Grid,
    products: &[f32],
    [step, start]: [usize; 2],
    finish: Finish<'_>,
    lines: &mut [f32],
) {
    let pitch = grid.tiles() + LANES;
    for i in (0..grid.tiles()).step_by(LANES) {
        let at = |place: usize| lanes(products, place * step + start + i);
        let mut sums = [[[0.0; LANES]; 4]; 2];
        let [upper, lower] = &mut sums;
        for (column, (upper, lower)) in upper.iter_mut().zip(lower).enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row| at(4 * row + column));
            *upper = plus(plus(a, b), c);
            *lower = minus(minus(b, c), d);
        }
        for (row, [a, b, c, d]) in sums.into_iter().enumerate() {
            let pair = [plus(plus(a, b), c), minus(minus(b, c), d)];
            for (column, sum) in pair.into_iter().enumerate() {
                let at = (2 * row + column) * pitch + i;
                lines[at..at + LANES].copy_from_slice(&finish.lanes(sum));
            }
        }
    }
}

vectorised!(pub(super) output_transform = output_transform_loop,
    (grid: Grid, products: &[f32], place: [usize; 2], finish: Finish<'_>, lines: &mut [f32]));

/// Joins the four outputs of all tiles to a plane.
#[inline(always)]
fn join_loop(grid: Grid, lines: &[f32], plane: &mut [f32]) {
    let pitch = grid.tiles() + LANES;
    for (y, row) in plane.chunks_exact_mut(grid.w).enumerate() {
        let from = &lines[y % 2 * 2 * pitch + y / 2 * grid.columns..];
        let (even, odd) = (&from[..grid.columns], &from[pitch..pitch + grid.columns]);
        let (pairs, rest) = row.as_chunks_mut::<2>();
        for ((even, odd), pair) in even.iter().zip(odd).zip(pairs) {
            *pair = [*even, *odd];
        }
        if let [last] = rest {
            *last = even[grid.columns - 1];
        }
    }
}

vectorised!(pub(super) join = join_loop, (grid: Grid, lines: &[f32], plane: &mut [f32]));
