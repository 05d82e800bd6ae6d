//! The affine map.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Init, Site};
use crate::nets::kernels::{LinearWeights, linear};
use crate::terms::Precision;

/// `y = x W^T + b`, as `torch.nn.Linear`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    precision: Precision,
}

impl Linear {
    /// Builds the layer with a bias and PyTorch's default weights.
    pub fn new(inputs: usize, outputs: usize, site: &Site) -> Self {
        let init = Init::pytorch(inputs);
        Self {
            weight: site.draw("weight", [outputs, inputs], init),
            bias: Some(site.draw("bias", [outputs], init)),
            precision: site.precision(),
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
            precision: site.precision(),
        }
    }

    /// Returns the weights for the operators that take whole layers.
    ///
    /// # Panics
    /// If there is no bias.
    pub(super) fn weights(&self) -> LinearWeights {
        let bias = self.bias.as_ref().expect("the maps of a transformer's layer have a bias");
        LinearWeights { weight: self.weight.val(), bias: bias.val(), precision: self.precision }
    }

    /// Returns `[..., outputs]` for `[..., inputs]`. On the CPU a row's numbers do not depend on
    /// the rows beside it.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.precision)
    }
}
