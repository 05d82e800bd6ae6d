//! Position embeddings for another number of patches than the net was trained with: PyTorch's
//! bicubic interpolation without anti-aliasing (`aten/src/ATen/native/UpSample.h`), on the host.

/// Where the patches of another size lie on the trained grid.
// DIFFERS: The hub (`interpolate_pos_encoding`) adds 0.1 to the number of patches and passes their
// ratio as `scale_factor`, which torch then takes as the distance of patches: 37 / 16.1 instead of
// 37 / 16. It was meant against rounding (facebookresearch/dino#8). Hugging Face passes `size`,
// which has no such offset. The features differ; dgm-eval, EDM2 and torch-fidelity all run the hub
// code, whatever the weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// As the facebook hub does, and with it all tools that publish distances.
    Offset,
    /// As Hugging Face's `Dinov2Model` does.
    Size,
}

impl Interpolation {
    /// Returns the distance of two patches on the trained grid.
    fn step(self, side: usize, patches: usize) -> f32 {
        match self {
            // In the order of roundings of Python and torch: a factor, and one divided by it.
            Self::Offset => (1.0 / ((patches as f64 + 0.1) / side as f64)) as f32,
            Self::Size => side as f32 / patches as f32,
        }
    }
}

/// Returns position embeddings, `[1 + patches * patches, d]`, for those of a square grid. The
/// first, which belongs to the class token, stays.
pub(super) fn resized(
    embeddings: &[f32],
    d: usize,
    patches: usize,
    interpolation: Interpolation,
) -> Vec<f32> {
    let (class, grid) = embeddings.split_at(d);
    let side = (grid.len() / d).isqrt();
    assert_eq!(side * side * d, grid.len(), "patches form a square");
    if patches == side {
        return embeddings.to_vec();
    }
    let taps: Vec<Taps> =
        (0..patches).map(|i| Taps::of(i, interpolation.step(side, patches), side)).collect();
    let mut out = class.to_vec();
    for row in &taps {
        for column in &taps {
            let start = out.len();
            out.resize(start + d, 0.0);
            for (y, by_row) in row.pairs() {
                for (x, by_column) in column.pairs() {
                    let source = &grid[(y * side + x) * d..][..d];
                    let weight = by_row * by_column;
                    out[start..].iter_mut().zip(source).for_each(|(to, from)| *to += weight * from);
                }
            }
        }
    }
    out
}

/// The four patches of the trained grid along one axis that a new one is made of.
struct Taps {
    places: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    fn of(index: usize, step: f32, side: usize) -> Self {
        let place = step * (index as f32 + 0.5) - 0.5;
        let before = place.floor();
        let fraction = place - before;
        let places = [-1.0, 0.0, 1.0, 2.0].map(|shift| {
            (before + shift).clamp(0.0, (side - 1) as f32) as usize // Edges are repeated.
        });
        let weights = [1.0 + fraction, fraction, 1.0 - fraction, 2.0 - fraction].map(cubic);
        Self { places, weights }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, f32)> {
        self.places.into_iter().zip(self.weights)
    }
}

/// Keys 1981's cubic convolution at a distance of at most 2, with torch's `a = -0.75`.
fn cubic(x: f32) -> f32 {
    const A: f32 = -0.75;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::golden::weights;
    use super::*;
    use crate::testing::{Tol, close_f32, golden_json};

    #[test]
    fn agrees_with_torch() {
        for case in golden_json("nets/dinov2/positions.json").as_array().unwrap() {
            let [side, patches] =
                ["side", "patches"].map(|key| case[key].as_u64().unwrap() as usize);
            let embeddings = weights("pos_embed", &[1, side * side + 1, 2]);
            for (key, interpolation) in
                [("size", Interpolation::Size), ("offset", Interpolation::Offset)]
            {
                let got = resized(&embeddings, 2, patches, interpolation);
                assert_eq!(got.len(), 2 * (patches * patches + 1));
                let got: Vec<f32> = got.into_iter().step_by(7).collect();
                let want: Vec<f32> = case[key]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|x| x.as_f64().unwrap() as f32)
                    .collect();
                // Sixteen products of numbers below 0.25 in f32, at places that are themselves
                // rounded to 4e-6 of a patch.
                close_f32(&got, &want, Tol::absolute(2e-6));
            }
        }
    }

    #[test]
    fn a_constant_stays_a_constant() {
        let embeddings = [vec![5.0; 3], vec![1.5; 3 * 49]].concat();
        for interpolation in [Interpolation::Offset, Interpolation::Size] {
            for patches in [1, 3, 6, 8, 20] {
                let got = resized(&embeddings, 3, patches, interpolation);
                close_f32(&got[..3], &[5.0; 3], Tol::absolute(0.0));
                let want = vec![1.5; 3 * patches * patches];
                // Sixteen weights, some negative, sum to 1 but for their rounding.
                close_f32(&got[3..], &want, Tol::relative(3e-6));
            }
        }
    }
}
