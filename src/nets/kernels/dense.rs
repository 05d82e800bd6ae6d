//! Products of the rows of a matrix with the rows of a weight: `y = x W^T`.
//!
//! Every number of `y` is one sum over the inputs in their order, so it depends neither on the rows
//! beside it nor on the number of threads. A general matrix product chooses the cuts of its sums by
//! the shape, and a picture's features would change with the batch.
//!
//! The rows of `x` are interleaved in blocks of [`ROWS`], those of `W` in panels of [`COLUMNS`]; a
//! tile of `y` stays in registers for the whole sum. Panels are interleaved again for each chunk of
//! rows, which costs a few percent and saves a second copy of all weights.

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::pairs::add_pairs;
use super::pairs::{add_products, pair_rows};
use super::transpose::{Source, transpose};
use super::vector::{Level, adds_pairs, level};
use crate::terms::Precision;

/// Rows of a tile: with two vectors of AVX-512 each they leave four of its registers.
pub(super) const ROWS: usize = 14;

/// Columns of a tile.
const COLUMNS: usize = 32;

/// Panels of a piece of work. They are read once per block of rows and stay in the second cache.
const PANELS: usize = 2;

/// Blocks of rows of a piece of work, at most. Its panels are interleaved anew.
const BLOCKS: usize = 74;

/// Rows, interleaved: of each block, the first numbers of all rows, then the second, and so on.
#[derive(Default)]
pub(super) struct Interleaved {
    numbers: Vec<f32>,
    rows: usize,
    inputs: usize,
    precision: Precision,
}

impl Interleaved {
    /// Terms of a sum, single or in pairs.
    fn depth(&self) -> usize {
        match self.precision {
            Precision::F32 => self.inputs,
            Precision::Bf16 => self.inputs.div_ceil(2),
        }
    }

    /// Makes place for rows and returns their blocks.
    fn blocks(
        &mut self,
        [count, inputs]: [usize; 2],
        precision: Precision,
    ) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        (self.rows, self.inputs, self.precision) = (count, inputs, precision);
        let block = ROWS * self.depth();
        self.numbers.resize(count.div_ceil(ROWS) * block, 0.0);
        self.numbers.par_chunks_mut(block)
    }

    /// Replaces all rows by `count` others of `inputs` numbers for products of a precision;
    /// `rows(first, target)` writes those from `first` on into a target of as many as it has place
    /// for.
    pub(super) fn fill(
        &mut self,
        [count, inputs]: [usize; 2],
        precision: Precision,
        rows: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let blocks = self.blocks([count, inputs], precision).enumerate();
        blocks.for_each_init(<[Vec<f32>; 2]>::default, |[plain, singles], (i, to)| {
            let some = ROWS.min(count - i * ROWS);
            plain.resize(some * inputs, 0.0);
            rows(i * ROWS, plain);
            write((to, ROWS), inputs, (precision, singles), |to| {
                for (column, to) in to.chunks_exact_mut(ROWS).enumerate() {
                    for (row, to) in to[..some].iter_mut().enumerate() {
                        *to = plain[row * inputs + column];
                    }
                }
            });
        });
    }

    /// Replaces all rows by the columns of a matrix of `count` columns, for products of a
    /// precision.
    pub(super) fn fill_columns(&mut self, count: usize, matrix: &[f32], precision: Precision) {
        let inputs = matrix.len() / count;
        let blocks = self.blocks([count, inputs], precision).enumerate();
        blocks.for_each_init(Vec::new, |singles, (i, to)| {
            let some = ROWS.min(count - i * ROWS);
            write((to, ROWS), inputs, (precision, singles), |to| {
                for (to, row) in to.chunks_exact_mut(ROWS).zip(matrix.chunks_exact(count)) {
                    to[..some].copy_from_slice(&row[i * ROWS..][..some]);
                }
            });
        });
    }
}

/// Lets `fill` write rows of `width` numbers, one for each input, and pairs them if so asked.
fn write(
    (to, width): (&mut [f32], usize),
    inputs: usize,
    (precision, singles): (Precision, &mut Vec<f32>),
    fill: impl FnOnce(&mut [f32]),
) {
    match precision {
        Precision::F32 => fill(to),
        Precision::Bf16 => {
            singles.resize(inputs * width, 0.0);
            fill(singles);
            pair_rows(singles, width, to);
        }
    }
}

/// A weight, `[outputs, inputs]` or, transposed, `[inputs, outputs]`, and what is added to each
/// product, `[outputs]` or nothing.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) transposed: bool,
}

