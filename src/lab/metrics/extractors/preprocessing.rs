//! From a picture to what a network sees.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::images::Resize;
use crate::terms::Picture;

/// What becomes of a picture before a network sees it; all of it is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preprocessing {
    /// How the picture is brought to a square.
    pub resize: Resize,
    /// Side of the square in pixels.
    #[schemars(range(min = 1))]
    pub side: usize,
    /// What grey levels become.
    pub scaling: Scaling,
}

/// What a grey level `level` of 0 to 255 becomes, `x = level / 255`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scaling {
    /// `(level - 128) / 128`: TensorFlow's graph, torch-fidelity, clean-fid, ADM.
    #[serde(rename = "(x-128)/128")]
    Tensorflow,
    /// `2x - 1`: pytorch-fid. Half a grey level and 0.4 % of scale from the one above.
    #[serde(rename = "2x-1")]
    Signed,
    /// `(x - mean) / deviation` of ImageNet: torchvision's and torch-fidelity's VGG16, DINOv2.
    #[serde(rename = "imagenet")]
    Imagenet,
    /// `(x - mean) / deviation` of the pictures of CLIP.
    #[serde(rename = "clip")]
    Clip,
}

/// Mean and deviation per channel, on the scale from 0 to 1: torchvision's `IMAGENET1K` weights.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// The same of OpenAI's CLIP, `clip/clip.py`.
const CLIP: [[f32; 3]; 2] =
    [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]];

impl Scaling {
    /// Returns the name in files and protocols.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensorflow => "(x-128)/128",
            Self::Signed => "2x-1",
            Self::Imagenet => "imagenet",
            Self::Clip => "clip",
        }
    }

    /// Scales the levels of one channel.
    fn apply(self, levels: &mut [f32], channel: usize) {
        let mut map = |scale: &dyn Fn(f32) -> f32| {
            levels.iter_mut().for_each(|level| *level = scale(*level));
        };
        match self {
            Self::Tensorflow => map(&|level| (level - 128.0) / 128.0),
            Self::Signed => map(&|level| 2.0 * (level / 255.0) - 1.0),
            Self::Imagenet => map(&standardised(IMAGENET, channel)),
            Self::Clip => map(&standardised(CLIP, channel)),
        }
    }
}

fn standardised(of: [[f32; 3]; 2], channel: usize) -> impl Fn(f32) -> f32 {
    let [mean, deviation] = of.map(|channels| channels[channel]);
    move |level| (level / 255.0 - mean) / deviation
}

impl Preprocessing {
    /// Returns the protocol's words for it: `tf1-299,(x-128)/128`.
    pub fn describe(&self) -> String {
        format!("{}-{},{}", self.resize.name(), self.side, self.scaling.name())
    }

    /// Returns pictures of any sizes as planes `[slots, 3, side, side]`; slots without a picture
    /// are 0.
    pub(super) fn planes(&self, pictures: &[&Picture], slots: usize) -> Vec<f32> {
        let area = self.side * self.side;
        let mut out = vec![0.0; slots * 3 * area];
        out.par_chunks_exact_mut(3 * area).zip(pictures).for_each(|(out, picture)| {
            out.copy_from_slice(&self.resize.apply(picture, self.side, self.side));
            for (channel, levels) in out.chunks_exact_mut(area).enumerate() {
                self.scaling.apply(levels, channel);
            }
        });
        out
    }
}
