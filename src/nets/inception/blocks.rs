//! The mixed layers: branches side by side, their channels one after the other.
//!
//! Kinds A to E are named as in torchvision's `inception.py`, as are the branches.

use burn::module::Module;
use burn::tensor::Tensor;

use super::unit::{Around, Unit, pointwise, same, shrink, valid};
use crate::nets::blocks::Site;

/// 35x35 pixels: 1x1, 5x5, twice 3x3, pool (Figure 5).
#[derive(Module, Debug)]
pub(super) struct MixedA {
    branch1x1: Unit,
    branch5x5_1: Unit,
    branch5x5_2: Unit,
    branch3x3dbl_1: Unit,
    branch3x3dbl_2: Unit,
    branch3x3dbl_3: Unit,
    branch_pool: Unit,
}

impl MixedA {
    pub(super) fn new(inputs: usize, pooled: usize, site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        Self {
            branch1x1: pointwise([inputs, 64], &at("branch1x1")),
            branch5x5_1: pointwise([inputs, 48], &at("branch5x5_1")),
            branch5x5_2: same([48, 64], [5, 5], &at("branch5x5_2")),
            branch3x3dbl_1: pointwise([inputs, 64], &at("branch3x3dbl_1")),
            branch3x3dbl_2: same([64, 96], [3, 3], &at("branch3x3dbl_2")),
            branch3x3dbl_3: same([96, 96], [3, 3], &at("branch3x3dbl_3")),
            branch_pool: pointwise([inputs, pooled], &at("branch_pool")),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let b1 = self.branch1x1.forward(x.clone());
        let b5 = through([&self.branch5x5_1, &self.branch5x5_2], x.clone());
        let b3 = [&self.branch3x3dbl_1, &self.branch3x3dbl_2, &self.branch3x3dbl_3];
        let b3 = through(b3, x.clone());
        let pooled = self.branch_pool.forward(Around::Mean.pool(x));
        Tensor::cat(vec![b1, b5, b3, pooled], 1)
    }
}

/// From 35x35 to 17x17 pixels.
#[derive(Module, Debug)]
pub(super) struct MixedB {
    branch3x3: Unit,
    branch3x3dbl_1: Unit,
    branch3x3dbl_2: Unit,
    branch3x3dbl_3: Unit,
}

impl MixedB {
    pub(super) fn new(inputs: usize, site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        Self {
            branch3x3: valid([inputs, 384], 2, &at("branch3x3")),
            branch3x3dbl_1: pointwise([inputs, 64], &at("branch3x3dbl_1")),
            branch3x3dbl_2: same([64, 96], [3, 3], &at("branch3x3dbl_2")),
            branch3x3dbl_3: valid([96, 96], 2, &at("branch3x3dbl_3")),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let b3 = self.branch3x3.forward(x.clone());
        let double = [&self.branch3x3dbl_1, &self.branch3x3dbl_2, &self.branch3x3dbl_3];
        Tensor::cat(vec![b3, through(double, x.clone()), shrink(x)], 1)
    }
}

/// 17x17 pixels: 7x7 as 1x7 and 7x1, once and twice (Figure 6).
#[derive(Module, Debug)]
pub(super) struct MixedC {
    branch1x1: Unit,
    branch7x7_1: Unit,
    branch7x7_2: Unit,
    branch7x7_3: Unit,
    branch7x7dbl_1: Unit,
    branch7x7dbl_2: Unit,
    branch7x7dbl_3: Unit,
    branch7x7dbl_4: Unit,
    branch7x7dbl_5: Unit,
    branch_pool: Unit,
}

impl MixedC {
    /// `width`: channels between the convolutions of 7.
    pub(super) fn new(inputs: usize, width: usize, site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        let (row, column) = ([1, 7], [7, 1]);
        Self {
            branch1x1: pointwise([inputs, 192], &at("branch1x1")),
            branch7x7_1: pointwise([inputs, width], &at("branch7x7_1")),
            branch7x7_2: same([width, width], row, &at("branch7x7_2")),
            branch7x7_3: same([width, 192], column, &at("branch7x7_3")),
            branch7x7dbl_1: pointwise([inputs, width], &at("branch7x7dbl_1")),
            branch7x7dbl_2: same([width, width], column, &at("branch7x7dbl_2")),
            branch7x7dbl_3: same([width, width], row, &at("branch7x7dbl_3")),
            branch7x7dbl_4: same([width, width], column, &at("branch7x7dbl_4")),
            branch7x7dbl_5: same([width, 192], row, &at("branch7x7dbl_5")),
            branch_pool: pointwise([inputs, 192], &at("branch_pool")),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let first = self.first(x.clone());
        self.forward_after(first, x)
    }

    /// Returns the output of the first branch, the 1x1 convolution.
    pub(super) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        self.branch1x1.forward(x)
    }

