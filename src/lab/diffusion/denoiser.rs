//! The one thing a sampler knows about a model.

use burn::tensor::Tensor;

/// Returns clean pictures for noisy ones. Conditions (classes, prompts) are the implementer's
/// affair.
pub trait Denoiser {
    /// Returns the clean pictures expected behind `x = x0 + sigma eps`; both `[n, c, h, w]`.
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4>;
}

impl<F: Fn(Tensor<4>, f64) -> Tensor<4>> Denoiser for F {
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        self(x, sigma)
    }
}

/// Holds clean pictures in \[-1, 1\]: for models of pixels, outside of [`Guided`](super::Guided).
///
/// Saharia et al. 2022 (arXiv:2205.11487), section 2.3, call it static thresholding.
// DIFFERS: diffusers' DDIM clips the clean picture but keeps the noise predicted before, unless it
// is told `use_clipped_model_output`; here, as in Glide, what remains of `x` follows from the
// clipped one.
pub struct Clipped<'a>(pub &'a dyn Denoiser);

impl Denoiser for Clipped<'_> {
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        self.0.denoise(x, sigma).clamp(-1.0, 1.0)
    }
}
