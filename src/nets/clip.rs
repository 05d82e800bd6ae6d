//! The image tower of CLIP.
//!
//! Radford et al. 2021, arXiv:2103.00020 (section 2.4 and Table 20), as in openai's `clip/model.py`
//! at `d50d76d`: a vision transformer with a class token, normalised once more before the layers,
//! with quick GELU, and a linear map without bias from the normalised class token to the space that
//! texts share. The text tower is not here. Parameter names are those of timm's
//! `vision_transformer.py` (1.0.31), as in all our transformers; files have those of openai or of
//! Hugging Face. What openai itself publishes (`ViT-B-32.pt`) is a TorchScript program, which our
//! reader refuses; PyTorch writes its state dict by
//! `torch.save(torch.jit.load(FILE, "cpu").state_dict(), OTHER)`.
//!
//! What the tools feed it at 224 x 224 pixels, with mean (0.48145466, 0.4578275, 0.40821073) and
//! deviation (0.26862954, 0.26130258, 0.27577711) of values in [0, 1]:
//!
//! - clean-fid (B/32) and Hugging Face's `CLIPImageProcessor`: Pillow's bicubic resize in 8 bits of
//!   the shorter side, then a crop of the centre.
//! - torch-fidelity: TensorFlow 1's bilinear resize of 0..255 in f32 without crop.
//! - dgm-eval: as clean-fid, but with weights of `open_clip` that openai did not make (L/14:
//!   `datacomp_xl_s13b_b90k`), and without the last linear map: 1024 features.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::blocks::{
    Gelu, Init, LayerNorm, Linear, PatchEmbed, Site, TransformerLayer, TransformerSpec, class_token,
};
use super::weights::{Mismatch, State, Stored, load_stored};

/// A size of CLIP's image tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipSpec {
    /// Features of a token, `d`.
    pub features: usize,
    /// Heads of the attention; they divide the features.
    pub heads: usize,
    /// Layers.
    pub depth: usize,
    /// Hidden features of the perceptron per feature.
    pub mlp_ratio: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Side of a picture in pixels.
    pub pixels: usize,
    /// Features of a picture.
    pub outputs: usize,
}

impl ClipSpec {
    /// ViT-B/32: 512 features of a picture.
    pub const B32: Self = Self {
        features: 768,
        heads: 12,
        depth: 12,
        mlp_ratio: 4,
        patch: 32,
        pixels: 224,
        outputs: 512,
    };
    /// ViT-L/14: 768 features of a picture.
    pub const L14: Self =
        Self { features: 1024, heads: 16, depth: 24, patch: 14, outputs: 768, ..Self::B32 };

    /// Returns the net with the weights of a file: a state dict of openai, or
    /// `CLIPVisionModelWithProjection` or the whole `CLIPModel` of Hugging Face.
    ///
    /// # Errors
    /// If names and shapes in the file are not exactly those of the net; those of the text tower
    /// are passed over.
    pub fn load(&self, file: &State, device: &Device) -> Result<Clip, Mismatch> {
        let format = if file.contains_key("visual.class_embedding") { &OPENAI } else { &HUGGING };
        let skipped = |name: &str| !name.starts_with("visual.") && format.is_text(name);
        load_stored(self.blank(device), file, |name| format.stored(name), skipped)
    }

    /// Returns the net with all weights 0.
    fn blank(&self, device: &Device) -> Clip {
        assert_eq!(self.pixels % self.patch, 0, "patches cover the picture");
        let site = Site::blank(device);
        let Self { features, heads, patch, .. } = *self;
        let zeros = Init::Constant(0.0);
        let layer = TransformerSpec {
            features,
            heads,
            hidden: self.mlp_ratio * features,
            epsilon: EPSILON,
            gelu: Gelu::Quick,
            layer_scale: false,
            init: zeros,
        };
        let tokens = (self.pixels / patch).pow(2) + 1;
        Clip {
            cls_token: site.draw("cls_token", [1, 1, features], zeros),
            pos_embed: site.draw("pos_embed", [1, tokens, features], zeros),
            patch_embed: PatchEmbed::new([3, features, patch], false, &site),
            norm_pre: LayerNorm::new(features, EPSILON, &site.at("norm_pre")),
            blocks: layer.stack(self.depth, &site.at("blocks")),
            norm: LayerNorm::new(features, EPSILON, &site.at("norm")),
            head: Linear::without_bias(features, self.outputs, &site.at("head")),
        }
    }
}

