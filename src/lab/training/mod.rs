//! How weights are found: by optimiser steps, from addressed batches, with exact resume.
//!
//! In reading order: a [`Recipe`] says how long and how fast ([`LearningRate`], [`Optimizer`],
//! [`Ema`]), a [`Task`] says what is learned, and [`fit`] runs the one on the other. Everything
//! that happens in step `s` is a function of the spec and `s` alone, so a run that was killed and
//! resumed ends with the same bits as one that was not (on a CPU). Training knows no data set and
//! no architecture: it sees a [`Task`], and the world through a [`Keeper`].

mod checkpoint;
mod ema;
mod epochs;
mod fit;
mod learning_rate;
mod optimizer;
mod prefetch;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nets::weights::State;
use crate::terms::Precision;

pub use checkpoint::LogLine;
pub use ema::Ema;
pub use epochs::Epochs;
pub use fit::{Outcome, Trained, fit};
pub use learning_rate::{Cosine, Decay, LearningRate, Step};
pub use optimizer::{Adamw, Decayed, Optimizer, Sgd};

/// What is learned.
pub trait Task: Sync {
    /// The net.
    type Model: Module + Clone;
    /// What one step sees, on the host.
    type Batch: Send;

    /// Prepares the batch of a step. Runs ahead on other threads; a function of `step` alone.
    fn batch(&self, step: usize) -> Self::Batch;

    /// Returns the loss of a batch, one number, on the device of the model.
    fn loss(&self, model: &Self::Model, batch: Self::Batch, device: &Device) -> Tensor<1>;

    /// Returns how good the model is on held-out data (higher is better), if the task can tell.
    fn validate(&self, model: &Self::Model) -> Option<f64>;
}

/// What training needs from the world around it.
pub trait Keeper {
    /// Returns the last checkpoint that was saved whole.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    fn load(&self) -> std::io::Result<Option<Vec<u8>>>;

    /// Saves a checkpoint, whole or not at all, in place of the one before.
    ///
    /// # Errors
    /// If the disk refuses.
    fn save(&self, checkpoint: &[u8]) -> std::io::Result<()>;

    /// Hears that a step is done.
    fn progress(&self, step: usize, steps: usize, loss: f64);

    /// Returns whether training should stop after this step.
    fn stopping(&self) -> bool;

    /// Sees the weights after a step, as they would be returned then; `weights` is called if they
    /// are wanted.
    ///
    /// # Errors
    /// If they could not be kept.
    fn look(&self, _step: usize, _weights: &dyn Fn() -> State) -> std::io::Result<()> {
        Ok(())
    }

    /// Returns whether a checkpoint is due after this step. Never decides a result.
    fn checkpoint_due(&self, step: usize) -> bool;
}

/// Which weights a training returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the last step.
    #[default]
    Last,
    /// Those that were best on validation data (never on test data).
    BestValidation,
}

/// How long, how fast, and by which rule weights move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Recipe {
    /// Optimiser steps.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Pictures per step.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// The rule by which weights move.
    pub optimizer: Optimizer,
    /// Step length over time.
    pub learning_rate: LearningRate,
    /// How exact the factors of products are while weights are found: `bf16` is faster where
    /// processors have instructions for it (AVX512-BF16), and gives the same numbers where they
    /// have none. Trained nets are used in single precision.
    #[serde(skip_serializing_if = "Precision::is_single")]
    pub precision: Precision,
    /// Gradients are shortened to this global norm; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Averaging of weights over time; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    /// Steps between two looks at validation data.
    #[schemars(range(min = 1))]
    pub validate_every: usize,
    /// Which weights are returned.
    pub keep: Keep,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 64,
            optimizer: Optimizer::default(),
            learning_rate: LearningRate::default(),
            precision: Precision::F32,
            clip_norm: None,
            ema: None,
            validate_every: 500,
            keep: Keep::Last,
        }
    }
}
