//! Residual networks.
//!
//! He et al. 2016, arXiv:1512.03385: Table 1 for ImageNet, section 4.2 for CIFAR. Parameter names
//! and initialisation are those of torchvision's `models/resnet.py` (0.29): `conv1`, `bn1`,
//! `layer1` to `layer4`, `downsample.0` and `.1`, `fc`.
//!
//! DIFFERS: the paper strides in the first 1x1 convolution of a bottleneck, torchvision in the 3x3
//! ("v1.5"); we follow torchvision. The paper initialises by the fan-in (its reference 13),
//! torchvision by the fan-out; we follow torchvision everywhere.

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, Init, Linear, Mode, Site};
use super::kernels::{Window, fork, max_pool, strided_identity};

/// A member of the family of residual networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ResNetFamily {
    /// One basic block in each of four stages.
    #[serde(rename = "resnet-10")]
    ResNet10,
    /// Table 1, 18 layers.
    #[default]
    #[serde(rename = "resnet-18")]
    ResNet18,
    /// Table 1, 34 layers.
    #[serde(rename = "resnet-34")]
    ResNet34,
    /// Table 1, 50 layers.
    #[serde(rename = "resnet-50")]
    ResNet50,
    /// Table 1, 101 layers.
    #[serde(rename = "resnet-101")]
    ResNet101,
    /// Table 1, 152 layers.
    #[serde(rename = "resnet-152")]
    ResNet152,
    /// Section 4.2, n = 3.
    #[serde(rename = "resnet-20")]
    ResNet20,
    /// Section 4.2, n = 5.
    #[serde(rename = "resnet-32")]
    ResNet32,
    /// Section 4.2, n = 7.
    #[serde(rename = "resnet-44")]
    ResNet44,
    /// Section 4.2, n = 9.
    #[serde(rename = "resnet-56")]
    ResNet56,
}

use Form::{Basic, Bottleneck, Plain};
use ResNetFamily::{
    ResNet10, ResNet18, ResNet20, ResNet32, ResNet34, ResNet44, ResNet50, ResNet56, ResNet101,
    ResNet152,
};

/// The families, and what tells them apart; resnet-10 as in the code of the ImageNet-LT benchmark.
const FAMILY: [(ResNetFamily, &str, Form, &[usize]); 10] = [
    // family   name          blocks      blocks per stage
    (ResNet10, "resnet-10", Basic, &[1, 1, 1, 1]),
    (ResNet18, "resnet-18", Basic, &[2, 2, 2, 2]),
    (ResNet34, "resnet-34", Basic, &[3, 4, 6, 3]),
    (ResNet50, "resnet-50", Bottleneck, &[3, 4, 6, 3]),
    (ResNet101, "resnet-101", Bottleneck, &[3, 4, 23, 3]),
    (ResNet152, "resnet-152", Bottleneck, &[3, 8, 36, 3]),
    (ResNet20, "resnet-20", Plain, &[3, 3, 3]),
    (ResNet32, "resnet-32", Plain, &[5, 5, 5]),
    (ResNet44, "resnet-44", Plain, &[7, 7, 7]),
    (ResNet56, "resnet-56", Plain, &[9, 9, 9]),
];

/// The build of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Two 3x3 convolutions; a projection where the shape changes ("option B").
    Basic,
    /// 1x1, 3x3, 1x1 with four times the channels at the end; a projection as above.
    Bottleneck,
    /// Two 3x3 convolutions; where the shape changes, the shortcut has no parameters ("option A").
    Plain,
}

impl Form {
    /// Returns how many channels leave a block per channel inside it.
    fn expansion(self) -> usize {
        if self == Bottleneck { 4 } else { 1 }
    }
}

impl ResNetFamily {
    fn row(self) -> (&'static str, Form, &'static [usize]) {
        let row = FAMILY.iter().find(|row| row.0 == self).expect("every family has a row");
        (row.1, row.2, row.3)
    }

    /// Returns the name in files and tables.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the channels of the first stage in the paper.
    fn width(self) -> usize {
        if self.row().1 == Plain { 16 } else { 64 }
    }

    /// Returns the first layers in the paper.
    fn stem(self) -> Stem {
        if self.row().1 == Plain { Stem::Cifar } else { Stem::Imagenet }
    }
}

/// The layers before the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// A 7x7 convolution of stride 2 and a 3x3 max-pool of stride 2, for pictures of about 224
    /// pixels.
    Imagenet,
    /// A 3x3 convolution of stride 1 and no pool, for pictures of about 32 pixels.
    Cifar,
}

