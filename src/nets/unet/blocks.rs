//! The blocks on the way down, at the bottom and on the way up, as in
//! `diffusers.models.unets.unet_2d_blocks`. One struct stands for the kinds with and without
//! attention.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use super::attention::Attention;
use super::config::UNetConfig;
use super::resnet_block::ResnetBlock;
use super::transformer::{Transformer2d, TransformerSpec};
use crate::nets::blocks::{Conv2d, Conv2dSpec, Site};

/// What steers the blocks besides the picture.
#[derive(Clone, Debug)]
pub struct Steering {
    /// Time and class, `[n, features]`, after the SiLU with which every residual block begins.
    pub time: Tensor<2>,
    /// What the transformers look at, `[n, s, e]`.
    pub context: Option<Tensor<3>>,
}

/// The attention after each residual block of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attending {
    /// There is none.
    Nothing,
    /// Plain attention of pixels to pixels.
    Alone { heads: usize },
    /// A transformer.
    Transformer { heads: usize, layers: usize, context: Option<usize> },
}

/// One layer of attention.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "burn has no boxed modules, and a net few of these")]
pub enum Attentive {
    /// Of a `CrossAttn...` block.
    Transformer(Transformer2d),
    /// Of an `Attn...` block.
    Alone(Attention),
}

impl Attentive {
    fn forward(&self, x: Tensor<4>, steering: &Steering) -> Tensor<4> {
        match self {
            Self::Transformer(transformer) => transformer.forward(x, steering.context.as_ref()),
            Self::Alone(attention) => attention.on_picture(x),
        }
    }
}

/// What a block is built from.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockSpec<'a> {
    pub(super) config: &'a UNetConfig,
    pub(super) channels: usize,
    pub(super) attending: Attending,
    /// Whether the block ends with a change of size.
    pub(super) resize: bool,
}

impl BlockSpec<'_> {
    fn resnets(&self, inputs: impl IntoIterator<Item = usize>, site: &Site) -> Vec<ResnetBlock> {
        let site = site.at("resnets");
        inputs
            .into_iter()
            .enumerate()
            .map(|(i, n)| ResnetBlock::new(n, self.channels, self.config, &site.index(i)))
            .collect()
    }

    fn attentions(&self, count: usize, site: &Site) -> Vec<Attentive> {
        let site = site.at("attentions");
        let sites = (0..count).map(|i| site.index(i));
        match self.attending {
            Attending::Nothing => Vec::new(),
            Attending::Alone { heads } => sites
                .map(|at| {
                    Attentive::Alone(Attention::alone(self.channels, heads, self.config, &at))
                })
                .collect(),
            Attending::Transformer { heads, layers, context } => {
                let spec = TransformerSpec { channels: self.channels, heads, layers, context };
                sites
                    .map(|at| Attentive::Transformer(Transformer2d::new(spec, self.config, &at)))
                    .collect()
            }
        }
    }

    fn resizer(&self, stride: usize, padding: usize, site: &Site) -> Vec<Resizer> {
        let c = self.channels;
        let spec = Conv2dSpec::same(c, c, 3).stride(stride).padding(padding);
        let conv = || spec.build(&site.index(0).at("conv"));
        self.resize.then(|| Resizer { conv: conv(), padding }).into_iter().collect()
    }
}

/// The convolution that goes with a change of size, `Downsample2D` or `Upsample2D`.
#[derive(Module, Debug)]
pub struct Resizer {
    /// 3x3.
    pub conv: Conv2d,
    padding: usize,
}

impl Resizer {
    /// Returns half the size, rounded up with padding 1.
    fn halve(&self, x: Tensor<4>) -> Tensor<4> {
        // Padding 0 means: one row and one column of zeros at the far ends only.
        let x = if self.padding == 0 { x.pad([(0, 1), (0, 1)], 0.0) } else { x };
        self.conv.forward(x)
    }

    /// Returns the size `[h, w]`, by nearest neighbours.
    fn grow(&self, x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(size);
        self.conv.forward(interpolate(x, options))
    }
}

/// `DownBlock2D`, `AttnDownBlock2D` or `CrossAttnDownBlock2D`.
#[derive(Module, Debug)]
pub struct DownBlock {
    /// One attention after each residual block, or none at all.
    pub attentions: Vec<Attentive>,
    /// The residual blocks.
    pub resnets: Vec<ResnetBlock>,
    /// One in all blocks but the last.
    pub downsamplers: Vec<Resizer>,
}

