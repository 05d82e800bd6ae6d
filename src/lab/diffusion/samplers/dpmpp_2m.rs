//! DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095), Algorithm 2, with `lambda = -ln sigma`.
//!
//! Second order with one network call per step: the clean picture is extrapolated from the last
//! two.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::super::{Denoiser, KarrasSpacing, Spacing};
use super::keep_noise;

/// Second-order multistep solver (Lu et al. 2022, arXiv:2211.01095, Algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Dpmpp2m {
    /// The number of network calls per picture.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
}

impl Default for Dpmpp2m {
    fn default() -> Self {
        Self { steps: 30, spacing: Spacing::Karras(KarrasSpacing::default()) }
    }
}

/// Draws pictures with DPM-Solver++(2M). The first step, and a step to 0, are of first order.
pub fn dpmpp_2m(denoiser: &dyn Denoiser, mut x: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
    // The clean picture and length of the step before.
    let mut last: Option<(Tensor<4>, f64)> = None;
    for pair in sigmas.windows(2) {
        let (sigma, next) = (pair[0], pair[1]);
        let clean = denoiser.denoise(x.clone(), sigma);
        let h = (sigma / next).ln(); // lambda(next) - lambda(sigma)
        let target = match last {
            Some((before, h_before)) if next > 0.0 => {
                let ahead = 0.5 * h / h_before; // 1 / (2 r), r = h_before / h.
                clean.clone() * (1.0 + ahead) - before * ahead
            }
            _ => clean.clone(),
        };
        x = keep_noise(x, target, next / sigma); // exp(-h) = next / sigma
        last = Some((clean, h));
    }
    x
}
