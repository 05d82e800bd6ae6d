//! The affine map.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Init, Site};

/// `y = x W^T + b`, as `torch.nn.Linear`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Builds the layer with a bias and PyTorch's default weights.
    pub fn new(inputs: usize, outputs: usize, site: &Site) -> Self {
        let init = Init::pytorch(inputs);
        Self {
            weight: site.draw("weight", [outputs, inputs], init),
            bias: Some(site.draw("bias", [outputs], init)),
        }
    }

    /// Builds the layer without a bias.
    pub fn without_bias(inputs: usize, outputs: usize, site: &Site) -> Self {
        Self { bias: None, ..Self::new(inputs, outputs, site) }
    }

    /// Builds the layer with weights of a given law and a bias of 0.
    pub fn with_init(inputs: usize, outputs: usize, init: Init, site: &Site) -> Self {
        Self {
            weight: site.draw("weight", [outputs, inputs], init),
            bias: Some(site.draw("bias", [outputs], Init::Constant(0.0))),
        }
    }

    /// Returns `[..., outputs]` for `[..., inputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val().transpose();
        burn::tensor::module::linear(x, weight, self.bias.as_ref().map(Param::val))
    }
}