impl DownBlock {
    pub(super) fn new(spec: BlockSpec<'_>, inputs: usize, layers: usize, site: &Site) -> Self {
        let channels = std::iter::once(inputs).chain(std::iter::repeat(spec.channels)).take(layers);
        let padding = spec.config.downsample_padding;
        Self {
            attentions: spec.attentions(layers, site),
            resnets: spec.resnets(channels, site),
            downsamplers: spec.resizer(2, padding, &site.at("downsamplers")),
        }
    }

    /// Returns the feature map and adds to `skips` what the way up will need.
    pub fn forward(
        &self,
        mut x: Tensor<4>,
        steering: &Steering,
        skips: &mut Vec<Tensor<4>>,
    ) -> Tensor<4> {
        for (i, resnet) in self.resnets.iter().enumerate() {
            x = resnet.forward(x, steering.time.clone());
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(x, steering);
            }
            skips.push(x.clone());
        }
        for downsampler in &self.downsamplers {
            x = downsampler.halve(x);
            skips.push(x.clone());
        }
        x
    }
}

/// `UNetMidBlock2D` (one residual block) or `UNetMidBlock2DCrossAttn` (two, and a transformer
/// between).
#[derive(Module, Debug)]
pub struct MidBlock {
    /// None or one.
    pub attentions: Vec<Attentive>,
    /// One more than attentions.
    pub resnets: Vec<ResnetBlock>,
}

impl MidBlock {
    pub(super) fn new(spec: BlockSpec<'_>, site: &Site) -> Self {
        let attentions = spec.attentions(1, site);
        let channels = vec![spec.channels; attentions.len() + 1];
        Self { resnets: spec.resnets(channels, site), attentions }
    }

    /// Returns the feature map.
    pub fn forward(&self, mut x: Tensor<4>, steering: &Steering) -> Tensor<4> {
        for (i, resnet) in self.resnets.iter().enumerate() {
            x = resnet.forward(x, steering.time.clone());
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(x, steering);
            }
        }
        x
    }
}

/// `UpBlock2D`, `AttnUpBlock2D` or `CrossAttnUpBlock2D`.
#[derive(Module, Debug)]
pub struct UpBlock {
    /// One attention after each residual block, or none at all.
    pub attentions: Vec<Attentive>,
    /// The residual blocks; each takes one skip.
    pub resnets: Vec<ResnetBlock>,
    /// One in all blocks but the last.
    pub upsamplers: Vec<Resizer>,
}

impl UpBlock {
    /// Builds the block from the channels that arrive from below and those of each skip, in the
    /// order in which they are used.
    pub(super) fn new(spec: BlockSpec<'_>, inputs: usize, skips: &[usize], site: &Site) -> Self {
        let hidden = std::iter::once(inputs).chain(std::iter::repeat(spec.channels));
        let channels = hidden.zip(skips).map(|(own, skip)| own + skip);
        Self {
            attentions: spec.attentions(skips.len(), site),
            resnets: spec.resnets(channels, site),
            upsamplers: spec.resizer(1, 1, &site.at("upsamplers")),
        }
    }

    /// Returns the feature map, grown to the size of the skip that is left on top for the next
    /// block.
    ///
    /// # Panics
    /// If there are fewer skips than residual blocks.
    // DIFFERS: diffusers grows by 2 unless the picture's size is no multiple of the net's factor,
    // which gives the same sizes; and its AttnUpBlock2D ignores the size, so that odd pictures fail
    // there.
    pub fn forward(
        &self,
        mut x: Tensor<4>,
        steering: &Steering,
        skips: &mut Vec<Tensor<4>>,
    ) -> Tensor<4> {
        for (i, resnet) in self.resnets.iter().enumerate() {
            let skip = skips.pop().expect("the way down leaves one skip per residual block");
            x = resnet.forward(join(x, skip), steering.time.clone());
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(x, steering);
            }
        }
        for upsampler in &self.upsamplers {
            let next = skips.last().expect("the way down leaves skips for the next block");
            let [_, _, h, w] = next.dims();
            x = upsampler.grow(x, [h, w]);
        }
        x
    }
}

/// Joins what comes from below with what comes from the side; the one place of all blocks where a
/// method may weigh the two against each other.
fn join(below: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![below, skip], 1)
}
