//! Targets as rows of class shares, with label smoothing.

use crate::terms::ClassId;

/// Returns rows of targets `[n, k]`: `1 - smoothing` on the class, and `smoothing` spread evenly
/// over all `k` classes, the right one included. 0 gives the plain one-hot row.
///
/// Szegedy et al. 2016 (arXiv:1512.00567), Section 7, with the uniform distribution over labels.
///
/// # Panics
/// If a class is not below `k`, or `smoothing` is not in 0..=1.
pub fn soft_targets(classes: &[ClassId], k: usize, smoothing: f64) -> Vec<f32> {
    assert!((0.0..=1.0).contains(&smoothing), "a share of smoothing is in 0..=1");
    let off = smoothing / k as f64;
    let on = 1.0 - smoothing + off;
    let mut rows = vec![off as f32; classes.len() * k];
    for (row, class) in rows.chunks_exact_mut(k.max(1)).zip(classes) {
        row[class.index()] = on as f32;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::floats;
    use super::*;
    use crate::testing::{Tol, close, close_f32, golden_json};

    #[test]
    fn equals_timm() {
        let golden = golden_json("images/augment/mix.json");
        let classes: Vec<ClassId> =
            serde_json::from_value(golden["classes"].clone()).expect("a list of classes");
        let got = soft_targets(&classes, 5, 0.1);
        // Both in single precision from double-precision on and off values.
        close_f32(&got, &floats(&golden["smoothed"]), Tol::relative(f64::from(f32::EPSILON)));
    }

    #[test]
    fn rows_sum_to_one() {
        for (k, smoothing) in [(1, 0.3), (2, 0.0), (10, 0.1), (1000, 0.9)] {
            let rows = soft_targets(&[ClassId(0), ClassId(k as u32 - 1)], k, smoothing);
            for row in rows.chunks_exact(k) {
                // k roundings to single precision.
                let tol = Tol::absolute(k as f64 * f64::from(f32::EPSILON));
                close(row.iter().map(|v| f64::from(*v)).sum(), 1.0, tol);
            }
        }
    }
}
