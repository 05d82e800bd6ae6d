//! Products of factors in bfloat16, two at a time.
//!
//! A pair is two terms of a sum that follow each other, rounded to bfloat16 (the upper half of a
//! single, to nearest, ties to even), side by side in the place of one single: the first in the
//! lower half. Buffers of pairs are laid out like those of singles with half as many terms, so the
//! tiles of [`panels`](super::panels), [`weight_gradient`](super::weight_gradient) and
//! [`dense`](super::dense) walk over them in the same way, and only the innermost operation
//! differs. Products of two such numbers are exact in single precision, so sums are the same with
//! and without the instruction for them.
//!
//! Factors below 2^-126, which lack digits, count as 0, as they do for the instruction. It clears
//! sums that small, too, which the plain loops keep.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps};

use burn::tensor::{FloatDType, Tensor};

use super::vector::vectorised;
use crate::terms::Precision;

/// Rounds the operands of burn's operators; gradients are rounded on their way back.
pub(super) fn rounded<const D: usize>(x: Tensor<D>, precision: Precision) -> Tensor<D> {
    match precision {
        Precision::F32 => x,
        Precision::Bf16 => x.cast(FloatDType::BF16).cast(FloatDType::F32),
    }
}

/// Returns a number in bfloat16, in the lower half.
#[inline(always)]
fn upper(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let lacks_digits = bits & 0x7f80_0000 == 0;
    let number = if lacks_digits { bits >> 31 << 15 } else { nearest };
    if x.is_nan() { bits >> 16 | 0x40 } else { number }
}

#[inline(always)]
fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits(upper(low) | upper(high) << 16)
}

/// Adds the products of two pairs to a sum, that of the upper halves first.
#[inline(always)]
pub(super) fn add_products(a: f32, b: f32, sum: f32) -> f32 {
    let low = |x: f32| f32::from_bits(x.to_bits() << 16);
    let high = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
    low(a) * low(b) + (high(a) * high(b) + sum)
}

/// The same for vectors: the same sums.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub(super) fn add_pairs(a: __m512, b: __m512, sum: __m512) -> __m512 {
    // SAFETY: the types are of the same size, and every bit pattern is one of pairs.
    let [a, b] = [a, b].map(|it| unsafe { std::mem::transmute::<__m512, __m512bh>(it) });
    _mm512_dpbf16_ps(sum, a, b)
}

#[inline(always)]
fn pair_rows_loop(rows: &[f32], width: usize, pairs: &mut [f32]) {
    for (rows, pairs) in rows.chunks(2 * width).zip(pairs.chunks_exact_mut(width)) {
        let (low, high) = rows.split_at(width);
        if high.is_empty() {
            pairs.iter_mut().zip(low).for_each(|(to, low)| *to = pair(*low, 0.0));
        } else {
            let both = low.iter().zip(high);
            pairs.iter_mut().zip(both).for_each(|(to, (low, high))| *to = pair(*low, *high));
        }
    }
}

#[inline(always)]
fn pair_apart_loop(numbers: &[f32], step: usize, pairs: &mut [f32]) {
    let both = numbers.iter().zip(&numbers[step..]);
    pairs.iter_mut().zip(both).for_each(|(to, (low, high))| *to = pair(*low, *high));
}

#[inline(always)]
fn pair_neighbours_loop(row: &[f32], pairs: &mut [f32]) {
    let (both, rest) = row.as_chunks::<2>();
    for (to, [low, high]) in pairs.iter_mut().zip(both) {
        *to = pair(*low, *high);
    }
    if let ([low], Some(to)) = (rest, pairs.get_mut(both.len())) {
        *to = pair(*low, 0.0);
    }
}

vectorised!(
    /// Pairs rows of `width` numbers with the next row, the last maybe with zeros: `[k, width]`
    /// becomes `[ceil(k / 2), width]`.
    pub(super) pair_rows = pair_rows_loop, (rows: &[f32], width: usize, pairs: &mut [f32]));
vectorised!(
    /// Pairs every number with the one `step` behind it, as many as there are pairs.
    pub(super) pair_apart = pair_apart_loop, (numbers: &[f32], step: usize, pairs: &mut [f32]));
vectorised!(
    /// Pairs the numbers of a row with their neighbours, the last maybe with 0: `k` become
    /// `ceil(k / 2)`.
    pub(super) pair_neighbours = pair_neighbours_loop, (row: &[f32], pairs: &mut [f32]));

/// Returns numbers rounded to bfloat16, for laws.
#[cfg(test)]
pub(super) fn rounded_all(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| f32::from_bits(upper(*x) << 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(x: f32) -> u32 {
        upper(x) << 16
    }

    /// Every half-way case goes to the even neighbour, the rest to the nearest.
    #[test]
    fn rounds_to_the_nearest_and_ties_to_even() {
        for upper in (0x0080_u32..0x7f7f).step_by(7) {
            let (here, next) = (upper << 16, (upper + 1) << 16);
            for (lower, want) in [
                (0, here),
                (1, here),
                (0x7fff, here),
                (0x8000, if upper.is_multiple_of(2) { here } else { next }),
                (0x8001, next),
                (0xffff, next),
            ] {
                for sign in [0, 1 << 31] {
                    let x = f32::from_bits(sign | here | lower);
                    assert_eq!(bits(x), sign | want, "{x:e}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_usual_number() {
        assert_eq!(bits(f32::INFINITY), f32::INFINITY.to_bits());
        assert_eq!(bits(f32::MAX), f32::INFINITY.to_bits());
        assert_eq!(bits(-0.0), (-0.0_f32).to_bits());
        assert_eq!(bits(-1e-39), (-0.0_f32).to_bits());
        for nan in [0x7fc0_0000, 0x7f80_0001, 0xff80_0001] {
            assert!(f32::from_bits(bits(f32::from_bits(nan))).is_nan());
        }
    }

    #[test]
    fn pairs_are_of_rows_of_distant_and_of_neighbouring_numbers() {
        let x: Vec<f32> = (1..=10).map(|i| i as f32).collect();
        let of = |low: f32, high: f32| pair(low, high).to_bits();
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let mut rows = [0.0; 4];
        pair_rows(&x[..6], 2, &mut rows);
        assert_eq!(bits(&rows), [of(1.0, 3.0), of(2.0, 4.0), of(5.0, 0.0), of(6.0, 0.0)]);
        let mut apart = [0.0; 3];
        pair_apart(&x, 4, &mut apart);
        assert_eq!(bits(&apart), [of(1.0, 5.0), of(2.0, 6.0), of(3.0, 7.0)]);
        let mut beside = [0.0; 3];
        pair_neighbours(&x[..5], &mut beside);
        assert_eq!(bits(&beside), [of(1.0, 2.0), of(3.0, 4.0), of(5.0, 0.0)]);
    }
}
