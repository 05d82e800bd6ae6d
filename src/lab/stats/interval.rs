//! Intervals of a mean and of a share.

use serde::{Deserialize, Serialize};

use super::student_t_quantile;

/// The level of every interval in this program.
pub const LEVEL: f64 = 0.95;

/// The 0.975 quantile of the standard normal law.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// A range that holds the unknown value in 95 of 100 repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Returns the Student-t interval of the mean of `n` values: `mean ± t sd / √n` with `n - 1`
/// degrees of freedom; `sd` is the sample deviation (divisor `n - 1`).
///
/// # Panics
/// If `n < 2`: one value says nothing about its own spread.
pub fn student_t(mean: f64, sd: f64, n: usize) -> Interval {
    assert!(n >= 2, "an interval of a mean needs two values");
    let half = student_t_quantile(0.5 + LEVEL / 2.0, (n - 1) as f64) * sd / (n as f64).sqrt();
    Interval { low: mean - half, high: mean + half }
}

/// Returns the interval of a share of `hits` in `n` trials (Wilson 1927, the form without
/// continuity correction): it stays inside 0..=1 and keeps its level near the ends. `None` without
/// trials.
///
/// ```
/// use ersatz::lab::stats::wilson;
/// let all_right = wilson(360, 360).unwrap();
/// assert!(all_right.low > 0.98 && all_right.high == 1.0);
/// ```
///
/// # Panics
/// If there are more hits than trials.
pub fn wilson(hits: usize, n: usize) -> Option<Interval> {
    assert!(hits <= n, "no more hits than trials");
    if n == 0 {
        return None;
    }
    let (share, n, square) = (hits as f64 / n as f64, n as f64, NORMAL_QUANTILE * NORMAL_QUANTILE);
    let centre = share + square / (2.0 * n);
    let half = NORMAL_QUANTILE * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 / (1.0 + square / n);
    // The ends touch 0 and 1 exactly; rounding may miss them by one unit.
    Some(Interval {
        low: if share > 0.0 { (centre - half) * scale } else { 0.0 },
        high: if share < 1.0 { (centre + half) * scale } else { 1.0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close_all, golden_json};

    #[test]
    fn wilson_agrees_with_scipy() {
        for case in golden_json("stats/interval/cases.json")["wilson"].as_array().unwrap() {
            let count = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
            let got = wilson(count("hits"), count("n")).unwrap();
            let want = [case["low"].as_f64().unwrap(), case["high"].as_f64().unwrap()];
            // One formula in f64 on both sides.
            close_all(&[got.low, got.high], &want, Tol::absolute(1e-14));
        }
        assert_eq!(wilson(0, 0), None);
    }
}
