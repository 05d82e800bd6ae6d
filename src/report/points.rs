//! Combinations of swept values with what was measured of each, for machines and later experiments.

use std::cmp::Ordering;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::terms::Direction;

/// One combination of swept values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Combination {
    /// The swept keys, as on the command line, and their values.
    pub settings: IndexMap<String, Value>,
    /// What was measured, by name: means over seeds, accuracies as shares. What could not be
    /// measured is absent.
    pub values: IndexMap<String, f64>,
}

/// All combinations of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Points {
    /// The values by which combinations can be compared, and which way is better.
    pub better: IndexMap<String, Direction>,
    /// The combinations, in the order of the sweep.
    pub points: Vec<Combination>,
}

impl Points {
    /// Returns the combination that is best by several values: that with the least sum of ranks, a
    /// rank being how many combinations are better in that value. Among equal sums the better in
    /// the first value counts, then in the second, and so on, then the order of the sweep.
    ///
    /// No other combination is at least as good in all of these values and better in one: it is on
    /// their Pareto front.
    ///
    /// Returns `None` if no combination has all of these values, or `better` lacks one.
    pub fn best(&self, values: &[&str]) -> Option<&Combination> {
        let costs = |point: &Combination| -> Option<Vec<f64>> {
            let cost = |name: &&str| {
                let value = *point.values.get(*name)?;
                Some(match self.better.get(*name)? {
                    Direction::Higher => -value,
                    Direction::Lower => value,
                })
            };
            values.iter().map(cost).collect()
        };
        let all: Vec<(&Combination, Vec<f64>)> =
            self.points.iter().filter_map(|point| Some((point, costs(point)?))).collect();
        let ranks = |own: &[f64]| -> usize {
            let better =
                |(_, other): &(_, Vec<f64>)| own.iter().zip(other).filter(|(a, b)| b < a).count();
            all.iter().map(better).sum()
        };
        let order = |(_, a): &&(_, Vec<f64>), (_, b): &&(_, Vec<f64>)| {
            let differs =
                || a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|it| *it != Ordering::Equal);
            ranks(a).cmp(&ranks(b)).then_with(|| differs().unwrap_or(Ordering::Equal))
        };
        all.iter().min_by(order).map(|(point, _)| *point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[[f64; 2]]) -> Points {
        let point = |(i, [fid, top1]): (usize, &[f64; 2])| Combination {
            settings: [("i".to_owned(), i.into())].into(),
            values: [("fid".to_owned(), *fid), ("top1".to_owned(), *top1)].into(),
        };
        let better = [("fid", Direction::Lower), ("top1", Direction::Higher)];
        Points {
            better: better.map(|(name, direction)| (name.to_owned(), direction)).into(),
            points: values.iter().enumerate().map(point).collect(),
        }
    }

    fn chosen(values: &[[f64; 2]], by: &[&str]) -> Option<u64> {
        points(values).best(by)?.settings["i"].as_u64()
    }

    #[test]
    fn the_best_in_both_is_chosen_where_there_is_one() {
        let sweep = [[14.0, 0.80], [13.0, 0.84], [16.0, 0.82], [25.0, 0.70]];
        assert_eq!(chosen(&sweep, &["fid", "top1"]), Some(1));
        // The best in one value alone.
        assert_eq!(chosen(&[[1.0, 0.1], [2.0, 0.9]], &["fid"]), Some(0));
        assert_eq!(chosen(&[[1.0, 0.1], [2.0, 0.9]], &["top1"]), Some(1));
        // Equal sums: the first value decides, then the order of the sweep.
        assert_eq!(chosen(&[[2.0, 0.9], [1.0, 0.1]], &["fid", "top1"]), Some(1));
        assert_eq!(chosen(&[[2.0, 0.9], [1.0, 0.1]], &["top1", "fid"]), Some(0));
        assert_eq!(chosen(&[[1.0, 0.5], [1.0, 0.5]], &["fid", "top1"]), Some(0));
    }

    #[test]
    fn what_was_not_measured_is_not_chosen() {
        let mut some = points(&[[1.0, 0.9], [2.0, 0.8]]);
        some.points[0].values.shift_remove("fid");
        assert_eq!(some.best(&["fid"]).unwrap().settings["i"], 1);
        assert_eq!(some.best(&["top1"]).unwrap().settings["i"], 0);
        assert_eq!(some.best(&["kid"]), None);
        assert_eq!(points(&[]).best(&["fid"]), None);
    }

    proptest! {
        #[test]
        fn nobody_beats_the_chosen_one(
            values in prop::collection::vec([0..6_u8, 0..6_u8], 1..12),
        ) {
            let values: Vec<[f64; 2]> = values.iter().map(|it| it.map(f64::from)).collect();
            let i = chosen(&values, &["fid", "top1"]).unwrap() as usize;
            let [fid, top1] = values[i];
            let beaten = |it: &[f64; 2]| {
                (it[0] <= fid && it[1] > top1) || (it[0] < fid && it[1] >= top1)
            };
            prop_assert!(!values.iter().any(beaten), "{i} of {values:?}");
        }
    }
}
