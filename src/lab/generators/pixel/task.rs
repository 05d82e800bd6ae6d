//! The task of removing noise from real pictures.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::PixelTraining;
use crate::lab::data::Dataset;
use crate::lab::diffusion::{Levels, corrupt, network_input, per_picture};
use crate::lab::images::{Channels, Normalisation, augment, planes};
use crate::lab::training::{Epochs, Task};
use crate::nets::blocks::Site;
use crate::nets::unet::{Condition, UNet};
use crate::terms::{Picture, Seed};

/// The task of removing noise from the real training pictures. `seed` decides weights, order and
/// noise.
pub struct PixelTask<'a> {
    spec: &'a PixelTraining,
    train: &'a Dataset,
    channels: Channels,
    seed: Seed,
    levels: Levels,
    epochs: Epochs,
}

impl<'a> PixelTask<'a> {
    /// Joins what the task is made of.
    ///
    /// # Panics
    /// If there is no training picture.
    pub fn new(
        spec: &'a PixelTraining,
        train: &'a Dataset,
        channels: Channels,
        seed: Seed,
    ) -> Self {
        let epochs = Epochs::new(train.len(), spec.recipe.batch, seed.child("order"));
        Self { spec, train, channels, seed, levels: spec.schedule.levels(), epochs }
    }

    /// Builds the net with fresh weights on a device.
    pub fn net(&self, device: &Device) -> UNet {
        let config = self.spec.net.config(self.channels, self.train.classes.len());
        UNet::new(&config, &Site::new(self.seed.child("weights"), device))
    }
}

/// Pictures, noise and conditions of one step.
pub struct Batch {
    x0: Vec<f32>,
    eps: Vec<f32>,
    shape: [usize; 4],
    sigmas: Vec<f64>,
    /// The number of classes stands for "no class".
    labels: Vec<i64>,
}