/// Epsilon of all layer normalisations: PyTorch's default.
const EPSILON: f64 = 1e-5;

/// The image tower of a CLIP.
#[derive(Module, Debug)]
pub struct Clip {
    cls_token: Param<Tensor<3>>, // [1, 1, d]
    pos_embed: Param<Tensor<3>>, // [1, t, d]
    patch_embed: PatchEmbed,
    norm_pre: LayerNorm,
    blocks: Vec<TransformerLayer>,
    norm: LayerNorm,
    head: Linear,
}

impl Clip {
    /// Returns the features of pictures, `[n, outputs]`, for `[n, 3, h, w]`. Their length means
    /// nothing to CLIP, which compares directions; distances between distributions take them as
    /// they are.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.patch_embed.tokens(x, &self.cls_token, &self.pos_embed);
        let x = TransformerLayer::run(&self.blocks, self.norm_pre.forward(x));
        self.head.forward(self.norm.forward(class_token(x)))
    }

    /// Returns the number of features of a picture.
    pub fn feature_width(&self) -> usize {
        self.head.weight.dims()[0]
    }
}

/// The names of an implementation, by ours.
struct Format {
    outer: &'static [(&'static str, &'static str)],
    /// What layers are called.
    layers: &'static str,
    inner: &'static [(&'static str, &'static str)],
    /// Queries, keys and values of a layer where they are three tensors.
    apart: Option<[&'static str; 3]>,
    /// The last linear map is stored with rows and columns exchanged.
    transposed: &'static str,
    /// How names begin that belong to the text tower, or that no net needs.
    text: &'static [&'static str],
}

const OPENAI: Format = Format {
    outer: &[
        ("cls_token", "visual.class_embedding"),
        ("pos_embed", "visual.positional_embedding"),
        ("patch_embed.proj.", "visual.conv1."),
        ("norm_pre.", "visual.ln_pre."),
        ("norm.", "visual.ln_post."),
        ("head.weight", "visual.proj"),
    ],
    layers: "visual.transformer.resblocks",
    inner: &[
        ("norm1.", "ln_1."),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj.", "attn.out_proj."),
        ("norm2.", "ln_2."),
        ("mlp.fc1.", "mlp.c_fc."),
        ("mlp.fc2.", "mlp.c_proj."),
    ],
    apart: None,
    transposed: "visual.proj",
    text: &[
        "transformer.",
        "token_embedding.",
        "positional_embedding",
        "ln_final.",
        "text_projection",
        "logit_scale",
        "input_resolution",
        "context_length",
        "vocab_size",
    ],
};

