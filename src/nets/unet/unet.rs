//! The whole net, as `diffusers.UNet2DConditionModel`.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use super::blocks::{Attending, BlockSpec, DownBlock, MidBlock, Steering, UpBlock};
use super::config::{ClassEmbedType, DownBlockType, MidBlockType, UNetConfig, UpBlockType};
use super::time_embedding::{Sinusoids, TimestepEmbedding};
use crate::nets::blocks::{Conv2d, Conv2dSpec, Embedding, GroupNorm, Site, silu};
use crate::nets::weights::{Mismatch, State, load_state};
use crate::terms::Seed;

/// What a net is asked to draw, per picture. A net takes exactly what its configuration declares.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// `[n]`, for a net with a table of classes or `class_embed_type` `timestep`.
    pub class_labels: Option<Tensor<1, Int>>,
    /// `[n, features]` of the time vector's length, for a net with `class_embed_type` `identity`.
    pub class_vectors: Option<Tensor<2>>,
    /// `[n]`, for a net with a level embedding.
    pub levels: Option<Tensor<1>>,
    /// `[n, t, d]`: `t` words (or other tokens) of `cross_attention_dim` features.
    pub context: Option<Tensor<3>>,
}

/// From a class label to a vector.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "burn has no boxed modules, and a net few of these")]
pub enum ClassEmbedding {
    /// A row of a table.
    Table(Embedding),
    /// As if the label were a timestep.
    Timestep(TimestepEmbedding),
}

/// A U-shaped net of residual blocks that predicts from a noisy picture, its noise level and a
/// condition; what it predicts is its user's affair. It has no dropout and no running statistics: a
/// forward pass is the same in training and evaluation.
#[derive(Module, Debug)]
pub struct UNet {
    /// Picture to the channels of level 0.
    pub conv_in: Conv2d,
    /// Sinusoids of the timestep to the time vector.
    pub time_embedding: TimestepEmbedding,
    /// Class to a vector that is added to the time vector.
    pub class_embedding: Option<ClassEmbedding>,
    /// Sinusoids of a second level to a vector that is added, too.
    pub level_embedding: Option<TimestepEmbedding>,
    /// From level 0 to the bottom.
    pub down_blocks: Vec<DownBlock>,
    /// The bottom.
    pub mid_block: Option<MidBlock>,
    /// From the bottom to level 0.
    pub up_blocks: Vec<UpBlock>,
    /// Before the last SiLU.
    pub conv_norm_out: GroupNorm,
    /// Channels of level 0 to the picture.
    pub conv_out: Conv2d,
    #[module(skip)]
    sinusoids: Sinusoids,
    takes_vectors: bool,
    takes_context: bool,
    centers: bool,
}

impl UNet {
    /// Builds a net with the initial weights of PyTorch's defaults, decided by the site's seed.
    ///
    /// # Panics
    /// If the configuration does not pass [`UNetConfig::check`].
    pub fn new(config: &UNetConfig, site: &Site) -> Self {
        if let Err(problems) = config.check("unet") {
            panic!("a net is built from a checked configuration: {problems}");
        }
        let c = config.block_out_channels[0];
        let mut skips = Vec::new();
        let conv = |inputs, outputs, kernel, name: &str| {
            Conv2dSpec::same(inputs, outputs, kernel).build(&site.at(name))
        };
        let (groups, epsilon) = (config.norm_num_groups, config.norm_eps);
        Self {
            conv_in: conv(config.in_channels, c, config.conv_in_kernel, "conv_in"),
            time_embedding: time_embedding(config, &site.at("time_embedding")),
            class_embedding: class_embedding(config, &site.at("class_embedding")),
            level_embedding: config
                .level_embedding
                .then(|| time_embedding(config, &site.at("level_embedding"))),
            down_blocks: down_blocks(config, &mut skips, &site.at("down_blocks")),
            mid_block: mid_block(config, &site.at("mid_block")),
            up_blocks: up_blocks(config, &mut skips, &site.at("up_blocks")),
            conv_norm_out: GroupNorm::new(groups, c, epsilon, &site.at("conv_norm_out")),
            conv_out: conv(c, config.out_channels, config.conv_out_kernel, "conv_out"),
            sinusoids: Sinusoids::new(config),
            takes_vectors: config.class_embed_type == Some(ClassEmbedType::Identity),
            takes_context: !config.contexts().is_empty(),
            centers: config.center_input_sample,
        }
    }

    /// Builds a net with the weights of a state dict of `diffusers`.
    ///
    /// # Errors
    /// If the names and shapes are not exactly those of the net.
    ///
    /// # Panics
    /// If the configuration does not pass [`UNetConfig::check`].
    pub fn load(config: &UNetConfig, state: &State, device: &Device) -> Result<Self, Mismatch> {
        load_state(Self::new(config, &Site::new(Seed::root(0), device)), state)
    }

    /// Returns `[n, out_channels, h, w]` for pictures `[n, in_channels, h, w]` at `timesteps`,
    /// `[n]`, which may be fractional.
    ///
    /// # Panics
    /// If the condition lacks what the net takes, or holds what it does not take.
    pub fn forward(
        &self,
        sample: Tensor<4>,
        timesteps: Tensor<1>,
        condition: &Condition,
    ) -> Tensor<4> {
        assert_eq!(
            condition.context.is_some(),
            self.takes_context,
            "a net is given a context if and only if it has cross-attention"
        );
        let sample = if self.centers { sample * 2.0 - 1.0 } else { sample };
        let time = self.time_vector(timesteps, condition);
        let steering = Steering { time: silu(time), context: condition.context.clone() };
        let mut x = self.conv_in.forward(sample);
        let mut skips = vec![x.clone()];
        for block in &self.down_blocks {
            x = block.forward(x, &steering, &mut skips);
        }
        if let Some(block) = &self.mid_block {
            x = block.forward(x, &steering);
        }
        for block in &self.up_blocks {
            x = block.forward(x, &steering, &mut skips);
        }
        self.conv_out.forward(self.conv_norm_out.forward_silu(x))
    }

