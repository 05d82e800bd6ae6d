//! Noise schedules: the noise levels a network learns.
//!
//! Discrete schedules are lists of betas (Ho et al. 2020, arXiv:2006.11239, section 2) with
//! `alpha_bar(t) = prod (1 - beta)` and `sigma(t) = sqrt((1 - alpha_bar) / alpha_bar)`. All tables
//! are in f64 and built from `ln alpha_bar`, so that neither `1 - alpha_bar` at the first timesteps
//! nor `alpha_bar` at the last ones (2e-9 for the cosine schedule, sigma = 20,000) loses digits.

// DIFFERS: diffusers keeps its tables in f32, which puts its first sigma of the linear schedule off
// by up to 3e-4 of its value. The golden data run diffusers' code in f64.

use serde::{Deserialize, Serialize};

use crate::terms::{Problem, Stream};

/// Which noise levels a network learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Betas grow linearly: DDPM and most pixel models.
    Linear(Linear),
    /// Square roots of betas grow linearly: Stable Diffusion.
    ScaledLinear(ScaledLinear),
    /// `alpha_bar` follows a squared cosine: Improved DDPM, Imagen's base model.
    Cosine(Cosine),
    /// A continuum of levels without timesteps: EDM.
    Karras(Karras),
}

/// Betas grow linearly (Ho et al. 2020, arXiv:2006.11239, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Linear {
    /// The first beta.
    #[schemars(range(min = 0.000001, max = 0.999))]
    pub beta_start: f64,
    /// The last beta.
    #[schemars(range(min = 0.000001, max = 0.999))]
    pub beta_end: f64,
    /// The number of timesteps of training.
    #[schemars(range(min = 2))]
    pub steps: usize,
}

/// Square roots of betas grow linearly (Rombach et al. 2022, arXiv:2112.10752, released
/// configuration).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ScaledLinear {
    /// The first beta.
    #[schemars(range(min = 0.000001, max = 0.999))]
    pub beta_start: f64,
    /// The last beta.
    #[schemars(range(min = 0.000001, max = 0.999))]
    pub beta_end: f64,
    /// The number of timesteps of training.
    #[schemars(range(min = 2))]
    pub steps: usize,
}

/// `alpha_bar` follows a squared cosine (Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Cosine {
    /// The number of timesteps of training.
    #[schemars(range(min = 2))]
    pub steps: usize,
}

/// A continuum of levels (Karras et al. 2022, arXiv:2206.00364, Table 1, column "Ours").
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Karras {
    /// The lowest level above 0, in units of the picture's range \[-1, 1\].
    #[schemars(range(min = 0.000001))]
    pub sigma_min: f64,
    /// The highest level.
    #[schemars(range(min = 0.000001))]
    pub sigma_max: f64,
    /// How strongly sampling levels crowd at the low end; 1 spaces them evenly.
    #[schemars(range(min = 1.0))]
    pub rho: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Linear(Linear::default())
    }
}

impl Default for Linear {
    fn default() -> Self {
        Self { beta_start: 1e-4, beta_end: 0.02, steps: 1000 }
    }
}

impl Default for ScaledLinear {
    fn default() -> Self {
        Self { beta_start: 0.00085, beta_end: 0.012, steps: 1000 }
    }
}

impl Default for Cosine {
    fn default() -> Self {
        Self { steps: 1000 }
    }
}

impl Default for Karras {
    fn default() -> Self {
        Self { sigma_min: 0.002, sigma_max: 80.0, rho: 7.0 }
    }
}

/// Nichol and Dhariwal clip betas here "to prevent singularities at the end" (section 3.2).
const MAX_BETA: f64 = 0.999;

/// Their offset `s`, which keeps the first betas from vanishing (section 3.2).
const COSINE_OFFSET: f64 = 0.008;

/// Mean and deviation of `ln sigma` in EDM's training (Karras et al. 2022, Table 1).
const LN_SIGMA: (f64, f64) = (-1.2, 1.2);

impl Schedule {
    /// Returns what the user asked for and cannot have; `source` names the file or option.
    pub fn problems(&self, source: &str) -> Vec<Problem> {
        match self {
            Self::Karras(k) if k.sigma_min >= k.sigma_max => vec![Problem::new(
                source,
                format!("`sigma-min` {} and `sigma-max` {}", k.sigma_min, k.sigma_max),
                "`sigma-min` below `sigma-max`",
            )],
            _ => Vec::new(),
        }
    }

    /// Returns the table of noise levels.
    ///
    /// # Panics
    /// If a number lies outside of its documented range.
    pub fn levels(&self) -> Levels {
        match self {
            Self::Linear(s) => Levels::from_betas(&line(s.beta_start, s.beta_end, s.steps)),
            Self::ScaledLinear(s) => {
                let roots = line(s.beta_start.sqrt(), s.beta_end.sqrt(), s.steps);
                Levels::from_betas(&roots.iter().map(|root| root * root).collect::<Vec<_>>())
            }
            Self::Cosine(s) => Levels::from_betas(&cosine_betas(s.steps)),
            Self::Karras(k) => {
                assert!(0.0 < k.sigma_min && k.sigma_min < k.sigma_max, "levels span a range");
                Levels(Kind::Continuous(*k))
            }
        }
    }

