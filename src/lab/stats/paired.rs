//! Two arms compared seed by seed: what the seeds share cancels in the difference.

use std::collections::BTreeMap;

use super::Estimate;

/// Returns the mean of `arm - baseline` over the seeds that both have, with its t interval and the
/// number of pairs; `None` if no seed is shared.
///
/// ```
/// use std::collections::BTreeMap;
/// use ersatz::lab::stats::paired;
/// let real = BTreeMap::from([(0, 0.90), (1, 0.80), (2, 0.85)]);
/// let both = BTreeMap::from([(0, 0.92), (1, 0.82), (2, 0.87)]);
/// let gain = paired(&both, &real).unwrap();
/// assert!((gain.mean - 0.02).abs() < 1e-12 && gain.low.unwrap() > 0.019);
/// ```
pub fn paired(arm: &BTreeMap<u64, f64>, baseline: &BTreeMap<u64, f64>) -> Option<Estimate> {
    let differences: Vec<f64> = arm
        .iter()
        .filter_map(|(seed, value)| baseline.get(seed).map(|base| value - base))
        .collect();
    Estimate::of(&differences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close_all, golden_json};

    #[test]
    fn agrees_with_scipy() {
        let golden = golden_json("stats/interval/cases.json");
        let case = &golden["paired"];
        let arm = |name: &str| -> BTreeMap<u64, f64> {
            let values = case[name].as_array().unwrap();
            (0..).zip(values.iter().map(|v| v.as_f64().unwrap())).collect()
        };
        let got = paired(&arm("arm"), &arm("baseline")).unwrap();
        let want = ["mean", "low", "high"].map(|name| case[name].as_f64().unwrap());
        // Differences of numbers near 0.9 carry their rounding, 1e-16.
        close_all(&[got.mean, got.low.unwrap(), got.high.unwrap()], &want, Tol::absolute(1e-14));
    }

    #[test]
    fn only_shared_seeds_count() {
        let arm = BTreeMap::from([(1, 3.0), (2, 5.0), (9, 100.0)]);
        let baseline = BTreeMap::from([(0, -100.0), (1, 1.0), (2, 1.0)]);
        let got = paired(&arm, &baseline).unwrap();
        assert_eq!(got.n, 2);
        close_all(&[got.mean], &[3.0], Tol::absolute(0.0));
        assert_eq!(paired(&arm, &BTreeMap::from([(0, 1.0)])), None);
    }
}
