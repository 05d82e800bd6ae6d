//! Which noise levels a sampler visits.
//!
//! Names and formulas of Lin et al. 2024 (arXiv:2305.08891), Table 2, as in diffusers'
//! `timestep_spacing`, and the curve of Karras et al. 2022 (arXiv:2206.00364), equation 5.

use serde::{Deserialize, Serialize};

use super::schedule::{Levels, karras};

/// How a sampler's noise levels are picked from those of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Spacing {
    /// Even steps from the lowest level on; the highest level is usually not reached.
    #[default]
    Leading,
    /// Even steps that include both the lowest and the highest level.
    Linspace,
    /// Even steps from the highest level down; the lowest level is usually not reached.
    Trailing,
    /// The curve of Karras et al. over the schedule's own range.
    Karras(KarrasSpacing),
}

/// The curve of Karras et al. (2022), equation 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KarrasSpacing {
    /// How strongly levels crowd at the low end; 1 spaces them evenly. The paper's value is 7.
    #[schemars(range(min = 1.0))]
    pub rho: f64,
}

impl Default for KarrasSpacing {
    fn default() -> Self {
        Self { rho: 7.0 }
    }
}

impl Levels {
    /// Returns `steps` noise levels in descending order, and 0 after them.
    ///
    /// ```
    /// use ersatz::lab::diffusion::{Schedule, Spacing};
    /// let sigmas = Schedule::default().levels().inference_sigmas(Spacing::Trailing, 4);
    /// assert_eq!(sigmas.len(), 5);
    /// assert_eq!(sigmas[4], 0.0);
    /// ```
    ///
    /// On a continuum the three even spacings are their limits for infinitely many timesteps, along
    /// the continuum's own curve.
    ///
    /// # Panics
    /// If `steps` is 0, or larger than the number of timesteps under an even spacing.
    // DIFFERS: with "linspace", diffusers' Euler and Heun schedulers keep fractional timesteps and
    // interpolate sigmas, and its DPM-Solver spaces steps + 1 levels and drops the lowest. We
    // follow the paper and diffusers' DDPM and DDIM: whole timesteps, the same for every sampler.
    // DIFFERS: diffusers' Karras levels start from the range of the spaced timesteps in Euler and
    // Heun, from the whole table in DPM-Solver; we always take the whole range.
    // DIFFERS: diffusers shifts "leading" timesteps by `steps_offset` (1 for Stable Diffusion); the
    // paper's formula, counted from 0, has none.
    pub fn inference_sigmas(&self, spacing: Spacing, steps: usize) -> Vec<f64> {
        assert!(steps > 0, "a sampler takes at least one step");
        let last = (steps - 1).max(1) as f64;
        let n = steps as f64;
        let mut sigmas: Vec<f64> = match (spacing, self.table()) {
            (Spacing::Karras(KarrasSpacing { rho }), _) => {
                (0..steps).map(|i| karras(self.range(), rho, 1.0 - i as f64 / last)).collect()
            }
            (_, Some(table)) => {
                timesteps(spacing, steps, table.len()).iter().map(|t| table[*t]).collect()
            }
            (Spacing::Leading, None) => (0..steps).rev().map(|i| self.at(i as f64 / n)).collect(),
            (Spacing::Linspace, None) => {
                (0..steps).map(|i| self.at(1.0 - i as f64 / last)).collect()
            }
            (Spacing::Trailing, None) => (0..steps).map(|i| self.at(1.0 - i as f64 / n)).collect(),
        };
        sigmas.push(0.0);
        sigmas
    }
}

/// Returns `n` of the timesteps `0..total` in descending order.
fn timesteps(spacing: Spacing, n: usize, total: usize) -> Vec<usize> {
    assert!(n <= total, "more sampling steps than timesteps of training");
    // NumPy rounds halves to even numbers, and so does the reference.
    let whole = |t: f64| t.round_ties_even() as usize;
    match spacing {
        Spacing::Leading => (0..n).rev().map(|i| i * (total / n)).collect(),
        // DIFFERS: a single level is the lowest one in NumPy's linspace; pure noise needs the
        // highest.
        Spacing::Linspace if n == 1 => vec![total - 1],
        Spacing::Linspace => {
            let step = (total - 1) as f64 / (n - 1) as f64;
            (0..n).rev().map(|i| whole(i as f64 * step)).collect()
        }
        Spacing::Trailing => {
            let step = total as f64 / n as f64;
            (0..n).map(|i| whole(total as f64 - i as f64 * step) - 1).collect()
        }
        Spacing::Karras(_) => unreachable!("Karras levels are no timesteps"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{Cosine, Karras, Linear, ScaledLinear, Schedule};
    use super::*;
    use crate::testing::{Tol, close_all, golden_json};

    const EVEN: [(&str, Spacing); 3] = [
        ("leading", Spacing::Leading),
        ("linspace", Spacing::Linspace),
        ("trailing", Spacing::Trailing),
    ];

    #[test]
    fn timesteps_are_those_of_diffusers() {
        let golden = golden_json("diffusion/schedules/golden.json");
        for (name, spacing) in EVEN {
            let rows = golden["timesteps"][name].as_object().unwrap();
            assert!(rows.len() > 10);
            for (n, want) in rows {
                let got = timesteps(spacing, n.parse().unwrap(), 1000);
                assert_eq!(serde_json::json!(got), *want, "{name} {n}");
            }
        }
    }

    #[test]
    fn karras_levels_are_those_of_diffusers() {
        let golden = golden_json("diffusion/schedules/golden.json");
        for (name, schedule) in [
            ("linear", Schedule::Linear(Linear::default())),
            ("scaled-linear", Schedule::ScaledLinear(ScaledLinear::default())),
            ("cosine", Schedule::Cosine(Cosine::default())),
        ] {
            let want: Vec<f64> = serde_json::from_value(golden["karras"][name].clone()).unwrap();
            let spacing = Spacing::Karras(KarrasSpacing::default());
            let got = schedule.levels().inference_sigmas(spacing, 12);
            // Both in f64; the tables they start from agree to 1e-11.
            close_all(&got, &want, Tol::relative(1e-10));
        }
    }

    #[test]
    fn every_spacing_descends_to_zero() {
        let karras = ("karras", Spacing::Karras(KarrasSpacing::default()));
        for schedule in [Schedule::default(), Schedule::Karras(Karras::default())] {
            let levels = schedule.levels();
            let (low, high) = levels.range();
            for (name, spacing) in EVEN.into_iter().chain([karras]) {
                for steps in [1, 2, 3, 10, 999, 1000] {
                    let sigmas = levels.inference_sigmas(spacing, steps);
                    assert_eq!(sigmas.len(), steps + 1);
                    assert!(sigmas.is_sorted_by(|a, b| a > b), "{name} {steps}");
                    let inside = low * (1.0 - 1e-12)..=high * (1.0 + 1e-12);
                    assert!(sigmas[..steps].iter().all(|s| inside.contains(s)), "{name} {steps}");
                    assert!(sigmas[steps].abs() < f64::MIN_POSITIVE);
                }
            }
        }
    }

    #[test]
    fn choices_are_words_or_keys() {
        #[derive(Deserialize)]
        struct Holder {
            spacing: Spacing,
        }
        let parse = |text: &str| toml::from_str::<Holder>(text).map(|holder| holder.spacing);
        assert_eq!(parse("spacing = \"trailing\"").unwrap(), Spacing::Trailing);
        let karras = Spacing::Karras(KarrasSpacing { rho: 5.0 });
        assert_eq!(parse("[spacing.karras]\nrho = 5.0").unwrap(), karras);
    }
}