impl Task for PixelTask<'_> {
    type Model = UNet;
    type Batch = Batch;

    fn batch(&self, step: usize) -> Batch {
        let positions = self.epochs.positions(step);
        let seed = self.seed.child("step").index(step as u64);
        let mut batch = Batch {
            x0: Vec::new(),
            eps: Vec::new(),
            shape: [0; 4],
            sigmas: Vec::new(),
            labels: Vec::new(),
        };
        let mut pictures = Vec::with_capacity(positions.len());
        for (i, position) in positions.into_iter().enumerate() {
            let (example, at) = (&self.train.examples[position], seed.index(i as u64));
            let flipped = self.spec.flip && at.child("flip").stream().chance(0.5);
            pictures.push(match flipped {
                true => augment::flip(&example.picture),
                false => Picture::clone(&example.picture),
            });
            batch.sigmas.push(self.levels.draw(&mut at.child("level").stream()));
            let hidden = at.child("class").stream().chance(self.spec.condition_dropout);
            let class = if hidden { self.train.classes.len() } else { example.class.index() };
            batch.labels.push(i64::try_from(class).expect("class counts fit in i64"));
        }
        let (h, w) = (pictures[0].height(), pictures[0].width());
        let seen: Vec<&Picture> = pictures.iter().collect();
        batch.x0 = planes(&seen, Normalisation::Signed, self.channels);
        batch.shape = [pictures.len(), self.channels.count(), h, w];
        for i in 0..pictures.len() {
            let numbers = self.channels.count() * h * w;
            batch.eps.extend(seed.index(i as u64).child("noise").stream().normals(numbers));
        }
        batch
    }

    fn loss(&self, model: &UNet, batch: Batch, device: &Device) -> Tensor<1> {
        let Batch { x0, eps, shape, sigmas, labels } = batch;
        let x0 = Tensor::<4>::from_data(TensorData::new(x0, shape), device);
        let eps = Tensor::<4>::from_data(TensorData::new(eps, shape), device);
        let times: Vec<f32> = sigmas.iter().map(|s| self.levels.timestep(*s) as f32).collect();
        let times = Tensor::<1>::from_data(TensorData::new(times, [shape[0]]), device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [shape[0]]), device);
        let condition = Condition { class_labels: Some(labels), ..Condition::default() };
        let target = self.spec.prediction.target(x0.clone(), eps.clone(), &sigmas);
        let seen = network_input(corrupt(x0, eps, &sigmas), &sigmas);
        let error = model.forward(seen, times, &condition) - target;
        let weight = |sigma| self.spec.weighting.weight(self.spec.prediction, sigma);
        let weights = per_picture(&sigmas, weight, &error);
        (error.clone() * error * weights).mean()
    }

    fn validate(&self, _model: &UNet) -> Option<f64> {
        None // A generator is judged by its pictures.
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::{Example, Origin};
    use crate::lab::diffusion::{
        Cosine, Linear, MinSnr, Prediction, ScaledLinear, Schedule, Weighting,
    };
    use crate::lab::generators::PixelNet;
    use crate::lab::training::testing::resumes_exactly;
    use crate::lab::training::{Adamw, Ema, LearningRate, Optimizer, Recipe};
    use crate::nets::golden::{filled, numbers};
    use crate::terms::{ClassId, ClassNames};
    use crate::testing::{Tol, close, golden_json};

    /// Returns pictures of noise; their class is their number modulo the number of classes.
    fn data(n: usize, classes: usize, size: usize) -> Dataset {
        let one = |i: usize| {
            let mut stream = Seed::root(8).index(i as u64).stream();
            let rgb = (0..size * size * 3).map(|_| stream.below(256) as u8).collect();
            Example {
                id: i.to_string(),
                class: ClassId((i % classes) as u32),
                origin: Origin::Real,
                picture: Arc::new(Picture::new(size, size, rgb)),
            }
        };
        let names = (0..classes).map(|class| format!("class {class}"));
        Dataset::new(ClassNames::new(names), (0..n).map(one).collect())
    }

    fn tiny(recipe: Recipe) -> PixelTraining {
        let net = PixelNet {
            channels: vec![8, 16],
            layers: 1,
            attention: vec![1],
            head_features: 4,
            groups: 4,
        };
        PixelTraining { net, recipe, ..PixelTraining::default() }
    }

    fn loss_as_diffusers(name: &str, schedule: Schedule, of: (Prediction, Weighting)) {
        let golden = golden_json("generators/pixel/losses.json");
        let size = |key: &str| golden[key].as_u64().unwrap() as usize;
        let list = |key: &str| {
            let values = golden[key].as_array().unwrap();
            values.iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>()
        };
        let (n, side) = (size("n"), size("size"));
        let (prediction, weighting) = of;
        let spec = PixelTraining { schedule, prediction, weighting, ..tiny(Recipe::default()) };
        let train = data(1, size("classes"), side);
        let task = PixelTask::new(&spec, &train, Channels::Grey, Seed::root(0));
        let table = task.levels.table().unwrap();
        let batch = Batch {
            x0: numbers("pictures", n * side * side),
            eps: numbers("noise", n * side * side),
            shape: [n, 1, side, side],
            sigmas: list("timesteps").iter().map(|t| table[*t as usize]).collect(),
            labels: list("labels"),
        };
        let device = Device::flex();
        let net = filled(task.net(&device));
        let got: f32 = task.loss(&net, batch, &device).into_scalar();
        let want = golden["losses"][name].as_f64().unwrap();
        // Theirs is exact (f64). Our net loses up to 1e-5 of its output's scale (see the tests of
        // `unet`), and a square twice the share of its root.
        close(f64::from(got), want, Tol::relative(2e-5));
    }

    #[test]
    fn losses_are_those_of_diffusers() {
        let (linear, cosine) =
            (Schedule::Linear(Linear::default()), Schedule::Cosine(Cosine::default()));
        let scaled = Schedule::ScaledLinear(ScaledLinear::default());
        let min_snr = Weighting::MinSnr(MinSnr::default());
        let (noise, velocity) = (Prediction::Noise, Prediction::Velocity);
        loss_as_diffusers("noise", linear, (noise, Weighting::Plain));
        loss_as_diffusers("clean", scaled, (Prediction::Clean, Weighting::Plain));
        loss_as_diffusers("velocity", cosine, (velocity, Weighting::Plain));
        loss_as_diffusers("noise-min-snr", linear, (noise, min_snr));
        loss_as_diffusers("velocity-min-snr", cosine, (velocity, min_snr));
    }

    #[test]
    fn a_batch_is_a_function_of_seed_and_step() {
        let train = data(7, 3, 4);
        let spec = PixelTraining { flip: true, ..tiny(Recipe { batch: 5, ..Recipe::default() }) };
        let task = |seed| PixelTask::new(&spec, &train, Channels::Rgb, Seed::root(seed));
        let parts = |batch: Batch| {
            assert_eq!(batch.shape, [5, 3, 4, 4]);
            (batch.x0, batch.eps, batch.sigmas, batch.labels)
        };
        let (forwards, backwards) = (task(1), task(1));
        let want: Vec<_> = (0..6).map(|step| parts(forwards.batch(step))).collect();
        for step in [5, 2, 0, 3] {
            assert_eq!(parts(backwards.batch(step)), want[step]);
        }
        let other = parts(task(2).batch(0));
        assert!(other.0 != want[0].0 && other.1 != want[0].1 && other.2 != want[0].2);
        assert_ne!(want[0].1, want[1].1);
    }

    #[test]
    fn the_class_is_hidden_in_a_share_of_the_pictures() {
        let train = data(10, 10, 1);
        let count = |share: f64| {
            let recipe = Recipe { batch: 50, ..Recipe::default() };
            let spec = PixelTraining { condition_dropout: share, ..tiny(recipe) };
            let task = PixelTask::new(&spec, &train, Channels::Grey, Seed::root(3));
            let shown = |step| {
                let positions = task.epochs.positions(step);
                let labels = task.batch(step).labels;
                let hidden = labels.iter().filter(|label| **label == 10).count();
                let right =
                    positions.iter().zip(&labels).filter(|(at, label)| **at as i64 == **label);
                assert_eq!(hidden + right.count(), 50, "a label is hidden or right");
                hidden
            };
            (0..100).map(shown).sum::<usize>()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 5_000));
        // Five standard deviations: 5 * sqrt(5,000 * 0.2 * 0.8) = 141.
        let hidden = count(0.2);
        assert!(hidden.abs_diff(1_000) < 141, "{hidden} of 5,000");
    }

    #[test]
    fn a_training_resumes_exactly() {
        let recipe = Recipe {
            steps: 4,
            batch: 3,
            optimizer: Optimizer::Adamw(Adamw::default()),
            learning_rate: LearningRate { peak: 1e-2, ..LearningRate::default() },
            clip_norm: Some(1.0),
            ema: Some(Ema { decay: 0.9 }),
            validate_every: 3,
            ..Recipe::default()
        };
        let (spec, train) = (tiny(recipe), data(5, 2, 8));
        let task = PixelTask::new(&spec, &train, Channels::Grey, Seed::root(4));
        resumes_exactly(&task, || task.net(&Device::flex()), &spec.recipe);
    }
}
