//! Which neighbours an output position sees, and with which weights.
//!
//! Follows `precompute_coeffs` of Pillow's `src/libImaging/Resample.c`. Notation: `scale` is input
//! length over output length, `stretch = max(scale, 1)` widens the filter when scaling down,
//! `centre` is the output position's middle in input coordinates.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pixel is made from its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Mean of the covered area.
    Box,
    /// Triangle; torchvision's default.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
    /// Windowed sinc with three lobes.
    Lanczos,
}

impl Filter {
    /// Returns the distance beyond which nothing counts, in pixels at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// Returns the weight at a signed distance from the centre.
    fn weight(self, distance: f64) -> f64 {
        let d = distance.abs();
        match self {
            // The left edge is outside, so that a pixel on the border of two areas counts once.
            Self::Box => f64::from(distance > -0.5 && distance <= 0.5),
            Self::Bilinear => (1.0 - d).max(0.0),
            Self::Bicubic => keys_cubic(d),
            Self::Lanczos if (-3.0..3.0).contains(&distance) => {
                sinc(distance) * sinc(distance / 3.0)
            }
            Self::Lanczos => 0.0,
        }
    }
}

/// Keys 1981, equation 4, with `a = -0.5`: the member of the family that reproduces quadratics.
fn keys_cubic(d: f64) -> f64 {
    const A: f64 = -0.5;
    if d < 1.0 {
        ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        (((d - 5.0) * d + 8.0) * d - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

/// The weights of one output position: input positions from `start` on.
pub(super) struct Taps {
    pub(super) start: usize,
    pub(super) weights: Vec<f64>,
}

/// Returns the weights of every output position of one direction; each list sums to 1.
pub(super) fn taps(filter: Filter, input: usize, output: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let positions = 0..output;
    positions
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let mut weights: Vec<f64> = (start..end)
                .map(|i| filter.weight((i as f64 - centre + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|w| *w /= sum);
            }
            Taps { start, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn weights_sum_to_one_and_stay_inside() {
        for filter in [Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            for (input, output) in [(1, 1), (1, 9), (9, 1), (7, 5), (5, 7), (32, 299), (299, 32)] {
                for taps in taps(filter, input, output) {
                    assert!(taps.start + taps.weights.len() <= input);
                    // At most 57 terms of size 1: 57 roundings.
                    close(taps.weights.iter().sum(), 1.0, Tol::absolute(57.0 * f64::EPSILON));
                }
            }
        }
    }
}