/// A residual network: family, stem and width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ResNetSpec {
    /// The member of the family: blocks and their number. `resnet-10` to `resnet-152` are the nets
    /// for ImageNet (four stages), `resnet-20` to `resnet-56` those for CIFAR (three stages,
    /// shortcuts without parameters).
    pub family: ResNetFamily,
    /// The layers before the first stage. Absent: as the paper has it for the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stem: Option<Stem>,
    /// Channels of the first stage; every further stage doubles them. Absent: as the paper has it
    /// for the family, 64 or, for CIFAR, 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub width: Option<usize>,
}

impl ResNetSpec {
    fn stem(&self) -> Stem {
        self.stem.unwrap_or(self.family.stem())
    }

    fn width(&self) -> usize {
        self.width.unwrap_or(self.family.width())
    }

    /// Returns the factor by which the last feature map is smaller than the picture.
    pub(super) fn total_stride(&self) -> usize {
        let stem = if self.stem() == Stem::Imagenet { 4 } else { 1 };
        let (_, _, stages) = self.family.row();
        stem << (stages.len() - 1)
    }

    /// Returns the family's name and, as suffixes, what differs from the paper:
    /// `resnet-18-cifar-w32`.
    pub fn describe(&self) -> String {
        let mut name = self.family.name().to_owned();
        if self.stem() != self.family.stem() {
            name += if self.stem() == Stem::Cifar { "-cifar" } else { "-imagenet" };
        }
        if self.width() != self.family.width() {
            name += &format!("-w{}", self.width());
        }
        name
    }

    /// Builds the net for pictures of `channels` channels and any size.
    pub fn build(&self, channels: usize, classes: usize, site: &Site) -> ResNet {
        let (_, form, blocks) = self.family.row();
        let (stem, width) = (self.stem(), self.width());
        let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
        let stage = |index: usize| {
            let stage = Stage {
                form,
                inputs: if index == 0 { width } else { (width << (index - 1)) * form.expansion() },
                channels: width << index,
                blocks: blocks.get(index).copied().unwrap_or(0),
                stride: if index == 0 { 1 } else { 2 },
            };
            stage.build(&site.at(&format!("layer{}", index + 1)))
        };
        let features = (width << (blocks.len() - 1)) * form.expansion();
        ResNet {
            conv1: conv(channels, width, kernel).stride(stride).build(&site.at("conv1")),
            bn1: BatchNorm2d::new(width, &site.at("bn1")),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
            fc: Linear::new(features, classes, &site.at("fc")),
            pooled: stem == Stem::Imagenet,
        }
    }
}

/// A convolution of a residual network: without bias, its weights by the fan-out.
pub(super) fn conv(inputs: usize, outputs: usize, kernel: usize) -> Conv2dSpec {
    let init = Init::he_fan_out(outputs * kernel * kernel);
    Conv2dSpec::same(inputs, outputs, kernel).no_bias().init(init)
}

struct Stage {
    form: Form,
    inputs: usize,
    channels: usize,
    blocks: usize,
    stride: usize,
}

impl Stage {
    fn build(&self, site: &Site) -> Vec<Block> {
        let (form, channels) = (self.form, self.channels);
        let block = |index| {
            let site = site.index(index);
            if index == 0 {
                Block::new(form, self.inputs, channels, self.stride, &site)
            } else {
                Block::new(form, channels * form.expansion(), channels, 1, &site)
            }
        };
        (0..self.blocks).map(block).collect()
    }
}

/// A residual network.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>, // Empty in the nets for CIFAR.
    /// Features to logits.
    pub fc: Linear,
    pooled: bool,
}

impl ResNet {
    /// Returns logits, `[n, classes]`, of pictures, `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.fc.forward(self.features(x, mode))
    }

    /// Returns the last feature map averaged over the picture, `[n, d]`.
    pub fn features(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let mut x = self.bn1.forward_relu(self.conv1.forward(x), mode);
        if self.pooled {
            x = max_pool(x, Window { side: 3, stride: 2, padding: 1 });
        }
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten()
        {
            x = block.forward(x, mode);
        }
        let [n, d, _, _] = x.dims();
        x.mean_dims(&[2, 3]).reshape([n, d])
    }

    /// Returns the number of features, `d`.
    pub fn feature_width(&self) -> usize {
        self.fc.weight.dims()[1]
    }
}

/// `relu(F(x) + shortcut(x))` (Eq. 1 and 2).
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Option<Conv2d>, // Of the bottleneck only.
    bn3: Option<BatchNorm2d>,
    downsample: Option<(Conv2d, BatchNorm2d)>,
    stride: usize,
}

