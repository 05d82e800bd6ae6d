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

/// The task of removing noise from the real training pictures. `seed` decides weights, order and noise.
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
