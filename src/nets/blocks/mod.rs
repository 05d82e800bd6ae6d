//! The layers that all families share.
//!
//! Parameters carry the names, shapes and layouts of PyTorch (`weight`, `bias`, `running_mean`,
//! `running_var`; a linear weight is `[out, in]`), so that a path such as `layer1.0.conv1.weight`
//! means the same tensor here and in a state dict. A layer is built at a [`Site`], which carries
//! the device and the random address of its parameters: the same seed gives the same net, whatever
//! else was built before.

mod conv;
mod drop;
mod embedding;
mod init;
mod linear;
mod norm;
mod transformer;

pub use super::kernels::{Gelu, silu};
pub use conv::{Conv2d, Conv2dSpec};
pub use drop::{DropPath, Dropout};
pub use embedding::Embedding;
pub use init::{Init, Site};
pub use linear::Linear;
pub use norm::{BatchNorm2d, GroupNorm, LayerNorm};
pub use transformer::{PatchEmbed, TransformerLayer, TransformerSpec, class_token};

use crate::terms::Seed;

/// What a forward pass is for: it decides batch statistics and dropout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics are used, and running statistics move. What picture `i` of the batch loses
    /// at random is drawn below `seed / i`.
    Train(Seed),
    /// Running statistics are used; nothing changes.
    Evaluate,
}
