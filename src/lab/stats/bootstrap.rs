//! The percentile bootstrap: an interval for any statistic of rows.
//!
//! Efron 1979 (doi:10.1214/aos/1176344552); percentile interval as in Efron & Tibshirani 1993,
//! chapter 13. Draw `b` takes its rows from the address `seed / b`, so no draw depends on threads.

use rayon::prelude::*;

use super::interval::{Interval, LEVEL};
use crate::terms::Seed;

/// Returns the percentile interval of a statistic of `rows` rows from `draws` resamples with
/// replacement. The statistic receives row positions, some repeated, some absent.
///
/// ```
/// use ersatz::{lab::stats::bootstrap, terms::Seed};
/// let hits = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0];
/// let share = |rows: &[usize]| rows.iter().map(|i| hits[*i]).sum::<f64>() / rows.len() as f64;
/// let interval = bootstrap(hits.len(), 1000, &Seed::root(0), share);
/// assert!(interval.low < 0.7 && interval.high > 0.9);
/// ```
///
/// # Panics
/// If there are no rows or no draws, or the statistic returns NaN.
pub fn bootstrap(
    rows: usize,
    draws: usize,
    seed: &Seed,
    statistic: impl Fn(&[usize]) -> f64 + Sync,
) -> Interval {
    assert!(rows > 0 && draws > 0, "a bootstrap needs rows and draws");
    let values: Vec<f64> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.index(draw).stream();
            let sample: Vec<usize> = (0..rows).map(|_| stream.below(rows)).collect();
            statistic(&sample)
        })
        .collect();
    let outside = (1.0 - LEVEL) / 2.0;
    Interval { low: quantile(&values, outside), high: quantile(&values, 1.0 - outside) }
}

/// Returns the `p` quantile of values in any order, interpolated linearly between neighbours
/// (Hyndman & Fan 1996, type 7: what NumPy does by default).
///
/// # Panics
/// If there is no value, one is NaN, or `p` is not in 0..=1.
pub fn quantile(values: &[f64], p: f64) -> f64 {
    assert!(!values.is_empty(), "a quantile needs a value");
    assert!((0.0..=1.0).contains(&p), "a quantile lies in 0..=1");
    assert!(values.iter().all(|value| !value.is_nan()), "NaN has no place in an order");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::stats::Estimate;
    use crate::testing::{Tol, close, golden_json};

    #[test]
    fn quantiles_agree_with_numpy() {
        let golden = golden_json("stats/interval/cases.json");
        let list = |name: &str| -> Vec<f64> {
            golden["quantiles"][name]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect()
        };
        let values = list("values");
        for (p, want) in list("p").into_iter().zip(list("want")) {
            close(quantile(&values, p), want, Tol::absolute(1e-14)); // One rounding.
        }
    }

    #[test]
    fn approaches_the_normal_interval_of_a_mean() {
        let values: Vec<f64> =
            Seed::root(1).stream().normals(400).into_iter().map(f64::from).collect();
        let mean =
            |rows: &[usize]| rows.iter().map(|i| values[*i]).sum::<f64>() / rows.len() as f64;
        let got = bootstrap(values.len(), 4000, &Seed::root(2), mean);
        let want = Estimate::of(&values).unwrap();
        // 4,000 draws place a 2.5 % quantile within 0.04 deviations of the mean's law; 5 of them.
        let width = 0.2 * want.standard_error().unwrap();
        close(got.low, want.low.unwrap(), Tol::absolute(width));
        close(got.high, want.high.unwrap(), Tol::absolute(width));
    }

    #[test]
    fn depends_on_the_address_and_not_on_threads() {
        let run = |seed: u64, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                bootstrap(20, 50, &Seed::root(seed), |rows| rows.iter().sum::<usize>() as f64)
            })
        };
        assert_eq!(run(3, 1), run(3, 4));
        assert_ne!(run(3, 1), run(4, 1));
    }
}
