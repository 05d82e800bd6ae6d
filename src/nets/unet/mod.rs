//! The U-Net of latent and pixel diffusion: `UNet2DConditionModel` of `diffusers` 0.42, with its
//! configuration keys and its parameter names (Rombach et al. 2022, arXiv:2112.10752; the residual
//! blocks and the time embedding go back to Ho et al. 2020, arXiv:2006.11239).
//!
//! In reading order: [`UNetConfig`] is what is built, [`UNet`] the whole, then its parts from the
//! outside to the inside: blocks, residual block, transformer, attention, time embedding.
//!
//! The path of a parameter is its key in a state dict of `diffusers`. Where a list of the original
//! has layers without parameters, an array (`to_out.0`) or a tuple with a placeholder (`ff.net.2`)
//! keeps the numbers. Where the original puts one of two layers under one name, an enum does; its
//! variants leave no trace in a path (see [`crate::nets::weights`]).
//!
//! One part is not of `diffusers`: the level embedding, for nets that enlarge a noisy picture.
//!
//! Not here: conditions beyond class, level and context (SDXL's `addition_embed_type`), dropout,
//! attention masks. A file that asks for them is refused.

mod attention;
mod blocks;
mod check;
mod config;
mod resnet_block;
mod time_embedding;
mod transformer;
#[expect(clippy::module_inception, reason = "the whole net, beside the files of its parts")]
mod unet;

#[cfg(test)]
mod tests;

pub use attention::Attention;
pub use blocks::{Attentive, DownBlock, MidBlock, Resizer, Steering, UpBlock};
pub use config::{
    ClassEmbedType, DownBlockType, MidBlockType, OneOrEach, TimeScaleShift, UNetConfig, UpBlockType,
};
pub use resnet_block::ResnetBlock;
pub use time_embedding::TimestepEmbedding;
pub use transformer::{FeedForward, Geglu, NoDropout, Projection, Transformer2d, TransformerBlock};
pub use unet::{ClassEmbedding, Condition, UNet};
