//! The ideal denoiser of a mixture of Gaussians over whole pictures, in closed form, for tests.

use burn::tensor::{Device, Tensor, TensorData};

use super::Denoiser;

/// Pictures are drawn around `centres`, with these shares, and deviation `spread` in every pixel.
/// With a spread of 0 this is the ideal denoiser of a finite data set.
pub(super) struct Mixture {
    pub(super) shares: Vec<f64>,
    pub(super) centres: Vec<Vec<f64>>,
    pub(super) spread: f64,
}

impl Mixture {
    /// Returns E[x0 | x0 + sigma eps = x] of one picture.
    fn clean(&self, x: &[f64], sigma: f64) -> Vec<f64> {
        let total = self.spread.powi(2) + sigma.powi(2);
        let square =
            |centre: &Vec<f64>| -> f64 { centre.iter().zip(x).map(|(c, x)| (x - c).powi(2)).sum() };
        let logs: Vec<f64> = (self.shares.iter().zip(&self.centres))
            .map(|(share, centre)| share.ln() - square(centre) / (2.0 * total))
            .collect();
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - top).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let shrink = self.spread.powi(2) / total;
        let mean = |i: usize| {
            (weights.iter().zip(&self.centres))
                .map(|(w, centre)| w / sum * (centre[i] + (x[i] - centre[i]) * shrink))
                .sum()
        };
        (0..x.len()).map(mean).collect()
    }
}

impl Denoiser for Mixture {
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        let shape = x.dims();
        let pixels = shape[1] * shape[2] * shape[3];
        let clean: Vec<f32> = floats(x)
            .chunks(pixels)
            .flat_map(|picture| self.clean(picture, sigma))
            .map(|value| value as f32)
            .collect();
        Tensor::from_data(TensorData::new(clean, shape), &Device::flex())
    }
}

/// Returns the values of a tensor, widened.
pub(super) fn floats(x: Tensor<4>) -> Vec<f64> {
    let values: Vec<f32> = x.into_data().try_into_vec().expect("tests run in f32");
    values.into_iter().map(f64::from).collect()
}
