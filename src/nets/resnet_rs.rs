//! ResNet-RS: residual networks with the small changes of five years after.
//!
//! Bello et al. 2021, arXiv:2103.07579 (section 6, Table 7): the stem of three 3x3 convolutions and
//! the shortcuts of ResNet-D (He et al. 2019, arXiv:1812.01187, section 4.2), no max-pool but a
//! convolution of stride 2 at the beginning of the first stage, squeeze-and-excitation with a ratio
//! of 1/4 (Hu et al. 2018, arXiv:1709.01507), stochastic depth and dropout. Parameter names and
//! order of operators are those of timm's `resnetrs50` and its sisters (1.0.31), which load the
//! authors' weights.
//!
//! DIFFERS: a later configuration of the authors (`resnetrs50_i160.yaml` of the TensorFlow model
//! garden) has swish in the place of ReLU. timm, whose numbers agree with the paper's, and we have
//! ReLU. timm draws the biases of squeeze-and-excitation from PyTorch's default; here they begin at
//! 0, as in the authors' code.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, DropPath, Dropout, Init, Linear, Mode, Site};
use super::resnet::{Stem, conv};

/// A member of the family ResNet-RS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ResNetRsFamily {
    /// 50 layers.
    #[default]
    #[serde(rename = "resnet-rs-50")]
    Rs50,
    /// 101 layers.
    #[serde(rename = "resnet-rs-101")]
    Rs101,
    /// 152 layers.
    #[serde(rename = "resnet-rs-152")]
    Rs152,
    /// 200 layers.
    #[serde(rename = "resnet-rs-200")]
    Rs200,
    /// 270 layers.
    #[serde(rename = "resnet-rs-270")]
    Rs270,
    /// 350 layers.
    #[serde(rename = "resnet-rs-350")]
    Rs350,
    /// 420 layers.
    #[serde(rename = "resnet-rs-420")]
    Rs420,
}

use ResNetRsFamily::{Rs50, Rs101, Rs152, Rs200, Rs270, Rs350, Rs420};

/// The families, and what tells them apart (Table 9 of the paper).
const FAMILY: [(ResNetRsFamily, &str, [usize; 4]); 7] = [
    // family  name          blocks per stage
    (Rs50, "resnet-rs-50", [3, 4, 6, 3]),
    (Rs101, "resnet-rs-101", [3, 4, 23, 3]),
    (Rs152, "resnet-rs-152", [3, 8, 36, 3]),
    (Rs200, "resnet-rs-200", [3, 24, 36, 3]),
    (Rs270, "resnet-rs-270", [4, 29, 53, 4]),
    (Rs350, "resnet-rs-350", [4, 36, 72, 4]),
    (Rs420, "resnet-rs-420", [4, 44, 87, 4]),
];

impl ResNetRsFamily {
    fn row(self) -> (&'static str, [usize; 4]) {
        let row = FAMILY.iter().find(|row| row.0 == self).expect("every family has a row");
        (row.1, row.2)
    }

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        self.row().0
    }
}

/// Channels of the first stage in the paper.
const WIDTH: usize = 64;

/// Channels that leave a bottleneck per channel inside it.
const EXPANSION: usize = 4;

/// A ResNet-RS: family, regularisation, and what makes small members for small pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ResNetRsSpec {
    /// The member of the family: the number of bottlenecks in each stage.
    pub family: ResNetRsFamily,
    /// The layers before the first stage. `imagenet`: three 3x3 convolutions, the first of stride
    /// 2, and one more of stride 2. `cifar`: the same three without stride, and none more, for
    /// pictures of about 32 pixels.
    pub stem: Stem,
    /// Channels of the first stage, even; every further stage doubles them. Absent: 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub width: Option<usize>,
    /// Bottlenecks in each of the four stages. Absent: the family's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<[usize; 4]>,
    /// Stochastic depth: the probability that training skips the last block for a picture; it rises
    /// linearly from 0 at the first one. The paper: 0 up to 152 layers, 0.1 beyond.
    #[schemars(range(min = 0.0, max = 0.99))]
    pub drop_path: f64,
    /// Dropout: the share of features that training sets to 0 before the last linear layer. The
    /// paper: 0.25 up to 270 layers, 0.4 beyond.
    #[schemars(range(min = 0.0, max = 0.99))]
    pub dropout: f64,
}

