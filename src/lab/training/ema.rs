//! An exponential moving average of the weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Averages every weight and running statistic over time, as timm's `ModelEmaV2` does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ema {
    /// The share of the old average that a step keeps.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decay: f64,
}

impl Default for Ema {
    fn default() -> Self {
        Self { decay: 0.999 }
    }
}

impl Ema {
    /// Returns the share kept in step `step` (from 0): early averages forget faster, by
    /// min(decay, (1 + t) / (10 + t)) as TensorFlow's `ExponentialMovingAverage` with
    /// `num_updates`.
    pub fn share(self, step: usize) -> f64 {
        let t = (step + 1) as f64;
        self.decay.min((1.0 + t) / (10.0 + t))
    }
}

/// Moves `average` towards `now`.
pub(super) fn average(average: &mut [f32], now: &[f32], share: f64) {
    let (keep, take) = (share as f32, (1.0 - share) as f32);
    average.iter_mut().zip(now).for_each(|(a, x)| *a = keep * *a + take * x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn early_steps_forget_faster() {
        let ema = Ema { decay: 0.99 };
        close(ema.share(0), 2.0 / 11.0, Tol::absolute(1e-12));
        close(ema.share(100_000), 0.99, Tol::absolute(0.0));
    }

    #[test]
    fn a_constant_is_its_own_average() {
        let mut held = vec![2.0_f32, -3.0];
        (0..50).for_each(|_| average(&mut held, &[2.0, -3.0], 0.9));
        crate::testing::close_f32(&held, &[2.0, -3.0], Tol::absolute(1e-5)); // 50 roundings.
    }
}
