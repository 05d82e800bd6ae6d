//! What all layers of the network are made of.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use crate::nets::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, Mode, Site};

/// What the released graph adds to a variance.
const EPSILON: f64 = 1e-3;

/// A convolution, its norm with running statistics, and ReLU.
#[derive(Module, Debug)]
pub(super) struct Unit {
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl Unit {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.bn.forward_relu(self.conv.forward(x), Mode::Evaluate)
    }
}

/// A [`Unit`] of this convolution.
fn unit(spec: Conv2dSpec, site: &Site) -> Unit {
    let bn = BatchNorm2d::new(spec.outputs, &site.at("bn"));
    Unit { conv: spec.no_bias().build(&site.at("conv")), bn: bn.epsilon(EPSILON) }
}

/// A convolution of height and width `[h, w]` that keeps the size of the picture.
pub(super) fn same([inputs, outputs]: [usize; 2], kernel: [usize; 2], site: &Site) -> Unit {
    unit(Conv2dSpec::rectangle(inputs, outputs, kernel), site)
}

/// A convolution of one pixel.
pub(super) fn pointwise(channels: [usize; 2], site: &Site) -> Unit {
    same(channels, [1, 1], site)
}

/// A 3x3 convolution without a border.
pub(super) fn valid([inputs, outputs]: [usize; 2], stride: usize, site: &Site) -> Unit {
    unit(Conv2dSpec::same(inputs, outputs, 3).padding(0).stride(stride), site)
}

/// Returns the largest of every 3x3 pixels, every second pixel, no border.
pub(super) fn shrink(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]))
}

/// How a mixed layer looks at the 3x3 pixels around each pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// Their mean; what lies outside of the picture does not count.
    Mean,
    /// The largest.
    Largest,
}

impl Around {
    pub(super) fn pool(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Mean => {
                let options = AvgPoolOptions::new([3, 3]).with_stride([1, 1]);
                avg_pool2d(x, options.with_padding([1, 1]).with_count_include_pad(false))
            }
            Self::Largest => {
                let options = MaxPoolOptions::new([3, 3]).with_stride([1, 1]);
                max_pool2d(x, options.with_padding([1, 1]))
            }
        }
    }
}
