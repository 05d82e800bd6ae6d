//! The gradient of the weight of a 3x3 convolution by minimal filtering.
//!
//! The output `A^T [(G g G^T) (B^T d B)] A` is linear in `G g G^T`, so with a gradient `dy` of a
//! tile that of the weight is `G^T [(A dy A^T) (B^T d B)] G`, summed over tiles between the
//! transforms: for each of the 16 places a matrix product over tiles. It is taken by the tiles of
//! [`weight_gradient`], with pictures in the order `[h, w, c]`.
//!
//! [`weight_gradient`]: super::super::weight_gradient

use std::cell::RefCell;
use std::ops::Range;

use super::super::packed::ROWS;
use super::super::pairs::{pair_neighbours, pair_rows};
use super::super::scratch::Scratch;
use super::super::shifts::Shape;
use super::super::tile::VECTORS;
use super::super::vector::{LANES, vectorised};
use super::super::walk::Walk;
use super::super::weight_gradient::{add_lanes, by_pieces, order};
use super::PLACES;
use super::transforms::{Grid, lanes, minus, plus, split};
use crate::terms::Precision;

/// Tiles over which sums run before they are put away, at least, if there are so many pictures.
const TOGETHER: usize = 128;

/// Outputs of a block, at least: each block transforms its pictures anew.
const BLOCK: usize = 128;

thread_local! {
    /// Pictures in their order, parts of a plane, and both transforms, alone and in pairs, kept
    /// from call to call.
    static BUFFERS: RefCell<[Scratch; 6]> = RefCell::default();
}

/// Returns the gradient, `[outputs, inputs, 3, 3]`.
pub(in super::super) fn weight_gradient(x: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let width = s.inputs.next_multiple_of(LANES);
    let sums = |_: usize, outputs: Range<usize>, pictures: Range<usize>| {
        let piece = Piece { x, dy, s, grid: Grid::new(s), width, outputs };
        BUFFERS.with_borrow_mut(|buffers| piece.sums(pictures, buffers))
    };
    by_pieces(s, 1, [BLOCK, PLACES * width], sums, |lanes, output, target, total| {
        add_lanes(lanes, output, PLACES * width, total);
        for (input, taps) in target.chunks_exact_mut(9).enumerate() {
            let places = std::array::from_fn(|place| total[place * width + input]);
            taps.copy_from_slice(&weight_transform(&places));
        }
    })
}

/// Returns `G^T u G`.
fn weight_transform(u: &[f32; PLACES]) -> [f32; 9] {
    let one = |[a, b, c, d]: [f32; 4]| [a + 0.5 * (b + c), 0.5 * (b - c), 0.5 * (b + c) + d];
    let columns = [0, 1, 2, 3].map(|column| one([0, 1, 2, 3].map(|row| u[4 * row + column])));
    let rows = [0, 1, 2].map(|row| one([0, 1, 2, 3].map(|column| columns[column][row])));
    std::array::from_fn(|tap| rows[tap / 3][tap % 3])
}

/// Some outputs.
struct Piece<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    s: &'a Shape,
    grid: Grid,
    /// Numbers of a tile at a place: the channels in whole vectors.
    width: usize,
    outputs: Range<usize>,
}

