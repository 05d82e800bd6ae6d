//! Euler's method for the probability-flow equation `dx / dsigma = (x - clean) / sigma`.
//!
//! Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 without its correction. First order.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::super::{Denoiser, Spacing};
use super::keep_noise;

/// First-order solver of the probability-flow equation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Euler {
    /// The number of network calls per picture.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
}

impl Default for Euler {
    fn default() -> Self {
        Self { steps: 50, spacing: Spacing::Linspace }
    }
}

/// Draws pictures with Euler's method.
pub fn euler(denoiser: &dyn Denoiser, mut x: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
    for pair in sigmas.windows(2) {
        let (sigma, next) = (pair[0], pair[1]);
        let clean = denoiser.denoise(x.clone(), sigma);
        x = keep_noise(x, clean, next / sigma); // x + (next - sigma) (x - clean) / sigma.
    }
    x
}