const HUGGING: Format = Format {
    outer: &[
        ("cls_token", "vision_model.embeddings.class_embedding"),
        ("pos_embed", "vision_model.embeddings.position_embedding.weight"),
        ("patch_embed.proj.", "vision_model.embeddings.patch_embedding."),
        ("norm_pre.", "vision_model.pre_layrnorm."),
        ("norm.", "vision_model.post_layernorm."),
        ("head.", "visual_projection."),
    ],
    layers: "vision_model.encoder.layers",
    inner: &[
        ("norm1.", "layer_norm1."),
        ("attn.proj.", "self_attn.out_proj."),
        ("norm2.", "layer_norm2."),
        ("mlp.", "mlp."),
    ],
    apart: Some(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    transposed: "",
    // Files written before transformers 4.31 hold the positions 0, 1, ... as a tensor.
    text: &[
        "text_model.",
        "text_projection.",
        "logit_scale",
        "vision_model.embeddings.position_ids",
    ],
};

impl Format {
    fn is_text(&self, name: &str) -> bool {
        self.text.iter().any(|start| name.starts_with(start))
    }

    fn stored(&self, name: &str) -> Stored {
        let other = |table: &[(&str, &str)], name: &str| {
            let row =
                table.iter().find_map(|(ours, theirs)| Some((name.strip_prefix(ours)?, theirs)));
            let (rest, theirs) = row.expect("the table has all names of the net");
            format!("{theirs}{rest}")
        };
        let Some((layer, part)) =
            name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'))
        else {
            let theirs = other(self.outer, name);
            let exchanged = theirs == self.transposed;
            return if exchanged { Stored::Transposed(theirs) } else { Stored::As(theirs) };
        };
        let layer = format!("{}.{layer}", self.layers);
        match (self.apart, part.strip_prefix("attn.qkv.")) {
            (Some(parts), Some(kind)) => {
                Stored::Joined(parts.map(|part| format!("{layer}.{part}.{kind}")))
            }
            _ => Stored::As(format!("{layer}.{}", other(self.inner, part))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::golden::{Allowed, formula_file, list, near, numbers_of, pictures};
    use super::super::weights::parameter_count;
    use super::*;
    use crate::testing::golden_json;

    fn spec(case: &Value) -> ClipSpec {
        let keys = ["features", "heads", "depth", "patch", "pixels", "outputs"];
        let [features, heads, depth, patch, pixels, outputs] =
            keys.map(|key| case[key].as_u64().unwrap() as usize);
        ClipSpec { features, heads, depth, mlp_ratio: 4, patch, pixels, outputs }
    }

    #[test]
    fn agrees_with_transformers_and_openai() {
        let (cases, device) = (golden_json("nets/clip/cases.json"), Device::flex());
        for (name, case) in cases.as_object().unwrap() {
            let spec = spec(case);
            let net = spec
                .load(&formula_file(&case["shapes"], 1.0), &device)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let [n] = list(&case["input"]).map(|x| x as usize);
            let features = net.forward(pictures([n, 3, spec.pixels, spec.pixels], &device));
            assert_eq!(features.dims(), [n, net.feature_width()]);
            near(features, &case["output"], Allowed::forward_of(&case["f32"]));
        }
    }

    #[test]
    fn a_picture_is_the_same_in_any_batch() {
        let (cases, device) = (golden_json("nets/clip/cases.json"), Device::flex());
        let case = &cases["openai-16"];
        let net = spec(case).load(&formula_file(&case["shapes"], 1.0), &device).unwrap();
        let all = pictures([7, 3, 16, 16], &device);
        let run = |batch: usize| -> Vec<u32> {
            let part = |start: usize| {
                numbers_of(net.forward(all.clone().narrow(0, start, batch.min(7 - start))))
            };
            (0..7).step_by(batch).flat_map(part).map(f32::to_bits).collect()
        };
        let want = run(1);
        assert!(run(7) == want && run(3) == want);
    }

    #[test]
    fn every_tensor_of_the_image_tower_must_fit() {
        let (cases, device) = (golden_json("nets/clip/cases.json"), Device::flex());
        for (name, key) in [
            ("huggingface-whole-32", "vision_model.encoder.layers.2.self_attn.q_proj.weight"),
            ("openai-16", "visual.proj"),
            ("openai-16", "visual.ln_pre.bias"),
        ] {
            let load = |file: &State| spec(&cases[name]).load(file, &device);
            let mut file = formula_file(&cases[name]["shapes"], 1.0);
            let mut taken = file.remove(key).unwrap();
            assert_eq!(load(&file).unwrap_err().missing, [key], "{name}");
            taken.shape.insert(0, 2);
            file.insert(key.to_owned(), taken.clone());
            assert_eq!(load(&file).unwrap_err().shapes[0].name, key);
            file = formula_file(&cases[name]["shapes"], 1.0);
            file.insert("visual.conv2.weight".into(), taken);
            assert_eq!(load(&file).unwrap_err().unused, ["visual.conv2.weight"]);
        }
    }

    #[test]
    fn sizes_have_the_published_numbers_of_parameters() {
        let counts = golden_json("nets/clip/parameters.json");
        for (name, spec) in [("clip-b32", ClipSpec::B32), ("clip-l14", ClipSpec::L14)] {
            let net = spec.blank(&Device::flex());
            let counted = [net.feature_width(), parameter_count(&net)];
            assert_eq!(counted, list(&counts[name]).map(|x| x as usize), "{name}");
        }
    }
}
