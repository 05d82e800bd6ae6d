//! DDPM: ancestral sampling (Ho et al. 2020, arXiv:2006.11239, Algorithm 2) for any pair of levels.
//!
//! The variance lies between its two bounds, mixed in the logarithm by a coefficient `logvar`
//! (Nichol and Dhariwal 2021, arXiv:2102.09672, equation 15, there learned; fixed numbers in Imagen
//! and in Azizi et al. 2023, arXiv:2304.08466). With the signal-to-noise ratio `1 / sigma^2`, a
//! step from `sigma` to `next` has, in the variance-preserving sample,
//!
//! - large: `(1 - next^2 / sigma^2) sigma^2 / (1 + sigma^2)`, beta for adjacent timesteps;
//! - small: `(1 - next^2 / sigma^2) next^2 / (1 + next^2)`, the variance of the posterior.
//!
//! Sigma space at `next` is `sqrt(1 + next^2)` times as wide.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::super::{Denoiser, Spacing};
use super::keep_noise;

/// Ancestral sampling (Ho et al. 2020, Algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ddpm {
    /// The number of network calls per picture.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// The variance of each step: 0 is the posterior's (small), 1 is beta (large), numbers between
    /// mix their logarithms.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub logvar: f64,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
}

impl Default for Ddpm {
    fn default() -> Self {
        Self { steps: 1000, logvar: 0.0, spacing: Spacing::Leading }
    }
}

/// Draws pictures with DDPM; `noise(i)` is what step `i` adds. The last step, to 0, adds none.
// DIFFERS: diffusers decides by timestep, not by level: with "trailing" spacing its last step,
// which starts above timestep 0, still adds noise (with `fixed_large`, of visible size).
pub fn ddpm(
    denoiser: &dyn Denoiser,
    mut x: Tensor<4>,
    sigmas: &[f64],
    logvar: f64,
    noise: &dyn Fn(usize) -> Tensor<4>,
) -> Tensor<4> {
    for (i, pair) in sigmas.windows(2).enumerate() {
        let (sigma, next) = (pair[0], pair[1]);
        let clean = denoiser.denoise(x.clone(), sigma);
        x = keep_noise(x, clean, (next / sigma).powi(2)); // The posterior's mean, equation 7.
        if next > 0.0 {
            x = x + noise(i) * variance(sigma, next, logvar).sqrt();
        }
    }
    x
}

/// The small variance is 0 at the first timestep and has no logarithm; the reference
/// (`DDPMScheduler._get_variance` in diffusers) clips it here.
const SMALLEST: f64 = 1e-20;

/// Returns the variance of a step in sigma space.
fn variance(sigma: f64, next: f64, logvar: f64) -> f64 {
    let share = 1.0 - (next / sigma).powi(2);
    let large = share * sigma.powi(2) / (1.0 + sigma.powi(2));
    let small = (share * next.powi(2) / (1.0 + next.powi(2))).max(SMALLEST);
    let mixed = (logvar * large.ln() + (1.0 - logvar) * small.ln()).exp();
    mixed * (1.0 + next.powi(2))
}

#[cfg(test)]
mod tests {
    use super::super::super::alpha_bar;
    use super::*;
    use crate::testing::{Tol, close};

    const PAIRS: [(f64, f64); 5] =
        [(157.0, 150.0), (80.0, 0.5), (2e4, 7.0), (1.0, 0.99), (0.02, 0.01)];

    // Scalars in f64; the logarithms cost a few roundings of numbers up to 40.
    fn tol() -> Tol {
        Tol::relative(1e-12)
    }

    #[test]
    fn zero_is_the_posterior_and_one_is_beta() {
        for (sigma, next) in PAIRS {
            let beta = 1.0 - alpha_bar(sigma) / alpha_bar(next);
            let posterior = beta * (1.0 - alpha_bar(next)) / (1.0 - alpha_bar(sigma));
            // Back from sigma space; 1 - a / b itself loses digits when the levels are close.
            let scale = alpha_bar(next);
            close(variance(sigma, next, 0.0) * scale, posterior, Tol::relative(1e-10));
            close(variance(sigma, next, 1.0) * scale, beta, Tol::relative(1e-10));
            let middle = (posterior * beta).sqrt();
            close(variance(sigma, next, 0.5) * scale, middle, Tol::relative(1e-10));
        }
    }

    #[test]
    fn the_small_variance_is_exact_for_one_picture() {
        // All data at 0: x ~ N(0, sigma^2) must become N(0, next^2).
        for (sigma, next) in PAIRS {
            let slope = (next / sigma).powi(2);
            let got = slope.powi(2) * sigma.powi(2) + variance(sigma, next, 0.0);
            close(got, next.powi(2), tol());
        }
    }

    #[test]
    fn the_large_variance_is_exact_for_normal_data() {
        // x0 ~ N(0, 1): x ~ N(0, 1 + sigma^2) must become N(0, 1 + next^2), at any step length.
        for (sigma, next) in PAIRS {
            let kept = (next / sigma).powi(2);
            let slope = kept + (1.0 - kept) / (1.0 + sigma.powi(2));
            let got = slope.powi(2) * (1.0 + sigma.powi(2)) + variance(sigma, next, 1.0);
            close(got, 1.0 + next.powi(2), tol());
        }
    }

    #[test]
    fn the_step_to_zero_has_a_logarithm() {
        for logvar in [0.0, 0.3, 1.0] {
            assert!(variance(0.01, 0.0, logvar).is_finite());
        }
    }
}
