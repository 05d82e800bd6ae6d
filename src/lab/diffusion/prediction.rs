//! What a network predicts, what its input looks like, and what its errors cost.
//!
//! Networks are variance-preserving: they see `x / sqrt(1 + sigma^2)`, which has unit variance for
//! data of unit variance, and a timestep ([`Levels::timestep`](super::Levels::timestep)). What they
//! return is one of three quantities, turned into a clean picture here and nowhere else.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// What a network's output means.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Prediction {
    /// The noise `eps` (Ho et al. 2020, arXiv:2006.11239).
    #[default]
    Noise,
    /// The clean picture `x0`.
    Clean,
    /// The velocity `(eps - sigma x0) / sqrt(1 + sigma^2)` (Salimans and Ho 2022,
    /// arXiv:2202.00512, appendix D).
    Velocity,
}

impl Prediction {
    /// Returns the clean picture meant by network output `output` for noisy pictures
    /// `x = x0 + sigma eps`; all `[n, c, h, w]`.
    pub fn clean(self, x: Tensor<4>, output: Tensor<4>, sigma: f64) -> Tensor<4> {
        let root = sigma.hypot(1.0);
        match self {
            Self::Noise => x - output * sigma,
            Self::Clean => output,
            Self::Velocity => x / (root * root) - output * (sigma / root),
        }
    }

    /// Returns what the network should have returned; `sigmas` holds one level per picture.
    pub fn target(self, x0: Tensor<4>, eps: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
        match self {
            Self::Noise => eps,
            Self::Clean => x0,
            Self::Velocity => {
                let alpha = per_picture(sigmas, |sigma| 1.0 / sigma.hypot(1.0), &x0);
                let beta = per_picture(sigmas, |sigma| sigma / sigma.hypot(1.0), &x0);
                eps * alpha - x0 * beta
            }
        }
    }
}

/// Returns noisy pictures `x0 + sigma eps`; `sigmas` holds one level per picture.
pub fn corrupt(x0: Tensor<4>, eps: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
    let levels = per_picture(sigmas, |sigma| sigma, &x0);
    x0 + eps * levels
}

/// Returns what a network sees of noisy pictures `x`: `x / sqrt(1 + sigma^2)`; `sigmas` holds one
/// level per picture.
pub fn network_input(x: Tensor<4>, sigmas: &[f64]) -> Tensor<4> {
    let scales = per_picture(sigmas, |sigma| 1.0 / sigma.hypot(1.0), &x);
    x * scales
}

/// Returns `of(sigma)` for every picture, `[n, 1, 1, 1]`, on the device of `like`.
///
/// # Panics
/// If there is not exactly one level per picture of `like`.
pub fn per_picture(sigmas: &[f64], of: impl Fn(f64) -> f64, like: &Tensor<4>) -> Tensor<4> {
    let [n, ..] = like.dims();
    assert_eq!(sigmas.len(), n, "one level per picture");
    let values: Vec<f32> = sigmas.iter().map(|sigma| of(*sigma) as f32).collect();
    Tensor::from_data(TensorData::new(values, [n, 1, 1, 1]), &like.device())
}

/// What the squared error of a picture counts in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Weighting {
    /// Every error of the network's own output counts the same (Ho et al. 2020, equation 14).
    #[default]
    Plain,
    /// Errors at low noise are held down (Hang et al. 2023, arXiv:2303.09556).
    MinSnr(MinSnr),
}

/// Min-SNR weighting (Hang et al. 2023, arXiv:2303.09556, section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MinSnr {
    /// The signal-to-noise ratio from which on errors of the clean picture count the same.
    #[schemars(range(min = 0.000001))]
    pub gamma: f64,
}

impl Default for MinSnr {
    fn default() -> Self {
        Self { gamma: 5.0 }
    }
}

