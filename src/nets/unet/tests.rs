//! Against `diffusers` (golden `nets/unet`), and the laws a net keeps.

use std::collections::BTreeMap;

use burn::module::Module as _;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::Value;

use super::*;
use crate::nets::blocks::Site;
use crate::nets::golden::{filled, numbers};
use crate::nets::weights::{Array, read_safetensors, state_of};
use crate::terms::Seed;
use crate::testing::{Tol, close, close_f32, golden_json, golden_path};

/// Both sides compute in single precision, in another order: about 30 layers with sums of up to
/// 1,000 terms leave a few units of 1e-7 of the output's scale each.
const LAYERS_OF_F32: f64 = 1e-5;

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn drawn<const D: usize>(name: &str, shape: [usize; D], scale: f64, device: &Device) -> Tensor<D> {
    tensor(numbers(name, shape.iter().product()), shape, device) * scale
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn plain_device() -> Device {
    Device::flex()
}

fn site(device: &Device) -> Site {
    Site::new(Seed::root(3).child("unet"), device)
}

/// What a golden case puts into a net.
struct Inputs {
    sample: Tensor<4>,
    timesteps: Tensor<1>,
    condition: Condition,
}

impl Inputs {
    fn of(case: &Value, config: &UNetConfig, device: &Device) -> Self {
        let [n, h, w] = ["n", "h", "w"].map(|key| size(&case[key]));
        let labels = case["labels"].as_array().map(|labels| {
            let labels: Vec<i64> = labels.iter().map(|label| label.as_i64().unwrap()).collect();
            Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), device)
        });
        let vectors = (config.class_embed_type == Some(ClassEmbedType::Identity))
            .then(|| drawn("class_vectors", [n, config.time_features()], 1.0, device));
        let context = config.contexts().first().copied();
        Self {
            sample: drawn("sample", [n, config.in_channels, h, w], 2.0, device),
            timesteps: tensor(floats(&case["timesteps"]), [n], device),
            condition: Condition {
                class_labels: labels,
                class_vectors: vectors,
                levels: None,
                context: context.map(|d| drawn("context", [n, 5, d], 2.0, device)),
            },
        }
    }

    fn run(&self, net: &UNet) -> Tensor<4> {
        net.forward(self.sample.clone(), self.timesteps.clone(), &self.condition)
    }
}

fn golden_net(case: &Value, device: &Device) -> (UNetConfig, UNet) {
    let config = UNetConfig::from_json("golden", &case["config"].to_string()).unwrap();
    let net = filled(UNet::new(&config, &site(device)));
    (config, net)
}

#[track_caller]
fn close_to_scale(got: &[f32], want: &[f32]) {
    let scale = want.iter().fold(0.0_f64, |most, x| most.max(f64::from(x.abs())));
    close_f32(got, want, Tol::absolute(LAYERS_OF_F32 * scale));
}

fn computes(name: &str) {
    let cases = golden_json("nets/unet/forward.json");
    let case = &cases[name];
    let want = floats(&case["output"]);
    // With and without gradients, attention takes two different ways.
    for device in [plain_device(), plain_device().autodiff()] {
        let (config, net) = golden_net(case, &device);
        let inputs = Inputs::of(case, &config, &device);
        close_to_scale(&values(inputs.run(&net)), &want);
    }
}

macro_rules! computes_as_diffusers {
    ($($test:ident: $case:literal,)*) => {
        $(#[test] fn $test() { computes($case); })*
    };
}

computes_as_diffusers! {
    plain_as_diffusers: "plain",
    odd_sizes_as_diffusers: "plain-odd",
    classes_as_diffusers: "classes",
    text_as_diffusers: "text",
    linear_projections_as_diffusers: "text-linear",
    odd_sizes_with_text_as_diffusers: "text-odd",
    classes_as_timesteps_as_diffusers: "timestep-class",
    classes_as_vectors_as_diffusers: "identity-class",
}

/// Norm of a gradient, and its product with fixed numbers, which sees what a norm does not: order.
fn norm_and_probe(name: &str, gradient: &Array) -> [f64; 2] {
    let probe = numbers(&format!("direction {name}"), gradient.values.len());
    let square: f64 = gradient.values.iter().map(|x| f64::from(*x).powi(2)).sum();
    let product =
        gradient.values.iter().zip(probe).map(|(x, p)| f64::from(*x) * f64::from(p)).sum();
    [square.sqrt(), product]
}

/// Replaces every weight by its gradient, so that gradients can be read by name.
struct Gradients(burn::tensor::Gradients);

impl burn::module::ModuleMapper for Gradients {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        let gradient = param.val().grad(&self.0).expect("every weight takes part");
        burn::module::Param::from_tensor(gradient)
    }
}

