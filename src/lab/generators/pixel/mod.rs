//! A class-conditional diffusion model on pixels.
//!
//! Ho et al. 2020 (arXiv:2006.11239) and Nichol & Dhariwal 2021 (arXiv:2102.09672) with the
//! velocity target of Salimans & Ho 2022 (arXiv:2202.00512) and classifier-free guidance (Ho &
//! Salimans 2022, arXiv:2207.12598): in training the class is replaced by "no class" in a share of
//! the pictures. Notation: `x0` a clean picture in [-1, 1], `eps` noise, `sigma` the noise level,
//! `x = x0 + sigma * eps`.

mod artist;
mod net;
mod task;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::diffusion::{Cosine, Prediction, Sampler, Schedule, Weighting};
use crate::lab::generators::{Choice, Start};
use crate::lab::training::{Adamw, Ema, LearningRate, Optimizer, Recipe};

pub use artist::PixelArtist;
pub use net::PixelNet;
pub use task::PixelTask;

/// A diffusion model on pixels: how it is trained, and how it draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pixel {
    /// What decides its weights.
    pub training: PixelTraining,
    /// From noise to picture.
    pub sampler: Sampler,
    /// How far the class is exaggerated: `u + guidance * (c - u)`; 1 is off.
    #[schemars(range(min = 0.0))]
    pub guidance: f64,
    /// Whether every estimate of the clean picture is clamped to the range of pictures.
    pub clip: bool,
    /// The address of the weights' and the pictures' randomness.
    pub seed: u64,
}

impl Default for Pixel {
    fn default() -> Self {
        Self {
            training: PixelTraining::default(),
            sampler: Sampler::default(),
            guidance: 1.5,
            clip: true,
            seed: 0,
        }
    }
}

/// What decides the weights of a diffusion model on pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PixelTraining {
    /// The net.
    pub net: PixelNet,
    /// The noise levels.
    pub schedule: Schedule,
    /// What the net predicts.
    pub prediction: Prediction,
    /// What an error weighs at each noise level.
    pub weighting: Weighting,
    /// Share of the training pictures that are shown without their class.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub condition_dropout: f64,
    /// Whether every second training picture is mirrored; not for data in which left and right
    /// differ in meaning, such as digits.
    pub flip: bool,
    /// How long, how fast, by which rule.
    pub recipe: Recipe,
    /// Weights to start from; absent: fresh ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Which of several weights are kept, judged by their pictures; absent: those of the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

impl Default for PixelTraining {
    fn default() -> Self {
        Self {
            net: PixelNet::default(),
            schedule: Schedule::Cosine(Cosine::default()),
            prediction: Prediction::Velocity,
            weighting: Weighting::default(),
            condition_dropout: 0.1,
            flip: false,
            recipe: Recipe {
                optimizer: Optimizer::Adamw(Adamw::default()),
                learning_rate: LearningRate { peak: 1e-3, warmup_steps: 100, ..Default::default() },
                clip_norm: Some(1.0),
                ema: Some(Ema::default()),
                ..Recipe::default()
            },
            start: None,
            choice: None,
        }
    }
}