    /// Returns the number of timesteps of training, if levels are counted at all.
    pub fn steps(&self) -> Option<usize> {
        match self {
            Self::Linear(s) => Some(s.steps),
            Self::ScaledLinear(s) => Some(s.steps),
            Self::Cosine(s) => Some(s.steps),
            Self::Karras(_) => None,
        }
    }
}

/// Returns `n` evenly spaced numbers from `first` to `last`.
fn line(first: f64, last: f64, n: usize) -> Vec<f64> {
    assert!(n >= 2, "a schedule has at least two timesteps");
    let step = (last - first) / (n - 1) as f64;
    (0..n).map(|i| first + i as f64 * step).collect()
}

fn cosine_betas(steps: usize) -> Vec<f64> {
    assert!(steps >= 2, "a schedule has at least two timesteps");
    let alpha_bar = |i: usize| {
        let time = i as f64 / steps as f64;
        let angle = (time + COSINE_OFFSET) / (1.0 + COSINE_OFFSET) * std::f64::consts::FRAC_PI_2;
        angle.cos().powi(2)
    };
    (0..steps).map(|i| (1.0 - alpha_bar(i + 1) / alpha_bar(i)).min(MAX_BETA)).collect()
}

/// The noise levels of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Sigma of every timestep, ascending.
    Table(Vec<f64>),
    Continuous(Karras),
}

impl Levels {
    fn from_betas(betas: &[f64]) -> Self {
        let mut ln_alpha_bar = 0.0;
        let sigma = |beta: &f64| {
            assert!(0.0 < *beta && *beta < 1.0, "betas are shares");
            ln_alpha_bar += (-beta).ln_1p();
            (-ln_alpha_bar).exp_m1().sqrt() // (1 - a) / a = 1 / a - 1.
        };
        Self(Kind::Table(betas.iter().map(sigma).collect()))
    }

    /// Returns the sigma of every timestep in ascending order, or `None` for a continuum.
    pub fn table(&self) -> Option<&[f64]> {
        match &self.0 {
            Kind::Table(sigmas) => Some(sigmas),
            Kind::Continuous(_) => None,
        }
    }

    /// Returns the lowest and the highest level.
    pub fn range(&self) -> (f64, f64) {
        match &self.0 {
            Kind::Table(sigmas) => (sigmas[0], sigmas[sigmas.len() - 1]),
            Kind::Continuous(k) => (k.sigma_min, k.sigma_max),
        }
    }

    /// Returns the level at a share of training time: 0 is the lowest, 1 the highest.
    ///
    /// A table answers with its nearest timestep, a continuum with its curve (Karras et al. 2022,
    /// equation 5). The level of noise-conditioning augmentation is such a share.
    pub fn at(&self, share: f64) -> f64 {
        assert!((0.0..=1.0).contains(&share), "a share of training time");
        match &self.0 {
            Kind::Table(sigmas) => {
                sigmas[(share * (sigmas.len() - 1) as f64).round_ties_even() as usize]
            }
            Kind::Continuous(k) => karras(self.range(), k.rho, share),
        }
    }

    /// Draws a level for one picture of a training batch.
    ///
    /// A table draws timesteps evenly; a continuum draws `ln sigma` from EDM's normal law.
    // DIFFERS: EDM does not cut its normal law at the range of sampling; we do, so that a network
    // never sees a level outside of its schedule. That moves under 0.01 % of all draws.
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        match &self.0 {
            Kind::Table(sigmas) => sigmas[stream.below(sigmas.len())],
            Kind::Continuous(k) => {
                let (mean, deviation) = LN_SIGMA;
                (mean + deviation * stream.normal()).exp().clamp(k.sigma_min, k.sigma_max)
            }
        }
    }

    /// Returns what a network is told about a level.
    ///
    /// For a table: the timestep, interpolated in `ln sigma` and held inside of the table, as
    /// k-diffusion's `sigma_to_t`. For a continuum: `ln(sigma) / 4` (Karras et al. 2022, Table 1).
    pub fn timestep(&self, sigma: f64) -> f64 {
        match &self.0 {
            Kind::Table(sigmas) => {
                let above = sigmas.partition_point(|level| *level <= sigma);
                let low = above.saturating_sub(1).min(sigmas.len() - 2);
                let (ln_low, ln_high) = (sigmas[low].ln(), sigmas[low + 1].ln());
                low as f64 + ((sigma.ln() - ln_low) / (ln_high - ln_low)).clamp(0.0, 1.0)
            }
            Kind::Continuous(_) => sigma.ln() / 4.0,
        }
    }
}

