//! Loops for vector units: the same Rust loop compiled for the widest instructions of the
//! processor.
//!
//! Loops add in [`LANES`] fixed lanes and never contract a product and a sum into one rounding, so
//! a number is the same on every instruction set.

//! A test lowers the level of all loops and tiles with `ERSATZ_VECTORS=avx2` or `plain` in the
//! environment of its process. The program itself has no such switch: its environment enters in
//! `cli` only, and a user gains nothing from slower loops.

use std::sync::OnceLock;

/// Partial sums of a loop: one vector register of AVX-512, two of AVX2.
pub(super) const LANES: usize = 16;

/// The widest instructions that loops and tiles may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Those that every processor of the architecture has.
    Plain,
    /// Vectors of 8 numbers, and fused products and sums.
    Avx2,
    /// Vectors of 16 numbers.
    Avx512,
}

/// Returns whether the processor adds the products of pairs in bfloat16 in one instruction.
pub(super) fn adds_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Returns the level of this process.
pub(super) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| masked(found()))
}

#[cfg(target_arch = "x86_64")]
fn found() -> Level {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        false => Level::Plain,
        true if wide => Level::Avx512,
        true => Level::Avx2,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn found() -> Level {
    Level::Plain
}

#[cfg(not(test))]
fn masked(found: Level) -> Level {
    found
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has no `cli` through which it could ask")]
fn masked(found: Level) -> Level {
    match std::env::var("ERSATZ_VECTORS").as_deref() {
        Ok("plain") => Level::Plain,
        Ok("avx2") => found.min(Level::Avx2),
        Ok(other) => panic!("`{other}` is no level"),
        Err(_) => found,
    }
}

/// Defines a function that runs an `#[inline(always)]` loop as compiled for this processor.
macro_rules! vectorised {
    (
        $(#[$doc:meta])*
        $seen:vis $name:ident = $body:path, ($($arg:ident: $kind:ty),*) $(-> $out:ty)?
    ) => {
        $(#[$doc])*
        $seen fn $name($($arg: $kind),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $kind),*) $(-> $out)? {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $kind),*) $(-> $out)? {
                    $body($($arg),*)
                }
                match $crate::nets::kernels::vector::level() {
                    // SAFETY: the processor has these instructions.
                    $crate::nets::kernels::vector::Level::Avx512 => unsafe {
                        return avx512($($arg),*);
                    },
                    // SAFETY: the processor has these instructions.
                    $crate::nets::kernels::vector::Level::Avx2 => unsafe {
                        return avx2($($arg),*);
                    },
                    $crate::nets::kernels::vector::Level::Plain => {}
                }
            }
            $body($($arg),*)
        }
    };
}
pub(super) use vectorised;

