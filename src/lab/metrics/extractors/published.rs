//! The files that weights are published as.
//!
//! Addresses are those that pytorch-fid 0.3, torch-fidelity 0.4, torchvision 0.29 and DINOv2's hub
//! download from, and fixed commits of the model pages of Hugging Face. Hugging Face publishes the
//! SHA-256 of each file. Of the others the authors publish its first eight digits, as the end of
//! the name, or none (DINOv2): the rest is what many who downloaded them wrote down.

/// A file that the weights of a network are published as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// What it is called in a folder of weights.
    pub name: &'static str,
    /// Where it lies.
    pub address: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

/// How addresses on Hugging Face begin; organisation and model follow.
const HUGGING_FACE: &str = "https://huggingface.co/";

impl Published {
    /// Returns the eight digits that the name ends with, if it promises some: they begin the
    /// file's SHA-256.
    pub fn digits(&self) -> Option<&'static str> {
        let digits = &self.sha256[..8];
        self.name.contains(&format!("-{digits}.")).then_some(digits)
    }

    /// Returns the folder of this model in the cache of Hugging Face, if it is published there.
    pub fn hub_folder(&self) -> Option<String> {
        let mut parts = self.address.strip_prefix(HUGGING_FACE)?.split('/');
        Some(format!("models--{}--{}", parts.next()?, parts.next()?))
    }
}

/// The Inception of 2015 by pytorch-fid and by torch-fidelity: the same bytes.
pub(super) const INCEPTION: &[Published] = &[
    Published {
        name: "pt_inception-2015-12-05-6726825d.pth",
        address: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/\
                  pt_inception-2015-12-05-6726825d.pth",
        bytes: 95_628_359,
        sha256: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    },
    Published {
        name: "weights-inception-2015-12-05-6726825d.pth",
        address: "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/\
                  weights-inception-2015-12-05-6726825d.pth",
        bytes: 95_628_359,
        sha256: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    },
];

pub(super) const VGG16: &[Published] = &[Published {
    name: "vgg16-397923af.pth",
    address: "https://download.pytorch.org/models/vgg16-397923af.pth",
    bytes: 553_433_881,
    sha256: "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
}];

pub(super) const DINOV2_B: &[Published] = &[
    Published {
        name: "dinov2_vitb14_pretrain.pth",
        address: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
        bytes: 346_378_731,
        sha256: "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
    },
    Published {
        name: "dinov2-base.safetensors",
        address: "https://huggingface.co/facebook/dinov2-base/resolve/\
                  f9e44c814b77203eaa57a6bdbbd535f21ede1415/model.safetensors",
        bytes: 346_345_912,
        sha256: "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
    },
];

pub(super) const DINOV2_L: &[Published] = &[
    Published {
        name: "dinov2_vitl14_pretrain.pth",
        address: "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        bytes: 1_217_586_395,
        sha256: "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
    },
    Published {
        name: "dinov2-large.safetensors",
        address: "https://huggingface.co/facebook/dinov2-large/resolve/\
                  47b73eefe95e8d44ec3623f8890bd894b6ea2d6c/model.safetensors",
        bytes: 1_217_522_888,
        sha256: "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
    },
];

/// OpenAI uploaded the pickle; the other was made of it by Hugging Face's converter.
pub(super) const CLIP_B32: &[Published] = &[
    Published {
        name: "clip-vit-base-patch32.safetensors",
        address: "https://huggingface.co/openai/clip-vit-base-patch32/resolve/\
                  b33cedfd0df4e43b8238760678fcc89e1a0d38b3/model.safetensors",
        bytes: 605_157_884,
        sha256: "99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d",
    },
    Published {
        name: "clip-vit-base-patch32.bin",
        address: "https://huggingface.co/openai/clip-vit-base-patch32/resolve/\
                  3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268/pytorch_model.bin",
        bytes: 605_247_071,
        sha256: "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
    },
];

pub(super) const CLIP_L14: &[Published] = &[
    Published {
        name: "clip-vit-large-patch14.safetensors",
        address: "https://huggingface.co/openai/clip-vit-large-patch14/resolve/\
                  32bd64288804d66eefd0ccbe215aa642df71cc41/model.safetensors",
        bytes: 1_710_540_580,
        sha256: "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
    },
    Published {
        name: "clip-vit-large-patch14.bin",
        address: "https://huggingface.co/openai/clip-vit-large-patch14/resolve/\
                  32bd64288804d66eefd0ccbe215aa642df71cc41/pytorch_model.bin",
        bytes: 1_710_671_599,
        sha256: "f1a17cdbe0f36fec524f5cafb1c261ea3bbbc13e346e0f74fc9eb0460dedd0d3",
    },
];

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::*;

    #[test]
    fn the_table_is_whole() {
        for network in Network::ALL {
            for file in network.published() {
                let hex = file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                assert!(hex && file.sha256.len() == 64 && file.bytes > 1 << 20, "{file:?}");
                assert!(file.address.starts_with("https://"), "{file:?}");
                let named = file.address.ends_with(&format!("/{}", file.name));
                assert!(named || file.hub_folder().is_some(), "{file:?}");
            }
        }
    }

    #[test]
    fn names_promise_digits_and_addresses_tell_the_folder_of_the_cache() {
        let of = |network: Network| network.published()[0];
        assert_eq!(of(Network::Inception).digits(), Some("6726825d"));
        assert_eq!(of(Network::Vgg16).digits(), Some("397923af"));
        assert_eq!((of(Network::Dinov2L).digits(), of(Network::ClipB32).digits()), (None, None));
        let folder = of(Network::ClipB32).hub_folder();
        assert_eq!(folder.as_deref(), Some("models--openai--clip-vit-base-patch32"));
        assert_eq!(of(Network::Inception).hub_folder(), None);
        let folders = Network::Dinov2B.published().iter().filter_map(Published::hub_folder);
        assert_eq!(folders.collect::<Vec<_>>(), ["models--facebook--dinov2-base"]);
    }
}