/// Returns the share of signal in the variance-preserving sample at a noise level: `alpha_bar`.
pub fn alpha_bar(sigma: f64) -> f64 {
    1.0 / (1.0 + sigma * sigma)
}

/// Returns the level at a share of the way from the lowest to the highest, along the curve that is
/// a straight line in `sigma^(1 / rho)` (Karras et al. 2022, equation 5).
pub(super) fn karras((lowest, highest): (f64, f64), rho: f64, share: f64) -> f64 {
    let (low, high) = (lowest.powf(1.0 / rho), highest.powf(1.0 / rho));
    (low + share * (high - low)).powf(rho)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_all, golden_json};

    fn all() -> [(&'static str, Schedule); 3] {
        [
            ("linear", Schedule::Linear(Linear::default())),
            ("scaled-linear", Schedule::ScaledLinear(ScaledLinear::default())),
            ("cosine", Schedule::Cosine(Cosine::default())),
        ]
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    #[test]
    fn tables_are_those_of_diffusers() {
        let golden = golden_json("diffusion/schedules/golden.json");
        for (name, schedule) in all() {
            let want = &golden["tables"][name];
            let levels = schedule.levels();
            let sigmas: Vec<f64> =
                numbers(&want["t"]).iter().map(|t| levels.table().unwrap()[*t as usize]).collect();
            let alpha_bars: Vec<f64> = sigmas.iter().map(|s| alpha_bar(*s)).collect();
            // Both in f64. The reference multiplies up to 1000 factors (1e-13) and subtracts its
            // alpha_bar from 1, which costs 1e-16 / 4e-5 = 3e-12 where it is nearest to 1.
            close_all(&alpha_bars, &numbers(&want["alpha_bar"]), Tol::relative(1e-11));
            close_all(&sigmas, &numbers(&want["sigma"]), Tol::relative(1e-11));
        }
    }

    #[test]
    fn timesteps_of_levels_are_those_of_diffusers() {
        let golden = golden_json("diffusion/schedules/golden.json");
        for (name, schedule) in all() {
            let want = &golden["tables"][name];
            let levels = schedule.levels();
            let got: Vec<f64> =
                numbers(&want["probe_sigma"]).iter().map(|s| levels.timestep(*s)).collect();
            // The tables' difference of 1e-11, divided by steps of ln sigma as small as 1e-3.
            close_all(&got, &numbers(&want["probe_timestep"]), Tol::absolute(1e-7));
        }
    }

    #[test]
    fn a_table_knows_its_timesteps() {
        for (_, schedule) in all() {
            let levels = schedule.levels();
            for (t, sigma) in levels.table().unwrap().iter().enumerate() {
                close(levels.timestep(*sigma), t as f64, Tol::absolute(1e-9));
            }
            assert!(levels.table().unwrap().is_sorted_by(|a, b| a < b));
            assert_eq!((levels.at(0.0), levels.at(1.0)), levels.range());
        }
    }

    #[test]
    fn extreme_betas_stay_finite() {
        let steep = Linear { beta_start: 1e-6, beta_end: 0.999, steps: 100 };
        let levels = Schedule::Linear(steep).levels();
        let (low, high) = levels.range();
        close(low, 1e-3, Tol::relative(1e-6)); // sqrt(beta) for small betas.
        assert!(high.is_finite() && high > 1e15, "{high}");
    }

    #[test]
    fn draws_follow_the_schedule() {
        let mut stream = Seed::root(1).child("levels").stream();
        let linear = Schedule::default().levels();
        let n = 20_000;
        let mean =
            (0..n).map(|_| linear.timestep(linear.draw(&mut stream))).sum::<f64>() / n as f64;
        // Five standard errors of the mean of 0..=999.
        close(mean, 499.5, Tol::absolute(5.0 * 288.7 / (n as f64).sqrt()));
        let edm = Schedule::Karras(Karras::default()).levels();
        let mean = (0..n).map(|_| edm.draw(&mut stream).ln()).sum::<f64>() / n as f64;
        close(mean, -1.2, Tol::absolute(5.0 * 1.2 / (n as f64).sqrt()));
    }

    #[test]
    fn a_range_upside_down_is_reported() {
        let wrong = Schedule::Karras(Karras { sigma_min: 2.0, sigma_max: 1.0, rho: 7.0 });
        assert_eq!(wrong.problems("file").len(), 1);
        assert!(Schedule::Karras(Karras::default()).problems("file").is_empty());
    }

    #[test]
    fn choices_are_keys() {
        let parse = |text: &str| toml::from_str::<Schedule>(text);
        assert_eq!(parse("[scaled-linear]").unwrap(), all()[1].1);
        assert_eq!(parse("[cosine]\nsteps = 1000").unwrap(), all()[2].1);
        assert!(parse("[linear]\nbeta_start = 0.1").is_err());
    }
}
