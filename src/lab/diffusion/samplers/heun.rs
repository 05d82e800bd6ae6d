//! Heun's method for the probability-flow equation (Karras et al. 2022, arXiv:2206.00364).
//!
//! Their Algorithm 1 with `sigma(t) = t` and `s(t) = 1`, which is Algorithm 2 without churn. Second
//! order, two network calls per step, one in the last step, to 0.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::super::{Denoiser, Spacing};
use super::keep_noise;

/// Second-order solver with two network calls per step (Karras et al. 2022, Algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Heun {
    /// The number of steps; a picture takes `2 steps - 1` network calls.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
}

impl Default for Heun {
    fn default() -> Self {
        Self { steps: 18, spacing: Spacing::Linspace } // 18 steps: their CIFAR-10 models.
    }
}

/// Draws pictures with Heun's method.
pub fn heun(denoiser: &dyn Denoiser, mut x: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
    for pair in sigmas.windows(2) {
        let (sigma, next) = (pair[0], pair[1]);
        let clean = denoiser.denoise(x.clone(), sigma);
        let guess = keep_noise(x.clone(), clean.clone(), next / sigma);
        x = if next > 0.0 {
            let slope = (x.clone() - clean) / sigma;
            let slope_there = (guess.clone() - denoiser.denoise(guess, next)) / next;
            x + (slope + slope_there) * (0.5 * (next - sigma))
        } else {
            guess // The slope at 0 divides by 0: Euler.
        };
    }
    x
}
