//! Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762, Eq. 1), as
//! `diffusers.models.attention_processor.Attention`.
//!
//! Axes: `n` pictures, `t` tokens (pixels in row order, or words of a context), `d` features.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::UNetConfig;
use crate::nets::blocks::{GroupNorm, Linear, Site};
use crate::nets::kernels::attention;

/// Attention of tokens to themselves or to a context.
#[derive(Module, Debug)]
pub struct Attention {
    /// Only in a block that consists of attention alone, see [`Attention::on_picture`].
    pub group_norm: Option<GroupNorm>,
    /// Queries, from the tokens.
    pub to_q: Linear,
    /// Keys, from the context.
    pub to_k: Linear,
    /// Values, from the context.
    pub to_v: Linear,
    /// One map; `diffusers` keeps it in a list, before a dropout.
    pub to_out: [Linear; 1],
    heads: usize,
}

impl Attention {
    /// Builds the attention inside a transformer: no bias in queries, keys and values.
    pub(super) fn in_transformer(
        features: usize,
        context: usize,
        heads: usize,
        site: &Site,
    ) -> Self {
        Self {
            group_norm: None,
            to_q: Linear::without_bias(features, features, &site.at("to_q")),
            to_k: Linear::without_bias(context, features, &site.at("to_k")),
            to_v: Linear::without_bias(context, features, &site.at("to_v")),
            to_out: [Linear::new(features, features, &site.at("to_out").index(0))],
            heads,
        }
    }

    /// Builds the attention of an `AttnDownBlock2D` or `AttnUpBlock2D`: normalised, with biases.
    pub(super) fn alone(channels: usize, heads: usize, config: &UNetConfig, site: &Site) -> Self {
        let linear = |name: &str| Linear::new(channels, channels, &site.at(name));
        let (groups, epsilon) = (config.norm_num_groups, config.norm_eps);
        Self {
            group_norm: Some(GroupNorm::new(groups, channels, epsilon, &site.at("group_norm"))),
            to_q: linear("to_q"),
            to_k: linear("to_k"),
            to_v: linear("to_v"),
            to_out: [Linear::new(channels, channels, &site.at("to_out").index(0))],
            heads,
        }
    }

    /// Returns `[n, t, d]` for tokens `[n, t, d]`, which look at `context`, `[n, s, e]`.
    pub fn forward(&self, x: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let q = self.to_q.forward(x);
        let [k, v] = [&self.to_k, &self.to_v].map(|map| map.forward(context.clone()));
        self.to_out[0].forward(attention(q, k, v, self.heads))
    }

    /// Returns the picture `[n, c, h, w]` plus what its normalised pixels say to each other.
    pub fn on_picture(&self, x: Tensor<4>) -> Tensor<4> {
        let normal = match &self.group_norm {
            Some(norm) => norm.forward(x.clone()),
            None => x.clone(),
        };
        let pixels = tokens(normal);
        let mixed = self.forward(pixels.clone(), pixels);
        picture(mixed, x.dims()) + x
    }
}

/// Returns the pixels `[n, h * w, c]` of a picture `[n, c, h, w]`, as a view.
pub(super) fn tokens(x: Tensor<4>) -> Tensor<3> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h * w]).swap_dims(1, 2)
}

/// Returns the picture of the given shape whose pixels are these tokens.
pub(super) fn picture(x: Tensor<3>, shape: [usize; 4]) -> Tensor<4> {
    x.swap_dims(1, 2).reshape(shape)
}
