//! The nets that name what a picture shows.

use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocks::{Mode, Site};
use super::resnet::{ResNet, ResNetSpec};
use super::resnet_rs::{ResNetRs, ResNetRsSpec};
use super::vit::{Vit, VitSpec};
use super::weights::State;
use crate::terms::Problem;

/// The choice of a classifier's net: `[net.resnet]`, `[net.resnet-rs]`, `[net.vit]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClassifierNet {
    /// A residual network.
    #[serde(rename = "resnet")]
    ResNet(ResNetSpec),
    /// A residual network with squeeze-and-excitation and the stem of ResNet-D.
    #[serde(rename = "resnet-rs")]
    ResNetRs(ResNetRsSpec),
    /// A vision transformer.
    Vit(VitSpec),
}

impl Default for ClassifierNet {
    fn default() -> Self {
        Self::ResNet(ResNetSpec::default())
    }
}

/// The pictures that a net sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Channels: 1 for grey, 3 for colour.
    pub channels: usize,
    /// Side of a square picture in pixels.
    pub pixels: usize,
}

impl ClassifierNet {
    /// Returns a short name for tables, such as `resnet-20` or `vit-ti-p4`.
    pub fn describe(&self) -> String {
        match self {
            Self::ResNet(spec) => spec.describe(),
            Self::ResNetRs(spec) => spec.describe(),
            Self::Vit(spec) => spec.describe(),
        }
    }

    /// Returns all that makes the net impossible for these pictures; the source of each problem is
    /// the key that holds it, such as `vit.patch`.
    pub fn check(&self, input: Input) -> Vec<Problem> {
        match self {
            Self::ResNet(spec) => check_resnet(spec, input),
            Self::ResNetRs(spec) => check_resnet_rs(spec, input),
            Self::Vit(spec) => check_vit(spec, input),
        }
    }

    /// Fits weights of this net, trained on pictures of another size, to pictures of this one.
    /// Residual networks take any size; vision transformers have one embedding per patch.
    pub fn adapt(&self, state: &mut State, input: Input) {
        match self {
            Self::ResNet(_) | Self::ResNetRs(_) => {}
            Self::Vit(spec) => spec.adapt(state, input.pixels),
        }
    }

    /// Builds the net with fresh weights.
    ///
    /// # Panics
    /// If [`Self::check`] finds a problem.
    pub fn build(&self, input: Input, classes: usize, site: &Site) -> Classifier {
        let problems = self.check(input);
        assert!(problems.is_empty(), "a net is built after it was checked: {problems:?}");
        match self {
            Self::ResNet(spec) => Classifier::ResNet(spec.build(input.channels, classes, site)),
            Self::ResNetRs(spec) => Classifier::ResNetRs(spec.build(input.channels, classes, site)),
            Self::Vit(spec) => {
                Classifier::Vit(spec.build(input.channels, input.pixels, classes, site))
            }
        }
    }
}

fn check_resnet(spec: &ResNetSpec, input: Input) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.width == Some(0) {
        problems.push(Problem::new("resnet.width", "width 0", "at least 1 channel"));
    }
    problems.extend(check_stride("resnet", &spec.describe(), spec.total_stride(), input));
    problems
}

fn check_resnet_rs(spec: &ResNetRsSpec, input: Input) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (width, blocks) = (spec.width(), spec.blocks());
    if width == 0 || width % 2 == 1 {
        let found = format!("width {width}, half of which is in the stem");
        problems.push(Problem::new("resnet-rs.width", found, "an even number of channels"));
    }
    if blocks.contains(&0) {
        let found = format!("a stage without blocks in {blocks:?}");
        problems.push(Problem::new("resnet-rs.blocks", found, "at least one block in each stage"));
    }
    problems.extend(check_rates("resnet-rs", spec.drop_path, spec.dropout));
    problems.extend(check_stride("resnet-rs", &spec.describe(), spec.total_stride(), input));
    problems
}

/// Returns what is wrong if the last feature map of a net is smaller than a pixel.
fn check_stride(key: &str, name: &str, stride: usize, input: Input) -> Option<Problem> {
    let pixels = input.pixels;
    let problem = Problem::new(
        key,
        format!("pictures of {pixels} pixels for `{name}`, which shrinks them {stride} times"),
        format!("pictures of at least {stride} pixels"),
    );
    (pixels < stride).then(|| problem.hint("`stem = \"cifar\"` shrinks small pictures less"))
}

/// Returns what is wrong with the rates of what training leaves out.
fn check_rates(key: &str, drop_path: f64, dropout: f64) -> Vec<Problem> {
    let rates = [("drop-path", drop_path), ("dropout", dropout)].into_iter();
    let wrong = rates.filter(|(_, rate)| !(0.0..1.0).contains(rate));
    let problem = |(name, rate): (&str, f64)| {
        Problem::new(format!("{key}.{name}"), format!("`{name} = {rate}`"), "0 to below 1")
    };
    wrong.map(problem).collect()
}

