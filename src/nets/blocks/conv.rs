//! Two-dimensional convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{BatchNorm2d, Init, Site};
use crate::nets::kernels::{Geometry, conv_norm_relu, conv2d};

/// The shape of a [`Conv2d`].
#[derive(Clone, Copy, Debug)]
pub struct Conv2dSpec {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Height and width of the kernel in pixels.
    pub kernel: [usize; 2],
    /// Step between outputs in pixels.
    pub stride: usize,
    /// Zeros added above and below, and on the left and on the right, in pixels.
    pub padding: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// The law of the weight; the bias follows [`Init::pytorch`] with the same fan-in, or is 0
    /// where the weight has any other law than PyTorch's default.
    pub init: Option<Init>,
}

impl Conv2dSpec {
    /// A square convolution that keeps the size of the picture (stride 1, odd kernel), with bias
    /// and PyTorch's default weights.
    pub fn same(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self::rectangle(inputs, outputs, [kernel; 2])
    }

    /// The same with a kernel of any height and width, both odd.
    pub fn rectangle(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Self {
        Self {
            inputs,
            outputs,
            kernel,
            stride: 1,
            padding: kernel.map(|side| side / 2),
            groups: 1,
            bias: true,
            init: None,
        }
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets the padding, the same on all sides.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// Leaves out the bias.
    #[must_use]
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// Sets the law of the weight, with a bias of 0 if there is one.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init: Some(init), ..self }
    }

    /// Builds the layer.
    pub fn build(self, site: &Site) -> Conv2d {
        let [kernel_h, kernel_w] = self.kernel;
        let fan_in = self.inputs / self.groups * kernel_h * kernel_w;
        let weight_init = self.init.unwrap_or(Init::pytorch(fan_in));
        let bias_init =
            if self.init.is_some() { Init::Constant(0.0) } else { Init::pytorch(fan_in) };
        let shape = [self.outputs, self.inputs / self.groups, kernel_h, kernel_w];
        Conv2d {
            weight: site.draw("weight", shape, weight_init),
            bias: self.bias.then(|| site.draw("bias", [self.outputs], bias_init)),
            geometry: Geometry {
                stride: self.stride,
                padding: self.padding,
                groups: self.groups,
                precision: site.precision(),
            },
        }
    }
}

/// Two-dimensional cross-correlation, as `torch.nn.Conv2d`.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs / groups, kernel_h, kernel_w]`.
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    geometry: Geometry,
}

impl Conv2d {
    /// Returns `[n, outputs, h', w']` for `[n, inputs, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.geometry)
    }

    /// Returns `relu(norm(conv(x)))` by running statistics, as one operator where there is one.
    ///
    /// # Panics
    /// If the convolution has a bias.
    pub fn forward_norm_relu(&self, x: Tensor<4>, norm: &BatchNorm2d) -> Tensor<4> {
        assert!(self.bias.is_none(), "a norm has its own bias");
        conv_norm_relu(x, self.weight.val(), self.geometry, norm.known())
    }
}