#[test]
fn gradients_as_torch() {
    let device = plain_device().autodiff();
    let cases = golden_json("nets/unet/forward.json");
    let backward = golden_json("nets/unet/backward.json");
    for (name, want) in backward.as_object().unwrap() {
        let (config, net) = golden_net(&cases[name], &device);
        let inputs = Inputs::of(&cases[name], &config, &device);
        let output = inputs.run(&net);
        let target = drawn("target", output.dims(), 1.0, &device);
        let loss = (output - target).powi_scalar(2).mean();
        // The loss is a mean of a few hundred squares of outputs near 1.
        close(
            f64::from(values(loss.clone())[0]),
            want["loss"].as_f64().unwrap(),
            Tol::relative(1e-5),
        );
        let gradients = state_of(&net.map(&mut Gradients(loss.backward())));
        let found: BTreeMap<_, _> = gradients
            .iter()
            .map(|(name, array)| (name.as_str(), norm_and_probe(name, array)))
            .collect();
        let want = want["norm_and_probe"].as_object().unwrap();
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), sorted(want.keys()));
        for (name, got) in found {
            let [norm, probe] = [0, 1].map(|i| want[name][i].as_f64().unwrap());
            // Twice the layers of a forward pass; a few gradients (biases before a normalisation)
            // are small differences of larger terms, so the tolerance ends at a norm of 0.1.
            let tol = Tol::absolute(2e-5 * norm.max(0.1));
            close(got[0], norm, tol);
            close(got[1], probe, tol);
        }
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_checkpoint_of_diffusers_is_loaded() {
    let folder = golden_path("nets/unet/saved");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let json = String::from_utf8(read("config.json")).unwrap();
    let config = UNetConfig::from_json("config.json", &json).unwrap();
    let state = read_safetensors(&read("diffusion_pytorch_model.safetensors")).unwrap();
    let device = plain_device();
    let net = UNet::load(&config, &state, &device).unwrap();
    let case = golden_json("nets/unet/saved/forward.json");
    let output = Inputs::of(&case, &config, &device).run(&net);
    close_to_scale(&values(output), &floats(&case["output"]));
    assert_eq!(state_of(&net), state);
}

#[test]
fn names_and_shapes_of_stable_diffusion() {
    let config = UNetConfig {
        block_out_channels: vec![32, 64, 128, 128],
        cross_attention_dim: OneOrEach::One(Some(76)),
        ..UNetConfig::default()
    };
    let net = UNet::new(&config, &site(&plain_device()));
    let got: Vec<String> =
        state_of(&net).iter().map(|(name, array)| format!("{name} {:?}", array.shape)).collect();
    let want = std::fs::read_to_string(golden_path("nets/unet/sd15-tenth.txt")).unwrap();
    assert_eq!(got, want.lines().collect::<Vec<_>>());
}

/// A net of all kinds of attention at a size for tests.
fn small() -> UNetConfig {
    UNetConfig {
        in_channels: 3,
        out_channels: 3,
        block_out_channels: vec![8, 16, 16],
        down_block_types: vec![
            DownBlockType::DownBlock2D,
            DownBlockType::AttnDownBlock2D,
            DownBlockType::CrossAttnDownBlock2D,
        ],
        up_block_types: vec![
            UpBlockType::CrossAttnUpBlock2D,
            UpBlockType::AttnUpBlock2D,
            UpBlockType::UpBlock2D,
        ],
        layers_per_block: OneOrEach::One(1),
        norm_num_groups: 4,
        attention_head_dim: OneOrEach::One(4),
        cross_attention_dim: OneOrEach::One(Some(6)),
        num_class_embeds: Some(3),
        level_embedding: true,
        ..UNetConfig::default()
    }
}

