//! The layer that vision transformers consist of, and the tokens they begin with.
//!
//! Dosovitskiy et al. 2021, arXiv:2010.11929 (Eq. 1 to 3): normalised before attention and before
//! the perceptron. With layer scale, Touvron et al. 2021, arXiv:2103.17239 (Eq. 3). Parameter names
//! are those of timm's `vision_transformer.py` (1.0.31).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Conv2d, Conv2dSpec, DropPath, Init, LayerNorm, Linear, Mode, Site};
use crate::nets::kernels::{BranchWeights, Gelu, LayerWeights, gelu, self_attention, transformer};

/// A layer of a transformer, and how it is initialised.
#[derive(Clone, Copy, Debug)]
pub struct TransformerSpec {
    /// Features of a token, `d`.
    pub features: usize,
    /// Heads of the attention; they divide the features.
    pub heads: usize,
    /// Hidden features of the perceptron.
    pub hidden: usize,
    /// Is added to the variance in both normalisations.
    pub epsilon: f64,
    /// The function inside of the perceptron.
    pub gelu: Gelu,
    /// Whether what a branch adds is scaled per feature.
    pub layer_scale: bool,
    /// The law of linear weights; biases are 0.
    pub init: Init,
}

impl TransformerSpec {
    /// Builds layers at numbered sites.
    ///
    /// # Panics
    /// If the heads do not divide the features.
    pub fn stack(&self, depth: usize, site: &Site) -> Vec<TransformerLayer> {
        (0..depth).map(|i| self.build(&site.index(i))).collect()
    }

    fn build(&self, site: &Site) -> TransformerLayer {
        let Self { features, heads, hidden, epsilon, .. } = *self;
        assert_eq!(features % heads, 0, "heads share the features");
        let (attn, mlp) = (site.at("attn"), site.at("mlp"));
        let linear =
            |inputs, outputs, site: Site| Linear::with_init(inputs, outputs, self.init, &site);
        let scale =
            |name: &str| self.layer_scale.then(|| LayerScale::new(features, &site.at(name)));
        TransformerLayer {
            norm1: LayerNorm::new(features, epsilon, &site.at("norm1")),
            attn: SelfAttention {
                qkv: linear(features, 3 * features, attn.at("qkv")),
                proj: linear(features, features, attn.at("proj")),
                heads,
            },
            ls1: scale("ls1"),
            norm2: LayerNorm::new(features, epsilon, &site.at("norm2")),
            mlp: Mlp {
                fc1: linear(features, hidden, mlp.at("fc1")),
                fc2: linear(hidden, features, mlp.at("fc2")),
                gelu: self.gelu,
            },
            ls2: scale("ls2"),
        }
    }
}

/// `x' = x + s1 attn(norm1(x))`, `x'' = x' + s2 mlp(norm2(x'))`.
#[derive(Module, Debug)]
pub struct TransformerLayer {
    norm1: LayerNorm,
    attn: SelfAttention,
    ls1: Option<LayerScale>,
    norm2: LayerNorm,
    mlp: Mlp,
    ls2: Option<LayerScale>,
}

impl TransformerLayer {
    /// Returns `[n, t, d]` behind all layers for `[n, t, d]`.
    pub fn run(layers: &[Self], x: Tensor<3>) -> Tensor<3> {
        let weights: Vec<_> = layers.iter().map(Self::weights).collect();
        transformer(&x, &weights)
            .unwrap_or_else(|| layers.iter().fold(x, |x, layer| layer.forward(x)))
    }

    /// Returns the same where pictures skip branches: those of layer `i` by `drops[i]`, attention
    /// first.
    pub fn run_dropping(
        layers: &[Self],
        drops: &[[DropPath; 2]],
        x: Tensor<3>,
        mode: Mode,
    ) -> Tensor<3> {
        layers.iter().zip(drops).fold(x, |x, (layer, [first, second])| {
            let x = x.clone() + first.forward(layer.attended(x), mode);
            x.clone() + second.forward(layer.perceived(x), mode)
        })
    }