impl Weighting {
    /// Returns the weight of the squared error of a network's output at level `sigma`.
    ///
    /// The signal-to-noise ratio is `1 / sigma^2`. Min-SNR weighs errors of the clean picture by
    /// `min(SNR, gamma)`; errors of noise are `SNR` times, errors of velocity `SNR + 1` times
    /// those.
    ///
    /// ```
    /// use ersatz::lab::diffusion::{MinSnr, Prediction, Weighting};
    /// let weighting = Weighting::MinSnr(MinSnr::default());
    /// assert_eq!(weighting.weight(Prediction::Noise, 2.0), 1.0); // SNR 1/4, below gamma.
    /// assert_eq!(weighting.weight(Prediction::Clean, 0.1), 5.0); // SNR 100, above gamma.
    /// ```
    pub fn weight(self, prediction: Prediction, sigma: f64) -> f64 {
        let Self::MinSnr(MinSnr { gamma }) = self else { return 1.0 };
        let variance = sigma * sigma;
        match prediction {
            Prediction::Clean => variance.recip().min(gamma),
            Prediction::Noise => (gamma * variance).min(1.0),
            Prediction::Velocity => (gamma * variance).min(1.0) / (1.0 + variance),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::Schedule;
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32, golden_json};

    const KINDS: [(&str, Prediction); 3] = [
        ("epsilon", Prediction::Noise),
        ("sample", Prediction::Clean),
        ("v_prediction", Prediction::Velocity),
    ];

    fn pictures(values: Vec<f32>) -> Tensor<4> {
        let n = values.len() / 4;
        Tensor::from_data(TensorData::new(values, [n, 1, 2, 2]), &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn agrees_with_diffusers() {
        let golden = golden_json("diffusion/prediction/golden.json");
        let read = |value: &serde_json::Value| -> Vec<f32> {
            serde_json::from_value(value.clone()).unwrap()
        };
        let levels = Schedule::default().levels();
        let timesteps: Vec<usize> = serde_json::from_value(golden["timesteps"].clone()).unwrap();
        let sigmas: Vec<f64> = timesteps.iter().map(|t| levels.table().unwrap()[*t]).collect();
        let (x0, eps) = (pictures(read(&golden["x0"])), pictures(read(&golden["noise"])));

        // f32 against f64: a few roundings of numbers of size 1.
        let tol = Tol::absolute(1e-6);
        let x = corrupt(x0.clone(), eps.clone(), &sigmas);
        let scaled = network_input(x.clone(), &sigmas);
        close_f32(&values(scaled), &read(&golden["scaled"]), tol);
        let velocity = Prediction::Velocity.target(x0, eps, &sigmas);
        close_f32(&values(velocity), &read(&golden["velocity"]), tol);
        for (i, sigma) in sigmas.iter().enumerate() {
            let want = golden["snr"][i].as_f64().unwrap();
            // The reference rounds the roots of alpha_bar and 1 - alpha_bar to f32 here.
            close(sigma.powi(-2), want, Tol::relative(5e-7));
            let one = |x: Tensor<4>| x.narrow(0, i, 1);
            let output = pictures(read(&golden["output"]));
            for (name, kind) in KINDS {
                let clean = kind.clean(one(x.clone()), one(output.clone()), *sigma);
                let want = &read(&golden["clean"][name])[4 * i..4 * i + 4];
                // Numbers of size sigma are subtracted.
                close_f32(&values(clean), want, Tol::absolute(1e-6 * (1.0 + sigma)));
            }
        }
    }

    #[test]
    fn the_target_means_the_clean_picture() {
        for (i, sigma) in [1e-3, 0.3, 1.0, 7.0, 150.0].into_iter().enumerate() {
            let mut stream = Seed::root(2).index(i as u64).stream();
            let (x0, eps) = (pictures(stream.normals(4)), pictures(stream.normals(4)));
            let x = corrupt(x0.clone(), eps.clone(), &[sigma]);
            for (_, kind) in KINDS {
                let target = kind.target(x0.clone(), eps.clone(), &[sigma]);
                let clean = kind.clean(x.clone(), target, sigma);
                // f32: numbers of size sigma are subtracted.
                let tol = Tol::absolute(1e-6 * (1.0 + sigma));
                close_f32(&values(clean), &values(x0.clone()), tol);
            }
        }
    }

    #[test]
    fn weighted_errors_are_the_same_for_every_prediction() {
        // The output's error that moves the clean picture by 1 follows from `clean` itself.
        let gamma = 5.0;
        for sigma in [0.01, 0.2, 1.0 / 5.0_f64.sqrt(), 1.0, 30.0] {
            for (_, kind) in KINDS {
                let moved = |output: f32| {
                    values(kind.clean(pictures(vec![0.0; 4]), pictures(vec![output; 4]), sigma))[0]
                };
                let slope = f64::from(moved(1.0) - moved(0.0));
                let cost = Weighting::MinSnr(MinSnr { gamma }).weight(kind, sigma) / slope.powi(2);
                // f32 slope, squared.
                close(cost, gamma.min(sigma.powi(-2)), Tol::relative(1e-6));
                close(Weighting::Plain.weight(kind, sigma), 1.0, Tol::absolute(0.0));
            }
        }
    }

    #[test]
    fn choices_are_words_or_keys() {
        #[derive(Deserialize)]
        struct Holder {
            prediction: Prediction,
            weighting: Weighting,
        }
        let holder: Holder =
            toml::from_str("prediction = \"velocity\"\n[weighting.min-snr]").unwrap();
        assert_eq!(holder.prediction, Prediction::Velocity);
        assert_eq!(holder.weighting, Weighting::MinSnr(MinSnr { gamma: 5.0 }));
    }
}
