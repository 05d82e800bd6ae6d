//! The net of a pixel model: few knobs on `diffusers`' UNet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::images::Channels;
use crate::nets::unet::{DownBlockType, MidBlockType, OneOrEach, UNetConfig, UpBlockType};
use crate::terms::Problem;

/// A small UNet of `diffusers`, in few knobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PixelNet {
    /// Channels at each level; each level after the first halves the picture.
    #[schemars(length(min = 1))]
    pub channels: Vec<usize>,
    /// Residual blocks per level on the way down (one more on the way up).
    #[schemars(range(min = 1))]
    pub layers: usize,
    /// At which levels (from 0, the full size) pixels attend to each other. The block in the
    /// middle never does.
    pub attention: Vec<usize>,
    /// Features of one attention head.
    #[schemars(range(min = 1))]
    pub head_features: usize,
    /// Groups of the group normalisation.
    #[schemars(range(min = 1))]
    pub groups: usize,
}

impl Default for PixelNet {
    fn default() -> Self {
        Self { channels: vec![32, 64], layers: 1, attention: vec![], head_features: 32, groups: 8 }
    }
}

impl PixelNet {
    /// Returns the configuration of the net for pictures of `channels` channels and `classes`
    /// classes; the last row of the class table stands for "no class".
    pub fn config(&self, channels: Channels, classes: usize) -> UNetConfig {
        let last = self.channels.len() - 1;
        let attends = |level: usize| self.attention.contains(&level);
        UNetConfig {
            in_channels: channels.count(),
            out_channels: channels.count(),
            block_out_channels: self.channels.clone(),
            layers_per_block: OneOrEach::One(self.layers),
            down_block_types: (0..=last)
                .map(|level| match attends(level) {
                    true => DownBlockType::AttnDownBlock2D,
                    false => DownBlockType::DownBlock2D,
                })
                .collect(),
            mid_block_type: Some(MidBlockType::UNetMidBlock2D),
            up_block_types: (0..=last)
                .rev()
                .map(|level| match attends(level) {
                    true => UpBlockType::AttnUpBlock2D,
                    false => UpBlockType::UpBlock2D,
                })
                .collect(),
            attention_head_dim: OneOrEach::One(self.head_features),
            norm_num_groups: self.groups,
            cross_attention_dim: OneOrEach::One(None),
            num_class_embeds: Some(classes + 1),
            ..UNetConfig::default()
        }
    }

    /// Returns the configuration of the net that enlarges: it sees another picture of the same size
    /// beside the noisy one, and is told how much noise is on that.
    pub fn enlarging(&self, channels: Channels, classes: usize) -> UNetConfig {
        UNetConfig {
            in_channels: 2 * channels.count(),
            level_embedding: true,
            ..self.config(channels, classes)
        }
    }

    /// Returns what is wrong with the knobs.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for width in &self.channels {
            if width % self.groups != 0 {
                let found = format!("{width} channels in {} groups", self.groups);
                problems.push(Problem::new(
                    format!("{source}.channels"),
                    found,
                    "channels that are a multiple of `groups`",
                ));
            }
        }
        for level in &self.attention {
            let at = format!("{source}.attention");
            let (found, expected) = match self.channels.get(*level) {
                None => {
                    (format!("level {level}"), format!("a level below {}", self.channels.len()))
                }
                Some(width) if width % self.head_features != 0 => (
                    format!("heads of {} features in {width} channels", self.head_features),
                    "channels that are a multiple of `head-features`".to_owned(),
                ),
                Some(_) => continue,
            };
            problems.push(Problem::new(at, found, expected));
        }
        problems
    }
}