fn check_vit(spec: &VitSpec, input: Input) -> Vec<Problem> {
    let mut problems = Vec::new();
    let [features, heads, depth] = spec.sizes();
    let sizes = [("patch", spec.patch), ("features", features), ("heads", heads), ("depth", depth)];
    for (key, size) in sizes {
        if size == 0 {
            problems.push(Problem::new(format!("vit.{key}"), format!("{key} 0"), "at least 1"));
        }
    }
    let (patch, pixels) = (spec.patch, input.pixels);
    if patch > 0 && !pixels.is_multiple_of(patch) {
        let fitting: Vec<_> =
            (1..=pixels).filter(|p| pixels.is_multiple_of(*p)).map(|p| p.to_string()).collect();
        let problem = Problem::new(
            "vit.patch",
            format!("patches of {patch} pixels in pictures of {pixels}"),
            "a patch that divides the picture",
        );
        problems.push(problem.hint(format!("these do: {}", fitting.join(", "))));
    }
    problems.extend(check_rates("vit", spec.drop_path, spec.dropout));
    if heads > 0 && !features.is_multiple_of(heads) {
        problems.push(Problem::new(
            "vit.heads",
            format!("{heads} heads for {features} features"),
            "heads that divide the features",
        ));
    }
    problems
}

/// A net that names what a picture shows.
#[derive(Module, Debug)]
pub enum Classifier {
    /// A residual network.
    ResNet(ResNet),
    /// A residual network with squeeze-and-excitation and the stem of ResNet-D.
    ResNetRs(ResNetRs),
    /// A vision transformer.
    Vit(Vit),
}

impl Classifier {
    /// Returns logits, `[n, classes]`, of pictures, `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        match self {
            Self::ResNet(net) => net.forward(x, mode),
            Self::ResNetRs(net) => net.forward(x, mode),
            Self::Vit(net) => net.forward(x, mode),
        }
    }

    /// Returns what the last linear layer sees, `[n, d]`.
    pub fn features(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        match self {
            Self::ResNet(net) => net.features(x, mode),
            Self::ResNetRs(net) => net.features(x, mode),
            Self::Vit(net) => net.features(x, mode),
        }
    }

    /// Returns the logits, `[n, classes]`, that the last linear layer makes of features, `[n, d]`.
    pub fn head(&self, features: Tensor<2>) -> Tensor<2> {
        match self {
            Self::ResNet(net) => net.fc.forward(features),
            Self::ResNetRs(net) => net.fc.forward(features),
            Self::Vit(net) => net.head.forward(features),
        }
    }

    /// Returns the number of features, `d`.
    pub fn feature_width(&self) -> usize {
        match self {
            Self::ResNet(net) => net.feature_width(),
            Self::ResNetRs(net) => net.feature_width(),
            Self::Vit(net) => net.feature_width(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::resnet::{ResNetFamily, Stem};

    fn parse(text: &str) -> Result<ClassifierNet, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_choice_is_a_key() {
        let net = parse("[resnet]\nfamily = \"resnet-10\"\nstem = \"cifar\"\nwidth = 8").unwrap();
        let spec =
            ResNetSpec { family: ResNetFamily::ResNet10, stem: Some(Stem::Cifar), width: Some(8) };
        assert_eq!(net, ClassifierNet::ResNet(spec));
        assert_eq!(net.describe(), "resnet-10-cifar-w8");
        let net = parse("[vit]\nfamily = \"vit-s\"\npatch = 4\ndepth = 6").unwrap();
        assert_eq!(net.describe(), "vit-s-p4-d6");
        for text in ["[resnet]\ndepth = 18", "[vgg]", "[vit]\nfamily = \"vit-h\""] {
            assert!(parse(text).is_err(), "{text}");
        }
        for net in [net, ClassifierNet::default()] {
            let written = toml::to_string(&net).unwrap();
            assert_eq!(parse(&written).unwrap(), net, "{written}");
        }
    }

    #[test]
    fn impossible_nets_are_found_before_they_are_built() {
        let problems = |text, channels, pixels| {
            let found = parse(text).unwrap().check(Input { channels, pixels });
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(problems("[vit]\npatch = 4", 1, 8), [""; 0]);
        assert_eq!(problems("[resnet]\nfamily = \"resnet-20\"", 1, 8), [""; 0]);
        assert_eq!(
            problems("[vit]\npatch = 3\nfeatures = 32", 1, 8),
            [
                "vit.patch: patches of 3 pixels in pictures of 8, expected a patch that divides \
                 the picture\nhint: these do: 1, 2, 4, 8",
                "vit.heads: 3 heads for 32 features, expected heads that divide the features",
            ]
        );
        assert_eq!(problems("[vit]\npatch = 0\nheads = 0", 1, 8).len(), 2);
        let small = problems("[resnet]\nfamily = \"resnet-18\"\nwidth = 0", 3, 8);
        assert_eq!(small.len(), 2);
        assert!(small[1].contains("shrinks them 32 times") && small[1].contains("cifar"));
        let rates = "[resnet-rs]\nwidth = 5\nblocks = [1, 0, 1, 1]\ndropout = 1.0";
        assert_eq!(problems(rates, 3, 16).len(), 4);
        assert_eq!(problems("[vit]\npatch = 4\ndrop-path = -0.1", 1, 8).len(), 1);
    }

    #[test]
    fn a_resnet_rs_is_named_by_what_differs() {
        let text = "[resnet-rs]\nstem = \"cifar\"\nwidth = 8\nblocks = [1, 1, 1, 1]";
        let net = parse(text).unwrap();
        assert_eq!(net.describe(), "resnet-rs-50-cifar-w8-b1.1.1.1");
        assert_eq!(net.check(Input { channels: 1, pixels: 8 }), []);
        assert_eq!(
            parse("[resnet-rs]\nfamily = \"resnet-rs-152\"").unwrap().describe(),
            "resnet-rs-152"
        );
    }
}
