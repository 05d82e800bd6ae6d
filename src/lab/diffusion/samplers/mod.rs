//! Samplers: each is one function over a descending list of sigmas that ends with 0.
//!
//! All start from `x = x0 + sigmas[0] eps` and return clean pictures. Randomness is asked for by
//! step number. Scalars are f64 on the host, tensors are what the denoiser works in.

mod ddim;
mod ddpm;
mod dpmpp_2m;
mod euler;
mod heun;

pub use ddim::{Ddim, ddim};
pub use ddpm::{Ddpm, ddpm};
pub use dpmpp_2m::{Dpmpp2m, dpmpp_2m};
pub use euler::{Euler, euler};
pub use heun::{Heun, heun};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Denoiser, Levels, Noise, Schedule, Spacing};
use crate::terms::Problem;

/// How pictures are drawn from a denoiser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sampler {
    /// Ancestral sampling with a variance between the two bounds of DDPM.
    Ddpm(Ddpm),
    /// Deterministic to ancestral sampling, by `eta`.
    Ddim(Ddim),
    /// First-order solver of the probability-flow equation.
    Euler(Euler),
    /// Second-order solver, two calls per step.
    Heun(Heun),
    /// Second-order multistep solver, one call per step.
    #[serde(rename = "dpmpp-2m")]
    Dpmpp2m(Dpmpp2m),
}

impl Default for Sampler {
    fn default() -> Self {
        Self::Ddim(Ddim::default())
    }
}

impl Sampler {
    /// Draws one picture per seed of `noise`, from pure noise.
    // DIFFERS: diffusers' DDPM and DDIM start from unit noise in the variance-preserving sample,
    // that is sqrt(1 + sigma^2) eps, as if x0 had unit variance; k-diffusion and we start from
    // sigma eps.
    pub fn draw(&self, denoiser: &dyn Denoiser, levels: &Levels, noise: &Noise) -> Tensor<4> {
        let sigmas = self.sigmas(levels);
        self.refine(denoiser, noise.initial() * sigmas[0], &sigmas, noise)
    }

    /// Continues from noisy pictures `x = x0 + sigmas[0] eps` down a list of noise levels, for
    /// instance the tail of [`sigmas`](Self::sigmas) after a real picture was noised to its first.
    ///
    /// # Panics
    /// If the levels do not descend, or there are fewer than two.
    pub fn refine(
        &self,
        denoiser: &dyn Denoiser,
        x: Tensor<4>,
        sigmas: &[f64],
        noise: &Noise,
    ) -> Tensor<4> {
        assert!(sigmas.len() >= 2, "a step needs two noise levels");
        assert!(sigmas.is_sorted_by(|a, b| a > b), "noise levels descend");
        let step = |i| noise.step(i);
        match self {
            Self::Ddpm(s) => ddpm(denoiser, x, sigmas, s.logvar, &step),
            Self::Ddim(s) => ddim(denoiser, x, sigmas, s.eta, &step),
            Self::Euler(_) => euler(denoiser, x, sigmas),
            Self::Heun(_) => heun(denoiser, x, sigmas),
            Self::Dpmpp2m(_) => dpmpp_2m(denoiser, x, sigmas),
        }
    }

    /// Returns the noise levels to visit: as many as there are steps, and 0 after them.
    pub fn sigmas(&self, levels: &Levels) -> Vec<f64> {
        levels.inference_sigmas(self.spacing(), self.steps())
    }

    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        match self {
            Self::Ddpm(s) => s.steps,
            Self::Ddim(s) => s.steps,
            Self::Euler(s) => s.steps,
            Self::Heun(s) => s.steps,
            Self::Dpmpp2m(s) => s.steps,
        }
    }

    fn spacing(&self) -> Spacing {
        match self {
            Self::Ddpm(s) => s.spacing,
            Self::Ddim(s) => s.spacing,
            Self::Euler(s) => s.spacing,
            Self::Heun(s) => s.spacing,
            Self::Dpmpp2m(s) => s.spacing,
        }
    }

    /// Returns what the user asked for and cannot have; `source` names the file or option.
    pub fn problems(&self, schedule: &Schedule, source: &str) -> Vec<Problem> {
        match (self.spacing(), schedule.steps()) {
            (Spacing::Karras(_), _) | (_, None) => Vec::new(),
            (_, Some(total)) if self.steps() <= total => Vec::new(),
            (_, Some(total)) => {
                let found = format!("a sampler with {} steps", self.steps());
                let problem =
                    Problem::new(source, found, format!("at most the schedule's {total} steps"));
                vec![problem.hint("the spacing `karras` has no such limit")]
            }
        }
    }
}

/// Returns the point that keeps this share of the noise: `clean + share (x - clean)`.
fn keep_noise(x: Tensor<4>, clean: Tensor<4>, share: f64) -> Tensor<4> {
    x * share + clean * (1.0 - share)
}

#[cfg(test)]
mod tests;
