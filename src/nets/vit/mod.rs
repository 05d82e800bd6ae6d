//! Vision transformers.
//!
//! Dosovitskiy et al. 2021, arXiv:2010.11929 (section 3.1, Table 1); the sizes Ti and S are those
//! of `DeiT`, Touvron et al. 2021, arXiv:2012.12877 (Table 1). Parameter names and initialisation
//! are those of timm's `vision_transformer.py` (1.0.31): a class token, a learned position
//! embedding, layers normalised before attention and before the perceptron. `positions` makes
//! position embeddings for pictures of another size.

mod positions;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocks::{
    DropPath, Dropout, Gelu, Init, LayerNorm, Linear, Mode, PatchEmbed, Site, TransformerLayer,
    TransformerSpec, class_token,
};
use super::weights::State;

/// A size of vision transformer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VitFamily {
    /// 192 features, 3 heads, 12 layers.
    #[default]
    VitTi,
    /// 384 features, 6 heads, 12 layers.
    VitS,
    /// 768 features, 12 heads, 12 layers.
    VitB,
    /// 1024 features, 16 heads, 24 layers.
    VitL,
}

use VitFamily::{VitB, VitL, VitS, VitTi};

/// The families, and what tells them apart.
const FAMILY: [(VitFamily, &str, [usize; 3]); 4] = [
    // family  name   features, heads, layers
    (VitTi, "vit-ti", [192, 3, 12]),
    (VitS, "vit-s", [384, 6, 12]),
    (VitB, "vit-b", [768, 12, 12]),
    (VitL, "vit-l", [1024, 16, 24]),
];

impl VitFamily {
    fn row(self) -> (&'static str, [usize; 3]) {
        let row = FAMILY.iter().find(|row| row.0 == self).expect("every family has a row");
        (row.1, row.2)
    }

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        self.row().0
    }
}

/// A vision transformer: size and patch; the picture's size comes from the data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct VitSpec {
    /// The size, which is that of the DeiT of the same letter.
    pub family: VitFamily,
    /// Side of a patch in pixels; it divides the picture's side.
    #[schemars(range(min = 1))]
    pub patch: usize,
    /// Features of a token. Absent: the family's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub features: Option<usize>,
    /// Heads of the attention; they divide the features. Absent: the family's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub heads: Option<usize>,
    /// Layers. Absent: the family's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub depth: Option<usize>,
    /// Stochastic depth: the probability that training skips a branch of the last layer for a
    /// picture; it rises linearly from 0 at the first one. DeiT: 0.1.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0, max = 0.99))]
    pub drop_path: f64,
    /// Dropout: the share of features that training sets to 0 before the last linear layer. DeiT:
    /// none.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0, max = 0.99))]
    pub dropout: f64,
}

/// A rate of zero is not written, so that results of before there were rates keep their keys.
fn is_zero(rate: &f64) -> bool {
    rate.abs() <= 0.0
}

impl Default for VitSpec {
    fn default() -> Self {
        Self {
            family: VitTi,
            patch: 16,
            features: None,
            heads: None,
            depth: None,
            drop_path: 0.0,
            dropout: 0.0,
        }
    }
}

impl VitSpec {
    /// Returns features, heads and layers.
    pub(super) fn sizes(&self) -> [usize; 3] {
        let [features, heads, depth] = self.family.row().1;
        [
            self.features.unwrap_or(features),
            self.heads.unwrap_or(heads),
            self.depth.unwrap_or(depth),
        ]
    }

    /// Returns the family's name, the patch and, as suffixes, what differs from the family:
    /// `vit-ti-p4-f48-h3-d6`.
    pub fn describe(&self) -> String {
        let mut name = format!("{}-p{}", self.family.name(), self.patch);
        let own = self.family.row().1;
        for ((letter, size), own) in ["f", "h", "d"].into_iter().zip(self.sizes()).zip(own) {
            if size != own {
                name += &format!("-{letter}{size}");
            }
        }
        name
    }