/// Multiplies all rows with a weight. `finish(new, old, column)` takes a part of a row of products,
/// bias included, that begins at `column`, and the place in `out`, `[rows, outputs]`, that is its.
pub(super) fn multiply(
    x: &Interleaved,
    weight: Weight<'_>,
    out: &mut [f32],
    finish: impl Fn(&mut [f32], &mut [f32], usize) + Sync,
) {
    let Weight { numbers, outputs, inputs, .. } = weight;
    assert_eq!(inputs, x.inputs, "inner sizes agree");
    assert!(numbers.len() >= outputs * inputs, "the weight has all of its numbers");
    assert!(out.len() >= x.rows * outputs, "the target holds the product");
    let width = PANELS * COLUMNS;
    let blocks = x.rows.div_ceil(ROWS);
    let (strips, chunks) = (outputs.div_ceil(width), blocks.div_ceil(BLOCKS));
    let chunk_blocks = blocks.div_ceil(chunks.max(1));
    let target = Shared { start: out.as_mut_ptr() };
    let depth = x.depth();
    let pieces = (0..strips * chunks).into_par_iter();
    pieces.for_each_init(<[Vec<f32>; 2]>::default, |[panels, singles], piece| {
        let (chunk, first) = (piece / strips, piece % strips * width);
        let ends = (first + width).min(outputs);
        let panel = depth * COLUMNS;
        panels.resize(PANELS * panel, 0.0);
        for (j, panel) in (first..ends).step_by(COLUMNS).zip(panels.chunks_exact_mut(panel)) {
            write((panel, COLUMNS), inputs, (x.precision, singles), |to| interleave(weight, j, to));
        }
        let mut tile = [[0.0; COLUMNS]; ROWS];
        for block in chunk * chunk_blocks..((chunk + 1) * chunk_blocks).min(blocks) {
            let rows = &x.numbers[block * ROWS * depth..][..ROWS * depth];
            for (j, panel) in (first..ends).step_by(COLUMNS).zip(panels.chunks_exact(panel)) {
                products(rows, panel, x.precision, &mut tile);
                let columns = COLUMNS.min(outputs - j);
                for (row, new) in (block * ROWS..x.rows).zip(&mut tile) {
                    let new = &mut new[..columns];
                    if let Some(bias) = weight.bias {
                        new.iter_mut().zip(&bias[j..]).for_each(|(x, bias)| *x += bias);
                    }
                    // SAFETY: `row` and the columns lie in `out` by the assertion above, and no
                    // other piece of work has these columns of these rows.
                    let old = unsafe { target.part(row * outputs + j, columns) };
                    finish(new, old, j);
                }
            }
        }
    });
}

/// A target that threads share, each with places of its own.
struct Shared {
    start: *mut f32,
}

// SAFETY: `part` is unsafe, and its caller answers for what is taken twice.
unsafe impl Sync for Shared {}

impl Shared {
    /// # Safety
    /// The part lies in the target, and nobody else has any of it.
    #[expect(clippy::mut_from_ref, reason = "threads share the target and take disjoint parts")]
    unsafe fn part(&self, at: usize, length: usize) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), length) }
    }
}

/// Fills a panel with the rows of a weight from `first` on: their first numbers, then their second,
/// and so on; zeros where the weight has no more rows.
fn interleave(weight: Weight<'_>, first: usize, panel: &mut [f32]) {
    let Weight { numbers, outputs, inputs, .. } = weight;
    let count = COLUMNS.min(outputs - first);
    if weight.transposed {
        for (to, row) in panel.chunks_exact_mut(COLUMNS).zip(numbers.chunks_exact(outputs)) {
            to[..count].copy_from_slice(&row[first..first + count]);
            to[count..].fill(0.0);
        }
        return;
    }
    let rows = &numbers[first * inputs..(first + count) * inputs];
    let rows = Source { numbers: rows, step: inputs, rows: count, columns: inputs };
    transpose(rows, panel, (0..inputs).map(|input| input * COLUMNS));
    for column in panel.chunks_exact_mut(COLUMNS) {
        column[count..].fill(0.0);
    }
}

type Tile = [[f32; COLUMNS]; ROWS];