impl Block {
    fn new(form: Form, inputs: usize, channels: usize, stride: usize, site: &Site) -> Self {
        let outputs = channels * form.expansion();
        let narrow = form == Bottleneck;
        let (first, step) = if narrow { (1, 1) } else { (3, stride) };
        let projects = form != Plain && (stride != 1 || inputs != outputs);
        let shortcut = site.at("downsample");
        Self {
            conv1: conv(inputs, channels, first).stride(step).build(&site.at("conv1")),
            bn1: BatchNorm2d::new(channels, &site.at("bn1")),
            conv2: conv(channels, channels, 3).stride(stride / step).build(&site.at("conv2")),
            bn2: BatchNorm2d::new(channels, &site.at("bn2")),
            conv3: narrow.then(|| conv(channels, outputs, 1).build(&site.at("conv3"))),
            bn3: narrow.then(|| BatchNorm2d::new(outputs, &site.at("bn3"))),
            downsample: projects.then(|| {
                let projection = conv(inputs, outputs, 1).stride(stride);
                (
                    projection.build(&shortcut.index(0)),
                    BatchNorm2d::new(outputs, &shortcut.index(1)),
                )
            }),
            stride,
        }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let [x, inner] = fork(x);
        let mut out = self.bn1.forward_relu(self.conv1.forward(inner), mode);
        out = self.conv2.forward(out);
        let mut last = &self.bn2;
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            out = conv3.forward(self.bn2.forward_relu(out, mode));
            last = bn3;
        }
        let shortcut = match &self.downsample {
            Some((conv, bn)) => bn.forward(conv.forward(x), mode),
            None => self.identity(x, out.dims()[1]),
        };
        last.forward_add_relu(out, shortcut, mode)
    }

    /// Returns `x` itself or, where the shape changes, every second pixel with zeros as new
    /// channels.
    // DIFFERS: the paper does not say where the new channels go. The authors' Torch code and we put
    // them last; a popular PyTorch port puts half of them first.
    fn identity(&self, x: Tensor<4>, outputs: usize) -> Tensor<4> {
        if self.stride == 1 {
            return x;
        }
        strided_identity(x, self.stride, outputs)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::classifier::ClassifierNet;
    use super::super::golden::check;
    use super::super::weights::{parameter_count, state_of};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::golden_json;

    fn build(spec: ResNetSpec, channels: usize, classes: usize) -> ResNet {
        spec.build(channels, classes, &Site::new(Seed::root(0), &Device::flex()))
    }

    #[test]
    fn agrees_with_torchvision_and_the_paper() {
        let cases = golden_json("nets/resnet/cases.json");
        let spec = |family, stem, width| ResNetSpec { family, stem, width };
        for spec in [
            spec(ResNet10, None, Some(4)),
            spec(ResNet10, Some(Stem::Cifar), Some(4)),
            spec(ResNet50, Some(Stem::Cifar), Some(2)),
            spec(ResNet20, None, Some(4)),
            spec(ResNet50, None, None),
        ] {
            check(ClassifierNet::ResNet(spec), &cases);
        }
    }

    #[test]
    fn families_have_the_published_numbers_of_parameters() {
        let counts = golden_json("nets/resnet/parameters.json");
        for (family, name, _, _) in FAMILY {
            let heavy = [ResNet101, ResNet152].contains(&family); // Seconds of random numbers each.
            if family == ResNet10 || heavy {
                continue; // Nobody publishes resnet-10.
            }
            let [classes, count] = [0, 1].map(|i| counts[name][i].as_u64().unwrap() as usize);
            let net = build(ResNetSpec { family, ..Default::default() }, 3, classes);
            assert_eq!(parameter_count(&net), count, "{name}");
        }
    }

    #[test]
    fn fresh_weights_follow_the_law_and_the_seed() {
        let spec = ResNetSpec { width: Some(16), ..Default::default() };
        let (net, again) = (state_of(&build(spec, 3, 10)), state_of(&build(spec, 3, 10)));
        assert_eq!(net, again);
        let weight = &net["layer3.0.conv2.weight"]; // 64 x 64 x 3 x 3
        let square = weight.values.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
        let variance = square / weight.values.len() as f64;
        // 36,864 draws: the standard error of a variance is 0.7 %; 5 of them.
        assert!((variance * 64.0 * 9.0 / 2.0 - 1.0).abs() < 0.04, "variance {variance}");
        assert_ne!(weight.values, net["layer3.1.conv2.weight"].values);
        assert!(net["layer1.0.bn2.weight"].values.iter().all(|w| w.to_bits() == 1.0_f32.to_bits()));
    }

    #[test]
    fn names_in_files_are_names_in_tables() {
        for (family, name, _, _) in FAMILY {
            assert_eq!(serde_json::to_value(family).unwrap(), name);
            assert_eq!(ResNetSpec { family, ..Default::default() }.describe(), name);
        }
    }
}
