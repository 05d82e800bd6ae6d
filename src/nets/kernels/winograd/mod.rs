//! Convolutions of 3x3 by minimal filtering, F(2x2, 3x3) (Winograd 1980; Lavin & Gray 2016,
//! arXiv:1509.09308, Section 4.1): 16 products for four outputs instead of 36.
//!
//! With the matrices of that section, a tile of four outputs is `A^T [(G g G^T) (B^T d B)] A`, the
//! product taken number by number. For each of the 16 places the sum over channels is a matrix
//! product, for which the tiles of [`panels`](super::panels) serve. Tiles of a plane lie in a row,
//! and a plane is split into its even and odd rows and columns, so that transforms are sums of
//! whole vectors whatever the width of the plane.
//!
//! Sums differ from those of the direct way by rounding, about twice as much. Which of the two is
//! taken depends on kernel, channels and size alone: a picture's numbers do not depend on the
//! others.

mod gradient;
mod transforms;
mod weights;

use std::cell::RefCell;

use rayon::prelude::*;

pub(super) use self::gradient::weight_gradient;
use self::transforms::{Grid, columns_transform, join, output_transform, rows_transform, split};
pub(super) use self::weights::Weights;
use super::fresh::Fresh;
use super::panels::{Buffers, pictures};
use super::scratch::Scratch;
use super::shifts::Shape;
use super::tile::Finish;
use super::vector::LANES;

/// Places of a tile.
const PLACES: usize = 16;

/// Channels from which on the products saved are worth more than the transforms.
const MANY: usize = 32;

/// The same for channels times tiles: products of few numbers cost more than they should.
const LARGE: usize = 1024;

/// Tiles of a piece of work, at least, if there are so many pictures.
const TOGETHER: usize = 48;

/// Returns whether a convolution is computed this way.
pub(super) fn serves(s: &Shape) -> bool {
    let square = s.kernel == [3, 3] && s.stride == 1 && s.padding == [1, 1];
    let channels = s.inputs.min(s.outputs);
    square && channels >= MANY && channels * Grid::new(s).tiles() >= LARGE
}