    /// Builds the net for square pictures of `pixels` x `pixels` and `channels` channels.
    ///
    /// # Panics
    /// If the patch does not divide the picture or the heads do not divide the features.
    pub fn build(&self, channels: usize, pixels: usize, classes: usize, site: &Site) -> Vit {
        let [features, heads, depth] = self.sizes();
        assert_eq!(pixels % self.patch, 0, "patches cover the picture");
        assert_eq!(features % heads, 0, "heads share the features");
        let tokens = (pixels / self.patch).pow(2) + 1;
        let layer = TransformerSpec {
            features,
            heads,
            hidden: MLP_RATIO * features,
            epsilon: EPSILON,
            gelu: Gelu::Exact,
            layer_scale: false,
            init: INIT,
        };
        Vit {
            cls_token: site.draw("cls_token", [1, 1, features], Init::Normal(1e-6)),
            pos_embed: site.draw("pos_embed", [1, tokens, features], INIT),
            patch_embed: PatchEmbed::new([channels, features, self.patch], true, site),
            blocks: layer.stack(depth, &site.at("blocks")),
            drops: self.drops(depth),
            norm: LayerNorm::new(features, EPSILON, &site.at("norm")),
            dropout: Dropout::new(self.dropout, "head"),
            head: Linear::with_init(features, classes, INIT, &site.at("head")),
        }
    }
}

impl VitSpec {
    /// Fits weights of this net, trained on pictures of another size, to pictures of `pixels` x
    /// `pixels`: only the number of position embeddings changes.
    pub(super) fn adapt(&self, state: &mut State, pixels: usize) {
        let Some(positions) = state.get_mut("pos_embed") else { return };
        let &[1, _, d] = positions.shape.as_slice() else { return };
        let patches = pixels / self.patch;
        positions.values = positions::resampled(&positions.values, d, patches);
        positions.shape = vec![1, patches * patches + 1, d];
    }

    /// Returns what layers leave out, for attention and perceptron; empty without stochastic depth.
    fn drops(&self, depth: usize) -> Vec<[DropPath; 2]> {
        let drop = |index: usize| {
            let rate = DropPath::linear(self.drop_path, index, depth);
            ["attn", "mlp"].map(|part| DropPath::new(rate, format!("blocks.{index}.{part}")))
        };
        if is_zero(&self.drop_path) { Vec::new() } else { (0..depth).map(drop).collect() }
    }
}

/// timm's law for position embedding and linear layers, the head included.
const INIT: Init = Init::TruncatedNormal(0.02);

/// timm's epsilon of all layer normalisations in a vision transformer.
const EPSILON: f64 = 1e-6;

/// Hidden features of the perceptron per feature.
const MLP_RATIO: usize = 4;

/// A vision transformer.
#[derive(Module, Debug)]
pub struct Vit {
    cls_token: Param<Tensor<3>>, // [1, 1, d]
    pos_embed: Param<Tensor<3>>, // [1, t, d]
    patch_embed: PatchEmbed,
    blocks: Vec<TransformerLayer>,
    #[module(skip)]
    drops: Vec<[DropPath; 2]>,
    norm: LayerNorm,
    #[module(skip)]
    dropout: Dropout,
    /// Features to logits.
    pub head: Linear,
}

