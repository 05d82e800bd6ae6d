//! The residual block, as `diffusers.models.resnet.ResnetBlock2D`.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::{TimeScaleShift, UNetConfig};
use crate::nets::blocks::{Conv2d, Conv2dSpec, GroupNorm, Linear, Site, silu};

/// Two normalised convolutions around the place where the time vector enters, plus a shortcut.
#[derive(Module, Debug)]
pub struct ResnetBlock {
    /// Before the first convolution.
    pub norm1: GroupNorm,
    /// From the input channels to the output channels.
    pub conv1: Conv2d,
    /// From the time vector to a shift, or to a scale and a shift, per channel.
    pub time_emb_proj: Linear,
    /// Before the second convolution.
    pub norm2: GroupNorm,
    /// Output channels to output channels.
    pub conv2: Conv2d,
    /// A 1x1 convolution where the channels change.
    pub conv_shortcut: Option<Conv2d>,
    #[module(skip)]
    modulation: TimeScaleShift,
}

impl ResnetBlock {
    pub(super) fn new(inputs: usize, outputs: usize, config: &UNetConfig, site: &Site) -> Self {
        let norm = |channels, name: &str| {
            GroupNorm::new(config.norm_num_groups, channels, config.norm_eps, &site.at(name))
        };
        let modulated = match config.resnet_time_scale_shift {
            TimeScaleShift::Default => outputs,
            TimeScaleShift::ScaleShift => 2 * outputs,
        };
        let time = config.time_features();
        Self {
            norm1: norm(inputs, "norm1"),
            conv1: Conv2dSpec::same(inputs, outputs, 3).build(&site.at("conv1")),
            time_emb_proj: Linear::new(time, modulated, &site.at("time_emb_proj")),
            norm2: norm(outputs, "norm2"),
            conv2: Conv2dSpec::same(outputs, outputs, 3).build(&site.at("conv2")),
            conv_shortcut: (inputs != outputs)
                .then(|| Conv2dSpec::same(inputs, outputs, 1).build(&site.at("conv_shortcut"))),
            modulation: config.resnet_time_scale_shift,
        }
    }

    /// Returns `[n, outputs, h, w]` for `[n, inputs, h, w]`.
    ///
    /// `time` is the time vector `[n, features]` after its SiLU, which is the same for all blocks
    /// of a net and therefore taken once outside.
    pub fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let hidden = self.conv1.forward(self.norm1.forward_silu(x.clone()));
        let time = self.time_emb_proj.forward(time);
        let [n, modulated] = time.dims();
        let time = time.reshape([n, modulated, 1, 1]);
        let hidden = match self.modulation {
            TimeScaleShift::Default => self.norm2.forward_silu(hidden + time),
            TimeScaleShift::ScaleShift => {
                let [scale, shift] = halves(time, 1);
                silu(self.norm2.forward(hidden) * (scale + 1.0) + shift)
            }
        };
        let hidden = self.conv2.forward(hidden);
        let shortcut = match &self.conv_shortcut {
            Some(conv) => conv.forward(x),
            None => x,
        };
        shortcut + hidden
    }
}

/// Cuts a tensor into two equal parts along one axis.
pub(super) fn halves<const D: usize>(x: Tensor<D>, axis: usize) -> [Tensor<D>; 2] {
    let half = x.dims()[axis] / 2;
    [x.clone().narrow(axis, 0, half), x.narrow(axis, half, half)]
}
