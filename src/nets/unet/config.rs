//! The configuration of a net, with the keys, defaults and quirks of `diffusers`.

use serde::{Deserialize, Serialize};

/// One value for all levels of the net, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrEach<T> {
    /// The same for all.
    One(T),
    /// One for each, from the outermost to the innermost level.
    Each(Vec<T>),
}

impl<T: Copy> OneOrEach<T> {
    /// Returns the value of a level.
    ///
    /// # Panics
    /// If there are fewer values than levels.
    pub fn at(&self, level: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values[level],
        }
    }

    /// Returns all the values that were given.
    pub(super) fn given(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Each(values) => values,
        }
    }
}

/// A block on the way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownBlockType {
    /// Residual blocks.
    DownBlock2D,
    /// Residual blocks, each followed by attention of the pixels to each other.
    AttnDownBlock2D,
    /// Residual blocks, each followed by a transformer that looks at the context.
    CrossAttnDownBlock2D,
}

/// The block at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MidBlockType {
    /// One residual block.
    UNetMidBlock2D,
    /// Two residual blocks with a transformer between; it looks at the context if
    /// `cross_attention_dim` of the last level is a number, else only at the pixels.
    UNetMidBlock2DCrossAttn,
}

/// A block on the way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpBlockType {
    /// Residual blocks.
    UpBlock2D,
    /// Residual blocks, each followed by attention of the pixels to each other.
    AttnUpBlock2D,
    /// Residual blocks, each followed by a transformer that looks at the context.
    CrossAttnUpBlock2D,
}

/// What a class label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassEmbedType {
    /// A number that is embedded like a timestep.
    Timestep,
    /// Already a vector of the length of the time vector.
    Identity,
}

/// How the time vector enters a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeScaleShift {
    /// Added before the second normalisation.
    Default,
    /// As scale and shift after the second normalisation (Dhariwal & Nichol 2021,
    /// arXiv:2105.05233).
    ScaleShift,
}

/// The keys of `UNet2DConditionModel` that decide what is computed and may differ from a fixed
/// value; [`UNetConfig::from_json`] refuses files whose other keys ask for something else.
///
/// The default is that of `diffusers`, which is the net of Stable Diffusion 1.x but for
/// `cross_attention_dim` (1280 here, 768 there). Level 0 is the outermost, at the full size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UNetConfig {
    /// Side of the pictures in pixels, or height and width. For information: any size is computed.
    pub sample_size: Option<OneOrEach<usize>>,
    /// Channels of the pictures that come in.
    pub in_channels: usize,
    /// Channels of the pictures that go out.
    pub out_channels: usize,
    /// Whether the pictures come in [0, 1] and are brought to [-1, 1] first.
    pub center_input_sample: bool,
    /// Whether the cosines stand before the sines in the embedding of a timestep.
    pub flip_sin_to_cos: bool,
    /// Lowers the number of frequencies of that embedding by which their exponents are divided.
    pub freq_shift: f64,
    /// The blocks on the way down.
    pub down_block_types: Vec<DownBlockType>,
    /// The block at the bottom; with none, the way up starts at once.
    pub mid_block_type: Option<MidBlockType>,
    /// The blocks on the way up: the last one is of level 0.
    pub up_block_types: Vec<UpBlockType>,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks on the way down; one more on the way up.
    pub layers_per_block: OneOrEach<usize>,
    /// Zeros around a picture before it is halved; 0 means one row and column at the far ends only.
    pub downsample_padding: usize,
    /// Groups of every group norm.
    pub norm_num_groups: usize,
    /// Epsilon of every group norm outside of the transformers.
    pub norm_eps: f64,
    /// Features of the context. `null` stands for no context.
    pub cross_attention_dim: OneOrEach<Option<usize>>,
    /// Blocks of every transformer.
    pub transformer_layers_per_block: OneOrEach<usize>,
    /// In transformers, and despite its name, the NUMBER of heads. In `AttnDownBlock2D` and
    /// `AttnUpBlock2D` the features of one head; `AttnUpBlock2D` reads the list from the front, so
    /// that the innermost of them takes the first entry.
    pub attention_head_dim: OneOrEach<usize>,
    /// Whether the projections around a transformer are stored as linear maps or as 1x1
    /// convolutions.
    pub use_linear_projection: bool,
    /// What a class label is, if not a row of a table.
    pub class_embed_type: Option<ClassEmbedType>,
    /// Rows of the table of classes, where `class_embed_type` is `null`. `null`: no classes.
    pub num_class_embeds: Option<usize>,
    /// Whether the net is told a second level, embedded like the timestep: that of the noise on a
    /// picture it is given beside the noisy one. No key of `diffusers`.
    pub level_embedding: bool,
    /// How the time vector enters a residual block.
    pub resnet_time_scale_shift: TimeScaleShift,
    /// Features of the time vector; `null`: four times the channels of level 0.
    pub time_embedding_dim: Option<usize>,
    /// Side of the first convolution's kernel in pixels.
    pub conv_in_kernel: usize,
    /// Side of the last convolution's kernel in pixels.
    pub conv_out_kernel: usize,
}

impl Default for UNetConfig {
    fn default() -> Self {
        use DownBlockType::{CrossAttnDownBlock2D, DownBlock2D};
        use UpBlockType::{CrossAttnUpBlock2D, UpBlock2D};
        let (down, up) = (CrossAttnDownBlock2D, CrossAttnUpBlock2D);
        Self {
            sample_size: None,
            in_channels: 4,
            out_channels: 4,
            center_input_sample: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: vec![down, down, down, DownBlock2D],
            mid_block_type: Some(MidBlockType::UNetMidBlock2DCrossAttn),
            up_block_types: vec![UpBlock2D, up, up, up],
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: OneOrEach::One(2),
            downsample_padding: 1,
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: OneOrEach::One(Some(1280)),
            transformer_layers_per_block: OneOrEach::One(1),
            attention_head_dim: OneOrEach::One(8),
            use_linear_projection: false,
            class_embed_type: None,
            num_class_embeds: None,
            level_embedding: false,
            resnet_time_scale_shift: TimeScaleShift::Default,
            time_embedding_dim: None,
            conv_in_kernel: 3,
            conv_out_kernel: 3,
        }
    }
}

impl UNetConfig {
    /// Returns the length of the time vector.
    pub fn time_features(&self) -> usize {
        self.time_embedding_dim.unwrap_or(4 * self.block_out_channels[0])
    }

    /// Returns the number of levels.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Returns the features of the context that each transformer looks at: none for a net that is
    /// given no context, all equal in a net that can be.
    ///
    /// # Panics
    /// If the configuration does not pass [`UNetConfig::check`].
    pub(super) fn contexts(&self) -> Vec<usize> {
        let last = self.levels() - 1;
        let bottom = self.mid_block_type == Some(MidBlockType::UNetMidBlock2DCrossAttn);
        (0..=last)
            .filter(|level| {
                self.down_block_types[*level] == DownBlockType::CrossAttnDownBlock2D
                    || self.up_block_types[last - *level] == UpBlockType::CrossAttnUpBlock2D
                    || (*level == last && bottom)
            })
            .filter_map(|level| self.cross_attention_dim.at(level))
            .collect()
    }
}
