//! DDIM (Song et al. 2021, arXiv:2010.02502), equations 12 and 16, in sigma space.
//!
//! Equation 16's standard deviation is `eta` times that of DDPM's posterior, and what is left of
//! the level `next` points along the noise in `x`. `eta = 0` is deterministic and equals Euler's
//! method, `eta = 1` equals DDPM with the small variance.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::super::{Denoiser, Spacing};
use super::keep_noise;

/// Deterministic to ancestral sampling (Song et al. 2021, arXiv:2010.02502).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ddim {
    /// The number of network calls per picture.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// How much of DDPM's noise each step adds: 0 is deterministic, 1 is DDPM with `logvar = 0`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub eta: f64,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
}

impl Default for Ddim {
    fn default() -> Self {
        Self { steps: 50, eta: 0.0, spacing: Spacing::Leading }
    }
}

/// Draws pictures with DDIM; `noise(i)` is what step `i` adds, and is not asked for if `eta` is 0.
// DIFFERS: diffusers steps to timestep t - total / steps whatever its list says, which for
// "linspace" (and steps that do not divide the total) is not the next timestep it visits. We step
// down the list.
pub fn ddim(
    denoiser: &dyn Denoiser,
    mut x: Tensor<4>,
    sigmas: &[f64],
    eta: f64,
    noise: &dyn Fn(usize) -> Tensor<4>,
) -> Tensor<4> {
    for (i, pair) in sigmas.windows(2).enumerate() {
        let (sigma, next) = (pair[0], pair[1]);
        let clean = denoiser.denoise(x.clone(), sigma);
        let added = eta * next * (1.0 - (next / sigma).powi(2)).sqrt(); // Equation 16.
        let kept = (next.powi(2) - added.powi(2)).sqrt();
        x = keep_noise(x, clean, kept / sigma);
        if added > 0.0 {
            x = x + noise(i) * added;
        }
    }
    x
}
