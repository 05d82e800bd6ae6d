//! The step length over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Warm-up to a peak, then decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LearningRate {
    /// The largest step length.
    #[schemars(range(min = 0.0))]
    pub peak: f64,
    /// Steps over which it rises linearly from `peak / warmup_steps`.
    pub warmup_steps: usize,
    /// How it falls afterwards.
    pub decay: Decay,
}

impl Default for LearningRate {
    fn default() -> Self {
        Self { peak: 0.1, warmup_steps: 0, decay: Decay::Cosine(Cosine::default()) }
    }
}

/// How the step length falls after the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// It does not.
    Constant,
    /// Along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, Eq. 5 without restarts).
    Cosine(Cosine),
    /// By a factor at each of some points.
    Step(Step),
}

/// Half a cosine from the peak to a floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Cosine {
    /// The floor as a share of the peak.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub floor: f64,
}

/// Division at fixed points of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Step {
    /// Points of the run as shares of all steps, for instance 1/2 and 3/4.
    pub at: Vec<f64>,
    /// What the step length is multiplied with at each.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub factor: f64,
}

impl Default for Step {
    fn default() -> Self {
        Self { at: vec![0.5, 0.75], factor: 0.1 }
    }
}

impl LearningRate {
    /// Returns the step length of step `step` (from 0) of `steps`.
    ///
    /// ```
    /// use ersatz::lab::training::LearningRate;
    /// let rate = LearningRate { peak: 0.4, warmup_steps: 4, ..Default::default() };
    /// assert_eq!(rate.at(0, 100), 0.1);
    /// assert_eq!(rate.at(4, 100), 0.4);
    /// ```
    pub fn at(&self, step: usize, steps: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let left = steps.saturating_sub(self.warmup_steps).max(1);
        let share = (step - self.warmup_steps) as f64 / left as f64;
        match &self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine(Cosine { floor }) => {
                let wave = 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
                self.peak * (floor + (1.0 - floor) * wave)
            }
            Decay::Step(Step { at, factor }) => {
                let run = step as f64 / steps as f64;
                let passed = at.iter().filter(|point| run >= **point).count();
                self.peak * factor.powi(i32::try_from(passed).expect("few points"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn rises_then_falls() {
        let tol = Tol::absolute(1e-12);
        let cosine = LearningRate {
            peak: 1.0,
            warmup_steps: 10,
            decay: Decay::Cosine(Cosine { floor: 0.1 }),
        };
        for (step, want) in [(0, 0.1), (9, 1.0), (10, 1.0), (60, 0.55), (110, 0.1)] {
            close(cosine.at(step, 110), want, tol);
        }
        let stairs = LearningRate {
            peak: 1.0,
            warmup_steps: 0,
            decay: Decay::Step(Step { at: vec![0.5, 0.75], factor: 0.1 }),
        };
        for (step, want) in [(0, 1.0), (49, 1.0), (50, 0.1), (75, 0.01), (99, 0.01)] {
            close(stairs.at(step, 100), want, tol);
        }
        let flat = LearningRate { decay: Decay::Constant, warmup_steps: 0, peak: 0.3 };
        close(flat.at(99, 100), 0.3, tol);
    }
}