/// Fills a tile with the products of a block of rows and a panel.
fn products(rows: &[f32], panel: &[f32], precision: Precision, tile: &mut Tile) {
    assert_eq!(rows.len() / ROWS, panel.len() / COLUMNS, "inner sizes agree");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has these instructions.
    unsafe {
        match (level(), precision) {
            (Level::Avx512, Precision::F32) => return products_avx512(rows, panel, tile),
            (Level::Avx512, Precision::Bf16) if adds_pairs() => {
                return products_avx512_pairs(rows, panel, tile);
            }
            (Level::Avx512 | Level::Avx2, _) => return products_avx2(rows, panel, precision, tile),
            (Level::Plain, _) => {}
        }
    }
    match precision {
        Precision::F32 => products_loop(rows, panel, tile, |a, b, sum| a * b + sum),
        Precision::Bf16 => products_loop(rows, panel, tile, add_products),
    }
}

/// The same sums, two rows of the tile at a time.
#[inline(always)]
fn products_loop(
    rows: &[f32],
    panel: &[f32],
    tile: &mut Tile,
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    for pair in 0..ROWS / 2 {
        let mut sums = [[0.0; COLUMNS]; 2];
        for (a, b) in rows.chunks_exact(ROWS).zip(panel.chunks_exact(COLUMNS)) {
            for (half, sums) in sums.iter_mut().enumerate() {
                let a = a[2 * pair + half];
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum = add(a, *b, *sum));
            }
        }
        tile[2 * pair..2 * pair + 2].copy_from_slice(&sums);
    }
}

/// Rounds each product and sum once, as the variant for AVX-512 does: the same numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn products_avx2(rows: &[f32], panel: &[f32], precision: Precision, tile: &mut Tile) {
    match precision {
        Precision::F32 => products_loop(rows, panel, tile, f32::mul_add),
        Precision::Bf16 => products_loop(rows, panel, tile, add_products),
    }
}

