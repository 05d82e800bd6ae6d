//! The rows of the table on our side: nets, shapes and what is done with them.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use ersatz::lab::training::{Adamw, Ema, LearningRate, Optimizer, Recipe, Sgd, Task, fit};
use ersatz::nets::blocks::{BatchNorm2d, Conv2d, Conv2dSpec, Mode, Site};
use ersatz::nets::inception::Inception;
use ersatz::nets::kernels::keep_memory;
use ersatz::nets::resnet::{ResNetFamily, ResNetSpec, Stem};
use ersatz::nets::unet::{
    Condition, DownBlockType, MidBlockType, OneOrEach, UNet, UNetConfig, UpBlockType,
};
use ersatz::nets::vgg::VggSpec;
use ersatz::nets::vit::{VitFamily, VitSpec};
use ersatz::nets::weights::parameter_count;
use ersatz::nets::workers::among_workers;
use ersatz::terms::{Precision, Seed};

use super::turns::Turns;

/// Nets, and the shape of what they see; `twin.py` has the same.
const NETS: [(&str, [usize; 4]); 10] = [
    ("resnet-20", [64, 3, 32, 32]),
    ("resnet-18", [64, 3, 32, 32]),
    ("resnet-50", [8, 3, 224, 224]),
    ("vit-s-16", [8, 3, 224, 224]),
    ("vit-ti-4", [64, 3, 32, 32]),
    ("depthwise", [32, 32, 28, 28]),
    ("vgg-16-bn", [64, 3, 32, 32]),
    ("unet-tiny", [64, 1, 8, 8]),
    ("unet-small", [64, 3, 32, 32]),
    ("inception", [8, 3, 299, 299]),
];

/// The FID network is never trained. At last, products of factors in bfloat16.
const ROWS: [(&str, &str); 25] = [
    ("resnet-20 train", "resnet-20"),
    ("resnet-20 infer", "resnet-20"),
    ("resnet-18 train", "resnet-18"),
    ("resnet-18 infer", "resnet-18"),
    ("resnet-50 train", "resnet-50"),
    ("resnet-50 infer", "resnet-50"),
    ("vit-s-16 train", "vit-s-16"),
    ("vit-s-16 infer", "vit-s-16"),
    ("vit-ti-4 train", "vit-ti-4"),
    ("vit-ti-4 infer", "vit-ti-4"),
    ("depthwise train", "depthwise"),
    ("depthwise infer", "depthwise"),
    ("vgg-16-bn train", "vgg-16-bn"),
    ("vgg-16-bn infer", "vgg-16-bn"),
    ("unet-tiny train", "unet-tiny"),
    ("unet-tiny infer", "unet-tiny"),
    ("unet-small train", "unet-small"),
    ("unet-small infer", "unet-small"),
    ("inception infer", "inception"),
    ("resnet-20 train bf16", "resnet-20"),
    ("resnet-18 train bf16", "resnet-18"),
    ("resnet-50 train bf16", "resnet-50"),
    ("vit-s-16 train bf16", "vit-s-16"),
    ("vit-ti-4 train bf16", "vit-ti-4"),
    ("unet-small train bf16", "unet-small"),
];

const CLASSES: usize = 10;

/// The names of all rows.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.into_iter().map(|row| row.0)
}

/// Works on a row whenever it is its turn.
pub(crate) fn work(row: &str) {
    keep_memory();
    let (_, name) = ROWS.into_iter().find(|it| it.0 == row).expect("the row is in the table");
    let (_, shape) = NETS.into_iter().find(|it| it.0 == name).expect("the net is in the table");
    let bench = Bench { trains: row.contains("train"), shape, turns: Turns::begin() };
    let precision = if row.ends_with("bf16") { Precision::Bf16 } else { Precision::F32 };
    let site = Site::new(Seed::root(0), &Device::flex()).products(precision);
    let [_, c, side, _] = shape;
    let resnet = |family, stem| ResNetSpec { family, stem, width: None }.build(c, CLASSES, &site);
    let vit = |family, patch| {
        VitSpec { family, patch, ..VitSpec::default() }.build(c, side, CLASSES, &site)
    };
    match name {
        "resnet-20" => bench
            .classify(resnet(ResNetFamily::ResNet20, None), |net, x, mode| net.forward(x, mode)),
        "resnet-18" => {
            let net = resnet(ResNetFamily::ResNet18, Some(Stem::Cifar));
            bench.classify(net, |net, x, mode| net.forward(x, mode));
        }
        "resnet-50" => bench
            .classify(resnet(ResNetFamily::ResNet50, None), |net, x, mode| net.forward(x, mode)),
        "vit-s-16" => bench.classify(vit(VitFamily::VitS, 16), |net, x, mode| net.forward(x, mode)),
        "vit-ti-4" => bench.classify(vit(VitFamily::VitTi, 4), |net, x, mode| net.forward(x, mode)),
        "depthwise" => bench.classify(Blocks::new(c, &site), Blocks::forward),
        "vgg-16-bn" => {
            let spec = VggSpec { norms: true, ..VggSpec::default() };
            bench.classify(spec.build(CLASSES, &site), |net, x, mode| net.forward(x, mode));
        }
        "unet-tiny" => bench.denoise(&unet(c, &[32, 64], false), &site),
        "unet-small" => bench.denoise(&unet(c, &[32, 64, 128], true), &site),
        _ => bench.infer(Inception::new(&site), |net, x| net.taps(x).pool3),
    }
}