impl Default for ResNetRsSpec {
    fn default() -> Self {
        Self {
            family: Rs50,
            stem: Stem::Imagenet,
            width: None,
            blocks: None,
            drop_path: 0.0,
            dropout: 0.25,
        }
    }
}

impl ResNetRsSpec {
    pub(super) fn width(&self) -> usize {
        self.width.unwrap_or(WIDTH)
    }

    pub(super) fn blocks(&self) -> [usize; 4] {
        self.blocks.unwrap_or(self.family.row().1)
    }

    /// Returns the factor by which the last feature map is smaller than the picture.
    pub(super) fn total_stride(&self) -> usize {
        if self.stem == Stem::Imagenet { 32 } else { 8 }
    }

    /// Returns the family's name and, as suffixes, how the net differs from it:
    /// `resnet-rs-50-cifar-w16-b1.1.1.1`.
    pub fn describe(&self) -> String {
        let mut name = self.family.name().to_owned();
        if self.stem == Stem::Cifar {
            name += "-cifar";
        }
        if self.width() != WIDTH {
            name += &format!("-w{}", self.width());
        }
        let blocks = self.blocks();
        if blocks != self.family.row().1 {
            name += &format!("-b{}", blocks.map(|n| n.to_string()).join("."));
        }
        name
    }

    /// Builds the net for pictures of `channels` channels and any size.
    pub fn build(&self, channels: usize, classes: usize, site: &Site) -> ResNetRs {
        let (width, blocks) = (self.width(), self.blocks());
        let stride = if self.stem == Stem::Imagenet { 2 } else { 1 };
        let (narrow, at) = (width / 2, site.at("conv1"));
        let small = |inputs, outputs, index| conv(inputs, outputs, 3).build(&at.index(index));
        let pool = || {
            let (site, step) = (site.at("maxpool"), conv(width, width, 3).stride(2));
            (step.build(&site.index(0)), BatchNorm2d::new(width, &site.index(1)))
        };
        let mut before = 0;
        let stages = [0, 1, 2, 3].map(|index| {
            let stage = Stage {
                inputs: if index == 0 { width } else { (width << (index - 1)) * EXPANSION },
                channels: width << index,
                stride: if index == 0 { 1 } else { 2 },
                before,
            };
            before += blocks[index];
            stage.build(blocks[index], self, (&format!("layer{}", index + 1), site))
        });
        let [layer1, layer2, layer3, layer4] = stages;
        ResNetRs {
            conv1: (
                conv(channels, narrow, 3).stride(stride).build(&at.index(0)),
                BatchNorm2d::new(narrow, &at.index(1)),
                Relu,
                small(narrow, narrow, 3),
                BatchNorm2d::new(narrow, &at.index(4)),
                Relu,
                small(narrow, width, 6),
            ),
            bn1: BatchNorm2d::new(width, &site.at("bn1")),
            maxpool: (stride == 2).then(pool),
            layer1,
            layer2,
            layer3,
            layer4,
            dropout: Dropout::new(self.dropout, "fc"),
            fc: Linear::new((width << 3) * EXPANSION, classes, &site.at("fc")),
        }
    }
}

struct Stage {
    inputs: usize,
    channels: usize,
    stride: usize,
    /// Blocks in the stages before.
    before: usize,
}

