//! Tiles of sums that stay in registers: [`ROWS`] outputs times up to [`VECTORS`] vectors of
//! pixels.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m512;
use std::ops::Range;

use super::packed::ROWS;
#[cfg(target_arch = "x86_64")]
use super::pairs::add_pairs;
use super::pairs::add_products;
use super::shifts::Shape;
use super::vector::{LANES, Level, adds_pairs, level};
use crate::terms::Precision;

/// Vectors of a tile, at most: 8 x 3 sums, 3 numbers and a weight are 28 of 32 registers.
pub(super) const VECTORS: usize = 3;

/// What becomes of the sums of the outputs.
#[derive(Clone, Copy)]
pub(super) enum Finish<'a> {
    /// Nothing.
    Sum,
    /// A bias per output is added.
    Bias(&'a [f32]),
    /// Mean, factor and shift per output, and ReLU.
    NormRelu(&'a [[f32; 3]]),
}

impl Finish<'_> {
    /// Returns what concerns the outputs from `first` on.
    #[inline]
    pub(super) fn from(self, first: usize) -> Self {
        match self {
            Self::Sum => Self::Sum,
            Self::Bias(all) => Self::Bias(&all[first..]),
            Self::NormRelu(all) => Self::NormRelu(&all[first..]),
        }
    }

    /// Returns what sums of the first output become.
    #[inline(always)]
    pub(super) fn lanes(self, sums: [f32; LANES]) -> [f32; LANES] {
        match self {
            Self::Sum => sums,
            _ => sums.map(|sum| self.of(0, sum)),
        }
    }

    /// Returns what a sum of output `row` becomes; what is not a number stays.
    #[inline(always)]
    fn of(self, row: usize, sum: f32) -> f32 {
        match self {
            Self::Sum => sum,
            Self::Bias(bias) => sum + bias[row],
            Self::NormRelu(channels) => {
                let [mean, factor, shift] = channels[row];
                let z = (sum - mean) * factor + shift;
                if z < 0.0 { 0.0 } else { z }
            }
        }
    }
}

/// A vector of output pixels: where it begins in the output, and how many of it there are.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) picture: usize,
    pub(super) start: usize,
    pub(super) count: usize,
}

impl Place {
    #[inline]
    pub(super) fn new(index: usize, s: &Shape) -> Self {
        let vectors = s.pixels().div_ceil(LANES);
        let start = index % vectors * LANES;
        Self { picture: index / vectors, start, count: LANES.min(s.pixels() - start) }
    }
}

/// The rows of a panel: one after the other, or at their places in planes.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) numbers: &'a [f32],
    /// Where each row begins; nothing if they follow each other.
    pub(super) begins: &'a [usize],
    /// The last of all beginnings.
    pub(super) last: usize,
}

impl Seen<'_> {
    #[inline(always)]
    fn row(&self, k: usize, width: usize) -> usize {
        if self.begins.is_empty() { k * width } else { self.begins[k] }
    }
}

/// Up to [`ROWS`] outputs, and some rows of all panels.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// `[rows of a panel, ROWS]`.
    pub(super) weights: &'a [f32],
    /// Outputs that exist.
    pub(super) rows: usize,
    /// The first output.
    pub(super) channel: usize,
    /// Whether the sums begin here.
    pub(super) begins: bool,
    pub(super) finish: Finish<'a>,
}

impl Tile<'_> {
    #[inline]
    pub(super) fn run(&self, panel: &[Place], seen: Seen<'_>, s: &Shape, out: &mut [f32]) {
        let (depth, width) = (self.weights.len() / ROWS, panel.len() * LANES);
        assert!(!seen.begins.is_empty() || seen.last == (depth - 1) * width, "a panel is as deep");
        assert!(seen.begins.is_empty() || seen.begins.len() == depth, "every row begins somewhere");
        assert!(seen.last + width <= seen.numbers.len(), "all rows lie in the numbers");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has these instructions.
        unsafe {
            match (level(), s.precision) {
                (Level::Avx512, Precision::F32) => return avx512(self, panel, seen, s, out),
                (Level::Avx512, Precision::Bf16) if adds_pairs() => {
                    return avx512_pairs(self, panel, seen, s, out);
                }
                (Level::Avx512 | Level::Avx2, _) => return avx2(self, panel, seen, s, out),
                (Level::Plain, _) => {}
            }
        }
        match s.precision {
            Precision::F32 => tile_loop(self, panel, seen, (s, out), |a, b, sum| a * b + sum),
            Precision::Bf16 => tile_loop(self, panel, seen, (s, out), add_products),
        }
    }

    /// Returns where the numbers of a place are in the row of an output.
    #[inline]
    fn target(&self, row: usize, place: Place, s: &Shape) -> Range<usize> {
        let start = place.picture * s.output() + (self.channel + row) * s.pixels() + place.start;
        start..start + place.count
    }
}

/// The same sums, one vector of two outputs at a time.
#[inline(always)]
fn tile_loop(
    tile: &Tile<'_>,
    panel: &[Place],
    seen: Seen<'_>,
    (s, out): (&Shape, &mut [f32]),
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let width = panel.len() * LANES;
    for (v, place) in panel.iter().enumerate() {
        for pair in 0..tile.rows.div_ceil(2) {
            let rows = [2 * pair, 2 * pair + 1];
            let mut sums = [[0.0_f32; LANES]; 2];
            if !tile.begins {
                for (sums, row) in sums.iter_mut().zip(rows).filter(|it| it.1 < tile.rows) {
                    sums[..place.count].copy_from_slice(&out[tile.target(row, *place, s)]);
                }
            }
            let all = tile.weights.as_chunks::<ROWS>().0.iter();
            for (k, weights) in all.enumerate() {
                let numbers = &seen.numbers[seen.row(k, width) + v * LANES..][..LANES];
                for (sums, row) in sums.iter_mut().zip(rows) {
                    for i in 0..LANES {
                        sums[i] = add(weights[row], numbers[i], sums[i]);
                    }
                }
            }
            for (sums, row) in sums.iter().zip(rows).filter(|it| it.1 < tile.rows) {
                let to = out[tile.target(row, *place, s)].iter_mut();
                to.zip(sums).for_each(|(to, sum)| *to = tile.finish.of(row, *sum));
            }
        }
    }
}

