//! How exact the factors of a product are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How exact the factors of products are while a net learns: convolutions and linear maps, forward
/// and backward. Sums, weights and all else are in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision: 24 binary digits.
    #[default]
    F32,
    /// Factors are rounded to bfloat16, 8 binary digits with the range of single precision.
    Bf16,
}

impl Precision {
    /// Returns whether it is single precision.
    pub fn is_single(&self) -> bool {
        *self == Self::F32
    }
}
