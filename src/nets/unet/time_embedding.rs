//! From a number (a timestep, a class label) to the vector that steers every residual block.
//!
//! Sinusoids as in Ho et al. 2020 (arXiv:2006.11239), appendix B, with the two switches that
//! `diffusers` adds: the order of sine and cosine, and the shift of the frequencies.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::config::UNetConfig;
use crate::nets::blocks::{Linear, Site, silu};

/// The fixed part: `features` sinusoids of a number, as `diffusers.models.embeddings.Timesteps`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sinusoids {
    features: usize,
    cosine_first: bool,
    shift: f64,
}

impl Sinusoids {
    pub(super) fn new(config: &UNetConfig) -> Self {
        Self {
            features: config.block_out_channels[0],
            cosine_first: config.flip_sin_to_cos,
            shift: config.freq_shift,
        }
    }

    /// Returns `[n, features]` for `n` numbers.
    pub(super) fn of(self, numbers: Tensor<1>) -> Tensor<2> {
        let half = self.features / 2;
        let device = numbers.device();
        let frequencies = TensorData::new(self.frequencies(), [1, half]);
        let angles: Tensor<2> =
            numbers.unsqueeze_dim::<2>(1) * Tensor::from_data(frequencies, &device);
        let (sine, cosine) = (angles.clone().sin(), angles.cos());
        let waves =
            Tensor::cat(if self.cosine_first { vec![cosine, sine] } else { vec![sine, cosine] }, 1);
        if self.features.is_multiple_of(2) {
            return waves;
        }
        let [n, _] = waves.dims();
        Tensor::cat(vec![waves, Tensor::zeros([n, 1], &device)], 1)
    }

    /// Returns 10000^(-i / (half - shift)), in single precision step by step as `diffusers` does:
    /// at timestep 999 a last bit here is 3e-5 in the sine.
    fn frequencies(self) -> Vec<f32> {
        let half = self.features / 2;
        let log_period = -(10_000.0_f64.ln()) as f32;
        let steps = (half as f64 - self.shift) as f32;
        (0..half).map(|i| (log_period * i as f32 / steps).exp()).collect()
    }
}

/// The learned part: two linear maps with a SiLU between them, as
/// `diffusers.models.embeddings.TimestepEmbedding`.
#[derive(Module, Debug)]
pub struct TimestepEmbedding {
    /// `[inputs]` to `[outputs]`.
    pub linear_1: Linear,
    /// `[outputs]` to `[outputs]`.
    pub linear_2: Linear,
}

impl TimestepEmbedding {
    pub(super) fn new(inputs: usize, outputs: usize, site: &Site) -> Self {
        Self {
            linear_1: Linear::new(inputs, outputs, &site.at("linear_1")),
            linear_2: Linear::new(outputs, outputs, &site.at("linear_2")),
        }
    }

    /// Returns `[n, outputs]` for `[n, inputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.linear_2.forward(silu(self.linear_1.forward(x)))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn an_odd_number_of_features_ends_in_a_zero() {
        let waves = Sinusoids { features: 5, cosine_first: false, shift: 0.0 };
        let numbers = Tensor::from_data([0.0_f32, 2.0], &Device::flex());
        let found: Vec<f32> = waves.of(numbers).into_data().try_to_vec().unwrap();
        // sin and cos of 0 and of 2 at the frequencies 1 and 1/100.
        let want = [
            [0.0, 0.0, 1.0, 1.0, 0.0],
            [2.0_f32.sin(), 0.02_f32.sin(), 2.0_f32.cos(), 0.02_f32.cos(), 0.0],
        ];
        crate::testing::close_f32(&found, want.as_flattened(), crate::testing::Tol::absolute(1e-6));
    }
}
