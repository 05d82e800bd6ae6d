//! Whole trainings: against torch (golden `training/optimizers`), and when they go wrong.

use std::sync::Mutex;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use super::testing::course;
use super::*;
use crate::nets::blocks::Site;
use crate::nets::weights::state_of;
use crate::terms::{Precision, Seed};
use crate::testing::{Tol, close_all, close_f32, golden_json};

/// A net of one matrix and one vector.
#[derive(Module, Debug)]
struct Pair {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Pair {
    fn new(weight: Vec<f32>, bias: Vec<f32>) -> Self {
        let site = Site::new(Seed::root(0), &Device::flex());
        let (rows, n) = (weight.len() / 4, bias.len());
        Self { weight: site.parameter(weight, [rows, 4]), bias: site.parameter(bias, [n]) }
    }

    fn numbers(&self) -> Vec<f32> {
        let state = state_of(self);
        ["weight", "bias"].iter().flat_map(|name| state[*name].values.clone()).collect()
    }
}

/// A loss that is linear in the parameters, so that its gradients are what they are given to be.
struct Given {
    gradients: Vec<[Vec<f32>; 2]>,
    seen: Mutex<Vec<Vec<f32>>>,
}

impl Task for Given {
    type Model = Pair;
    type Batch = [Vec<f32>; 2];

    fn batch(&self, step: usize) -> [Vec<f32>; 2] {
        self.gradients[step].clone()
    }

    fn loss(&self, model: &Pair, [weight, bias]: [Vec<f32>; 2], device: &Device) -> Tensor<1> {
        let (shape, n) = (model.weight.dims(), bias.len());
        let weight = Tensor::<2>::from_data(TensorData::new(weight, shape), device);
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [n]), device);
        (model.weight.val() * weight).sum() + (model.bias.val() * bias).sum()
    }

    fn validate(&self, model: &Pair) -> Option<f64> {
        self.seen.lock().unwrap().push(model.numbers());
        None
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    floats(value).into_iter().map(|x| x as f32).collect()
}

fn pair(value: &Value) -> [Vec<f32>; 2] {
    ["weight", "bias"].map(|name| singles(&value[name]))
}

fn learning_rate(of: &Value) -> LearningRate {
    let number = |key: &str| of[key].as_f64().unwrap();
    let decay = match of["decay"].as_str().unwrap() {
        "constant" => Decay::Constant,
        "cosine" => Decay::Cosine(Cosine { floor: number("floor") }),
        _ => Decay::Step(Step { at: floats(&of["at"]), factor: number("factor") }),
    };
    LearningRate { peak: number("peak"), warmup_steps: number("warmup") as usize, decay }
}

/// Returns the recipe of a case that looks at the weights after every step.
fn recipe(case: &Value, steps: usize) -> Recipe {
    // Python's names have no hyphens.
    let optimizer = case["optimizer"].to_string().replace('_', "-");
    Recipe {
        precision: Precision::F32,
        steps,
        batch: 1,
        optimizer: serde_json::from_str(&optimizer).unwrap(),
        learning_rate: learning_rate(&case["schedule"]),
        clip_norm: case["clip_norm"].as_f64(),
        ema: case["ema"].as_f64().map(|decay| Ema { decay }),
        validate_every: 1,
        keep: Keep::Last,
    }
}

fn moves_as_torch(name: &str) {
    let golden = golden_json("training/optimizers/cases.json");
    let case = &golden["cases"][name];
    let gradients: Vec<_> = golden["gradients"].as_array().unwrap().iter().map(pair).collect();
    let recipe = recipe(case, gradients.len());
    let task = Given { gradients, seen: Mutex::default() };
    let [weight, bias] = pair(&golden["start"]);
    let trained = course(&task, Pair::new(weight, bias), &recipe, None, None).0.unwrap();
    let seen = task.seen.into_inner().unwrap();
    assert_eq!(seen.len(), recipe.steps);
    // The wanted numbers are exact (f64). `lost` is what torch itself loses in f32, some 1e-7 of
    // the largest number; we round in another order and may lose five times that.
    let lost = case["lost"].as_f64().unwrap();
    for (at, want) in floats(&golden["seen"]).iter().zip(case["seen"].as_array().unwrap()) {
        let want = floats(want);
        let largest = want.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let got: Vec<f64> = seen[*at as usize - 1].iter().map(|x| f64::from(*x)).collect();
        close_all(&got, &want, Tol::absolute(5.0 * lost * largest));
    }
    close_f32(&trained.model.numbers(), seen.last().unwrap(), Tol::absolute(0.0));
}

