//! Rows become columns, in squares that fit into registers.

use super::vector::{LANES, Level, level};

/// Numbers `step` apart from row to row.
pub(super) struct Source<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) step: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Writes the columns of the source as rows of `to`, which begin at these places.
pub(super) fn transpose(
    from: Source<'_>,
    to: &mut [f32],
    places: impl Iterator<Item = usize> + Clone,
) {
    let Source { numbers, rows, columns, .. } = from;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(numbers.len() >= (rows - 1) * from.step + columns, "the source has all numbers");
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        let mut all = places;
        for column in (0..columns).step_by(LANES) {
            let count = LANES.min(columns - column);
            let mut places = [0; LANES];
            places.iter_mut().zip(all.by_ref().take(count)).for_each(|(to, place)| *to = place);
            for row in (0..rows).step_by(LANES) {
                let square = Source {
                    numbers: &numbers[row * from.step + column..],
                    rows: LANES.min(rows - row),
                    columns: count,
                    ..from
                };
                let to = &mut to[row..];
                // SAFETY: the processor has these instructions.
                match square.rows == LANES && count == LANES {
                    true => unsafe { exchange::<true>(square, to, &places) },
                    false => unsafe { exchange::<false>(square, to, &places) },
                }
            }
        }
        return;
    }
    for first in (0..rows).step_by(LANES) {
        let some = first..rows.min(first + LANES);
        for (column, place) in places.clone().take(columns).enumerate() {
            let to = &mut to[place..][..rows];
            for row in some.clone() {
                to[row] = numbers[row * from.step + column];
            }
        }
    }
}

/// The same for up to 16 rows and 16 columns; `WHOLE`: there are 16 of both, which is asked once,
/// as masks cost time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[expect(clippy::needless_range_loop, reason = "with its items, the numbers would lie in memory")]
fn exchange<const WHOLE: bool>(from: Source<'_>, to: &mut [f32], places: &[usize; LANES]) {
    use std::arch::x86_64::{
        __m512, _MM_HINT_T0, _mm_prefetch, _mm512_castpd_ps, _mm512_castps_pd, _mm512_loadu_ps,
        _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
        _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
        _mm512_unpacklo_ps,
    };
    let Source { numbers, rows, columns, .. } = from;
    assert!(!WHOLE || (rows, columns) == (LANES, LANES), "a whole square");
    assert!(rows <= LANES && columns <= LANES, "at most a square");
    assert!(numbers.len() >= (rows - 1) * from.step + columns, "the square lies in the source");
    let last = places[..columns].iter().max().map_or(0, |last| *last);
    assert!(to.len() >= last + rows, "the square lies in the target");
    let [in_row, in_column] = [columns, rows].map(|count| ((1_u32 << count) - 1) as u16);
    let (mut a, mut b) = ([_mm512_setzero_ps(); LANES], [_mm512_setzero_ps(); LANES]);
    for i in 0..LANES {
        let row = numbers.as_ptr().wrapping_add(i * from.step);
        // Planes lie so far from each other that the processor does not foresee what comes next.
        _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(LANES).cast());
        // SAFETY: all rows of a whole square lie in the source; of another the masks let through
        // the columns of its rows.
        a[i] = unsafe {
            match WHOLE {
                true => _mm512_loadu_ps(row),
                false => _mm512_maskz_loadu_ps(if i < rows { in_row } else { 0 }, row),
            }
        };
    }
    // Pairs of rows, then fours; lanes of 128 bits stay where they are.
    for i in 0..LANES / 2 {
        b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    for i in 0..LANES / 4 {
        for half in 0..2 {
            let (low, high) = (b[4 * i + half], b[4 * i + 2 + half]);
            let (low, high) = (_mm512_castps_pd(low), _mm512_castps_pd(high));
            a[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            a[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    // Now `a[4 g + c]` holds in lane q the rows 4 g .. 4 g + 4 of column 4 q + c.
    let mut store = |column: usize, x: __m512| {
        // SAFETY: all columns of a whole square lie in the target; of another the mask lets through
        // its rows.
        unsafe {
            if WHOLE {
                _mm512_storeu_ps(to.as_mut_ptr().add(places[column]), x);
            } else if column < columns {
                _mm512_mask_storeu_ps(to.as_mut_ptr().add(places[column]), in_column, x);
            }
        }
    };
    for c in 0..4 {
        let even = [0, 8].map(|g| (a[g + c], a[g + 4 + c]));
        let [low, high] = [0, 1].map(|half| {
            let (x, y) = even[half];
            (_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xDD>(x, y))
        });
        store(c, _mm512_shuffle_f32x4::<0x88>(low.0, high.0));
        store(4 + c, _mm512_shuffle_f32x4::<0x88>(low.1, high.1));
        store(8 + c, _mm512_shuffle_f32x4::<0xDD>(low.0, high.0));
        store(12 + c, _mm512_shuffle_f32x4::<0xDD>(low.1, high.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_changes_its_place() {
        for (rows, columns) in [(1, 1), (3, 16), (16, 16), (17, 5), (40, 33), (64, 8)] {
            let (step, to_step) = (columns + 3, rows + 2);
            let numbers: Vec<f32> = (0..rows * step).map(|i| i as f32).collect();
            let mut to = vec![-1.0; columns * to_step];
            transpose(
                Source { numbers: &numbers, step, rows, columns },
                &mut to,
                (0..columns).map(|c| c * to_step),
            );
            for (place, got) in to.into_iter().enumerate() {
                let (column, row) = (place / to_step, place % to_step);
                let want = if row < rows { (row * step + column) as f32 } else { -1.0 };
                assert!((got - want).abs() < 0.5, "row {row}, column {column}: {got}");
            }
        }
    }
}
