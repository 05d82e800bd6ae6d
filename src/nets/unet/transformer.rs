//! The transformer over the pixels of a feature map, as `diffusers.models.Transformer2DModel` with
//! `BasicTransformerBlock`s (Rombach et al. 2022, arXiv:2112.10752, appendix E.2.1).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::gelu;
use burn::tensor::module::linear;

use super::attention::{Attention, picture, tokens};
use super::config::UNetConfig;
use super::resnet_block::halves;
use crate::nets::blocks::{Conv2d, Conv2dSpec, GroupNorm, LayerNorm, Linear, Site};

/// The epsilon of the group norm before the blocks, fixed in `Transformer2DModel`.
const GROUP_NORM_EPSILON: f64 = 1e-6;
/// PyTorch's default, which `BasicTransformerBlock` keeps.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// What distinguishes one transformer of a net from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransformerSpec {
    pub(super) channels: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    /// Features of the context, or none where the pixels look only at themselves.
    pub(super) context: Option<usize>,
}

/// Normalisation, projection, transformer blocks, projection, shortcut.
#[derive(Module, Debug)]
pub struct Transformer2d {
    /// Before the pixels become tokens.
    pub norm: GroupNorm,
    /// Channels to features.
    pub proj_in: Projection,
    /// The blocks.
    pub transformer_blocks: Vec<TransformerBlock>,
    /// Features to channels.
    pub proj_out: Projection,
}

impl Transformer2d {
    pub(super) fn new(spec: TransformerSpec, config: &UNetConfig, site: &Site) -> Self {
        let c = spec.channels;
        let projection = |name: &str| {
            if config.use_linear_projection {
                Projection::Linear(Linear::new(c, c, &site.at(name)))
            } else {
                Projection::Conv(Conv2dSpec::same(c, c, 1).build(&site.at(name)))
            }
        };
        let groups = config.norm_num_groups;
        let blocks = site.at("transformer_blocks");
        Self {
            norm: GroupNorm::new(groups, c, GROUP_NORM_EPSILON, &site.at("norm")),
            proj_in: projection("proj_in"),
            transformer_blocks: (0..spec.layers)
                .map(|i| TransformerBlock::new(spec, &blocks.index(i)))
                .collect(),
            proj_out: projection("proj_out"),
        }
    }

    /// Returns `[n, c, h, w]` for `[n, c, h, w]` and a context `[n, s, e]`.
    pub fn forward(&self, x: Tensor<4>, context: Option<&Tensor<3>>) -> Tensor<4> {
        let mut hidden = self.proj_in.forward(tokens(self.norm.forward(x.clone())));
        for block in &self.transformer_blocks {
            hidden = block.forward(hidden, context);
        }
        picture(self.proj_out.forward(hidden), x.dims()) + x
    }
}

/// A map of each pixel's features, whichever way its weight is stored: a 1x1 convolution of a
/// picture is a linear map of its pixels.
#[derive(Module, Debug)]
pub enum Projection {
    /// `[c, c, 1, 1]`.
    Conv(Conv2d),
    /// `[c, c]`.
    Linear(Linear),
}

impl Projection {
    /// Returns `[n, t, d]` for tokens `[n, t, d]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Conv(conv) => {
                let [outputs, inputs, ..] = conv.weight.dims();
                let weight = conv.weight.val().reshape([outputs, inputs]).transpose();
                linear(x, weight, conv.bias.as_ref().map(|bias| bias.val()))
            }
            Self::Linear(layer) => layer.forward(x),
        }
    }
}

/// Attention to itself, attention to the context, feed-forward; each normalised, each with a
/// shortcut.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    /// Before the attention to itself.
    pub norm1: LayerNorm,
    /// Attention to itself.
    pub attn1: Attention,
    /// Before the attention to the context.
    pub norm2: Option<LayerNorm>,
    /// Attention to the context; absent in a net without one.
    pub attn2: Option<Attention>,
    /// Before the feed-forward part.
    pub norm3: LayerNorm,
    /// The feed-forward part.
    pub ff: FeedForward,
}

impl TransformerBlock {
    fn new(spec: TransformerSpec, site: &Site) -> Self {
        let TransformerSpec { channels, heads, .. } = spec;
        let norm = |name: &str| LayerNorm::new(channels, LAYER_NORM_EPSILON, &site.at(name));
        let attention = |context, name: &str| {
            Attention::in_transformer(channels, context, heads, &site.at(name))
        };
        Self {
            norm1: norm("norm1"),
            attn1: attention(channels, "attn1"),
            norm2: spec.context.map(|_| norm("norm2")),
            attn2: spec.context.map(|features| attention(features, "attn2")),
            norm3: norm("norm3"),
            ff: FeedForward::new(channels, &site.at("ff")),
        }
    }

    /// Returns `[n, t, d]` for tokens `[n, t, d]` and a context `[n, s, e]`.
    ///
    /// # Panics
    /// If the block attends to a context and there is none.
    pub fn forward(&self, x: Tensor<3>, context: Option<&Tensor<3>>) -> Tensor<3> {
        let normal = self.norm1.forward(x.clone());
        let mut x = self.attn1.forward(normal.clone(), normal) + x;
        if let (Some(norm), Some(attention)) = (&self.norm2, &self.attn2) {
            let context = context.expect("a net with cross-attention is given a context").clone();
            x = attention.forward(norm.forward(x.clone()), context) + x;
        }
        self.ff.forward(self.norm3.forward(x.clone())) + x
    }
}

/// The feed-forward part; the tuple mirrors the list `net` of `diffusers`, whose parameters are
/// called `net.0.proj` and `net.2`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Gate, dropout of rate 0, projection.
    pub net: (Geglu, NoDropout, Linear),
}

impl FeedForward {
    /// Features inside, per feature outside.
    const EXPANSION: usize = 4;

    fn new(features: usize, site: &Site) -> Self {
        let (site, inner) = (site.at("net"), Self::EXPANSION * features);
        let gate = Geglu { proj: Linear::new(features, 2 * inner, &site.index(0).at("proj")) };
        Self { net: (gate, NoDropout {}, Linear::new(inner, features, &site.index(2))) }
    }

    /// Returns `[n, t, d]` for `[n, t, d]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.net.2.forward(self.net.0.forward(x))
    }
}

/// The gated linear unit with a GELU gate (Shazeer 2020, arXiv:2002.05202, Eq. 6).
#[derive(Module, Debug)]
pub struct Geglu {
    /// Values, then gates.
    pub proj: Linear,
}

impl Geglu {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [values, gates] = halves(self.proj.forward(x), 2);
        values * gelu(gates)
    }
}

/// Keeps the place of a dropout in a list of layers.
#[derive(Module, Debug)]
pub struct NoDropout {}