    /// The layer by operators that know their gradients.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attended(x);
        x.clone() + self.perceived(x)
    }

    /// What attention adds.
    fn attended(&self, x: Tensor<3>) -> Tensor<3> {
        scaled(self.attn.forward(self.norm1.forward(x)), self.ls1.as_ref())
    }

    /// What the perceptron adds.
    fn perceived(&self, x: Tensor<3>) -> Tensor<3> {
        scaled(self.mlp.forward(self.norm2.forward(x)), self.ls2.as_ref())
    }

    fn weights(&self) -> LayerWeights {
        let branch =
            |norm: &LayerNorm, inner: &Linear, outer: &Linear, scale: &Option<LayerScale>| {
                BranchWeights {
                    norm: norm.weights(),
                    inner: inner.weights(),
                    outer: outer.weights(),
                    scale: scale.as_ref().map(|scale| scale.gamma.val()),
                }
            };
        LayerWeights {
            attention: branch(&self.norm1, &self.attn.qkv, &self.attn.proj, &self.ls1),
            heads: self.attn.heads,
            perceptron: branch(&self.norm2, &self.mlp.fc1, &self.mlp.fc2, &self.ls2),
            gelu: self.mlp.gelu,
        }
    }
}

fn scaled(x: Tensor<3>, scale: Option<&LayerScale>) -> Tensor<3> {
    match scale {
        Some(scale) => x * scale.gamma.val().unsqueeze(),
        None => x,
    }
}

/// A learned factor per feature.
#[derive(Module, Debug)]
struct LayerScale {
    gamma: Param<Tensor<1>>, // [d]
}

impl LayerScale {
    fn new(features: usize, site: &Site) -> Self {
        Self { gamma: site.draw("gamma", [features], Init::Constant(1.0)) }
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.proj.forward(self_attention(self.qkv.forward(x), self.heads))
    }
}

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    gelu: Gelu,
}

impl Mlp {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.fc2.forward(gelu(self.fc1.forward(x), self.gelu))
    }
}

/// A linear map of each patch.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    proj: Conv2d,
}

impl PatchEmbed {
    /// Builds the map from `channels` to `features` for patches of `patch` x `patch` pixels at
    /// `patch_embed`, with PyTorch's default weights.
    pub fn new([channels, features, patch]: [usize; 3], bias: bool, site: &Site) -> Self {
        let spec = Conv2dSpec::same(channels, features, patch).stride(patch).padding(0);
        let proj = Conv2dSpec { bias, ..spec }.build(&site.at("patch_embed").at("proj"));
        Self { proj }
    }

    /// Returns the tokens of pictures, `[n, t, d]`: the class token and one per patch, row by row,
    /// each with the embedding of its position. The class is `[1, 1, d]`, positions are
    /// `[1, t, d]`.
    pub fn tokens(
        &self,
        x: Tensor<4>,
        class: &Param<Tensor<3>>,
        positions: &Param<Tensor<3>>,
    ) -> Tensor<3> {
        let patches = self.proj.forward(x); // [n, d, h', w']
        let [n, d, h, w] = patches.dims();
        let patches = patches.reshape([n, d, h * w]).swap_dims(1, 2); // [n, t - 1, d]
        Tensor::cat(vec![class.val().expand([n, 1, d]), patches], 1) + positions.val()
    }
}