    fn time_vector(&self, timesteps: Tensor<1>, condition: &Condition) -> Tensor<2> {
        let time = self.time_embedding.forward(self.sinusoids.of(timesteps));
        assert_eq!(
            condition.class_labels.is_some(),
            self.class_embedding.is_some(),
            "a net is given class labels if and only if it embeds them"
        );
        assert_eq!(
            condition.class_vectors.is_some(),
            self.takes_vectors,
            "a net is given class vectors if and only if its classes are vectors"
        );
        let class = match (&self.class_embedding, &condition.class_labels) {
            (Some(ClassEmbedding::Table(table)), Some(labels)) => {
                Some(table.forward(labels.clone()))
            }
            (Some(ClassEmbedding::Timestep(embedding)), Some(labels)) => {
                Some(embedding.forward(self.sinusoids.of(labels.clone().float())))
            }
            _ => condition.class_vectors.clone(),
        };
        let level = match (&self.level_embedding, &condition.levels) {
            (Some(embedding), Some(levels)) => {
                Some(embedding.forward(self.sinusoids.of(levels.clone())))
            }
            (None, None) => None,
            _ => panic!("a net is given levels if and only if it embeds them"),
        };
        [class, level].into_iter().flatten().fold(time, |sum, part| sum + part)
    }
}

fn time_embedding(config: &UNetConfig, site: &Site) -> TimestepEmbedding {
    TimestepEmbedding::new(config.block_out_channels[0], config.time_features(), site)
}

fn class_embedding(config: &UNetConfig, site: &Site) -> Option<ClassEmbedding> {
    match (config.class_embed_type, config.num_class_embeds) {
        (Some(ClassEmbedType::Timestep), _) => {
            Some(ClassEmbedding::Timestep(time_embedding(config, site)))
        }
        (Some(ClassEmbedType::Identity), _) | (None, None) => None,
        (None, Some(classes)) => {
            Some(ClassEmbedding::Table(Embedding::new(classes, config.time_features(), site)))
        }
    }
}

/// Builds the way down and notes the channels of every skip it leaves.
fn down_blocks(config: &UNetConfig, skips: &mut Vec<usize>, site: &Site) -> Vec<DownBlock> {
    let mut inputs = config.block_out_channels[0];
    skips.push(inputs);
    let mut blocks = Vec::new();
    for (level, kind) in config.down_block_types.iter().enumerate() {
        let attending = match kind {
            DownBlockType::DownBlock2D => Attending::Nothing,
            DownBlockType::AttnDownBlock2D => alone(config, level, level),
            DownBlockType::CrossAttnDownBlock2D => transformer(config, level),
        };
        let (channels, layers) =
            (config.block_out_channels[level], config.layers_per_block.at(level));
        let resize = level + 1 < config.levels();
        let spec = BlockSpec { config, channels, attending, resize };
        blocks.push(DownBlock::new(spec, inputs, layers, &site.index(level)));
        skips.extend(vec![channels; layers + usize::from(resize)]);
        inputs = channels;
    }
    blocks
}

fn mid_block(config: &UNetConfig, site: &Site) -> Option<MidBlock> {
    let level = config.levels() - 1;
    let attending = match config.mid_block_type? {
        MidBlockType::UNetMidBlock2D => Attending::Nothing,
        MidBlockType::UNetMidBlock2DCrossAttn => transformer(config, level),
    };
    let channels = config.block_out_channels[level];
    Some(MidBlock::new(BlockSpec { config, channels, attending, resize: false }, site))
}

fn up_blocks(config: &UNetConfig, skips: &mut Vec<usize>, site: &Site) -> Vec<UpBlock> {
    let last = config.levels() - 1;
    let mut inputs = config.block_out_channels[last];
    let mut blocks = Vec::new();
    for (i, kind) in config.up_block_types.iter().enumerate() {
        let level = last - i;
        let attending = match kind {
            UpBlockType::UpBlock2D => Attending::Nothing,
            // The list of head sizes, unlike all other lists, is not reversed for the way up.
            UpBlockType::AttnUpBlock2D => alone(config, level, i),
            UpBlockType::CrossAttnUpBlock2D => transformer(config, level),
        };
        let channels = config.block_out_channels[level];
        let resnets = config.layers_per_block.at(level) + 1;
        let mut taken = skips.split_off(skips.len() - resnets);
        taken.reverse();
        let spec = BlockSpec { config, channels, attending, resize: level > 0 };
        blocks.push(UpBlock::new(spec, inputs, &taken, &site.index(i)));
        inputs = channels;
    }
    blocks
}

fn alone(config: &UNetConfig, level: usize, entry: usize) -> Attending {
    Attending::Alone {
        heads: config.block_out_channels[level] / config.attention_head_dim.at(entry),
    }
}

fn transformer(config: &UNetConfig, level: usize) -> Attending {
    Attending::Transformer {
        heads: config.attention_head_dim.at(level),
        layers: config.transformer_layers_per_block.at(level),
        context: config.cross_attention_dim.at(level),
    }
}