impl Vit {
    /// Returns logits, `[n, classes]`, of pictures, `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.head.forward(self.dropout.forward(self.features(x, mode), mode))
    }

    /// Returns the normalised class token, `[n, d]`.
    pub fn features(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let x = self.patch_embed.tokens(x, &self.cls_token, &self.pos_embed);
        let x = match mode {
            Mode::Train(_) if !self.drops.is_empty() => {
                TransformerLayer::run_dropping(&self.blocks, &self.drops, x, mode)
            }
            Mode::Train(_) | Mode::Evaluate => TransformerLayer::run(&self.blocks, x),
        };
        self.norm.forward(class_token(x))
    }

    /// Returns the number of features, `d`.
    pub fn feature_width(&self) -> usize {
        self.head.weight.dims()[1]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::super::classifier::ClassifierNet;
    use super::super::golden::{check, filled, numbers, numbers_of};
    use super::super::weights::{parameter_count, state_of};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32, golden_json};

    #[test]
    fn agrees_with_timm() {
        let cases = golden_json("nets/vit/cases.json");
        let small = |patch, heads, depth| VitSpec {
            family: VitTi,
            patch,
            features: Some(24),
            heads: Some(heads),
            depth: Some(depth),
            ..VitSpec::default()
        };
        // Three heads are the family's own and so not in the name.
        for spec in [small(4, 3, 2), small(2, 2, 3), VitSpec::default()] {
            check(ClassifierNet::Vit(spec), &cases);
        }
    }

    #[test]
    fn families_have_the_published_numbers_of_parameters() {
        let counts = golden_json("nets/vit/parameters.json");
        for family in [VitTi, VitS] {
            let [classes, count] =
                [0, 1].map(|i| counts[family.name()][i].as_u64().unwrap() as usize);
            let spec = VitSpec { family, ..Default::default() };
            let net = spec.build(3, 224, classes, &Site::new(Seed::root(0), &Device::flex()));
            assert_eq!(parameter_count(&net), count, "{family:?}");
        }
    }

    fn tiny(drop_path: f64, dropout: f64, depth: usize) -> Vit {
        let spec = VitSpec {
            patch: 4,
            features: Some(12),
            depth: Some(depth),
            drop_path,
            dropout,
            ..VitSpec::default()
        };
        filled(spec.build(3, 8, 5, &Site::blank(&Device::flex())))
    }

    fn pictures(n: usize) -> Tensor<4> {
        let values = TensorData::new(numbers("pictures", n * 3 * 64), [n, 3, 8, 8]);
        Tensor::from_data(values, &Device::flex())
    }

    #[test]
    fn stochastic_depth_skips_branches_in_training_only() {
        let train = Mode::Train(Seed::root(3));
        let (plain, dropping) = (tiny(0.0, 0.0, 3), tiny(0.5, 0.0, 3));
        let features = |net: &Vit, mode| numbers_of(net.features(pictures(16), mode));
        let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let still = bits(features(&plain, Mode::Evaluate));
        assert_eq!(still, bits(features(&dropping, Mode::Evaluate)));
        assert_eq!(still, bits(features(&plain, train)));
        let (once, again) = (features(&dropping, train), features(&dropping, train));
        assert_eq!(once, again);
        assert_ne!(once, features(&dropping, Mode::Train(Seed::root(4))));
        // A picture that loses nothing exists only if the rates allow it; the first picture's
        // losses are its own in any batch.
        let alone = numbers_of(dropping.features(pictures(1), train));
        close_f32(&once[..12], &alone, Tol::absolute(1e-5)); // Numbers near 1 through 3 layers.
    }

    #[test]
    fn the_head_drops_features_in_training_only() {
        let net = tiny(0.0, 0.5, 1);
        let logits = |mode| numbers_of(net.forward(pictures(4), mode));
        let plain = numbers_of(tiny(0.0, 0.0, 1).forward(pictures(4), Mode::Evaluate));
        assert_eq!(logits(Mode::Evaluate), plain);
        assert_ne!(logits(Mode::Train(Seed::root(1))), plain);
    }

    #[test]
    fn fresh_weights_follow_timm() {
        let spec = VitSpec { depth: Some(1), ..Default::default() };
        let net = state_of(&spec.build(3, 32, 10, &Site::new(Seed::root(0), &Device::flex())));
        // At least 1,920 draws: the standard error of a deviation is at most 1.6 %; 5 of them.
        for (name, deviation) in [
            ("blocks.0.attn.qkv.weight", 0.02),
            ("blocks.0.mlp.fc2.weight", 0.02),
            ("head.weight", 0.02),
            // U(-a, a), a = 1/sqrt(768)
            ("patch_embed.proj.weight", 1.0 / (3.0 * 768.0_f64).sqrt()),
        ] {
            let values = &net[name].values;
            let square = values.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
            let got = (square / values.len() as f64).sqrt();
            assert!((got / deviation - 1.0).abs() < 0.08, "{name}: deviation {got}");
        }
        assert!(net["head.bias"].values.iter().all(|b| b.abs() < f32::MIN_POSITIVE));
    }

    #[test]
    fn names_in_files_are_names_in_tables() {
        for (family, name, _) in FAMILY {
            assert_eq!(serde_json::to_value(family).unwrap(), name);
        }
    }
}
