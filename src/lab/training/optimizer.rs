//! The rules by which weights move: one pass over each parameter, on the host, in single precision.
//!
//! The formulas are those of `torch.optim.SGD` and `torch.optim.AdamW`; burn's own optimisers
//! differ in their defaults (dampening 0.1, eps 1e-5), clip each tensor alone, and take a dozen
//! passes.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ema::average;

/// Numbers of a parameter that one thread moves at a time.
const PIECE: usize = 1 << 15;

/// The rule by which weights move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2).
    Adamw(Adamw),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

/// Which parameters are pulled towards zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decayed {
    /// Those with two or more axes: not biases, not the scales and shifts of normalisation (timm's
    /// rule).
    #[default]
    Weights,
    /// All (the rule of He et al. 2016 and of torchvision's reference scripts).
    All,
}

/// Momentum without dampening, as PyTorch's default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Sgd {
    /// The share of the old direction that a step keeps.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub momentum: f64,
    /// Whether the gradient looks ahead (Nesterov).
    pub nesterov: bool,
    /// The pull towards zero, added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Which parameters are pulled.
    pub decayed: Decayed,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: true, weight_decay: 5e-4, decayed: Decayed::Weights }
    }
}

/// Adam with decoupled weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Adamw {
    /// Decay of the mean gradient.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// The pull towards zero, a share of the step length.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Which parameters are pulled.
    pub decayed: Decayed,
}

impl Default for Adamw {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            decayed: Decayed::Weights,
        }
    }
}

/// What an optimiser remembers of one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Momentum, or mean gradient.
    pub(super) first: Vec<f32>,
    /// Mean squared gradient; empty for SGD.
    pub(super) second: Vec<f32>,
}

/// The moment of an update: which step (from 0), how long, and how much of the gradient is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) step: usize,
    pub(super) rate: f64,
    pub(super) gradient_scale: f32,
}

/// One parameter at an update: its numbers, where they should go, and what is remembered of it.
pub(super) struct Moving<'a> {
    pub(super) axes: usize,
    pub(super) values: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    pub(super) memory: &'a mut Memory,
    /// The average over time and the share of it that a step keeps, if there is one.
    pub(super) average: Option<(&'a mut [f32], f64)>,
}

/// Some numbers of a parameter.
struct Piece<'a> {
    values: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    /// Empty for SGD.
    second: &'a mut [f32],
    average: Option<(&'a mut [f32], f64)>,
}

impl<'a> Moving<'a> {
    /// Moves all pieces by a rule, and then their averages. Each number moves alone: the cut is of
    /// no consequence.
    fn by(self, rule: impl Fn(&mut Piece<'_>) + Sync) {
        let Self { values, gradient, memory, average: held, .. } = self;
        let Memory { first, second } = memory;
        let (held, share) = held.unwrap_or_default();
        let (mut seconds, mut averages) = (second.chunks_mut(PIECE), held.chunks_mut(PIECE));
        let rows =
            values.chunks_mut(PIECE).zip(gradient.chunks(PIECE)).zip(first.chunks_mut(PIECE));
        let mut pieces: Vec<Piece<'a>> = rows
            .map(|((values, gradient), first)| Piece {
                values,
                gradient,
                first,
                second: seconds.next().unwrap_or_default(),
                average: averages.next().map(|average| (average, share)),
            })
            .collect();
        pieces.par_iter_mut().for_each(|piece| {
            rule(piece);
            if let Some((held, share)) = &mut piece.average {
                average(held, piece.values, *share);
            }
        });
    }
}

impl Optimizer {
    /// Moves one parameter.
    pub(super) fn update(&self, moment: Moment, moving: Moving<'_>) {
        let pulled = |decayed, pull| match decayed {
            Decayed::Weights if moving.axes < 2 => 0.0,
            _ => pull,
        };
        match self {
            Self::Sgd(rule) => {
                let decay = pulled(rule.decayed, rule.weight_decay);
                rule.update(moment, decay as f32, moving);
            }
            Self::Adamw(rule) => {
                let decay = pulled(rule.decayed, rule.weight_decay);
                rule.update(moment, decay, moving);
            }
        }
    }
}

impl Sgd {
    fn update(&self, moment: Moment, decay: f32, moving: Moving<'_>) {
        let (rate, momentum) = (moment.rate as f32, self.momentum as f32);
        moving.memory.first.resize(moving.values.len(), 0.0);
        moving.by(|Piece { values, gradient, first, .. }| {
            for ((p, g), v) in values.iter_mut().zip(*gradient).zip(first.iter_mut()) {
                let g = g * moment.gradient_scale + decay * *p;
                *v = momentum * *v + g; // With v = 0 before the first step this is PyTorch's v = g.
                let direction = if self.nesterov { g + momentum * *v } else { *v };
                *p -= rate * direction;
            }
        });
    }
}

impl Adamw {
    fn update(&self, moment: Moment, decay: f64, moving: Moving<'_>) {
        let t = i32::try_from(moment.step + 1).expect("fewer than 2^31 steps");
        let (b1, b2) = (self.beta1 as f32, self.beta2 as f32);
        let (rest1, rest2) = ((1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32);
        let length = (moment.rate / (1.0 - self.beta1.powi(t))) as f32;
        let root = (1.0 - self.beta2.powi(t)).sqrt() as f32;
        let keep = (1.0 - moment.rate * decay) as f32;
        let epsilon = self.epsilon as f32;
        moving.memory.first.resize(moving.values.len(), 0.0);
        moving.memory.second.resize(moving.values.len(), 0.0);
        moving.by(|Piece { values, gradient, first, second, .. }| {
            let memories = first.iter_mut().zip(second.iter_mut());
            for ((p, g), (m, v)) in values.iter_mut().zip(*gradient).zip(memories) {
                let g = g * moment.gradient_scale;
                *m = b1 * *m + rest1 * g;
                *v = b2 * *v + rest2 * g * g;
                *p = *p * keep - length * *m / (v.sqrt() / root + epsilon);
            }
        });
    }
}
