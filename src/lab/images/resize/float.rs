//! Scaling in single precision: Pillow's path for pictures of mode `F`
//! (`src/libImaging/Resample.c`).
//!
//! Sums are in double precision; what lies between rows and columns, and the result, in single.
//! With the bicubic filter and clamping this is the scaling of clean-fid (Parmar et al. 2022,
//! arXiv:2104.11222, Section 3), which has no 8-bit rounding.

use super::Filter;
use super::kernel::{Taps, taps};
use crate::terms::Picture;

/// Returns the picture scaled to `width` x `height` pixels as planes `[3, h, w]` in grey levels.
/// Bicubic and Lanczos overshoot: numbers may lie outside of 0..=255.
///
/// # Panics
/// If a side is 0.
pub fn resize_f32(picture: &Picture, width: usize, height: usize, filter: Filter) -> Vec<f32> {
    assert!(width > 0 && height > 0, "a picture has at least one pixel");
    let columns = (width != picture.width()).then(|| taps(filter, picture.width(), width));
    let rows = (height != picture.height()).then(|| taps(filter, picture.height(), height));
    let mut out = Vec::with_capacity(3 * width * height);
    for channel in 0..3 {
        let levels = picture.rgb().iter().skip(channel).step_by(3);
        let mut plane: Vec<f32> = levels.map(|level| f32::from(*level)).collect();
        if let Some(columns) = &columns {
            plane = scale_rows(&plane, picture.width(), columns);
        }
        if let Some(rows) = &rows {
            plane = scale_columns(&plane, width, rows);
        }
        out.extend(plane);
    }
    out
}

/// Returns the picture scaled as clean-fid does: bicubic, never rounded, clamped to 0..=255. Planes
/// `[3, h, w]`.
///
/// # Panics
/// If a side is 0.
pub fn resize_clean_fid(picture: &Picture, width: usize, height: usize) -> Vec<f32> {
    let mut planes = resize_f32(picture, width, height, Filter::Bicubic);
    planes.iter_mut().for_each(|level| *level = level.clamp(0.0, 255.0));
    planes
}

fn scale_rows(plane: &[f32], width: usize, columns: &[Taps]) -> Vec<f32> {
    let mut out = Vec::with_capacity(plane.len() / width * columns.len());
    for row in plane.chunks_exact(width) {
        for column in columns {
            let inputs = row[column.start..].iter().zip(&column.weights);
            out.push(inputs.map(|(value, weight)| f64::from(*value) * weight).sum::<f64>() as f32);
        }
    }
    out
}

fn scale_columns(plane: &[f32], width: usize, rows: &[Taps]) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len() * width);
    let mut sums = vec![0.0_f64; width];
    for row in rows {
        sums.fill(0.0);
        for (line, weight) in plane[row.start * width..].chunks_exact(width).zip(&row.weights) {
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += f64::from(*value) * weight;
            }
        }
        out.extend(sums.iter().map(|sum| *sum as f32));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{busy, floats, whole};
    use super::*;
    use crate::testing::{Tol, close_f32, golden_json};

    #[test]
    fn equals_pillow_mode_f() {
        // The same sums in the same order; what may differ is a fused multiply-add in Pillow's
        // build and the last digit of a sine: one unit in the last place of a single-precision
        // number below 512.
        let tol = Tol::absolute(4e-5);
        let golden = golden_json("images/resize/float.json");
        for case in golden.as_array().unwrap() {
            let [from_w, from_h, to_w, to_h] =
                ["from-width", "from-height", "width", "height"].map(|key| whole(&case[key]));
            let filter: Filter = serde_json::from_value(case["filter"].clone()).unwrap();
            let got = resize_f32(&busy(from_w, from_h), to_w, to_h, filter);
            let rows: Vec<f32> = case["rows"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|y| (0..3).map(move |c| (c * to_h + whole(y)) * to_w))
                .flat_map(|at| got[at..at + to_w].to_vec())
                .collect();
            close_f32(&rows, &floats(&case["levels"]), tol);
        }
    }

    #[test]
    fn clean_fid_is_clamped_bicubic() {
        let picture = busy(9, 7);
        let plain = resize_f32(&picture, 20, 11, Filter::Bicubic);
        assert!(plain.iter().any(|v| *v < 0.0) && plain.iter().any(|v| *v > 255.0));
        let clamped: Vec<f32> = plain.iter().map(|v| v.clamp(0.0, 255.0)).collect();
        assert_eq!(resize_clean_fid(&picture, 20, 11), clamped);
    }
}
