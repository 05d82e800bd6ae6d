//! Position embeddings for another number of patches than a net was trained with.
//!
//! Touvron et al. 2021 (arXiv:2012.12877, section 3: "fine-tuning at different resolution"); timm's
//! `resample_abs_pos_embed` (1.0.31): PyTorch's bicubic interpolation with anti-aliasing
//! (`aten/src/ATen/native/cpu/UpSampleKernel.cpp`), whose cubic has a = -0.5.
//!
//! DIFFERS: DeiT's own code (`main.py`) interpolates without anti-aliasing, where a = -0.75. timm,
//! which publishes the same weights, does as said above.

/// Returns position embeddings, `[1 + patches * patches, d]`, for those of another square grid. The
/// first, which belongs to the class token, stays.
///
/// # Panics
/// If the given ones are not those of a square grid.
pub(super) fn resampled(embeddings: &[f32], d: usize, patches: usize) -> Vec<f32> {
    let (class, grid) = embeddings.split_at(d);
    let side = (grid.len() / d).isqrt();
    assert_eq!(side * side * d, grid.len(), "patches form a square");
    if patches == side {
        return embeddings.to_vec();
    }
    let taps: Vec<Taps> = (0..patches).map(|i| Taps::of(i, side, patches)).collect();
    let mut out = class.to_vec();
    for row in &taps {
        for column in &taps {
            let mut sums = vec![0.0_f64; d];
            for (y, by_row) in row.pairs() {
                for (x, by_column) in column.pairs() {
                    let source = &grid[(y * side + x) * d..][..d];
                    let weight = by_row * by_column;
                    sums.iter_mut()
                        .zip(source)
                        .for_each(|(to, from)| *to += weight * f64::from(*from));
                }
            }
            out.extend(sums.into_iter().map(|sum| sum as f32));
        }
    }
    out
}

/// The old patches along one axis that a new one is made of: the first of them, and their shares.
struct Taps {
    first: usize,
    shares: Vec<f64>,
}

impl Taps {
    /// Where the grid shrinks, the cubic is widened by as much (anti-aliasing).
    fn of(index: usize, side: usize, patches: usize) -> Self {
        let scale = side as f64 / patches as f64;
        let stretch = scale.max(1.0);
        let centre = scale * (index as f64 + 0.5);
        let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
        let end = ((centre + 2.0 * stretch + 0.5) as usize).min(side);
        let weight = |at: usize| cubic((at as f64 - centre + 0.5) / stretch);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Self { first, shares: weights.into_iter().map(|weight| weight / sum).collect() }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, f64)> {
        self.shares.iter().enumerate().map(|(i, share)| (self.first + i, *share))
    }
}

/// Keys' cubic (1981, Eq. 15) with a = -1/2.
fn cubic(distance: f64) -> f64 {
    let d = distance.abs();
    if d < 1.0 {
        (1.5 * d - 2.5) * d * d + 1.0
    } else if d < 2.0 {
        ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden::numbers;
    use crate::testing::{Tol, close_f32, golden_json};

    #[test]
    fn equals_timm() {
        let golden = golden_json("nets/vit/positions.json");
        for case in golden.as_array().unwrap() {
            let [d, from, to] = ["d", "from", "to"].map(|key| case[key].as_u64().unwrap() as usize);
            let want: Vec<f32> = serde_json::from_value(case["embeddings"].clone()).unwrap();
            let got = resampled(&numbers("pos_embed", (from * from + 1) * d), d, to);
            // torch sums up to 16 x 16 numbers below 1 in single precision, in two passes.
            close_f32(&got, &want, Tol::absolute(2e-6));
        }
    }

    #[test]
    fn a_constant_stays_and_so_does_the_same_grid() {
        let constant: Vec<f32> = [vec![9.0; 3], vec![0.25; 16 * 3]].concat();
        for patches in [1, 3, 4, 9] {
            let got = resampled(&constant, 3, patches);
            let want: Vec<f32> = [vec![9.0; 3], vec![0.25; patches * patches * 3]].concat();
            close_f32(&got, &want, Tol::absolute(1e-7)); // Shares sum to 1 in double precision.
        }
        let any = numbers("pos_embed", 17 * 2);
        assert_eq!(resampled(&any, 2, 4), any);
    }
}