impl Piece<'_> {
    /// Returns the sums over some pictures, `[outputs in whole tiles of products, 16, width]`.
    fn sums(&self, pictures: Range<usize>, buffers: &mut [Scratch; 6]) -> Vec<f32> {
        let Self { x, s, grid, width, outputs, .. } = self;
        let (tiles, columns) = (grid.tiles(), 2 * grid.columns + 2);
        let together = TOGETHER.div_ceil(tiles).min(pictures.len());
        let [ordered, parts, seen, pulled, pairs @ ..] = buffers;
        let ordered = ordered.numbers((2 * grid.rows + 2) * columns * s.inputs + LANES);
        let parts = parts.numbers(4 * grid.part());
        ordered.fill(0.0);
        parts.fill(0.0);
        // A vector at the end of a place may reach out of it.
        let row = together * tiles;
        let steps = [row * width, outputs.len() * row + LANES];
        let seen = seen.numbers(PLACES * steps[0]);
        let pulled = pulled.numbers(PLACES * steps[1]);
        let mut sums = vec![0.0; outputs.len().next_multiple_of(ROWS) * PLACES * width];
        let all: Vec<usize> = pictures.collect();
        for some in all.chunks(together) {
            for (i, picture) in some.iter().enumerate() {
                order(&x[picture * s.input()..][..s.input()], s, columns, ordered);
                let target = &mut seen[i * tiles * width..];
                data_transform(*grid, ordered, [s.inputs, *width, steps[0]], target);
            }
            for (place, output) in outputs.clone().enumerate() {
                for (i, picture) in some.iter().enumerate() {
                    let plane = &self.dy[picture * s.output() + output * s.pixels()..];
                    split(&plane[..s.pixels()], *grid, parts);
                    let start = place * row + i * tiles;
                    output_transform(*grid, parts, pulled, [steps[1], start]);
                }
            }
            let count = some.len() * tiles;
            match s.precision {
                Precision::F32 => self.add((seen, pulled), (steps, row), count, &mut sums),
                Precision::Bf16 => {
                    let paired = self.pair((seen, pulled), (steps, row), count, pairs);
                    let half = count.div_ceil(2);
                    let steps = [half * width, outputs.len() * half];
                    self.add(paired, (steps, half), half, &mut sums);
                }
            }
        }
        sums
    }

    /// Returns both transforms with every tile and the next in pairs, without gaps.
    fn pair<'b>(
        &self,
        (seen, pulled): (&[f32], &[f32]),
        (steps, row): ([usize; 2], usize),
        tiles: usize,
        [seen_pairs, pulled_pairs]: &'b mut [Scratch; 2],
    ) -> (&'b [f32], &'b [f32]) {
        let (half, count) = (tiles.div_ceil(2), self.outputs.len());
        let seen_pairs = seen_pairs.numbers(PLACES * half * self.width);
        let pulled_pairs = pulled_pairs.numbers(PLACES * count * half);
        for (place, pairs) in seen_pairs.chunks_exact_mut(half * self.width).enumerate() {
            pair_rows(&seen[place * steps[0]..][..tiles * self.width], self.width, pairs);
        }
        for (i, pairs) in pulled_pairs.chunks_exact_mut(half).enumerate() {
            let (place, output) = (i / count, i % count);
            pair_neighbours(&pulled[place * steps[1] + output * row..][..tiles], pairs);
        }
        (seen_pairs, pulled_pairs)
    }

    /// Adds the products of some tiles; those of an output are `row` numbers apart.
    fn add(
        &self,
        (seen, pulled): (&[f32], &[f32]),
        (steps, row): ([usize; 2], usize),
        tiles: usize,
        sums: &mut [f32],
    ) {
        let vectors = self.width / LANES;
        let panels = vectors.div_ceil(VECTORS);
        let bound = |i: usize| i * vectors / panels;
        for place in 0..PLACES {
            for panel in 0..panels {
                let columns = bound(panel) * LANES..bound(panel + 1) * LANES;
                for first in (0..self.outputs.len()).step_by(ROWS) {
                    let walk = Walk {
                        seen: &seen[place * steps[0] + columns.start..],
                        dy: &pulled[place * steps[1] + first * row..],
                        pictures: 1,
                        picture: [0, 0],
                        lines: 1,
                        line: [0, 0],
                        length: tiles,
                        pixel: self.width,
                        rows: (self.outputs.len() - first).min(ROWS),
                        row,
                        precision: self.s.precision,
                    };
                    let start = (first * PLACES + place) * self.width + columns.start;
                    walk.run(columns.len() / LANES, &mut sums[start..], PLACES * self.width);
                }
            }
        }
    }
}

