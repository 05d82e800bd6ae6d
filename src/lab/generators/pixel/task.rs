//! The task of removing noise from real pictures.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::PixelTraining;
use crate::lab::data::Dataset;
use crate::lab::diffusion::{Levels, corrupt, network_input, per_picture};
use crate::lab::generators::enlarging::{Enlarging, Shown, beside, condition};
use crate::lab::images::{Channels, Normalisation, augment, planes};
use crate::lab::training::{Epochs, Task};
use crate::nets::blocks::Site;
use crate::nets::unet::UNet;
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
    smaller: Option<Smaller<'a>>,
}

/// The training pictures at a smaller size, for a net that enlarges.
struct Smaller<'a> {
    pictures: &'a Dataset,
    shown: Enlarging,
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
        let levels = spec.schedule.levels();
        Self { spec, train, channels, seed, levels, epochs, smaller: None }
    }

    /// Makes it the task of enlarging: the net sees each picture at a smaller size as well.
    ///
    /// # Panics
    /// If `pictures` are not the training pictures in their order.
    #[must_use]
    pub fn enlarging(mut self, pictures: &'a Dataset, shown: Enlarging) -> Self {
        assert_eq!(self.train.roll(), pictures.roll(), "the same pictures at two sizes");
        self.smaller = Some(Smaller { pictures, shown });
        self
    }

    /// Builds the net with fresh weights on a device.
    pub fn net(&self, device: &Device) -> UNet {
        let (net, classes) = (&self.spec.net, self.train.classes.len());
        let config = match self.smaller {
            None => net.config(self.channels, classes),
            Some(_) => net.enlarging(self.channels, classes),
        };
        let site = Site::new(self.seed.child("weights"), device);
        UNet::new(&config, &site.products(self.spec.recipe.precision))
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
    low: Option<LowBatch>,
}

/// The same pictures enlarged from a smaller size, with noise of their own.
struct LowBatch {
    x0: Vec<f32>,
    eps: Vec<f32>,
    levels: Vec<f64>,
}

impl PixelTask<'_> {
    /// Returns what the net is shown of smaller pictures; `flipped` are those of a step.
    fn low(&self, step: usize, flipped: &[bool], size: usize) -> Option<LowBatch> {
        let Smaller { pictures, shown } = self.smaller.as_ref()?;
        let seed = self.seed.child("step").index(step as u64);
        let (mut eps, mut levels, mut low) = (Vec::new(), Vec::new(), Vec::new());
        for (i, position) in self.epochs.positions(step).into_iter().enumerate() {
            let at = seed.index(i as u64);
            levels.push(at.child("low-level").stream().between(0.0, shown.noise_max));
            eps.extend(at.child("low-noise").stream().normals(self.channels.count() * size * size));
            low.push(mirrored(&pictures.examples[position].picture, flipped[i]));
        }
        let low: Vec<&Picture> = low.iter().collect();
        Some(LowBatch { x0: shown.planes(&low, size, self.channels), eps, levels })
    }
}

