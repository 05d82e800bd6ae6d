//! A table of vectors.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::{Init, Site};

/// One learned vector per number, as `torch.nn.Embedding`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[entries, features]`.
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// Builds the table with entries from N(0, 1), PyTorch's default.
    pub fn new(entries: usize, features: usize, site: &Site) -> Self {
        Self { weight: site.draw("weight", [entries, features], Init::Normal(1.0)) }
    }

    /// Returns `[n, features]` for `n` numbers.
    pub fn forward(&self, numbers: Tensor<1, Int>) -> Tensor<2> {
        self.weight.val().select(0, numbers)
    }
}