/// Writes `B^T d B` of all tiles of a picture `[h, w, c]` with its border, for each place
/// `[tiles, width]`, the places `step` numbers apart.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "a column of sums is no item")]
fn data_transform_loop(
    grid: Grid,
    ordered: &[f32],
    [inputs, width, step]: [usize; 3],
    seen: &mut [f32],
) {
    let line = (2 * grid.columns + 2) * inputs;
    for tile in 0..grid.tiles() {
        let (row, column) = (tile / grid.columns, tile % grid.columns);
        let corner = 2 * row * line + 2 * column * inputs;
        for first in (0..inputs).step_by(LANES) {
            let mut sums = [[[0.0; LANES]; 4]; 4];
            for column in 0..4 {
                let at = |row: usize| lanes(ordered, corner + row * line + column * inputs + first);
                let [a, b, c, d] = [at(0), at(1), at(2), at(3)];
                let of = [minus(a, c), plus(b, c), minus(c, b), minus(b, d)];
                for (row, sum) in of.into_iter().enumerate() {
                    sums[row][column] = sum;
                }
            }
            for (row, [a, b, c, d]) in sums.into_iter().enumerate() {
                let of = [minus(a, c), plus(b, c), minus(c, b), minus(b, d)];
                for (column, sum) in of.into_iter().enumerate() {
                    let at = (4 * row + column) * step + tile * width + first;
                    seen[at..at + LANES].copy_from_slice(&sum);
                }
            }
        }
    }
}

vectorised!(data_transform = data_transform_loop,
    (grid: Grid, ordered: &[f32], sizes: [usize; 3], seen: &mut [f32]));

/// Writes `A dy A^T` of all tiles of a plane in parts, place by place, `step` numbers apart, from
/// `start` on.
#[inline(always)]
fn output_transform_loop(grid: Grid, parts: &[f32], pulled: &mut [f32], [step, start]: [usize; 2]) {
    for i in (0..grid.tiles()).step_by(LANES) {
        let part = |part: usize| lanes(parts, part * grid.part() + grid.columns + i);
        let zero = [0.0; LANES];
        let spread = |a, b| [a, plus(a, b), minus(a, b), minus(zero, b)];
        let [left, right] = [spread(part(0), part(2)), spread(part(1), part(3))];
        for (row, (left, right)) in left.into_iter().zip(right).enumerate() {
            for (column, sum) in spread(left, right).into_iter().enumerate() {
                let at = (4 * row + column) * step + start + i;
                pulled[at..at + LANES].copy_from_slice(&sum);
            }
        }
    }
}

vectorised!(output_transform = output_transform_loop,
    (grid: Grid, parts: &[f32], pulled: &mut [f32], place: [usize; 2]));

#[cfg(test)]
mod tests {
    use super::super::super::weight_gradient;
    use super::super::tests::{draw, shape};
    use super::*;
    use crate::terms::Seed;

    /// Small whole numbers and sums of them are exact, in bfloat16 too: the two ways agree to the
    /// bit.
    #[test]
    fn exact_numbers_give_exact_sums() {
        let sizes = [[1, 1], [1, 2], [2, 1], [3, 3], [4, 4], [5, 8], [7, 6], [2, 33], [34, 3]];
        let both = [Precision::F32, Precision::Bf16];
        let cases = sizes.into_iter().enumerate().flat_map(|case| both.map(|of| (case, of)));
        for ((i, [h, w]), precision) in cases {
            let s = shape([1 + i % 3 * 9, 2 + 5 * i, h, w, 9 + 20 * i]);
            let s = Shape { precision, ..s };
            let seed = Seed::root(6).index(i as u64);
            let x = draw(s.n * s.input(), seed.child("x"));
            let dy = draw(s.n * s.output(), seed.child("dy"));
            let single = Shape { precision: Precision::F32, ..s };
            let want = weight_gradient::weight_gradient(&x, &dy, &single, 1);
            assert_eq!(weight_gradient(&x, &dy, &s), want, "{h} x {w}");
        }
    }
}