impl Stage {
    fn build(&self, blocks: usize, spec: &ResNetRsSpec, at: (&str, &Site)) -> Vec<Block> {
        let (name, site) = (at.0, at.1.at(at.0));
        let all = spec.blocks().iter().sum();
        let block = |index: usize| {
            let rate = DropPath::linear(spec.drop_path, self.before + index, all);
            let drop = DropPath::new(rate, format!("{name}.{index}"));
            let [inputs, stride] = if index == 0 {
                [self.inputs, self.stride]
            } else {
                [self.channels * EXPANSION, 1]
            };
            Block::new([inputs, self.channels, stride], drop, &site.index(index))
        };
        (0..blocks).map(block).collect()
    }
}

/// The stem's convolutions; places in the tuple are numbers in the names of their parameters.
type DeepStem = (Conv2d, BatchNorm2d, Relu, Conv2d, BatchNorm2d, Relu, Conv2d);

/// A place in a sequence of layers that has a number and no parameters. The norm before it applies
/// it.
#[derive(Module, Debug)]
struct Relu;

/// A ResNet-RS.
#[derive(Module, Debug)]
pub struct ResNetRs {
    conv1: DeepStem,
    bn1: BatchNorm2d,
    maxpool: Option<(Conv2d, BatchNorm2d)>, // timm's name for what stands in its place.
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    #[module(skip)]
    dropout: Dropout,
    /// Features to logits.
    pub fc: Linear,
}

impl ResNetRs {
    /// Returns logits, `[n, classes]`, of pictures, `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.fc.forward(self.dropout.forward(self.features(x, mode), mode))
    }

    /// Returns the last feature map averaged over the picture, `[n, d]`.
    pub fn features(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let (first, first_norm, _, second, second_norm, _, third) = &self.conv1;
        let x = first_norm.forward_relu(first.forward(x), mode);
        let x = second_norm.forward_relu(second.forward(x), mode);
        let mut x = self.bn1.forward_relu(third.forward(x), mode);
        if let Some((conv, norm)) = &self.maxpool {
            x = norm.forward_relu(conv.forward(x), mode);
        }
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten()
        {
            x = block.forward(x, mode);
        }
        averaged(x)
    }

    /// Returns the number of features, `d`.
    pub fn feature_width(&self) -> usize {
        self.fc.weight.dims()[1]
    }
}

/// Returns the mean of each map, `[n, c]`.
fn averaged(x: Tensor<4>) -> Tensor<2> {
    let [n, c, _, _] = x.dims();
    x.mean_dims(&[2, 3]).reshape([n, c])
}

/// `relu(drop(se(F(x))) + shortcut(x))`.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Conv2d,
    bn3: BatchNorm2d,
    se: SqueezeExcitation,
    #[module(skip)]
    drop: DropPath,
    downsample: Option<(Halving, Conv2d, BatchNorm2d)>,
}

impl Block {
    fn new([inputs, channels, stride]: [usize; 3], drop: DropPath, site: &Site) -> Self {
        let outputs = channels * EXPANSION;
        let shortcut = site.at("downsample");
        let mut bn3 = BatchNorm2d::new(outputs, &site.at("bn3"));
        // A block begins as its shortcut (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
        bn3.weight = site.at("bn3").draw("weight", [outputs], Init::Constant(0.0));
        Self {
            conv1: conv(inputs, channels, 1).build(&site.at("conv1")),
            bn1: BatchNorm2d::new(channels, &site.at("bn1")),
            conv2: conv(channels, channels, 3).stride(stride).build(&site.at("conv2")),
            bn2: BatchNorm2d::new(channels, &site.at("bn2")),
            conv3: conv(channels, outputs, 1).build(&site.at("conv3")),
            bn3,
            se: SqueezeExcitation::new(outputs, &site.at("se")),
            drop,
            downsample: (stride != 1 || inputs != outputs).then(|| {
                (
                    Halving { on: stride != 1 },
                    conv(inputs, outputs, 1).build(&shortcut.index(1)),
                    BatchNorm2d::new(outputs, &shortcut.index(2)),
                )
            }),
        }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let out = self.bn1.forward_relu(self.conv1.forward(x.clone()), mode);
        let out = self.bn2.forward_relu(self.conv2.forward(out), mode);
        let out = self.se.forward(self.bn3.forward(self.conv3.forward(out), mode));
        let shortcut = match &self.downsample {
            Some((halving, conv, norm)) => norm.forward(conv.forward(halving.forward(x)), mode),
            None => x,
        };
        relu(self.drop.forward(out, mode) + shortcut)
    }
}