struct Bench {
    trains: bool,
    shape: [usize; 4],
    turns: Turns,
}

impl Bench {
    /// A classifier: SGD as our recipe for nets of pictures has it.
    fn classify<M: Module + Clone + Sync>(
        self,
        net: M,
        forward: impl Fn(&M, Tensor<4>, Mode) -> Tensor<2> + Sync,
    ) {
        if !self.trains {
            return self.infer(net, |net, x| forward(net, x, Mode::Evaluate));
        }
        let recipe = Recipe { optimizer: Optimizer::Sgd(Sgd::default()), ..Recipe::default() };
        let loss = |net: &M, x: Tensor<4>| {
            let (n, device) = (x.dims()[0], x.device());
            let targets = (0..n * CLASSES).map(|i| f32::from(i % CLASSES == i / CLASSES % CLASSES));
            let targets = TensorData::new(targets.collect::<Vec<_>>(), [n, CLASSES]);
            let targets = Tensor::<2>::from_data(targets, &device);
            let logits = forward(net, x, Mode::Train(Seed::root(2)));
            (log_softmax(logits, 1) * targets).sum() * (-1.0 / n as f64)
        };
        self.train(net, recipe, loss);
    }

    /// A diffusion model: a step, or one call of the net.
    fn denoise(self, config: &UNetConfig, site: &Site) {
        let net = UNet::new(config, site);
        let n = self.shape[0];
        let call = move |net: &UNet, x: Tensor<4>| {
            let device = x.device();
            let times: Vec<f32> = (0..n).map(|i| (i * 15) as f32).collect();
            let classes: Vec<i64> = (0..n).map(|i| (i % CLASSES) as i64).collect();
            let times = Tensor::<1>::from_data(TensorData::new(times, [n]), &device);
            let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [n]), &device);
            let condition = Condition { class_labels: Some(classes), ..Condition::default() };
            net.forward(x, times, &condition)
        };
        if !self.trains {
            return self.infer(net, call);
        }
        let recipe = Recipe {
            optimizer: Optimizer::Adamw(Adamw::default()),
            clip_norm: Some(1.0),
            ema: Some(Ema::default()),
            ..Recipe::default()
        };
        let loss = move |net: &UNet, x: Tensor<4>| (call(net, x.clone()) - x).powi_scalar(2).mean();
        self.train(net, recipe, loss);
    }

    fn train<M: Module + Clone + Sync>(
        self,
        net: M,
        recipe: Recipe,
        loss: impl Fn(&M, Tensor<4>) -> Tensor<1> + Sync,
    ) {
        self.turns.built(parameter_count(&net));
        let steps = usize::MAX / 2;
        let learning_rate = LearningRate { peak: 1e-4, ..LearningRate::default() };
        let recipe = Recipe { steps, learning_rate, validate_every: steps, ..recipe };
        let shape = self.shape;
        let task = Steady { x: pictures(shape), shape, loss, of: std::marker::PhantomData };
        let ended = fit(&task, net, &recipe, &self.turns, &Device::flex());
        panic!("a training without end ended: {:?}", ended.err());
    }

    fn infer<M: Module + Sync, const D: usize>(
        self,
        net: M,
        forward: impl Fn(&M, Tensor<4>) -> Tensor<D> + Sync,
    ) {
        self.turns.built(parameter_count(&net));
        let x = TensorData::new(pictures(self.shape), self.shape);
        let x = Tensor::<4>::from_data(x, &Device::flex());
        loop {
            std::hint::black_box(among_workers(&x.device(), || forward(&net, x.clone())));
            self.turns.step();
        }
    }
}

