//! Scaling in grey levels: the 8-bit path of Pillow's `src/libImaging/Resample.c`.
//!
//! Weights are whole numbers with 22 binary places, sums are rounded and clamped to 0..=255 after
//! the rows and again after the columns. Golden: equal to the grey level.

use super::Filter;
use super::kernel::{Taps, taps};
use crate::terms::Picture;

/// Binary places of a weight: 32 bits, less 8 for the level and 2 for the overshoot of the filters.
const PRECISION_BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Returns the picture scaled to `width` x `height` pixels, as `Image.resize` of Pillow 9 to 12.
///
/// # Panics
/// If a side is 0.
pub fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    assert!(width > 0 && height > 0, "a picture has at least one pixel");
    // A direction that keeps its length is left out, as in Pillow; some filters would blur it.
    let mut scaled = picture.clone();
    if width != picture.width() {
        scaled = scale_rows(&scaled, &fixed(&taps(filter, picture.width(), width)));
    }
    if height != picture.height() {
        scaled = scale_columns(&scaled, &fixed(&taps(filter, picture.height(), height)));
    }
    scaled
}

/// The weights of one output position in fixed point.
struct Fixed {
    start: usize,
    weights: Vec<i32>,
}

fn fixed(taps: &[Taps]) -> Vec<Fixed> {
    let one = f64::from(1 << PRECISION_BITS);
    // Halves away from zero, by adding a half and cutting off.
    let round = |weight: &f64| (weight * one + 0.5_f64.copysign(*weight)) as i32;
    taps.iter()
        .map(|t| Fixed { start: t.start, weights: t.weights.iter().map(round).collect() })
        .collect()
}

fn level(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

fn scale_rows(picture: &Picture, columns: &[Fixed]) -> Picture {
    let mut rgb = Vec::with_capacity(columns.len() * picture.height() * 3);
    for row in picture.rgb().chunks_exact(picture.width() * 3) {
        for column in columns {
            let mut sums = [HALF; 3];
            for (colour, weight) in row[column.start * 3..].chunks_exact(3).zip(&column.weights) {
                for (sum, level) in sums.iter_mut().zip(colour) {
                    *sum += i32::from(*level) * weight;
                }
            }
            rgb.extend(sums.map(level));
        }
    }
    Picture::new(columns.len(), picture.height(), rgb)
}

fn scale_columns(picture: &Picture, rows: &[Fixed]) -> Picture {
    let stride = picture.width() * 3;
    let mut rgb = Vec::with_capacity(rows.len() * stride);
    let mut sums = vec![HALF; stride];
    for row in rows {
        sums.fill(HALF);
        for (line, weight) in
            picture.rgb()[row.start * stride..].chunks_exact(stride).zip(&row.weights)
        {
            for (sum, level) in sums.iter_mut().zip(line) {
                *sum += i32::from(*level) * weight;
            }
        }
        rgb.extend(sums.iter().map(|sum| level(*sum)));
    }
    Picture::new(picture.width(), rows.len(), rgb)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::golden_json;

    #[test]
    fn equals_pillow_to_the_grey_level() {
        let golden = golden_json("images/resize/levels.json");
        for case in golden.as_array().unwrap() {
            let [from_w, from_h, to_w, to_h] =
                ["from-width", "from-height", "width", "height"].map(|key| whole(&case[key]));
            let filter: Filter = serde_json::from_value(case["filter"].clone()).unwrap();
            let got = resize(&busy(from_w, from_h), to_w, to_h, filter);
            let name = format!("{from_w}x{from_h} -> {to_w}x{to_h}, {filter:?}");

            // Some rows in full, and the sums of all rows and columns.
            let stride = to_w * 3;
            let rows: Vec<u8> = case["rows"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|y| got.rgb()[whole(y) * stride..][..stride].to_vec())
                .collect();
            assert_eq!(rows, bytes(&case["levels"]), "{name}: levels");
            let sum = |levels: &mut dyn Iterator<Item = &u8>| levels.map(|l| u64::from(*l)).sum();
            let row_sums: Vec<u64> =
                got.rgb().chunks_exact(stride).map(|row| sum(&mut row.iter())).collect();
            let column_sums: Vec<u64> =
                (0..stride).map(|at| sum(&mut got.rgb().iter().skip(at).step_by(stride))).collect();
            assert_eq!(serde_json::json!(row_sums), case["row-sums"], "{name}: row sums");
            if !case["column-sums"].is_null() {
                let sums = serde_json::json!(column_sums);
                assert_eq!(sums, case["column-sums"], "{name}: column sums");
            }
        }
    }

    #[test]
    fn obeys_its_laws() {
        for filter in [Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            let flat = Picture::filled(13, 9, [0, 200, 255]);
            assert_eq!(resize(&flat, 31, 4, filter), Picture::filled(31, 4, [0, 200, 255]));
            let picture = busy(13, 9);
            assert_eq!(resize(&picture, 13, 9, filter), picture, "same size, same picture");
        }
    }
}
