//! DINOv2, a vision transformer that learned to see without labels.
//!
//! Oquab et al. 2024, arXiv:2304.07193 (section 4; Table 16 for the sizes), the networks without
//! registers. Layers and parameter names are those of the facebook hub (`facebookresearch/dinov2`,
//! `dinov2/models/vision_transformer.py` at `027a9ac`), which timm shares; files may have those of
//! Hugging Face. The features are the class token behind the last normalisation.
//!
//! What the tools feed it, all at 224 x 224 pixels without crop, with ImageNet's mean (0.485,
//! 0.456, 0.406) and deviation (0.229, 0.224, 0.225) of values in [0, 1]:
//!
//! - dgm-eval: Pillow's bicubic resize in 8 bits; with `clean_resize` in f32, clipped to 0..255.
//! - EDM2: torch's anti-aliased bicubic resize of 0..255 in f32, neither rounded nor clipped; with
//!   `resize_mode="pil"` as dgm-eval.
//! - torch-fidelity: TensorFlow 1's bilinear resize of 0..255 in f32; B/14 and S/14 are on offer
//!   too.
//!
//! All three run the hub code, so published distances are those of [`Interpolation::Offset`].

mod names;
mod positions;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

pub use self::positions::Interpolation;
use self::positions::resized;
use super::blocks::{
    Gelu, Init, LayerNorm, PatchEmbed, Site, TransformerLayer, TransformerSpec, class_token,
};
use super::weights::{Mismatch, State, load_stored};

/// A size of DINOv2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dinov2Spec {
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
    /// Side of the pictures in pixels whose patches have a position embedding in the file.
    pub trained_pixels: usize,
}

impl Dinov2Spec {
    /// ViT-S/14: 384 features.
    pub const S14: Self = Self { features: 384, heads: 6, ..Self::B14 };
    /// ViT-B/14: 768 features.
    pub const B14: Self = Self {
        features: 768,
        heads: 12,
        depth: 12,
        mlp_ratio: 4,
        patch: 14,
        trained_pixels: 518, // The hub's `img_size`: 37 x 37 patches.
    };
    /// ViT-L/14: 1024 features. The one behind published distances.
    pub const L14: Self = Self { features: 1024, heads: 16, depth: 24, ..Self::B14 };

    /// Returns the net for pictures of `pixels` x `pixels`, with the weights of a file of the
    /// facebook hub or of Hugging Face.
    ///
    /// # Errors
    /// If names and shapes in the file are not exactly those of the net; the mask token, which only
    /// training uses, may be there.
    ///
    /// # Panics
    /// If the pictures are smaller than a patch or no multiple of it.
    pub fn load(
        &self,
        file: &State,
        pixels: usize,
        interpolation: Interpolation,
        device: &Device,
    ) -> Result<Dinov2, Mismatch> {
        assert!(pixels > 0 && pixels.is_multiple_of(self.patch), "patches cover the picture");
        let stored = names::naming(file);
        let net = load_stored(self.blank(device), file, stored, names::is_mask_token)?;
        Ok(net.at(pixels / self.patch, interpolation))
    }

    /// Returns the net as trained, with all weights 0.
    fn blank(&self, device: &Device) -> Dinov2 {
        let site = Site::blank(device);
        let Self { features, heads, patch, .. } = *self;
        let zeros = Init::Constant(0.0);
        let layer = TransformerSpec {
            features,
            heads,
            hidden: self.mlp_ratio * features,
            epsilon: EPSILON,
            gelu: Gelu::Exact,
            layer_scale: true,
            init: zeros,
        };
        let tokens = (self.trained_pixels / patch).pow(2) + 1;
        Dinov2 {
            cls_token: site.draw("cls_token", [1, 1, features], zeros),
            pos_embed: site.draw("pos_embed", [1, tokens, features], zeros),
            patch_embed: PatchEmbed::new([3, features, patch], true, &site),
            blocks: layer.stack(self.depth, &site.at("blocks")),
            norm: LayerNorm::new(features, EPSILON, &site.at("norm")),
        }
    }
}

/// Epsilon of all layer normalisations.
const EPSILON: f64 = 1e-6;

/// A DINOv2 for pictures of one size.
#[derive(Module, Debug)]
pub struct Dinov2 {
    cls_token: Param<Tensor<3>>, // [1, 1, d]
    pos_embed: Param<Tensor<3>>, // [1, t, d]
    patch_embed: PatchEmbed,
    blocks: Vec<TransformerLayer>,
    norm: LayerNorm,
}