fn pictures(shape: [usize; 4]) -> Vec<f32> {
    Seed::root(1).stream().normals(shape.iter().product())
}

/// The same batch in every step.
struct Steady<M, L> {
    x: Vec<f32>,
    shape: [usize; 4],
    loss: L,
    of: std::marker::PhantomData<fn(M)>,
}

impl<M: Module + Clone, L: Fn(&M, Tensor<4>) -> Tensor<1> + Sync> Task for Steady<M, L> {
    type Model = M;
    type Batch = Vec<f32>;

    fn batch(&self, _: usize) -> Vec<f32> {
        self.x.clone()
    }

    fn loss(&self, model: &M, batch: Vec<f32>, device: &Device) -> Tensor<1> {
        (self.loss)(model, Tensor::from_data(TensorData::new(batch, self.shape), device))
    }

    fn validate(&self, _: &M) -> Option<f64> {
        None
    }
}

/// The UNets of the profiles: quickstart's `tiny`, and `small` of table3, whose pixels attend to
/// each other at the innermost level.
fn unet(channels: usize, widths: &[usize], attends: bool) -> UNetConfig {
    use DownBlockType::{AttnDownBlock2D, DownBlock2D};
    use UpBlockType::{AttnUpBlock2D, UpBlock2D};
    let mut down = vec![DownBlock2D; widths.len()];
    let mut up = vec![UpBlock2D; widths.len()];
    if attends {
        (down[widths.len() - 1], up[0]) = (AttnDownBlock2D, AttnUpBlock2D);
    }
    UNetConfig {
        in_channels: channels,
        out_channels: channels,
        block_out_channels: widths.to_vec(),
        layers_per_block: OneOrEach::One(1),
        down_block_types: down,
        mid_block_type: Some(MidBlockType::UNetMidBlock2D),
        up_block_types: up,
        attention_head_dim: OneOrEach::One(32),
        norm_num_groups: 8,
        cross_attention_dim: OneOrEach::One(None),
        num_class_embeds: Some(CLASSES + 1),
        ..UNetConfig::default()
    }
}

/// Three inverted residual blocks (Sandler et al. 2018, arXiv:1801.04381, Table 1), of stride 1, 2
/// and 1, with ReLU, and the mean of each channel as a logit.
#[derive(Module, Debug)]
struct Blocks {
    blocks: Vec<Inverted>,
}

#[derive(Module, Debug)]
struct Inverted {
    widen: (Conv2d, BatchNorm2d),
    depthwise: (Conv2d, BatchNorm2d),
    narrow: (Conv2d, BatchNorm2d),
    adds: bool,
}

impl Blocks {
    fn new(channels: usize, site: &Site) -> Self {
        let block = |(i, stride)| Inverted::new(channels, stride, &site.index(i));
        Self { blocks: [1, 2, 1].into_iter().enumerate().map(block).collect() }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, mode));
        let [n, c, _, _] = x.dims();
        x.mean_dims(&[2, 3]).reshape([n, c]).narrow(1, 0, CLASSES)
    }
}

impl Inverted {
    fn new(channels: usize, stride: usize, site: &Site) -> Self {
        let wide = 6 * channels;
        let unit = |spec: Conv2dSpec, name: &str| {
            let norm = BatchNorm2d::new(spec.outputs, &site.at(name).at("norm"));
            (spec.no_bias().build(&site.at(name)), norm)
        };
        let depthwise = Conv2dSpec { groups: wide, ..Conv2dSpec::same(wide, wide, 3) };
        Self {
            widen: unit(Conv2dSpec::same(channels, wide, 1), "widen"),
            depthwise: unit(depthwise.stride(stride), "depthwise"),
            narrow: unit(Conv2dSpec::same(wide, channels, 1), "narrow"),
            adds: stride == 1,
        }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let unit = |(conv, norm): &(Conv2d, BatchNorm2d), x| match mode {
            Mode::Evaluate => conv.forward_norm_relu(x, norm),
            Mode::Train(_) => norm.forward_relu(conv.forward(x), mode),
        };
        let inner = unit(&self.depthwise, unit(&self.widen, x.clone()));
        let out = self.narrow.1.forward(self.narrow.0.forward(inner), mode);
        if self.adds { out + x } else { out }
    }
}