fn mirrored(picture: &Picture, flipped: bool) -> Picture {
    match flipped {
        true => augment::flip(picture),
        false => picture.clone(),
    }
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
            low: None,
        };
        let mut flipped = Vec::with_capacity(positions.len());
        let mut pictures = Vec::with_capacity(positions.len());
        for (i, position) in positions.into_iter().enumerate() {
            let (example, at) = (&self.train.examples[position], seed.index(i as u64));
            flipped.push(self.spec.flip && at.child("flip").stream().chance(0.5));
            pictures.push(mirrored(&example.picture, flipped[i]));
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
        batch.low = self.low(step, &flipped, h);
        batch
    }

    fn loss(&self, model: &UNet, batch: Batch, device: &Device) -> Tensor<1> {
        let Batch { x0, eps, shape, sigmas, labels, low } = batch;
        let planes = |values| Tensor::<4>::from_data(TensorData::new(values, shape), device);
        let (x0, eps) = (planes(x0), planes(eps));
        let shown =
            low.map(|low| Shown::new(planes(low.x0), planes(low.eps), &low.levels, &self.levels));
        let times: Vec<f32> = sigmas.iter().map(|s| self.levels.timestep(*s) as f32).collect();
        let times = Tensor::<1>::from_data(TensorData::new(times, [shape[0]]), device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [shape[0]]), device);
        let condition = condition(labels, shown.as_ref());
        let target = self.spec.prediction.target(x0.clone(), eps.clone(), &sigmas);
        let seen = beside(network_input(corrupt(x0, eps, &sigmas), &sigmas), shown.as_ref());
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

    use serde_json::Value;

    use super::*;
    use crate::lab::data::{Example, Origin};
    use crate::lab::diffusion::{
        Cosine, Linear, MinSnr, Prediction, ScaledLinear, Schedule, Weighting,
    };
    use crate::lab::generators::PixelNet;
    use crate::lab::images::{Filter, resize};
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

    fn size(golden: &Value, key: &str) -> usize {
        golden[key].as_u64().unwrap() as usize
    }

    /// Returns noisy pictures of golden data; what is shown beside them is left out.
    fn golden_batch(golden: &Value, task: &PixelTask<'_>) -> Batch {
        let list = |key: &str| {
            let values = golden[key].as_array().unwrap();
            values.iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>()
        };
        let (n, side) = (size(golden, "n"), size(golden, "size"));
        let table = task.levels.table().unwrap();
        Batch {
            x0: numbers("pictures", n * side * side),
            eps: numbers("noise", n * side * side),
            shape: [n, 1, side, side],
            sigmas: list("timesteps").iter().map(|t| table[*t as usize]).collect(),
            labels: list("labels"),
            low: None,
        }
    }

    #[track_caller]
    fn same_loss(golden: &Value, name: &str, task: &PixelTask<'_>, batch: Batch) {
        let device = Device::flex();
        let net = filled(task.net(&device));
        let got: f32 = task.loss(&net, batch, &device).into_scalar();
        let want = golden["losses"][name].as_f64().unwrap();
        // Theirs is exact (f64). Our net loses up to 1e-5 of its output's scale (see the tests of
        // `unet`), and a square twice the share of its root.
        close(f64::from(got), want, Tol::relative(2e-5));
    }

    fn loss_as_diffusers(name: &str, schedule: Schedule, of: (Prediction, Weighting)) {
        let golden = golden_json("generators/pixel/losses.json");
        let (prediction, weighting) = of;
        let spec = PixelTraining { schedule, prediction, weighting, ..tiny(Recipe::default()) };
        let train = data(1, size(&golden, "classes"), size(&golden, "size"));
        let task = PixelTask::new(&spec, &train, Channels::Grey, Seed::root(0));
        same_loss(&golden, name, &task, golden_batch(&golden, &task));
    }

    /// Returns the same pictures at another size.
    fn scaled(data: &Dataset, size: usize) -> Dataset {
        let scale = |example: &Example| Example {
            picture: Arc::new(resize(&example.picture, size, size, Filter::Box)),
            ..example.clone()
        };
        Dataset::new(data.classes.clone(), data.examples.iter().map(scale).collect())
    }

    fn enlarging_loss_as_diffusers(name: &str, schedule: Schedule, of: (Prediction, Filter)) {
        let golden = golden_json("generators/cascade/losses.json");
        let (n, small, side) = (size(&golden, "n"), size(&golden, "small"), size(&golden, "size"));
        let (prediction, filter) = of;
        let spec = PixelTraining { schedule, prediction, ..tiny(Recipe::default()) };
        let train = data(1, size(&golden, "classes"), side);
        let smaller = scaled(&train, small);
        let shown = Enlarging { filter, ..Enlarging::default() };
        let task = PixelTask::new(&spec, &train, Channels::Grey, Seed::root(0));
        let task = task.enlarging(&smaller, shown);
        let levels = numbers("small", n * small * small).into_iter().map(|x| {
            let level = ((x + 1.0) * 127.5) as u8;
            [level; 3]
        });
        let levels: Vec<u8> = levels.flatten().collect();
        let low: Vec<Picture> = levels
            .chunks(small * small * 3)
            .map(|rgb| Picture::new(small, small, rgb.to_vec()))
            .collect();
        let low: Vec<&Picture> = low.iter().collect();
        let low = LowBatch {
            x0: shown.planes(&low, side, Channels::Grey),
            eps: numbers("low noise", n * side * side),
            levels: serde_json::from_value(golden["levels"].clone()).unwrap(),
        };
        let batch = Batch { low: Some(low), ..golden_batch(&golden, &task) };
        same_loss(&golden, name, &task, batch);
    }

    #[test]
    fn losses_of_enlarging_are_those_of_diffusers() {
        let (linear, cosine) =
            (Schedule::Linear(Linear::default()), Schedule::Cosine(Cosine::default()));
        enlarging_loss_as_diffusers("noise", linear, (Prediction::Noise, Filter::Bicubic));
        enlarging_loss_as_diffusers("velocity", cosine, (Prediction::Velocity, Filter::Bilinear));
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
    fn smaller_pictures_are_those_of_the_batch_and_their_noise_is_drawn_by_place() {
        let train = data(7, 3, 4);
        let smaller = scaled(&train, 2);
        let recipe = Recipe { batch: 5, ..Recipe::default() };
        let spec = PixelTraining { flip: true, ..tiny(recipe) };
        let shown = Enlarging { filter: Filter::Box, noise_max: 0.5 };
        let plain = PixelTask::new(&spec, &train, Channels::Rgb, Seed::root(1));
        let task = PixelTask::new(&spec, &train, Channels::Rgb, Seed::root(1));
        let task = task.enlarging(&smaller, shown);
        let (mut levels, mut places) = (Vec::new(), Vec::new());
        for step in [3, 0, 1, 2] {
            let (got, alone) = (task.batch(step), plain.batch(step));
            // Enlarging adds draws and moves none.
            assert_eq!((&got.x0, &got.eps, &got.sigmas), (&alone.x0, &alone.eps, &alone.sigmas));
            let low = got.low.unwrap();
            // The mean of four pixels is what the box leaves of them, up to two roundings of a
            // level: the larger picture and the smaller one are mirrored together.
            for (n, plane) in got.x0.chunks(16).enumerate() {
                let corner = |of: &[f32]| (of[0] + of[1] + of[4] + of[5]) / 4.0;
                let want = corner(plane);
                assert!((low.x0[16 * n] - want).abs() < 2.0 / 127.5);
            }
            levels.extend(low.levels);
            places.push(low.eps);
        }
        assert!(levels.iter().all(|level| (0.0..0.5).contains(level)));
        // Twenty even draws: all in one half happens once in 500,000.
        assert!(levels.iter().any(|x| *x < 0.25) && levels.iter().any(|x| *x > 0.25));
        assert_ne!(places[0], places[1]);
        assert_eq!(task.batch(3).low.unwrap().eps, places[0]);
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
        let smaller = scaled(&train, 4);
        let task = task.enlarging(&smaller, Enlarging::default());
        resumes_exactly(&task, || task.net(&Device::flex()), &spec.recipe);
    }
}
