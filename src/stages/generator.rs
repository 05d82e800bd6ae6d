//! A generator learns from the real training pictures.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Machine, keeper, real, real_at};
use crate::engine::{Bench, Context, DiskFiles, Estimate, Failure, Inputs, Stage};
use crate::lab::data::{ClassMismatch, Dataset};
use crate::lab::generators::{ClassTable, Enlarging, PixelTask, PixelTraining, Start};
use crate::lab::images::Channels;
use crate::nets::unet::UNet;
use crate::nets::weights::{State, read_safetensors};
use crate::terms::{Files as _, Key, Problem, Problems, Seed};

/// The name of this stage among the inputs of others.
pub(super) const INPUT: &str = "generator";

/// The name of the real pictures at the smaller size among the inputs.
pub(super) const SMALLER: &str = "smaller";

/// The name of the trained model to start from among the inputs, and of the pictures it learned
/// from, if its classes are taken over.
const START: &str = "start";
const START_DATA: &str = "start-data";

/// Trains a diffusion model on pixels, or one that enlarges pictures.
pub struct GeneratorStage {
    /// What decides the weights.
    pub training: PixelTraining,
    /// The address of the weights' randomness.
    pub seed: u64,
    /// What the net sees.
    pub channels: Channels,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// How it is shown smaller pictures; absent for a model that sees none.
    pub enlarging: Option<Enlarging>,
    /// The key of the content of the file to start from, if it starts from one.
    pub start: Option<Key>,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl GeneratorStage {
    fn kept(&self) -> &[usize] {
        self.training.choice.as_ref().map_or(&[], |choice| &choice.at)
    }

    /// Returns a net with the weights to start from.
    fn begin(&self, net: UNet, inputs: &Inputs, train: &Dataset) -> Result<UNet, Failure> {
        let Some(start) = &self.training.start else { return Ok(net) };
        let (source, weights) = match start {
            Start::File(file) => (file.path.clone(), self.file(&file.path)?),
            Start::Pretraining(pretraining) => {
                if pretraining.classes == ClassTable::Same {
                    let before = real_at(inputs, START_DATA, "train")?;
                    ClassMismatch::between(&before.classes, &train.classes)
                        .map_err(|mismatch| other_classes(&pretraining.of, &mismatch))?;
                }
                let bytes = inputs.read(START, keeper::WEIGHTS)?;
                let weights = read_safetensors(&bytes).map_err(Failure::other)?;
                (pretraining.of.clone(), weights)
            }
        };
        start.classes().begin(net, weights).map_err(|mismatch| {
            let problem = Problem::new(source, mismatch.to_string(), "the weights of this net");
            let hint = "`classes = \"new\"` leaves the table of classes out";
            Failure::Wrong(Problems::from(problem.hint(hint)))
        })
    }

    fn file(&self, path: &str) -> Result<State, Failure> {
        let read = DiskFiles.read(Path::new(path));
        let bytes = read.map_err(|error| Failure::io("read", Path::new(path), error))?;
        if self.start != Some(Key::of_bytes(&bytes)) {
            return Err(Failure::other(format!("`{path}` has changed since the run began")));
        }
        read_safetensors(&bytes).map_err(Failure::other)
    }
}

fn other_classes(of: &str, mismatch: &ClassMismatch) -> Failure {
    let found = format!("weights of `{of}` for other classes: {mismatch}");
    let problem = Problem::new("start.pretraining", found, "the same classes in the same order");
    Failure::Wrong(Problems::from(problem.hint("`classes = \"new\"` starts with fresh ones")))
}

impl Stage for GeneratorStage {
    fn kind(&self) -> &'static str {
        "generator"
    }

    fn version(&self) -> u32 {
        3
    }

    fn spec(&self) -> Value {
        // A file is known by its content, another model by its key; which candidate is best is
        // decided elsewhere.
        let training = PixelTraining { start: None, choice: None, ..self.training.clone() };
        let mut spec = json!({"training": training, "seed": self.seed, "channels": self.channels});
        if let Some(enlarging) = self.enlarging {
            spec["enlarging"] = json!(enlarging);
            spec["size"] = json!(self.size); // In the address of its randomness.
        }
        if let Some(start) = &self.training.start {
            spec["start"] = json!({"classes": start.classes(), "content": self.start});
        }
        if !self.kept().is_empty() {
            spec["kept"] = json!(self.kept());
        }
        spec
    }

    fn label(&self) -> String {
        let widths: Vec<_> = self.training.net.channels.iter().map(ToString::to_string).collect();
        let (net, steps) = (widths.join("-"), self.training.recipe.steps);
        let how = if self.training.start.is_some() { ", tuned" } else { "" };
        match self.enlarging {
            None => format!("pixel generator {net}{how}, {steps} steps"),
            Some(_) => format!("upscaler to {} px {net}{how}, {steps} steps", self.size),
        }
    }

    fn estimate(&self) -> Estimate {
        let recipe = &self.training.recipe;
        let width: usize = self.training.net.channels.iter().sum();
        let numbers = (self.size * self.size * width * width) as f64;
        // Fitted to the quickstart on two cores; recorded runs of the same kind replace it.
        let seconds = (recipe.steps * recipe.batch) as f64 * numbers * 6e-10;
        let files = 1 + self.kept().len();
        Estimate { seconds, bytes: (width * width * 800 * files) as u64 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let train = real(inputs, "train")?;
        let smaller = match self.enlarging {
            None => None,
            Some(enlarging) => Some((real_at(inputs, SMALLER, "train")?, enlarging)),
        };
        let seed = Seed::root(self.seed).child("generator");
        let task = match &smaller {
            None => PixelTask::new(&self.training, &train, self.channels, seed),
            Some((smaller, enlarging)) => {
                let seed = seed.child("size").index(self.size as u64);
                PixelTask::new(&self.training, &train, self.channels, seed)
                    .enlarging(smaller, *enlarging)
            }
        };
        let device = &self.machine.device;
        let net = self.begin(task.net(device), inputs, &train)?;
        let how = (&self.training.recipe, device);
        keeper::train_keeping(self.kept(), &task, net, how, (bench, context))?;
        Ok(())
    }
}
