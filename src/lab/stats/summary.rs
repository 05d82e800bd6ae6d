//! Several values of one quantity, usually one per seed, in one line.

use serde::{Deserialize, Serialize};

use super::interval::{Interval, student_t};

/// A mean with its 95 % Student-t interval, sample deviation and number of values.
///
/// One value has a mean but neither spread nor interval: `sd`, `low` and `high` are then `None`
/// and a table shows a dash, never a zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The arithmetic mean.
    pub mean: f64,
    /// The lower end of the interval of the mean; `None` for one value.
    pub low: Option<f64>,
    /// The upper end of the interval of the mean; `None` for one value.
    pub high: Option<f64>,
    /// How many values there are.
    pub n: usize,
    /// The sample deviation (divisor `n - 1`); `None` for one value.
    pub sd: Option<f64>,
}

impl Estimate {
    /// Summarises values in their order, or returns `None` if there is no value at all.
    ///
    /// ```
    /// use ersatz::lab::stats::Estimate;
    /// let accuracy = Estimate::of(&[0.96, 0.97, 0.95]).unwrap();
    /// assert!((accuracy.mean - 0.96).abs() < 1e-12 && accuracy.low.unwrap() < 0.95);
    /// assert_eq!(Estimate::of(&[0.96]).unwrap().low, None);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        if n == 1 {
            return Some(Self { mean, low: None, high: None, n, sd: None });
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / (n - 1) as f64).sqrt();
        let Interval { low, high } = student_t(mean, sd, n);
        Some(Self { mean, low: Some(low), high: Some(high), n, sd: Some(sd) })
    }

    /// Returns the standard error of the mean; `None` for one value.
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / (self.n as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close_all, golden_json};

    #[test]
    fn agrees_with_scipy() {
        for case in golden_json("stats/interval/cases.json")["means"].as_array().unwrap() {
            let values: Vec<f64> =
                case["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let got = Estimate::of(&values).unwrap();
            let want = ["mean", "sd", "low", "high"].map(|name| case[name].as_f64().unwrap());
            // Sums of a few values in another order.
            close_all(
                &[got.mean, got.sd.unwrap(), got.low.unwrap(), got.high.unwrap()],
                &want,
                Tol::absolute(1e-13).or_relative(1e-12),
            );
        }
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_no_mean() {
        let one = Estimate::of(&[0.5]).unwrap();
        assert_eq!((one.low, one.high, one.sd, one.n), (None, None, None, 1));
        assert_eq!(Estimate::of(&[]), None);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), one);
    }
}
