//! The published networks of metrics, from pictures to features.
//!
//! In reading order: [`Network`] is the choice, with what each network is compared by;
//! [`Preprocessing`] is what becomes of a picture before a network sees it (`preprocessing`);
//! [`Encoder`] is a network with its weights, an [`Extractor`](super::Extractor) (`encoder`);
//! [`Published`] is a file of weights as the world has it (`published`).
//!
//! Invariants: weights fit by every name and shape or are refused; features of a picture are the
//! same bits whatever pictures stand beside it, and whatever number of threads there is.

mod encoder;
mod preprocessing;
mod published;

pub use encoder::{Encoder, WrongWeights};
pub use preprocessing::{Preprocessing, Scaling};
pub use published::Published;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::images::Resize;

/// A network that metrics are published with, and the layer of it that features are taken from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The Inception of FID, pool3: 2048 features, 1008 logits, 2023 spatial features.
    Inception,
    /// The same after its first pool: 64 features. No FID.
    #[serde(rename = "inception-d64")]
    InceptionD64,
    /// The same after its second pool: 192 features. No FID.
    #[serde(rename = "inception-d192")]
    InceptionD192,
    /// The same after its last layer of 17 x 17 pixels: 768 features. No FID.
    #[serde(rename = "inception-d768")]
    InceptionD768,
    /// VGG16, second hidden layer after ReLU: 4096 features, 1000 logits. Precision and recall of
    /// the older papers.
    Vgg16,
    /// DINOv2 ViT-B/14, class token: 768 features. torch-fidelity offers it.
    #[serde(rename = "dinov2-b")]
    Dinov2B,
    /// DINOv2 ViT-L/14, class token: 1024 features. Published distances "FD DINOv2" are of these.
    #[serde(rename = "dinov2-l")]
    Dinov2L,
    /// CLIP ViT-B/32, features of the picture: 512. clean-fid's and torch-fidelity's CLIP.
    #[serde(rename = "clip-b32")]
    ClipB32,
    /// CLIP ViT-L/14, features of the picture: 768.
    #[serde(rename = "clip-l14")]
    ClipL14,
}

/// What tells the networks apart.
struct Row {
    name: &'static str,
    layer: &'static str,
    features: usize,
    distance: &'static str,
    preprocessing: Preprocessing,
    published: &'static [Published],
}

/// clean-fid's.
const CLEAN_299: Preprocessing =
    Preprocessing { resize: Resize::PilBicubicF32, side: 299, scaling: Scaling::Tensorflow };

/// Side of the pictures that DINOv2 sees in all tools.
const DINOV2_SIDE: usize = 224;

impl Network {
    /// All networks.
    pub const ALL: [Self; 9] = [
        Self::Inception,
        Self::InceptionD64,
        Self::InceptionD192,
        Self::InceptionD768,
        Self::Vgg16,
        Self::Dinov2B,
        Self::Dinov2L,
        Self::ClipB32,
        Self::ClipL14,
    ];

    fn row(self) -> Row {
        let inception = |name, layer, distance, features| Row {
            name,
            layer,
            features,
            distance,
            preprocessing: CLEAN_299,
            published: published::INCEPTION,
        };
        let dinov2 = |name, distance, features, published| Row {
            name,
            layer: "class-token",
            features,
            distance,
            // dgm-eval's, and EDM2's with `resize_mode="pil"`.
            preprocessing: Preprocessing {
                resize: Resize::Pil8Bit,
                side: DINOV2_SIDE,
                scaling: Scaling::Imagenet,
            },
            published,
        };
        let clip = |name, distance, features, published| Row {
            name,
            layer: "image-features",
            features,
            distance,
            // clean-fid's, and Hugging Face's for all of CLIP.
            preprocessing: Preprocessing {
                resize: Resize::Pil8BitCrop,
                side: 224,
                scaling: Scaling::Clip,
            },
            published,
        };
        match self {
            Self::Inception => inception("inception", "pool3", "fid", 2048),
            Self::InceptionD64 => inception("inception-d64", "pool1", "fid-d64", 64),
            Self::InceptionD192 => inception("inception-d192", "pool2", "fid-d192", 192),
            Self::InceptionD768 => inception("inception-d768", "mixed-6e", "fid-d768", 768),
            Self::Vgg16 => Row {
                name: "vgg16",
                layer: "fc2-relu",
                features: 4096,
                distance: "fd-vgg16",
                // torch-fidelity's.
                preprocessing: Preprocessing {
                    resize: Resize::Tf1,
                    side: 224,
                    scaling: Scaling::Imagenet,
                },
                published: published::VGG16,
            },
            Self::Dinov2B => dinov2("dinov2-b", "fd-dinov2-b", 768, published::DINOV2_B),
            Self::Dinov2L => dinov2("dinov2-l", "fd-dinov2", 1024, published::DINOV2_L),
            Self::ClipB32 => clip("clip-b32", "fd-clip", 512, published::CLIP_B32),
            Self::ClipL14 => clip("clip-l14", "fd-clip-l14", 768, published::CLIP_L14),
        }
    }

    /// Returns the name in files and protocols.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the layer that features are taken from.
    pub fn layer(self) -> &'static str {
        self.row().layer
    }

    /// Returns how many features a picture has.
    pub fn features(self) -> usize {
        self.row().features
    }

    /// Returns the name of a Fréchet distance of these features: only that of pool3 is `fid`.
    pub fn distance(self) -> &'static str {
        self.row().distance
    }

    /// Returns what becomes of pictures where nothing else is asked for.
    pub fn preprocessing(self) -> Preprocessing {
        self.row().preprocessing
    }

    /// Returns the files that its weights are published as; the first is the one to download.
    pub fn published(self) -> &'static [Published] {
        self.row().published
    }

    /// Returns whether a published file has this SHA-256, of which the first digits are enough.
    pub fn is_published(self, sha256: &str) -> bool {
        self.published().iter().any(|file| file.sha256.starts_with(sha256))
    }
}

#[cfg(test)]
mod tests;