thread_local! {
    /// Kept from call to call: to clear them anew would cost as much as the transforms.
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Buffers of a thread.
#[derive(Default)]
struct Room {
    parts: Scratch,
    lines: Scratch,
    seen: Scratch,
    products: Scratch,
    panels: Buffers,
}

/// Returns the convolution of all pictures.
pub(super) fn correlate(x: &[f32], weights: &Weights, s: &Shape, finish: Finish<'_>) -> Vec<f32> {
    let tiles = Grid::new(s).tiles();
    // Every thread of a usual machine finds a job.
    let count = TOGETHER.div_ceil(tiles).min(s.n.div_ceil(8)).max(1);
    let mut out = Fresh::new(s.n * s.output());
    let jobs = out.pieces(count * s.output()).zip(x.par_chunks(count * s.input()));
    jobs.for_each(|(out, x)| {
        ROOM.with_borrow_mut(|room| some(x, (weights, finish), s, room, out));
    });
    out.numbers()
}

/// Computes some pictures on this thread.
fn some(
    x: &[f32],
    (weights, finish): (&Weights, Finish<'_>),
    s: &Shape,
    room: &mut Room,
    out: &mut [f32],
) {
    let grid = Grid::new(s);
    let width = x.len() / s.input() * grid.tiles();
    // A vector at the end of the last row of a place may reach out of it.
    let [step, product_step] = [s.inputs, s.outputs].map(|channels| channels * width + LANES);
    let seen = room.seen.numbers(PLACES * step);
    let sizes = [4 * grid.part(), 8 * (grid.tiles() + 2 * LANES)];
    // Numbers that were just stored in other vectors are slow to load: several channels go through
    // each step before the next.
    let batch = (1024 / grid.tiles()).clamp(2, 8);
    let parts = room.parts.numbers(batch * sizes[0]);
    let lines = room.lines.numbers(batch * sizes[1]);
    parts.fill(0.0);
    lines.fill(0.0);
    for first in (0..s.inputs).step_by(batch) {
        let channels = first..s.inputs.min(first + batch);
        for (picture, x) in x.chunks_exact(s.input()).enumerate() {
            let planes = x[first * s.h * s.w..].chunks_exact(s.h * s.w);
            let parts = parts.chunks_exact_mut(sizes[0]).zip(lines.chunks_exact_mut(sizes[1]));
            let all = channels.clone().zip(planes).zip(parts);
            let mut all: Vec<_> = all.map(|((c, plane), (p, l))| (c, plane, p, l)).collect();
            all.iter_mut().for_each(|(_, plane, parts, _)| split(plane, grid, parts));
            all.iter_mut().for_each(|(_, _, parts, lines)| columns_transform(grid, parts, lines));
            for (channel, _, _, lines) in all {
                let start = channel * width + picture * grid.tiles();
                rows_transform(grid, lines, seen, [step, start]);
            }
        }
    }
    let products = room.products.numbers(PLACES * product_step);
    let row = Shape {
        n: 1,
        h: 1,
        w: width,
        kernel: [1, 1],
        padding: [0, 0],
        out_h: 1,
        out_w: width,
        ..*s
    };
    for (place, weights) in weights.places().iter().enumerate() {
        let seen = &seen[place * step..][..s.inputs * width];
        let out = &mut products[place * product_step..][..s.outputs * width];
        pictures(seen, (weights, Finish::Sum), &row, &mut room.panels, out);
    }
    let lines = room.lines.numbers(4 * (grid.tiles() + LANES));
    for (picture, out) in out.chunks_exact_mut(s.output()).enumerate() {
        for (output, plane) in out.chunks_exact_mut(s.pixels()).enumerate() {
            let start = output * width + picture * grid.tiles();
            output_transform(grid, products, [product_step, start], finish.from(output), lines);
            join(grid, lines, plane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::Stored;
    use super::*;
    use crate::terms::{Precision, Seed};

    /// Whole numbers in -3..=3.
    pub(super) fn draw(count: usize, seed: Seed) -> Vec<f32> {
        let mut stream = seed.stream();
        (0..count).map(|_| (stream.uniform() * 7.0).floor() as f32 - 3.0).collect()
    }

    pub(super) fn shape([n, inputs, h, w, outputs]: [usize; 5]) -> Shape {
        let (kernel, padding) = ([3, 3], [1, 1]);
        let (stride, precision) = (1, Precision::F32);
        Shape { n, inputs, h, w, outputs, kernel, stride, padding, out_h: h, out_w: w, precision }
    }

    fn direct(x: &[f32], weight: &[f32], s: &Shape) -> Vec<f32> {
        let mut out = Vec::new();
        for (n, o) in (0..s.n).flat_map(|n| (0..s.outputs).map(move |o| (n, o))) {
            for (y, column) in (0..s.h).flat_map(|y| (0..s.w).map(move |column| (y, column))) {
                let mut sum = 0.0;
                for (c, tap) in (0..s.inputs).flat_map(|c| (0..9).map(move |tap| (c, tap))) {
                    let (row, column) = (y + tap / 3, column + tap % 3); // One more than in `x`.
                    if (1..=s.h).contains(&row) && (1..=s.w).contains(&column) {
                        let from = ((n * s.inputs + c) * s.h + row - 1) * s.w + column - 1;
                        sum += weight[(o * s.inputs + c) * 9 + tap] * x[from];
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    /// Which way is taken decides results, and which way the laws of convolutions test.
    #[test]
    fn many_channels_or_large_planes_go_this_way() {
        for size in [[64, 18, 20, 32], [33, 11, 12, 34], [128, 5, 6, 130], [64, 8, 8, 64]] {
            let [inputs, h, w, outputs] = size;
            assert!(serves(&shape([1, inputs, h, w, outputs])), "{size:?}");
        }
        for size in [[64, 4, 4, 64], [32, 8, 8, 64], [31, 64, 64, 512]] {
            let [inputs, h, w, outputs] = size;
            assert!(!serves(&shape([1, inputs, h, w, outputs])), "{size:?}");
        }
        let strided = Shape { stride: 2, out_h: 9, out_w: 10, ..shape([1, 64, 18, 20, 64]) };
        assert!(!serves(&strided));
    }

    /// To the bit: jobs of several pictures are cut by their count.
    #[test]
    fn a_picture_does_not_depend_on_the_others() {
        let sizes = [[9, 33, 11, 12, 34], [40, 128, 3, 5, 130]];
        let both = [Precision::F32, Precision::Bf16];
        let cases = sizes.into_iter().flat_map(|size| both.map(|of| (size, of)));
        for ([n, inputs, h, w, outputs], precision) in cases {
            let of = |n| Shape { precision, ..shape([n, inputs, h, w, outputs]) };
            let (all, one) = (of(n), of(1));
            let normals = |name, count| Seed::root(7).child(name).stream().normals(count);
            let x = normals("x", n * all.input());
            let weight = normals("w", outputs * inputs * 9);
            let stored = Stored { numbers: &weight, steps: [inputs * 9, 9], mirrored: false };
            let weights = Weights::new(stored, [outputs, inputs], all.precision);
            let together = correlate(&x, &weights, &all, Finish::Sum);
            for (x, want) in x.chunks_exact(all.input()).zip(together.chunks_exact(all.output())) {
                assert_eq!(correlate(x, &weights, &one, Finish::Sum), want, "{h} x {w}");
            }
        }
    }

    /// Small whole numbers, their quarters and sums of those are exact, in bfloat16 too: the two
    /// ways agree to the bit.
    #[test]
    fn exact_numbers_give_exact_sums() {
        let sizes = [[1, 1], [1, 2], [2, 1], [3, 3], [4, 4], [5, 8], [7, 6], [2, 33], [34, 3]];
        let both = [Precision::F32, Precision::Bf16];
        let cases = sizes.into_iter().enumerate().flat_map(|case| both.map(|of| (case, of)));
        for ((i, [h, w]), precision) in cases {
            let [n, inputs, outputs] = [1 + i % 3 * 9, 2 + i, 9 + i];
            let s = Shape { precision, ..shape([n, inputs, h, w, outputs]) };
            let seed = Seed::root(5).index(i as u64);
            let x = draw(n * s.input(), seed.child("x"));
            let weight = draw(outputs * inputs * 9, seed.child("w"));
            let bias = draw(outputs, seed.child("b"));
            let stored = Stored { numbers: &weight, steps: [inputs * 9, 9], mirrored: false };
            let weights = Weights::new(stored, [outputs, inputs], s.precision);
            let got = correlate(&x, &weights, &s, Finish::Bias(&bias));
            let mut want = direct(&x, &weight, &s);
            for (row, want) in want.chunks_exact_mut(h * w).enumerate() {
                want.iter_mut().for_each(|sum| *sum += bias[row % outputs]);
            }
            assert_eq!(got, want, "{h} x {w}");
        }
    }
}