/// Returns e^x within 2 units in the last place for `x` in [-87, 88], and its values there outside;
/// of NaN, any number. Reduction by `n ln 2` in two parts and the polynomial of Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: a sum with it has no digits behind the point.
    const LN_2_HIGH: f32 = 0.693_359_4; // Nine bits, so that its product with n is exact.
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let fraction = p * (r * r) + r + 1.0;
    // The low bits of `shifted` are n: they are added to the exponent.
    f32::from_bits(fraction.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Returns `x * sigmoid(x)` with `sigmoid(x) = 1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// Returns the derivative of [`silu`].
#[inline(always)]
pub(super) fn silu_slope(x: f32) -> f32 {
    let e = exp(-x);
    let s = 1.0 / (1.0 + e);
    s * (1.0 + x * (e * s)) // e s = 1 - s, without its cancellation.
}

/// Sums in [`LANES`] lanes; every few thousand numbers they move on to double precision.
#[derive(Clone, Copy)]
struct Lanes([f32; LANES]);

impl Lanes {
    #[inline(always)]
    fn total(mut self) -> f64 {
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                self.0[i] += self.0[i + width];
            }
        }
        f64::from(self.0[0])
    }
}

/// Numbers per block of a sum: 256 additions in each lane.
const BLOCK: usize = 256 * LANES;

/// Returns the sum of `term(x)`.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "as a loop over pairs it costs a quarter more")]
pub(super) fn sum(x: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(BLOCK) {
        let mut lanes = Lanes([0.0; LANES]);
        let (wide, rest) = block.as_chunks::<LANES>();
        for x in wide {
            for i in 0..LANES {
                lanes.0[i] += term(x[i]);
            }
        }
        for (lane, x) in lanes.0.iter_mut().zip(rest) {
            *lane += term(*x);
        }
        total += lanes.total();
    }
    total
}

/// Returns the mean, and the sum of squared differences from it.
#[inline(always)]
pub(super) fn moments(x: &[f32]) -> (f64, f64) {
    let mean = sum(x, |x| x) / x.len() as f64;
    let centre = mean as f32;
    // The rounding of the centre is repaired: sum (x - m)^2 = sum (x - c)^2 - n (m - c)^2.
    let square = sum(x, |x| (x - centre) * (x - centre));
    let slip = mean - f64::from(centre);
    (mean, (square - x.len() as f64 * slip * slip).max(0.0))
}

/// Visits the numbers of `rows` together, replaces those of `out` and returns two sums: `visit`
/// returns the new number and the two terms. An empty `out` stays empty.
#[inline(always)]
pub(super) fn map_and_sum<const K: usize>(
    rows: [&[f32]; K],
    out: &mut [f32],
    visit: impl Fn([f32; K]) -> (f32, [f32; 2]),
) -> [f64; 2] {
    let length = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == length), "all rows have the same length");
    let keeps = !out.is_empty();
    assert!(!keeps || out.len() == length, "the target has the same length");
    let mut total = [0.0; 2];
    for start in (0..length).step_by(BLOCK) {
        let end = length.min(start + BLOCK);
        let mut lanes = [Lanes([0.0; LANES]); 2];
        let mut at = start;
        while at + LANES <= end {
            let wide = rows.map(|row| &row[at..at + LANES]);
            let mut new = [0.0; LANES];
            for i in 0..LANES {
                let (number, terms) = visit(wide.map(|row| row[i]));
                new[i] = number;
                lanes[0].0[i] += terms[0];
                lanes[1].0[i] += terms[1];
            }
            if keeps {
                out[at..at + LANES].copy_from_slice(&new);
            }
            at += LANES;
        }
        for i in 0..end - at {
            let (number, terms) = visit(rows.map(|row| row[at + i]));
            if keeps {
                out[at + i] = number;
            }
            lanes[0].0[i] += terms[0];
            lanes[1].0[i] += terms[1];
        }
        total[0] += lanes[0].total();
        total[1] += lanes[1].total();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let count = 400_000;
        for i in 0..=count {
            let x = -87.0 + 175.0 * (i as f32 / count as f32);
            let want = f64::from(x).exp();
            let unit = f64::from(f32::EPSILON) * 2.0_f64.powf(want.log2().floor());
            let off = (f64::from(exp(x)) - want).abs() / unit;
            assert!(off <= 2.0, "e^{x} is off by {off} units");
        }
        assert_eq!(exp(f32::INFINITY).to_bits(), exp(88.0).to_bits());
        assert_eq!(exp(f32::NEG_INFINITY).to_bits(), exp(-87.0).to_bits());
    }

    #[test]
    fn moments_do_not_lose_a_small_deviation_beside_a_large_mean() {
        let x: Vec<f32> = (0..10_001).map(|i| 1e4 + (i % 3) as f32).collect();
        let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let mean = wide.iter().sum::<f64>() / wide.len() as f64;
        let square: f64 = wide.iter().map(|x| (x - mean) * (x - mean)).sum();
        let got = moments(&x);
        // Lanes of 256 numbers near 1e4 in single precision.
        close(got.0, mean, Tol::relative(1e-7));
        close(got.1, square, Tol::relative(1e-5));
    }
}
