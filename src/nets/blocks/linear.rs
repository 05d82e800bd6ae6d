//! The affine map.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Init, Site};
use crate::nets::kernels::{LinearWeights, project};

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

    /// Returns the weights for the operators that take whole layers.
    ///
    /// # Panics
    /// If there is no bias.
    pub(super) fn weights(&self) -> LinearWeights {
        let bias = self.bias.as_ref().expect("the maps of a transformer's layer have a bias");
        LinearWeights { weight: self.weight.val(), bias: bias.val() }
    }

    /// Returns `[n, outputs]` for `[n, inputs]`, each row by a product of its own where no graph
    /// records it: then a row's numbers do not depend on the rows beside it.
    pub fn forward_rows(&self, x: Tensor<2>) -> Tensor<2> {
        match (project(&x, &self.weight.val()), &self.bias) {
            (Some(product), Some(bias)) => product + bias.val().unsqueeze(),
            (Some(product), None) => product,
            (None, _) => self.forward(x),
        }
    }

    /// Returns `[..., outputs]` for `[..., inputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val().transpose();
        burn::tensor::module::linear(x, weight, self.bias.as_ref().map(Param::val))
    }
}