impl Dinov2 {
    /// Returns the normalised class token, `[n, d]`, of pictures, `[n, 3, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.patch_embed.tokens(x, &self.cls_token, &self.pos_embed);
        let x = TransformerLayer::run(&self.blocks, x);
        self.norm.forward(class_token(x))
    }

    /// Returns the number of features, `d`.
    pub fn feature_width(&self) -> usize {
        self.pos_embed.dims()[2]
    }

    /// Resizes the position embeddings to `patches` x `patches`.
    fn at(self, patches: usize, interpolation: Interpolation) -> Self {
        let pos_embed = self.pos_embed.map(|old| {
            let ([_, _, d], device) = (old.dims(), old.device());
            let values = old.into_data().try_into_vec().expect("weights are in single precision");
            let values = resized(&values, d, patches, interpolation);
            Tensor::from_data(TensorData::new(values, [1, patches * patches + 1, d]), &device)
        });
        Self { pos_embed, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::golden::{Allowed, formula_file, list, near, numbers_of, pictures};
    use super::super::weights::parameter_count;
    use super::*;
    use crate::testing::golden_json;

    fn spec(case: &Value) -> Dinov2Spec {
        let [features, heads, depth, patch] =
            ["features", "heads", "depth", "patch"].map(|key| case[key].as_u64().unwrap() as usize);
        Dinov2Spec { features, heads, depth, patch, mlp_ratio: 4, trained_pixels: 28 }
    }

    fn load(case: &Value, file: &State) -> Result<Dinov2, Mismatch> {
        let [_, pixels] = list(&case["input"]).map(|x| x as usize);
        let interpolation = match case["positions"].as_str().unwrap() {
            "size" => Interpolation::Size,
            _ => Interpolation::Offset,
        };
        spec(case).load(file, pixels, interpolation, &Device::flex())
    }

    #[test]
    fn agrees_with_transformers_and_the_hub() {
        let cases = golden_json("nets/dinov2/cases.json");
        for (name, case) in cases.as_object().unwrap() {
            let net = load(case, &formula_file(&case["shapes"], 1.0))
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let [n, pixels] = list(&case["input"]).map(|x| x as usize);
            let features = net.forward(pictures([n, 3, pixels, pixels], &Device::flex()));
            assert_eq!(features.dims(), [n, net.feature_width()]);
            near(features, &case["output"], Allowed::forward_of(&case["f32"]));
        }
    }

    /// The two ways to resize differ by much more than the tolerance above.
    #[test]
    fn the_offset_matters() {
        let cases = golden_json("nets/dinov2/cases.json");
        let case = &cases["hub-16"];
        let run = |interpolation| -> Vec<f32> {
            let net = spec(case)
                .load(&formula_file(&case["shapes"], 1.0), 16, interpolation, &Device::flex())
                .unwrap();
            numbers_of(net.forward(pictures([1, 3, 16, 16], &Device::flex())))
        };
        let [size, offset] = [Interpolation::Size, Interpolation::Offset].map(run);
        let off = size.iter().zip(&offset).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off > 1e-3, "{off}");
    }

    #[test]
    fn a_picture_is_the_same_in_any_batch() {
        let cases = golden_json("nets/dinov2/cases.json");
        let case = &cases["hub-40"];
        let net = load(case, &formula_file(&case["shapes"], 1.0)).unwrap();
        let all = pictures([7, 3, 40, 40], &Device::flex());
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
    fn every_tensor_must_fit() {
        let cases = golden_json("nets/dinov2/cases.json");
        for (name, key) in [
            ("huggingface-28", "encoder.layer.1.attention.attention.key.bias"),
            ("hub-28", "blocks.1.ls2.gamma"),
        ] {
            let case = &cases[name];
            let mut file = formula_file(&case["shapes"], 1.0);
            let taken = file.remove(key).unwrap();
            let lacking = load(case, &file).unwrap_err();
            assert_eq!((lacking.missing, lacking.unused), (vec![key.to_owned()], Vec::new()));
            let mut wrong = taken.clone();
            wrong.shape = vec![1, wrong.shape[0]];
            file.insert(key.to_owned(), wrong);
            assert_eq!(load(case, &file).unwrap_err().shapes[0].name, key);
            file.insert(key.to_owned(), taken.clone());
            file.insert("register_tokens".into(), taken);
            assert_eq!(load(case, &file).unwrap_err().unused, ["register_tokens"]);
        }
    }

    #[test]
    fn sizes_have_the_published_numbers_of_parameters() {
        let counts = golden_json("nets/dinov2/parameters.json");
        for (name, spec) in [
            ("dinov2-s", Dinov2Spec::S14),
            ("dinov2-b", Dinov2Spec::B14),
            ("dinov2-l", Dinov2Spec::L14),
        ] {
            let net = spec.blank(&Device::flex());
            let counted = [net.feature_width(), parameter_count(&net)];
            assert_eq!(counted, list(&counts[name]).map(|x| x as usize), "{name}");
        }
    }
}
