//! What golden tests of nets share: weights by `tests/golden/nets/formula.py`, and one check.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde_json::Value;

use super::blocks::{Mode, Site};
use super::classifier::{Classifier, ClassifierNet, Input};
use super::weights::{Array, State, load_state, state_of};
use crate::terms::Seed;
use crate::testing::{Tol, close, close_all, close_f32};

/// Returns the numbers of a tensor by name: `SplitMix64` from the FNV-1a hash of the name.
pub(crate) fn numbers(name: &str, count: usize) -> Vec<f32> {
    let hash = |start: u64, byte| (start ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, hash);
    let number = |i: u64| {
        let mut z = start.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count as u64).map(number).collect()
}

/// Returns the numbers of a weight, scaled so that activations keep their size.
pub(super) fn weights(name: &str, shape: &[usize]) -> Vec<f32> {
    weights_of_gain(name, shape, 1.0)
}

/// The same, where the variance of a matrix is `gain` over its fan-in.
fn weights_of_gain(name: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let part = name.rsplit('.').next().expect("a name has a last part");
    let (offset, scale) = match (part, shape.len()) {
        ("running_var", _) => (1.0, 0.5),
        ("weight" | "gamma" | "lambda1", 1) => (1.0, 0.25),
        ("cls_token" | "pos_embed" | "position_embeddings", _) | (_, 0 | 1) => (0.0, 0.25),
        _ => (0.0, (3.0 * gain / shape[1..].iter().product::<usize>() as f64).sqrt() as f32),
    };
    let count = shape.iter().product();
    numbers(name, count).into_iter().map(|value| offset + scale * value).collect()
}

/// Returns the file whose tensors have these names and shapes, by the formula.
pub(crate) fn formula_file(shapes: &Value, gain: f64) -> State {
    let array = |(name, shape): (&String, &Value)| {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let values = weights_of_gain(name, &shape, gain);
        (name.clone(), Array { shape, values })
    };
    shapes.as_object().unwrap().iter().map(array).collect()
}

/// Returns the net with the weights of the formula.
pub(crate) fn filled<M: Module>(net: M) -> M {
    let mut state = state_of(&net);
    for (name, array) in &mut state {
        array.values = weights(name, &array.shape);
    }
    load_state(net, &state).unwrap()
}

/// Allowed errors, as shares of the largest number or, of a gradient, of the norm.
pub(super) struct Allowed {
    forward: f64,
    backward: f64,
}

impl Allowed {
    /// The wanted numbers are exact (f64). The case says how much of them torch loses in f32, which
    /// is some 1e-7, and 1e-4 in gradients through many normalisations over few pixels; we sum in
    /// another order and may lose ten times that.
    fn of(case: &Value) -> Self {
        let allowed = |part| Self::forward_of(&case["f32"][part]);
        Self { forward: allowed("forward"), backward: allowed("backward") }
    }

    /// The allowed error where torch loses `lost`.
    pub(super) fn forward_of(lost: &Value) -> f64 {
        10.0 * lost.as_f64().unwrap()
    }
}

/// Checks a net against a case of golden data, which bears the net's name.
pub(super) fn check(net: ClassifierNet, cases: &Value) {
    let case = &cases[net.describe()];
    let allowed = Allowed::of(case);
    let shape: [usize; 4] = list(&case["input"]).map(|v| v as usize);
    let [n, channels, pixels, _] = shape;
    let classes = array(&case["logits"]).len() / n;
    let pictures = |device: &Device| pictures(shape, device);
    let device = Device::flex();
    let site = Site::new(Seed::root(0), &device);
    let built = filled(net.build(Input { channels, pixels }, classes, &site));
    let features = built.features(pictures(&device), Mode::Evaluate);
    assert_eq!(features.dims(), [n, built.feature_width()]);
    near(features, &case["features"], allowed.forward);
    near(built.forward(pictures(&device), Mode::Evaluate), &case["logits"], allowed.forward);
    if !case["gradients"].is_null() {
        let tracked = device.autodiff();
        check_training(built.train(), pictures(&tracked), case, &allowed);
    }
}

fn check_training(net: Classifier, pictures: Tensor<4>, want: &Value, allowed: &Allowed) {
    let logits = net.forward(pictures, Mode::Train(Seed::root(0)));
    near(logits.clone(), &want["train_logits"], allowed.forward);
    let [n, classes] = logits.dims();
    let chosen: Vec<f32> =
        (0..n * classes).map(|i| f32::from(i % classes == (i / classes) % classes)).collect();
    let chosen = Tensor::<2>::from_data(TensorData::new(chosen, [n, classes]), &logits.device());
    let loss = -(log_softmax(logits, 1) * chosen).sum() / n as f64;
    let value: f32 = loss.clone().into_scalar();
    let [want_loss] = list(&want["loss"]);
    close(f64::from(value), want_loss, Tol::relative(allowed.forward));
    check_gradients(&net, &loss.backward(), &want["gradients"], allowed.backward);
    let state = state_of(&net);
    let statistics = want["statistics"].as_object().unwrap();
    for (name, want) in statistics {
        near_values(&state[name].values, &array(want), allowed.forward);
    }
    let ours = state.keys().filter(|name| name.contains(".running_"));
    assert_eq!(ours.count(), statistics.len());
}

fn check_gradients(net: &Classifier, gradients: &Gradients, want: &Value, allowed: f64) {
    let mut walk = Walk { path: Vec::new(), gradients, found: BTreeMap::new() };
    net.visit(&mut walk);
    let want = want.as_object().unwrap();
    assert!(walk.found.keys().eq(want.keys().collect::<std::collections::BTreeSet<_>>()));
    for (name, got) in &walk.found {
        let direction = numbers(&format!("direction {name}"), got.len());
        let norm = got.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let along: f64 = got.iter().zip(direction).map(|(g, d)| f64::from(*g) * f64::from(d)).sum();
        let want: [f64; 2] = list(&want[name]);
        close_all(&[norm, along], &want, Tol::absolute(allowed * want[0]));
    }
}

struct Walk<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Walk<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let name = self.path[1..].join("."); // The first is the variant of `Classifier`.
            self.found.insert(name, gradient.into_data().try_into_vec().unwrap());
        }
    }
}

/// Returns the pictures of a case.
pub(super) fn pictures(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = numbers("pictures", shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Returns the numbers of a tensor.
pub(crate) fn numbers_of<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

/// Checks a result, with an allowed error as a share of the largest number.
pub(super) fn near<const D: usize>(got: Tensor<D>, want: &Value, allowed: f64) {
    near_values(&numbers_of(got), &array(want), allowed);
}

#[track_caller]
fn near_values(got: &[f32], want: &[f32], allowed: f64) {
    let largest = want.iter().fold(0.0_f64, |largest, x| largest.max(f64::from(x.abs())));
    close_f32(got, want, Tol::absolute(allowed * largest));
}

fn array(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

pub(super) fn list<const N: usize>(value: &Value) -> [f64; N] {
    let values: Vec<f64> = value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    values.try_into().unwrap()
}
