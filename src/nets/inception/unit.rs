//! What all layers of the network are made of.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::nets::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, Site};
use crate::nets::kernels::{Window, max_pool, mean_pool};

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
        self.conv.forward_norm_relu(x, &self.bn)
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
    max_pool(x, Window { side: 3, stride: 2, padding: 0 })
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
        let window = Window { side: 3, stride: 1, padding: 1 };
        match self {
            Self::Mean => mean_pool(x, window),
            Self::Largest => max_pool(x, window),
        }
    }
}