/// Defines a variant for AVX-512 with an operation that adds products to sums. Written out row by
/// row: of a loop, the compiler keeps the sums in memory where it optimises for less than the
/// utmost.
#[cfg(target_arch = "x86_64")]
macro_rules! tiles {
    ($name:ident, $features:literal, $add:path: $($row:literal)*) => {
        #[target_feature(enable = $features)]
        fn $name(rows: &[f32], panel: &[f32], tile: &mut Tile) {
            use std::arch::x86_64::{
                _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
            };
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
            for (a, b) in rows.as_chunks::<ROWS>().0.iter().zip(panel.as_chunks::<COLUMNS>().0) {
                let b = b.as_ptr();
                // SAFETY: a row of a panel has two vectors.
                let b = unsafe { [_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16))] };
                $(
                    let number = _mm512_set1_ps(a[$row]);
                    sums[$row][0] = $add(number, b[0], sums[$row][0]);
                    sums[$row][1] = $add(number, b[1], sums[$row][1]);
                )*
            }
            for (tile, sums) in tile.iter_mut().zip(sums) {
                // SAFETY: a row of a tile has two vectors.
                unsafe {
                    _mm512_storeu_ps(tile.as_mut_ptr(), sums[0]);
                    _mm512_storeu_ps(tile.as_mut_ptr().add(16), sums[1]);
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
tiles!(products_avx512, "avx512f", std::arch::x86_64::_mm512_fmadd_ps:
    0 1 2 3 4 5 6 7 8 9 10 11 12 13);
#[cfg(target_arch = "x86_64")]
tiles!(products_avx512_pairs, "avx512f,avx512bf16", add_pairs: 0 1 2 3 4 5 6 7 8 9 10 11 12 13);

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers, on_threads};
    use super::super::pairs::rounded_all;
    use super::*;
    use crate::terms::{Precision, Seed};
    use crate::testing::{Tol, close_all};

    /// `[rows, inputs, outputs]`.
    const SHAPES: [[usize; 3]; 9] = [
        [1, 1, 1],
        [13, 16, 32],
        [14, 17, 33],
        [15, 40, 64],
        [29, 3, 100],
        [600, 48, 70],
        [2, 700, 31],
        [505, 5, 65],
        [1037, 4, 65],
    ];

    fn drawn(name: &str, count: usize) -> Vec<f32> {
        numbers(draw([count], Seed::root(1).child(name)))
    }

    fn product([rows, inputs, outputs]: [usize; 3], bias: bool, precision: Precision) -> Vec<f32> {
        let (x, w) = (drawn("x", rows * inputs), drawn("w", outputs * inputs));
        let offset = drawn("b", outputs);
        let mut interleaved = Interleaved::default();
        interleaved.fill([rows, inputs], precision, |first, to| {
            to.copy_from_slice(&x[first * inputs..][..to.len()]);
        });
        let weight = Weight {
            numbers: &w,
            bias: bias.then_some(&offset),
            outputs,
            inputs,
            transposed: false,
        };
        let mut out = vec![f32::NAN; rows * outputs];
        multiply(&interleaved, weight, &mut out, |new, old, _| old.copy_from_slice(new));
        out
    }

    #[test]
    fn equals_sums_in_double_precision() {
        for shape @ [rows, inputs, outputs] in SHAPES {
            for bias in [false, true] {
                let (x, w) = (drawn("x", rows * inputs), drawn("w", outputs * inputs));
                let offset = drawn("b", outputs);
                let wide = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
                };
                let entry = |i: usize| {
                    let (row, column) = (i / outputs, i % outputs);
                    let offset = if bias { f64::from(offset[column]) } else { 0.0 };
                    wide(&x[row * inputs..][..inputs], &w[column * inputs..][..inputs]) + offset
                };
                let want: Vec<f64> = (0..rows * outputs).map(entry).collect();
                let got = product(shape, bias, Precision::F32);
                let got: Vec<f64> = got.into_iter().map(f64::from).collect();
                // Sums of up to 700 products of standard normals, of size 26, in one chain.
                close_all(&got, &want, Tol::absolute(5e-5));
            }
        }
    }

    /// With factors in bfloat16 the sums are those of the rounded factors.
    #[test]
    fn pairs_equal_sums_in_double_precision() {
        for shape @ [rows, inputs, outputs] in SHAPES {
            let (x, w) = (drawn("x", rows * inputs), drawn("w", outputs * inputs));
            let [x, w] = [x, w].map(|it| rounded_all(&it));
            let entry = |i: usize| -> f64 {
                let (row, column) = (i / outputs, i % outputs);
                let pairs = x[row * inputs..][..inputs].iter().zip(&w[column * inputs..][..inputs]);
                pairs.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
            };
            let want: Vec<f64> = (0..rows * outputs).map(entry).collect();
            let got = product(shape, false, Precision::Bf16);
            let got: Vec<f64> = got.into_iter().map(f64::from).collect();
            // As above.
            close_all(&got, &want, Tol::absolute(5e-5));
        }
    }

    #[test]
    fn a_row_is_the_same_beside_other_rows() {
        let [rows, inputs, outputs] = [40, 33, 70];
        for precision in [Precision::F32, Precision::Bf16] {
            let all = product([rows, inputs, outputs], true, precision);
            for some in [1, 5, 14, 27] {
                let few = product([some, inputs, outputs], true, precision);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&few), bits(&all[..some * outputs]));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        on_threads(|| product([600, 48, 300], true, Precision::F32));
    }

    #[test]
    fn tiles_are_the_same_with_any_vectors() {
        let inputs = 77;
        let (rows, panel) = (drawn("rows", ROWS * inputs), drawn("panel", COLUMNS * inputs));
        let run = |add: fn(f32, f32, f32) -> f32| {
            let mut tile = [[0.0; COLUMNS]; ROWS];
            products_loop(&rows, &panel, &mut tile, add);
            tile.concat()
        };
        let (fused, apart) = (run(f32::mul_add), run(|a, b, sum| a * b + sum));
        let mut tile = [[0.0; COLUMNS]; ROWS];
        products(&rows, &panel, Precision::F32, &mut tile);
        let ours = tile.concat();
        // Sums of 77 products; without fused operations each is rounded twice.
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        close_all(&wide(&apart), &wide(&fused), Tol::absolute(2e-5));
        #[cfg(target_arch = "x86_64")]
        if level() > Level::Plain {
            assert_eq!(ours, fused);
        }
        close_all(&wide(&ours), &wide(&fused), Tol::absolute(2e-5));
    }

    /// To the bit: products of pairs are exact.
    #[test]
    fn pairs_are_the_same_with_any_vectors() {
        let inputs = 78;
        let [rows, panel] = [("rows", ROWS), ("panel", COLUMNS)].map(|(name, width)| {
            let mut pairs = vec![0.0; inputs / 2 * width];
            pair_rows(&drawn(name, inputs * width), width, &mut pairs);
            pairs
        });
        let [mut want, mut got] = [[[0.0; COLUMNS]; ROWS]; 2];
        products_loop(&rows, &panel, &mut want, add_products);
        products(&rows, &panel, Precision::Bf16, &mut got);
        assert_eq!(got, want);
    }
}