/// Rounds each product and sum once, as the variant for AVX-512 does: the same numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(tile: &Tile<'_>, panel: &[Place], seen: Seen<'_>, s: &Shape, out: &mut [f32]) {
    match s.precision {
        Precision::F32 => tile_loop(tile, panel, seen, (s, out), f32::mul_add),
        Precision::Bf16 => tile_loop(tile, panel, seen, (s, out), add_products),
    }
}

/// Defines the variants of a tile for AVX-512 with an operation that adds products to sums.
#[cfg(target_arch = "x86_64")]
macro_rules! tiles {
    ($name:ident, $features:literal, $add:path) => {
        /// # Safety
        /// The processor has the instructions, and the assertions of [`Tile::run`] hold.
        #[target_feature(enable = $features)]
        unsafe fn $name(
            all: &Tile<'_>,
            panel: &[Place],
            seen: Seen<'_>,
            s: &Shape,
            out: &mut [f32],
        ) {
            /// `BESIDE`: rows follow each other; asked once, for in the loop the question costs
            /// registers. Loops over items cost a tenth more than those over places.
            ///
            /// # Safety
            /// As above.
            #[target_feature(enable = $features)]
            unsafe fn tile<const V: usize, const BESIDE: bool>(
                tile: &Tile<'_>,
                panel: &[Place],
                seen: Seen<'_>,
                s: &Shape,
                out: &mut [f32],
            ) {
                use std::arch::x86_64::{
                    _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps,
                    _mm512_setzero_ps, _mm512_storeu_ps,
                };
                let mask = |place: Place| ((1_u32 << place.count) - 1) as u16;
                let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
                if !tile.begins {
                    // Over all rows: with `tile.rows` as its end the sums would lie in memory, not
                    // registers.
                    for row in 0..ROWS {
                        if row >= tile.rows {
                            break;
                        }
                        for v in 0..V {
                            let old = &out[tile.target(row, panel[v], s)];
                            // SAFETY: the mask lets through the numbers of the slice.
                            sums[row][v] =
                                unsafe { _mm512_maskz_loadu_ps(mask(panel[v]), old.as_ptr()) };
                        }
                    }
                }
                // Neither checked places nor `add`: builds with debug assertions ask much in this
                // loop.
                let numbers = seen.numbers.as_ptr();
                for (k, weights) in tile.weights.as_chunks::<ROWS>().0.iter().enumerate() {
                    // Loops, not closures: those would not be compiled for these instructions.
                    let mut right = [_mm512_setzero_ps(); V];
                    let row = if BESIDE { k * V * LANES } else { seen.begins[k] };
                    let numbers = numbers.wrapping_add(row);
                    for v in 0..V {
                        // SAFETY: all rows lie in the numbers.
                        right[v] = unsafe { _mm512_loadu_ps(numbers.wrapping_add(v * LANES)) };
                    }
                    for row in 0..ROWS {
                        let weight = _mm512_set1_ps(weights[row]);
                        for v in 0..V {
                            sums[row][v] = $add(weight, right[v], sums[row][v]);
                        }
                    }
                }
                for row in 0..ROWS {
                    if row >= tile.rows {
                        break;
                    }
                    for v in 0..V {
                        let to = &mut out[tile.target(row, panel[v], s)];
                        let y = finished(sums[row][v], tile.finish, row);
                        if panel[v].count == LANES {
                            // SAFETY: the slice is a vector.
                            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), y) };
                            continue;
                        }
                        // SAFETY: the mask lets through the numbers of the slice.
                        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask(panel[v]), y) };
                    }
                }
            }
            // SAFETY: as above.
            unsafe {
                match (panel.len(), seen.begins.is_empty()) {
                    (1, true) => tile::<1, true>(all, panel, seen, s, out),
                    (2, true) => tile::<2, true>(all, panel, seen, s, out),
                    (_, true) => tile::<VECTORS, true>(all, panel, seen, s, out),
                    (1, false) => tile::<1, false>(all, panel, seen, s, out),
                    (2, false) => tile::<2, false>(all, panel, seen, s, out),
                    (_, false) => tile::<VECTORS, false>(all, panel, seen, s, out),
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
tiles!(avx512, "avx512f", std::arch::x86_64::_mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
tiles!(avx512_pairs, "avx512f,avx512bf16", add_pairs);

/// Returns what [`Finish::of`] does.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn finished(x: __m512, finish: Finish<'_>, row: usize) -> __m512 {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_sub_ps,
    };
    match finish {
        Finish::Sum => x,
        Finish::Bias(bias) => _mm512_add_ps(x, _mm512_set1_ps(bias[row])),
        Finish::NormRelu(channels) => {
            let [mean, factor, shift] = channels[row].map(|it| _mm512_set1_ps(it));
            let scaled = _mm512_mul_ps(_mm512_sub_ps(x, mean), factor);
            // The second operand is returned where one is not a number.
            _mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(scaled, shift))
        }
    }
}