    /// Returns the output of the layer whose first branch is known.
    pub(super) fn forward_after(&self, first: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
        let once = [&self.branch7x7_1, &self.branch7x7_2, &self.branch7x7_3];
        let once = through(once, x.clone());
        let twice = [
            &self.branch7x7dbl_1,
            &self.branch7x7dbl_2,
            &self.branch7x7dbl_3,
            &self.branch7x7dbl_4,
            &self.branch7x7dbl_5,
        ];
        let twice = through(twice, x.clone());
        let pooled = self.branch_pool.forward(Around::Mean.pool(x));
        Tensor::cat(vec![first, once, twice, pooled], 1)
    }
}

/// From 17x17 to 8x8 pixels.
#[derive(Module, Debug)]
pub(super) struct MixedD {
    branch3x3_1: Unit,
    branch3x3_2: Unit,
    branch7x7x3_1: Unit,
    branch7x7x3_2: Unit,
    branch7x7x3_3: Unit,
    branch7x7x3_4: Unit,
}

impl MixedD {
    pub(super) fn new(inputs: usize, site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        Self {
            branch3x3_1: pointwise([inputs, 192], &at("branch3x3_1")),
            branch3x3_2: valid([192, 320], 2, &at("branch3x3_2")),
            branch7x7x3_1: pointwise([inputs, 192], &at("branch7x7x3_1")),
            branch7x7x3_2: same([192, 192], [1, 7], &at("branch7x7x3_2")),
            branch7x7x3_3: same([192, 192], [7, 1], &at("branch7x7x3_3")),
            branch7x7x3_4: valid([192, 192], 2, &at("branch7x7x3_4")),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let b3 = through([&self.branch3x3_1, &self.branch3x3_2], x.clone());
        let b7 =
            [&self.branch7x7x3_1, &self.branch7x7x3_2, &self.branch7x7x3_3, &self.branch7x7x3_4];
        Tensor::cat(vec![b3, through(b7, x.clone()), shrink(x)], 1)
    }
}

/// 8x8 pixels: 3x3 as 1x3 beside 3x1, once alone and once after a 3x3 (Figure 7).
#[derive(Module, Debug)]
pub(super) struct MixedE {
    branch1x1: Unit,
    branch3x3_1: Unit,
    branch3x3_2a: Unit,
    branch3x3_2b: Unit,
    branch3x3dbl_1: Unit,
    branch3x3dbl_2: Unit,
    branch3x3dbl_3a: Unit,
    branch3x3dbl_3b: Unit,
    branch_pool: Unit,
}

impl MixedE {
    pub(super) fn new(inputs: usize, site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        let (row, column) = ([1, 3], [3, 1]);
        Self {
            branch1x1: pointwise([inputs, 320], &at("branch1x1")),
            branch3x3_1: pointwise([inputs, 384], &at("branch3x3_1")),
            branch3x3_2a: same([384, 384], row, &at("branch3x3_2a")),
            branch3x3_2b: same([384, 384], column, &at("branch3x3_2b")),
            branch3x3dbl_1: pointwise([inputs, 448], &at("branch3x3dbl_1")),
            branch3x3dbl_2: same([448, 384], [3, 3], &at("branch3x3dbl_2")),
            branch3x3dbl_3a: same([384, 384], row, &at("branch3x3dbl_3a")),
            branch3x3dbl_3b: same([384, 384], column, &at("branch3x3dbl_3b")),
            branch_pool: pointwise([inputs, 192], &at("branch_pool")),
        }
    }

    /// `around`: the mean in the first of these layers, the largest in the second, as the released
    /// graph has it.
    pub(super) fn forward(&self, x: Tensor<4>, around: Around) -> Tensor<4> {
        let b1 = self.branch1x1.forward(x.clone());
        let once = self.branch3x3_1.forward(x.clone());
        let twice = through([&self.branch3x3dbl_1, &self.branch3x3dbl_2], x.clone());
        let pooled = self.branch_pool.forward(around.pool(x));
        let branches = vec![
            b1,
            self.branch3x3_2a.forward(once.clone()),
            self.branch3x3_2b.forward(once),
            self.branch3x3dbl_3a.forward(twice.clone()),
            self.branch3x3dbl_3b.forward(twice),
            pooled,
        ];
        Tensor::cat(branches, 1)
    }
}

fn through<const N: usize>(units: [&Unit; N], x: Tensor<4>) -> Tensor<4> {
    units.into_iter().fold(x, |x, unit| unit.forward(x))
}
