//! A generator learns from the real training pictures.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Machine, keeper, real, real_at};
use crate::engine::{Bench, Context, Estimate, Failure, Inputs, Stage};
use crate::lab::generators::{Enlarging, PixelTask, PixelTraining};
use crate::lab::images::Channels;
use crate::terms::Seed;

/// The name of this stage among the inputs of others.
pub(super) const INPUT: &str = "generator";

/// The name of the real pictures at the smaller size among the inputs.
const SMALLER: &str = "smaller";

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
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl Stage for GeneratorStage {
    fn kind(&self) -> &'static str {
        "generator"
    }

    fn version(&self) -> u32 {
        1
    }

    fn spec(&self) -> Value {
        let mut spec =
            json!({"training": self.training, "seed": self.seed, "channels": self.channels});
        if let Some(enlarging) = self.enlarging {
            spec["enlarging"] = json!(enlarging);
            spec["size"] = json!(self.size); // In the address of its randomness.
        }
        spec
    }

    fn label(&self) -> String {
        let widths: Vec<_> = self.training.net.channels.iter().map(ToString::to_string).collect();
        let (net, steps) = (widths.join("-"), self.training.recipe.steps);
        match self.enlarging {
            None => format!("pixel generator {net}, {steps} steps"),
            Some(_) => format!("upscaler to {} px {net}, {steps} steps", self.size),
        }
    }

    fn estimate(&self) -> Estimate {
        let recipe = &self.training.recipe;
        let width: usize = self.training.net.channels.iter().sum();
        let numbers = (self.size * self.size * width * width) as f64;
        // Fitted to the quickstart on two cores; recorded runs of the same kind replace it.
        let seconds = (recipe.steps * recipe.batch) as f64 * numbers * 2.5e-9;
        Estimate { seconds, bytes: (width * width * 800) as u64 }
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
        let net = task.net(&self.machine.device);
        let at = (bench, context);
        keeper::train(&task, net, &self.training.recipe, &self.machine.device, at)?;
        Ok(())
    }
}