/// Returns the first token, `[n, d]`, of `[n, t, d]`.
pub fn class_token(x: Tensor<3>) -> Tensor<2> {
    let [n, _, d] = x.dims();
    x.narrow(1, 0, 1).reshape([n, d])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::nets::golden::{filled, numbers, numbers_of};
    use crate::nets::weights::{load_state, state_of};
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    /// `[tokens, features, heads, hidden]`.
    const SHAPES: [[usize; 4]; 5] =
        [[1, 4, 1, 4], [2, 6, 3, 5], [17, 24, 3, 96], [50, 32, 2, 64], [257, 16, 4, 24]];

    fn layers(
        [_, features, heads, hidden]: [usize; 4],
        gelu: Gelu,
        device: &Device,
    ) -> Vec<TransformerLayer> {
        let layer_scale = gelu == Gelu::Exact;
        let init = Init::Constant(0.0);
        let spec =
            TransformerSpec { features, heads, hidden, epsilon: 1e-6, gelu, layer_scale, init };
        filled(spec.stack(2, &Site::blank(device)))
    }

    fn tokens(n: usize, [t, d, ..]: [usize; 4], device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(numbers("tokens", n * t * d), [n, t, d]), device)
    }

    #[test]
    fn all_at_once_equals_one_operator_after_the_other() {
        for shape in SHAPES {
            for gelu in [Gelu::Exact, Gelu::Quick] {
                let device = Device::flex();
                let layers = layers(shape, gelu, &device);
                let x = tokens(3, shape, &device);
                let ours = numbers_of(TransformerLayer::run(&layers, x.clone()));
                let theirs = layers.iter().fold(x, |x, layer| layer.forward(x));
                // Two layers of numbers up to about 10 in single precision, in another order.
                close_f32(&ours, &numbers_of(theirs), Tol::absolute(2e-5));
            }
        }
    }

    /// In a graph the operators with gradients run.
    #[test]
    fn with_and_without_gradients_the_same() {
        let shape = SHAPES[2];
        let run = |device: &Device| {
            let layers = layers(shape, Gelu::Exact, device);
            numbers_of(TransformerLayer::run(&layers, tokens(2, shape, device)))
        };
        let (plain, tracked) = (Device::flex(), Device::flex().autodiff());
        close_f32(&run(&plain), &run(&tracked), Tol::absolute(2e-5)); // As above.
    }

    #[test]
    fn a_picture_is_the_same_in_any_batch_and_on_any_number_of_threads() {
        let device = Device::flex();
        for shape in SHAPES {
            let [t, d, ..] = shape;
            let layers = layers(shape, Gelu::Quick, &device);
            let all = tokens(7, shape, &device);
            let run = |threads: usize, batch: usize| -> Vec<u32> {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let part = |start: usize| {
                    let x = all.clone().narrow(0, start, batch.min(7 - start));
                    numbers_of(TransformerLayer::run(&layers, x))
                };
                let parts = pool.install(|| (0..7).step_by(batch).flat_map(part).collect());
                let parts: Vec<f32> = parts;
                assert_eq!(parts.len(), 7 * t * d);
                parts.into_iter().map(f32::to_bits).collect()
            };
            let want = run(1, 1);
            for (threads, batch) in [(1, 7), (2, 1), (2, 7), (3, 2)] {
                assert_eq!(run(threads, batch), want, "{threads} threads, batches of {batch}");
            }
        }
    }

    #[test]
    fn a_layer_without_scale_is_one_with_scale_one() {
        let (device, shape) = (Device::flex(), SHAPES[2]);
        let scaled = layers(shape, Gelu::Exact, &device);
        let mut state = state_of(&scaled);
        for (name, array) in &mut state {
            if name.ends_with("gamma") {
                array.values.fill(1.0);
            }
        }
        let scaled = load_state(scaled, &state).unwrap();
        state.retain(|name, _| !name.ends_with("gamma"));
        let [_, features, heads, hidden] = shape;
        let spec = TransformerSpec {
            features,
            heads,
            hidden,
            epsilon: 1e-6,
            gelu: Gelu::Exact,
            layer_scale: false,
            init: Init::Normal(1.0),
        };
        let site = Site::new(Seed::root(0), &device);
        let bare = load_state(spec.stack(2, &site), &state).unwrap();
        let x = tokens(2, shape, &device);
        let [with, without] =
            [scaled, bare].map(|layers| numbers_of(TransformerLayer::run(&layers, x.clone())));
        // The sum of a branch is rounded once more.
        close_f32(&with, &without, Tol::absolute(1e-6));
    }
}
