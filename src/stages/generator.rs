//! A generator learns from the real training pictures.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Machine, keeper, real};
use crate::engine::{Bench, Context, Estimate, Failure, Inputs, Stage};
use crate::lab::generators::{PixelTask, PixelTraining};
use crate::lab::images::Channels;
use crate::terms::Seed;

/// The name of this stage among the inputs of others.
pub(super) const INPUT: &str = "generator";

/// Trains a diffusion model on pixels.
pub struct GeneratorStage {
    /// What decides the weights.
    pub training: PixelTraining,
    /// The address of the weights' randomness.
    pub seed: u64,
    /// What the net sees.
    pub channels: Channels,
    /// Side of the pictures, for the estimate.
    pub size: usize,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl Stage for GeneratorStage {
    fn kind(&self) -> &'static str {
        "generator"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        json!({"training": self.training, "seed": self.seed, "channels": self.channels})
    }

    fn label(&self) -> String {
        let widths: Vec<_> = self.training.net.channels.iter().map(ToString::to_string).collect();
        format!("pixel generator {}, {} steps", widths.join("-"), self.training.recipe.steps)
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
        let seed = Seed::root(self.seed).child("generator");
        let task = PixelTask::new(&self.training, &train, self.channels, seed);
        let net = task.net(&self.machine.device);
        let at = (bench, context);
        keeper::train(&task, net, &self.training.recipe, &self.machine.device, at)?;
        Ok(())
    }
}