/// The shortcut's pool: means of 2x2 pixels, or of what is left of them at the lower and right edge
/// (He et al. 2019, arXiv:1812.01187, Figure 2c).
#[derive(Module, Debug)]
struct Halving {
    on: bool,
}

impl Halving {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.on {
            return x;
        }
        let options = AvgPoolOptions::new([2; 2]).with_stride([2; 2]);
        avg_pool2d(x, options.with_count_include_pad(false).with_ceil_mode(true))
    }
}

/// A factor for each map, which follows from the means of all maps (Hu et al. 2018, Eq. 2 to 4).
#[derive(Module, Debug)]
struct SqueezeExcitation {
    fc1: Conv2d,
    fc2: Conv2d,
}

impl SqueezeExcitation {
    fn new(channels: usize, site: &Site) -> Self {
        let squeezed = squeezed(channels);
        let map =
            |inputs, outputs| Conv2dSpec::same(inputs, outputs, 1).init(Init::he_fan_out(outputs));
        Self {
            fc1: map(channels, squeezed).build(&site.at("fc1")),
            fc2: map(squeezed, channels).build(&site.at("fc2")),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, _, _] = x.dims();
        let hidden = relu(linear(&self.fc1, averaged(x.clone())));
        x * sigmoid(linear(&self.fc2, hidden)).reshape([n, c, 1, 1])
    }
}

/// Returns a quarter of the channels, to the nearest multiple of 8 and at least 8.
fn squeezed(channels: usize) -> usize {
    ((channels / 4 + 4) / 8 * 8).max(8)
}