fn small_inputs(device: &Device) -> Inputs {
    let labels = TensorData::new(vec![2_i64, 0, 1], [3]);
    Inputs {
        sample: drawn("sample", [3, 3, 9, 6], 1.0, device),
        timesteps: tensor(vec![1.0, 700.0, 31.5], [3], device),
        condition: Condition {
            class_labels: Some(Tensor::from_data(labels, device)),
            class_vectors: None,
            levels: Some(tensor(vec![0.0, 250.0, 1000.0], [3], device)),
            context: Some(drawn("context", [3, 4, 6], 1.0, device)),
        },
    }
}

#[test]
fn a_seed_decides_the_weights() {
    let device = plain_device();
    let weights = |number| state_of(&UNet::new(&small(), &Site::new(Seed::root(number), &device)));
    assert_eq!(weights(1), weights(1));
    let (one, two) = (weights(1), weights(2));
    // Scales and shifts of normalisations start at 1 and 0 whatever the seed; all else differs,
    // also between equal layers of one net.
    let mut kernels: Vec<Vec<u32>> = Vec::new();
    for (name, array) in &one {
        if name.contains("norm") {
            assert_eq!(array, &two[name], "{name}");
        } else {
            assert_ne!(array, &two[name], "{name}");
            kernels.push(array.values.iter().take(8).map(|x| x.to_bits()).collect());
        }
    }
    let count = kernels.len();
    kernels.sort();
    kernels.dedup();
    assert_eq!(kernels.len(), count);
}

#[test]
fn a_picture_does_not_depend_on_its_batch() {
    let device = plain_device();
    let net = UNet::new(&small(), &site(&device));
    let all = small_inputs(&device);
    let together = all.run(&net);
    for i in 0..3 {
        let Condition { class_labels, levels, context, .. } = all.condition.clone();
        let alone = Inputs {
            sample: all.sample.clone().narrow(0, i, 1),
            timesteps: all.timesteps.clone().narrow(0, i, 1),
            condition: Condition {
                class_labels: class_labels.map(|labels| labels.narrow(0, i, 1)),
                class_vectors: None,
                levels: levels.map(|levels| levels.narrow(0, i, 1)),
                context: context.map(|context| context.narrow(0, i, 1)),
            },
        };
        let want = values(together.clone().narrow(0, i, 1));
        close_to_scale(&values(alone.run(&net)), &want);
    }
}

#[test]
fn every_condition_matters() {
    let device = plain_device();
    let net = UNet::new(&small(), &site(&device));
    let base = small_inputs(&device);
    let want = values(base.run(&net));
    let differs = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = small_inputs(&device);
        change(&mut inputs);
        values(inputs.run(&net)).iter().zip(&want).any(|(a, b)| (a - b).abs() > 1e-4)
    };
    assert!(!differs(&|_| {}));
    assert!(differs(&|inputs| inputs.timesteps = inputs.timesteps.clone() + 5.0));
    assert!(differs(&|inputs| {
        inputs.condition.class_labels = inputs.condition.class_labels.clone().map(|l| l.flip([0]));
    }));
    assert!(differs(&|inputs| {
        inputs.condition.levels = inputs.condition.levels.clone().map(|l| l + 50.0);
    }));
    assert!(differs(&|inputs| {
        inputs.condition.context = inputs.condition.context.clone().map(|c| c * 2.0);
    }));
}

#[test]
#[should_panic(expected = "a net is given a context if and only if it has cross-attention")]
fn a_missing_context_is_a_bug() {
    let device = plain_device();
    let net = UNet::new(&small(), &site(&device));
    let mut inputs = small_inputs(&device);
    inputs.condition.context = None;
    inputs.run(&net);
}
