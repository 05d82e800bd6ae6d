//! Our own CPU operators behind burn's extension point, with the plain burn operators as the
//! fallback on every other device. The only room of the house that holds `unsafe` code.
//!
//! Each operator equals the plain burn operator (a law, over random shapes), and its numbers do not
//! depend on the number of threads: work is cut by shape alone, and partial sums are added in
//! order.
#![expect(unsafe_code, reason = "matrix products take raw pointers; vector units are asked for")]

mod attention;
mod batch_norm;
mod channels;
mod conv_norm;
mod convolution;
mod dense;
mod depthwise;
mod flex;
mod fork;
mod fresh;
mod gelu;
mod gemm;
mod group_norm;
mod layer_norm;
mod linear;
mod memory;
mod packed;
mod pairs;
mod panels;
mod pooling;
mod scratch;
mod shifts;
mod shortcut;
mod silu;
mod tile;
mod transformer;
mod transpose;
mod vector;
mod walk;
mod weight_gradient;
mod winograd;

#[cfg(test)]
mod laws;

pub use attention::{attention, self_attention};
pub use batch_norm::{Affine, Finish, Trained, batch_norm, batch_norm_train};
pub use conv_norm::{KnownNorm, conv_norm_relu};
pub use convolution::{Geometry, conv2d};
pub use fork::fork;
pub use gelu::{Gelu, gelu};
pub use group_norm::{Activation, Grouping, group_norm};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use memory::keep_memory;
pub use pooling::{Window, max_pool, mean_pool};
pub use shortcut::strided_identity;
pub use silu::silu;
pub use transformer::{BranchWeights, LayerWeights, LinearWeights, NormWeights, transformer};