macro_rules! moves_as_torch {
    ($($test:ident: $case:literal,)*) => {
        $(#[test] fn $test() { moves_as_torch($case); })*
    };
}

moves_as_torch! {
    sgd_as_torch: "sgd-plain",
    momentum_as_torch: "sgd-momentum",
    nesterov_with_decay_of_all_as_torch: "sgd-nesterov",
    clipped_sgd_as_torch: "sgd-clipped",
    adamw_as_torch: "adamw",
    adamw_with_decay_of_all_as_torch: "adamw-all",
    clipped_adamw_as_torch: "adamw-clipped",
}

#[test]
fn learning_rates_are_those_of_torch() {
    let golden = golden_json("training/optimizers/cases.json");
    let steps = golden["steps"].as_u64().unwrap() as usize;
    for (name, case) in golden["cases"].as_object().unwrap() {
        let rate = learning_rate(&case["schedule"]);
        let got: Vec<f64> = (0..steps).map(|step| rate.at(step, steps)).collect();
        // Torch multiplies each rate up from the one before: some 20 roundings of f64.
        close_all(&got, &floats(&case["rates"]), Tol::relative(1e-14));
        assert_eq!(got.len(), steps, "{name}");
    }
}

/// The sum of all squares: a training that a long enough step throws out.
struct Bowl;

impl Task for Bowl {
    type Model = Pair;
    type Batch = ();

    fn batch(&self, _step: usize) {}

    fn loss(&self, model: &Pair, (): (), _device: &Device) -> Tensor<1> {
        model.weight.val().powi_scalar(2).sum() + model.bias.val().powi_scalar(2).sum()
    }

    fn validate(&self, _model: &Pair) -> Option<f64> {
        None
    }
}

fn small() -> Pair {
    Pair::new(vec![0.5, -1.0, 2.0, 0.25], vec![1.5])
}

fn gentle(steps: usize) -> Recipe {
    let learning_rate = LearningRate { peak: 0.1, ..LearningRate::default() };
    Recipe { steps, learning_rate, ema: Some(Ema::default()), ..Recipe::default() }
}

#[test]
fn a_loss_that_is_no_number_stops_with_its_step() {
    let thrown = LearningRate { peak: 1e30, warmup_steps: 0, decay: Decay::Constant };
    let recipe = Recipe { learning_rate: thrown, ..gentle(5) };
    let (outcome, pages) = course(&Bowl, small(), &recipe, None, None);
    let Err(Outcome::Diverged { step, loss }) = outcome else { panic!("it cannot converge") };
    // The first loss is 7.8; the step after it is 1e30 times too long, and its square is infinite.
    assert_eq!((step, loss), (1, f64::INFINITY));
    assert_eq!(pages.len(), 1, "nothing is saved of a step that went wrong");
}

#[test]
fn a_checkpoint_that_does_not_fit_starts_again() {
    let recipe = gentle(3);
    let (whole, pages) = course(&Bowl, small(), &recipe, None, None);
    let want = whole.unwrap();
    let cut = &pages[1][..pages[1].len() - 1];
    let larger = Pair::new(vec![1.0; 8], vec![1.0; 2]);
    let of_another_net = course(&Bowl, larger, &recipe, None, None).1.remove(0);
    let of_a_longer_run = course(&Bowl, small(), &gentle(5), None, None).1.remove(3);
    for bad in [&[][..], b"checkpoint", &[255; 64], cut, &of_another_net, &of_a_longer_run] {
        let (trained, course) = course(&Bowl, small(), &recipe, Some(bad), None);
        let trained = trained.unwrap();
        assert_eq!(trained.log, want.log);
        assert_eq!(trained.model.numbers(), want.model.numbers());
        assert_eq!(course.len(), recipe.steps);
    }
}

#[test]
fn the_longest_gradient_is_the_limit() {
    // Without clipping, one step of length 1 moves by the gradient itself.
    let step = |limit| {
        let unit = LearningRate { peak: 1.0, warmup_steps: 0, decay: Decay::Constant };
        let plain = Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0, ..Sgd::default() };
        let optimizer = Optimizer::Sgd(plain);
        let recipe = Recipe { learning_rate: unit, optimizer, clip_norm: limit, ..gentle(1) };
        let recipe = Recipe { ema: None, ..recipe };
        let gradient = [vec![3.0, 0.0, 0.0, 0.0], vec![4.0]];
        let task = Given { gradients: vec![gradient], seen: Mutex::default() };
        let origin = Pair::new(vec![0.0; 4], vec![0.0]);
        course(&task, origin, &recipe, None, None).0.unwrap().model.numbers()
    };
    let tol = Tol::absolute(1e-5); // 1e-6 is added to the norm.
    for limit in [None, Some(6.0), Some(5.1)] {
        close_f32(&step(limit), &[-3.0, 0.0, 0.0, 0.0, -4.0], tol);
    }
    close_f32(&step(Some(0.5)), &[-0.3, 0.0, 0.0, 0.0, -0.4], tol);
}
