//! Tiles of sums over pixels that stay in registers: [`ROWS`] outputs times up to [`VECTORS`]
//! vectors of what is seen.

use super::packed::ROWS;
#[cfg(target_arch = "x86_64")]
use super::pairs::add_pairs;
use super::pairs::add_products;
use super::tile::VECTORS;
use super::vector::{LANES, Level, adds_pairs, level};
use crate::terms::Precision;

/// The pixels over which the sums of a tile run. Pairs are of what is seen and of `dy`.
pub(super) struct Walk<'a> {
    pub(super) seen: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) pictures: usize,
    /// Numbers from picture to picture.
    pub(super) picture: [usize; 2],
    pub(super) lines: usize,
    /// Numbers from line to line.
    pub(super) line: [usize; 2],
    /// Pixels of a line.
    pub(super) length: usize,
    /// What is seen moves by so many numbers from pixel to pixel.
    pub(super) pixel: usize,
    /// Outputs that exist.
    pub(super) rows: usize,
    /// Numbers of `dy` from output to output.
    pub(super) row: usize,
    /// With pairs, a pixel is a pixel and the next.
    pub(super) precision: Precision,
}

impl Walk<'_> {
    /// Adds the sums to rows of `sums`, `step` apart.
    #[inline]
    pub(super) fn run(&self, vectors: usize, sums: &mut [f32], step: usize) {
        let last =
            |i: usize| (self.pictures - 1) * self.picture[i] + (self.lines - 1) * self.line[i];
        let seen = last(0) + (self.length - 1) * self.pixel + vectors * LANES;
        assert!(seen <= self.seen.len(), "what is seen lies in the buffer");
        let pulled = last(1) + (self.rows - 1) * self.row + self.length;
        assert!(pulled <= self.dy.len(), "the gradients lie in the batch");
        assert!(sums.len() >= (ROWS - 1) * step + vectors * LANES, "the sums have a place");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has these instructions, and the assertions above hold.
        unsafe {
            match (level(), self.precision) {
                (Level::Avx512, Precision::F32) => return avx512(self, vectors, sums, step),
                (Level::Avx512, Precision::Bf16) if adds_pairs() => {
                    return avx512_pairs(self, vectors, sums, step);
                }
                (Level::Avx512 | Level::Avx2, _) => return avx2(self, vectors, sums, step),
                (Level::Plain, _) => {}
            }
        }
        match self.precision {
            Precision::F32 => walk_loop(self, vectors, (sums, step), |a, b, sum| a * b + sum),
            Precision::Bf16 => walk_loop(self, vectors, (sums, step), add_products),
        }
    }
}

/// The same sums, one vector of two outputs at a time.
#[inline(always)]
fn walk_loop(
    walk: &Walk<'_>,
    vectors: usize,
    (sums, step): (&mut [f32], usize),
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    for v in 0..vectors {
        for pair in 0..walk.rows.div_ceil(2) {
            let rows = [2 * pair, (2 * pair + 1).min(walk.rows - 1)];
            let mut totals = rows.map(|row| {
                let numbers = &sums[row * step + v * LANES..][..LANES];
                <[f32; LANES]>::try_from(numbers).expect("the slice is a vector")
            });
            for (picture, line) in
                (0..walk.pictures).flat_map(|i| (0..walk.lines).map(move |j| (i, j)))
            {
                let [seen, pulled] =
                    [0, 1].map(|i| picture * walk.picture[i] + line * walk.line[i]);
                let dy = rows.map(|row| &walk.dy[pulled + row * walk.row..][..walk.length]);
                for i in 0..walk.length {
                    let seen = &walk.seen[seen + i * walk.pixel + v * LANES..][..LANES];
                    for (totals, dy) in totals.iter_mut().zip(dy) {
                        let pairs = totals.iter_mut().zip(seen);
                        pairs.for_each(|(total, seen)| *total = add(dy[i], *seen, *total));
                    }
                }
            }
            for (row, totals) in rows.into_iter().zip(totals) {
                sums[row * step + v * LANES..][..LANES].copy_from_slice(&totals);
            }
        }
    }
}

/// Rounds each product and sum once, as the variant for AVX-512 does: the same numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(walk: &Walk<'_>, vectors: usize, sums: &mut [f32], step: usize) {
    match walk.precision {
        Precision::F32 => walk_loop(walk, vectors, (sums, step), f32::mul_add),
        Precision::Bf16 => walk_loop(walk, vectors, (sums, step), add_products),
    }
}

/// Defines the variants of a tile for AVX-512 with an operation that adds products to sums.
#[cfg(target_arch = "x86_64")]
macro_rules! tiles {
    ($name:ident, $features:literal, $add:path) => {
        /// # Safety
        /// The processor has the instructions, and the assertions of [`Walk::run`] hold.
        #[target_feature(enable = $features)]
        unsafe fn $name(walk: &Walk<'_>, vectors: usize, sums: &mut [f32], step: usize) {
            /// # Safety
            /// As above.
            #[target_feature(enable = $features)]
            unsafe fn tile<const V: usize>(walk: &Walk<'_>, sums: &mut [f32], step: usize) {
                use std::arch::x86_64::{
                    _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
                };
                let mut totals = [[_mm512_setzero_ps(); V]; ROWS];
                for row in 0..ROWS {
                    for v in 0..V {
                        // SAFETY: the sums of all rows have a place.
                        let old = unsafe { sums.as_ptr().add(row * step + v * LANES) };
                        // SAFETY: as above.
                        totals[row][v] = unsafe { _mm512_loadu_ps(old) };
                    }
                }
                for picture in 0..walk.pictures {
                    for line in 0..walk.lines {
                        let [seen, pulled] =
                            [0, 1].map(|i| picture * walk.picture[i] + line * walk.line[i]);
                        // SAFETY: lines lie in their buffers. Outputs that do not exist repeat the
                        // last one; nobody reads their sums.
                        let (mut seen, pulled) =
                            unsafe { (walk.seen.as_ptr().add(seen), walk.dy.as_ptr().add(pulled)) };
                        let mut dy = [pulled; ROWS];
                        for row in 1..ROWS {
                            // SAFETY: as above.
                            dy[row] = unsafe { pulled.add(row.min(walk.rows - 1) * walk.row) };
                        }
                        for i in 0..walk.length {
                            let mut right = [_mm512_setzero_ps(); V];
                            for v in 0..V {
                                // SAFETY: `i` is a pixel of the line.
                                right[v] = unsafe { _mm512_loadu_ps(seen.add(v * LANES)) };
                            }
                            for row in 0..ROWS {
                                // SAFETY: as above.
                                let left = _mm512_set1_ps(unsafe { *dy[row].add(i) });
                                for v in 0..V {
                                    totals[row][v] = $add(left, right[v], totals[row][v]);
                                }
                            }
                            seen = seen.wrapping_add(walk.pixel);
                        }
                    }
                }
                for row in 0..ROWS {
                    for v in 0..V {
                        // SAFETY: the sums of all rows have a place.
                        unsafe {
                            _mm512_storeu_ps(
                                sums.as_mut_ptr().add(row * step + v * LANES),
                                totals[row][v],
                            );
                        }
                    }
                }
            }
            // SAFETY: as above.
            unsafe {
                match vectors {
                    1 => tile::<1>(walk, sums, step),
                    2 => tile::<2>(walk, sums, step),
                    _ => tile::<VECTORS>(walk, sums, step),
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
tiles!(avx512, "avx512f", std::arch::x86_64::_mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
tiles!(avx512_pairs, "avx512f,avx512bf16", add_pairs);
