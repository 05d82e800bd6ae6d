//! Products of all rows of one matrix with all rows of another, over several pictures: what the
//! gradient of a convolution's weight consists of. A general matrix product would first bring one
//! of them into another order, which costs as much as the product itself where there are few
//! channels.

use super::gemm::{Matrix, Target, multiply};

/// Numbers of a vector; the columns of all rows are a multiple of it.
pub(super) const LANES: usize = 16;

/// Rows that are taken together; buffers hold a multiple of them.
pub(super) const TILE: usize = 4;

/// Columns, over all pictures, whose rows stay in the first cache: four rows of 1,024 are 16 KiB.
const NEAR: usize = 1024;

/// Rows of several pictures in one buffer.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// All numbers.
    pub(super) numbers: &'a [f32],
    /// Rows of a picture.
    pub(super) count: usize,
    /// Numbers from row to row.
    pub(super) row_step: usize,
    /// Numbers from picture to picture.
    pub(super) picture_step: usize,
}

impl Rows<'_> {
    /// Asserts that every number of every tile exists.
    fn check(&self, pictures: usize, columns: usize) {
        let rows = self.count.next_multiple_of(TILE);
        let end = (pictures - 1) * self.picture_step + (rows - 1) * self.row_step + columns;
        assert!(end <= self.numbers.len(), "the rows of all tiles are in the buffer");
    }
}

/// Adds to `out[i][j]` the sum over pictures and columns of `a[picture][i][column]` times
/// `b[picture][j][column]`.
pub(super) fn add_dots(a: Rows<'_>, b: Rows<'_>, pictures: usize, columns: usize, out: &mut [f32]) {
    assert!(columns.is_multiple_of(LANES) && pictures > 0, "columns are filled up with zeros");
    assert!(out.len() >= a.count * b.count, "the target holds all products");
    a.check(pictures, columns);
    b.check(pictures, columns);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
        // SAFETY: the processor has these instructions, and the assertions above hold.
        unsafe { tiles(a, b, pictures, columns, out) };
        return;
    }
    portable(a, b, pictures, columns, out);
}

fn portable(a: Rows<'_>, b: Rows<'_>, pictures: usize, columns: usize, out: &mut [f32]) {
    for picture in 0..pictures {
        let [a, b] = [a, b].map(|rows| {
            let numbers = &rows.numbers[picture * rows.picture_step..];
            Matrix::window(numbers, rows.count, columns, rows.row_step)
        });
        multiply(a, b.transposed(), out, Target::Add);
    }
}

/// # Safety
/// The assertions of [`add_dots`] hold.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx")]
unsafe fn tiles(a: Rows<'_>, b: Rows<'_>, pictures: usize, columns: usize, out: &mut [f32]) {
    for start in (0..columns).step_by(NEAR) {
        let part = start..columns.min(start + NEAR);
        let near = (NEAR / (pictures * part.len())).max(1) * TILE;
        for block in (0..a.count).step_by(near) {
            for j in (0..b.count).step_by(TILE) {
                for i in (block..a.count.min(block + near)).step_by(TILE) {
                    // SAFETY: as above.
                    let sums = unsafe { tile((a, i), (b, j), pictures, part.clone()) };
                    for (sums, i) in sums.iter().zip(i..a.count) {
                        let target = &mut out[i * b.count + j..(i + 1) * b.count];
                        target.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                    }
                }
            }
        }
    }
}

/// Returns the products of [`TILE`] rows with [`TILE`] rows.
///
/// # Safety
/// The assertions of [`add_dots`] hold, and both first rows are in the matrices.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx")]
#[inline]
unsafe fn tile(
    (a, i): (Rows<'_>, usize),
    (b, j): (Rows<'_>, usize),
    pictures: usize,
    columns: std::ops::Range<usize>,
) -> [[f32; TILE]; TILE] {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_setzero_ps};
    let zeros = [_mm512_setzero_ps(); TILE];
    let mut sums = [zeros; TILE];
    for picture in 0..pictures {
        let a_start = picture * a.picture_step + i * a.row_step;
        let b_start = picture * b.picture_step + j * b.row_step;
        for column in columns.clone().step_by(LANES) {
            let (mut left, mut right) = (zeros, zeros);
            // Loops, not closures: those would not be compiled for these instructions.
            for row in 0..TILE {
                // SAFETY: `Rows::check` found the last number of every tile in the buffer.
                unsafe {
                    let at = a_start + row * a.row_step + column;
                    left[row] = _mm512_loadu_ps(a.numbers.as_ptr().add(at));
                    let at = b_start + row * b.row_step + column;
                    right[row] = _mm512_loadu_ps(b.numbers.as_ptr().add(at));
                }
            }
            for i in 0..TILE {
                for j in 0..TILE {
                    sums[i][j] = _mm512_fmadd_ps(left[i], right[j], sums[i][j]);
                }
            }
        }
    }
    [ends(sums[0]), ends(sums[1]), ends(sums[2]), ends(sums[3])]
}

/// Returns the sums of the lanes of four vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx")]
#[inline]
fn ends(sums: [std::arch::x86_64::__m512; TILE]) -> [f32; TILE] {
    use std::arch::x86_64::{
        _mm_add_ps, _mm_hadd_ps, _mm_setzero_ps, _mm_storeu_ps, _mm256_add_ps,
        _mm256_castps256_ps128, _mm256_extractf128_ps, _mm512_castps512_ps256,
        _mm512_extractf32x8_ps,
    };
    let mut quarters = [_mm_setzero_ps(); TILE];
    for i in 0..TILE {
        let low = _mm512_castps512_ps256(sums[i]);
        let half = _mm256_add_ps(low, _mm512_extractf32x8_ps::<1>(sums[i]));
        let low = _mm256_castps256_ps128(half);
        quarters[i] = _mm_add_ps(low, _mm256_extractf128_ps::<1>(half));
    }
    let [a, b, c, d] = quarters;
    let total = _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d));
    let mut numbers = [0.0; TILE];
    // SAFETY: the target holds four numbers.
    unsafe { _mm_storeu_ps(numbers.as_mut_ptr(), total) };
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    #[test]
    fn equals_the_products_of_matrices() {
        for (i, [a, b, pictures, columns]) in
            [[1, 1, 1, 16], [4, 4, 3, 32], [5, 9, 2, 64], [16, 3, 1, 1024]].into_iter().enumerate()
        {
            let rows = |name: &str, count: usize| {
                let shape = [pictures, count.next_multiple_of(TILE) * columns];
                numbers(draw(shape, Seed::root(1).index(i as u64).child(name)))
            };
            let (a_numbers, b_numbers) = (rows("a", a), rows("b", b));
            let view = |numbers, count: usize| {
                let picture_step = count.next_multiple_of(TILE) * columns;
                Rows { numbers, count, row_step: columns, picture_step }
            };
            let run = |operator: fn(Rows<'_>, Rows<'_>, usize, usize, &mut [f32])| {
                let mut out = vec![1.0; a * b];
                operator(view(&a_numbers, a), view(&b_numbers, b), pictures, columns, &mut out);
                out
            };
            // Sums of up to 1,024 products of standard normals in another order.
            close_f32(&run(add_dots), &run(portable), Tol::absolute(5e-5));
        }
    }
}
