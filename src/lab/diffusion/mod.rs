//! Diffusion without networks: noise levels, what a network's output means, and how to sample.
//!
//! Everything happens in sigma space: a noisy picture is `x = x0 + sigma * eps`. A [`Denoiser`]
//! answers for `(x, sigma)` with the clean picture expected behind `x`; a sampler is a function
//! over a descending list of sigmas and never asks what a network predicts.
//!
//! In reading order: [`Schedule`] says which levels a network learns and [`Levels`] is its table;
//! [`Spacing`] picks the levels a sampler visits; [`Prediction`] and [`Weighting`] say what a
//! network outputs and what an error costs; [`Denoiser`], [`Clipped`] and [`Guided`] return clean
//! pictures; [`Noise`] is randomness by address; [`Sampler`] draws.
//!
//! | letter | meaning |
//! |---|---|
//! | `x0` | clean picture, `[n, c, h, w]`, pixels in \[-1, 1\] or a latent |
//! | `eps` | standard normal noise |
//! | `sigma` | noise level, in units of `x0` |
//! | `x` | noisy picture, `x0 + sigma * eps` |
//! | `alpha_bar` | share of signal in the variance-preserving sample, `1 / (1 + sigma^2)` |
//! | `t` | timestep of training, `0..steps`, larger is noisier |
//! | `g` | guidance weight, `u + g (c - u)`; 1 is off |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use ersatz::lab::diffusion::{Noise, Sampler, Schedule};
//! use ersatz::terms::Seed;
//!
//! // All pictures are black: whatever the noise, the clean picture is -1 everywhere.
//! let denoiser = |x: Tensor<4>, _sigma: f64| x.zeros_like() - 1.0;
//! let items: Vec<Seed> = (0..2).map(|i| Seed::root(0).index(i)).collect();
//! let noise = Noise::new(&items, [1, 4, 4], &Device::flex());
//! let pictures = Sampler::default().draw(&denoiser, &Schedule::default().levels(), &noise);
//! assert_eq!(pictures.dims(), [2, 1, 4, 4]);
//! assert_eq!(pictures.mean().into_scalar::<f32>(), -1.0);
//! ```

mod denoiser;
mod guidance;
#[cfg(test)]
mod ideal;
mod noise;
mod prediction;
pub mod samplers;
mod schedule;
mod spacing;

pub use denoiser::{Clipped, Denoiser};
pub use guidance::{Guided, guide, guide_stacked};
pub use noise::Noise;
pub use prediction::{MinSnr, Prediction, Weighting, corrupt, network_input, per_picture};
pub use samplers::Sampler;
pub use schedule::{Cosine, Karras, Levels, Linear, ScaledLinear, Schedule, alpha_bar};
pub use spacing::{KarrasSpacing, Spacing};
