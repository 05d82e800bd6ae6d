//! VGG with 16 layers, plain and with batch normalisation.
//!
//! Simonyan & Zisserman 2015, arXiv:1409.1556 (Table 1, column D). Parameter names, places and
//! initialisation are those of torchvision's `models/vgg.py` (0.29): `features.0` to `features.28`
//! (to `features.41` with norms) and `classifier.0`, `.3`, `.6`; what has no parameters takes up a
//! place as well. Weights for metrics are torchvision's `vgg16-397923af.pth`.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;

use super::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, Init, Linear, Mode, Site};

/// Channels of the convolutions, stage by stage; a pool halves the sides after each.
const STAGES: [&[usize]; 5] =
    [&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];

/// Side of what the classifier sees, in pixels.
const SIDE: usize = 7;

/// Features of the two hidden layers of the classifier.
const HIDDEN: usize = 4096;

/// A VGG with 16 layers. Dropout belongs to training and is not part of the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VggSpec {
    /// Whether a norm follows every convolution: torchvision's `vgg16_bn`.
    pub norms: bool,
    /// Channels of the first stage, which all other widths follow in proportion: 64 in the paper.
    pub width: usize,
}

impl Default for VggSpec {
    fn default() -> Self {
        Self { norms: false, width: 64 }
    }
}

impl VggSpec {
    /// Builds the net for colour pictures of at least 32 x 32 pixels.
    ///
    /// # Panics
    /// If the width is 0.
    pub fn build(&self, classes: usize, site: &Site) -> Vgg {
        assert!(self.width > 0, "a stage has channels");
        let scaled = |channels: usize| channels * self.width / 64;
        let mut features = Vec::new();
        let mut inputs = 3;
        for stage in STAGES {
            for channels in stage.iter().map(|channels| scaled(*channels)) {
                let at = |place: usize| site.at("features").index(place);
                let init = Init::he_fan_out(channels * 9);
                let conv = Conv2dSpec::same(inputs, channels, 3).init(init);
                features.push(MapLayer::Conv(conv.build(&at(features.len()))));
                if self.norms {
                    features.push(MapLayer::Norm(BatchNorm2d::new(channels, &at(features.len()))));
                }
                features.push(MapLayer::Relu(Silent));
                inputs = channels;
            }
            features.push(MapLayer::Pool(Silent));
        }
        let sizes = [inputs * SIDE * SIDE, scaled(HIDDEN), scaled(HIDDEN), classes];
        let mut classifier = Vec::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            let at = site.at("classifier").index(3 * i);
            // torchvision's deviation; the paper's is the same.
            let linear = Linear::with_init(pair[0], pair[1], Init::Normal(0.01), &at);
            classifier.push(RowLayer::Linear(linear));
            if i < 2 {
                classifier.extend([RowLayer::Relu(Silent), RowLayer::Dropout(Silent)]);
            }
        }
        Vgg { features, classifier }
    }
}

/// A VGG with 16 layers.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Vec<MapLayer>,
    classifier: Vec<RowLayer>,
}

impl Vgg {
    /// Returns logits, `[n, classes]`, of pictures, `[n, 3, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.head(self.features(x, mode))
    }

    /// Returns what the last linear layer sees, `[n, d]`: the second hidden layer after ReLU,
    /// torch-fidelity's `fc2_relu`.
    pub fn features(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let maps = self.features.iter().fold(x, |x, layer| layer.forward(x, mode));
        let maps = adaptive_avg_pool2d(maps, [SIDE, SIDE]);
        let (_, hidden) = self.classifier.split_last().expect("a classifier has a last layer");
        hidden.iter().fold(maps.flatten(1, 3), |x, layer| layer.forward(x))
    }

    /// Returns the logits, `[n, classes]`, that the last linear layer makes of features, `[n, d]`.
    pub fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.classifier.last().expect("a classifier has a last layer").forward(features)
    }
}

/// A place among the layers of maps; its number is part of the names of its parameters.
#[derive(Module, Debug)]
enum MapLayer {
    Conv(Conv2d),
    Norm(BatchNorm2d),
    Relu(Silent),
    Pool(Silent),
}

impl MapLayer {
    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Norm(norm) => norm.forward(x, mode),
            Self::Relu(_) => relu(x),
            Self::Pool(_) => max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2])),
        }
    }
}

/// A place among the layers of the classifier.
#[derive(Module, Debug)]
enum RowLayer {
    Linear(Linear),
    Relu(Silent),
    Dropout(Silent),
}

impl RowLayer {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear(linear) => linear.forward(x),
            Self::Relu(_) => relu(x),
            Self::Dropout(_) => x,
        }
    }
}

/// A layer without parameters.
#[derive(Module, Debug)]
struct Silent;

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::nets::golden::{formula_file, near, numbers};
    use crate::nets::weights::{load_state, parameter_count};
    use crate::testing::golden_json;

    /// The numbers of its places are those of torchvision, so are its parameters.
    #[test]
    fn both_have_the_published_numbers_of_parameters() {
        let counts = golden_json("nets/vgg/parameters.json");
        for (name, norms) in [("vgg-16", false), ("vgg-16-bn", true)] {
            let [classes, count] = [0, 1].map(|i| counts[name][i].as_u64().unwrap() as usize);
            let spec = VggSpec { norms, ..VggSpec::default() };
            assert_eq!(parameter_count(&spec.build(classes, &Site::blank(&Device::flex()))), count);
        }
    }

    #[test]
    fn agrees_with_torchvision() {
        let cases = golden_json("nets/vgg/cases.json");
        let device = Device::flex();
        for (name, norms) in [("vgg-16-w4", false), ("vgg-16-bn-w4", true)] {
            let built = VggSpec { norms, width: 4 }.build(5, &Site::blank(&device));
            for pixels in [32, 224] {
                let case = &cases[format!("{name}-{pixels}")];
                let net = load_state(built.clone(), &formula_file(&case["shapes"], 2.0)).unwrap();
                let values = numbers("pictures", 2 * 3 * pixels * pixels);
                let data = TensorData::new(values, [2, 3, pixels, pixels]);
                let features = net.features(Tensor::from_data(data, &device), Mode::Evaluate);
                // Ten times what torch loses in f32, which is some 1e-7: another order of sums.
                let allowed = 10.0 * case["f32"].as_f64().unwrap();
                near(features.clone(), &case["features"], allowed);
                near(net.head(features), &case["logits"], allowed);
            }
        }
    }
}