/// A convolution of pictures of one pixel.
fn linear(conv: &Conv2d, x: Tensor<2>) -> Tensor<2> {
    let [outputs, inputs, _, _] = conv.weight.dims();
    let weight = conv.weight.val().reshape([outputs, inputs]).transpose();
    burn::tensor::module::linear(x, weight, conv.bias.as_ref().map(|bias| bias.val()))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use sha2::{Digest as _, Sha256};

    use super::super::classifier::ClassifierNet;
    use super::super::golden::{check, filled, numbers, numbers_of};
    use super::super::weights::{outline_of, parameter_count, state_of};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32, golden_json};

    fn small(stem: Stem, width: usize, blocks: [usize; 4]) -> ResNetRsSpec {
        let (width, blocks) = (Some(width), Some(blocks));
        ResNetRsSpec { stem, width, blocks, dropout: 0.0, ..ResNetRsSpec::default() }
    }

    #[test]
    fn agrees_with_timm() {
        let cases = golden_json("nets/resnet_rs/cases.json");
        for spec in [
            small(Stem::Imagenet, 4, [1, 1, 2, 1]),
            small(Stem::Cifar, 8, [2, 1, 1, 1]),
            ResNetRsSpec::default(),
        ] {
            check(ClassifierNet::ResNetRs(spec), &cases);
        }
    }

    /// A published state dict loads: the same names and shapes, to the last.
    #[test]
    fn published_sizes_have_the_tensors_of_timm() {
        let outlines = golden_json("nets/resnet_rs/outlines.json");
        // The larger ones only repeat more blocks; each would take half a gigabyte.
        for (family, name, _) in &FAMILY[..3] {
            let spec = ResNetRsSpec { family: *family, ..ResNetRsSpec::default() };
            let net = spec.build(3, 1000, &Site::blank(&Device::flex()));
            let (outline, want) = (outline_of(&net), &outlines[*name]);
            assert_eq!(outline.len() as u64, want["tensors"].as_u64().unwrap(), "{name}");
            assert_eq!(parameter_count(&net) as u64, want["parameters"].as_u64().unwrap());
            let mut hash = Sha256::new();
            for (name, shape) in outline {
                hash.update(format!("{name} {shape:?}\n"));
            }
            let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, want["sha256"].as_str().unwrap(), "{name}");
        }
    }

    fn pictures(n: usize, device: &Device) -> Tensor<4> {
        let values = numbers("pictures", n * 3 * 64);
        Tensor::from_data(TensorData::new(values, [n, 3, 8, 8]), device)
    }

    /// A dropped block is its shortcut, a kept one counts for those that were dropped.
    #[test]
    fn stochastic_depth_drops_whole_branches() {
        let device = Device::flex();
        let site = Site::blank(&device);
        let build = |rate| {
            let drop = DropPath::new(rate, "layer1.0");
            filled(Block::new([16, 4, 1], drop, &site))
        };
        let x = || {
            Tensor::from_data(TensorData::new(numbers("x", 32 * 16 * 4), [32, 16, 2, 2]), &device)
        };
        let mode = Mode::Train(Seed::root(5));
        let (plain, x_values) = (numbers_of(build(0.0).forward(x(), mode)), numbers_of(x()));
        let dropped = numbers_of(build(0.5).forward(x(), mode));
        let (mut gone, mut kept) = (0, 0);
        for i in 0..32 {
            let part = i * 64..(i + 1) * 64;
            let shortcut: Vec<f32> = x_values[part.clone()].iter().map(|x| x.max(0.0)).collect();
            if dropped[part.clone()] == shortcut {
                gone += 1;
                continue;
            }
            kept += 1;
            // relu(2 F + x) where relu(F + x) is known and positive.
            for at in part.filter(|at| plain[*at] > 0.0) {
                let branch = plain[at] - x_values[at];
                let want = (2.0 * branch + x_values[at]).max(0.0);
                close_f32(&[dropped[at]], &[want], Tol::absolute(1e-5)); // Numbers up to 10.
            }
        }
        assert!(gone > 4 && kept > 4, "{gone} dropped, {kept} kept"); // 1 in 10,000 otherwise.
    }

    #[test]
    fn a_training_pass_depends_on_its_seed_and_evaluation_on_nothing() {
        let device = Device::flex();
        let spec =
            ResNetRsSpec { drop_path: 0.3, dropout: 0.25, ..small(Stem::Cifar, 4, [1, 1, 1, 1]) };
        let net = filled(spec.build(3, 5, &Site::blank(&device)));
        let pass = |mode| numbers_of(net.forward(pictures(6, &device), mode));
        let train = |number| Mode::Train(Seed::root(number));
        assert_eq!(pass(train(1)), pass(train(1)));
        assert_ne!(pass(train(1)), pass(train(2)));
        assert_eq!(pass(Mode::Evaluate), pass(Mode::Evaluate));
    }

    #[test]
    fn a_fresh_block_is_its_shortcut() {
        let site = Site::new(Seed::root(0), &Device::flex());
        let state = state_of(&small(Stem::Cifar, 8, [1, 1, 1, 1]).build(3, 10, &site));
        assert!(state["layer2.0.bn3.weight"].values.iter().all(|w| w.abs() <= 0.0));
        let weight = &state["layer4.0.conv2.weight"].values; // 64 x 64 x 3 x 3
        let square = weight.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
        let variance = square / weight.len() as f64;
        // 36,864 draws: the standard error of a variance is 0.7 %; 5 of them.
        assert!((variance * 64.0 * 9.0 / 2.0 - 1.0).abs() < 0.04, "variance {variance}");
    }

    #[test]
    fn names_in_files_are_names_in_tables() {
        for (family, name, _) in FAMILY {
            assert_eq!(serde_json::to_value(family).unwrap(), name);
        }
    }
}
