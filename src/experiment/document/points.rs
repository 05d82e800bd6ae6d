//! The swept combinations as points from which a later experiment may choose, and what this one
//! chose.

use serde_json::Value as Json;

use super::declared::{Quantity, combination, synthetic_only};
use super::results::Results;
use crate::experiment::file::Experiment;
use crate::report::{Combination, Points};

/// Returns all combinations with all that was measured of each; none if nothing is swept.
///
/// Accuracies are those of the first row: `top1` and `top5` of the first mix of synthetic pictures
/// only, `MIX:top1` and `MIX:top5` of every column.
pub(super) fn points(results: &[Results]) -> Points {
    let first = &results[0];
    if first.cell.axes.is_empty() {
        return Points::default();
    }
    let report = &first.cell.experiment.report;
    let classifier = report.rows.first().map_or("", String::as_str);
    let mix = synthetic_only(results);
    let mut names: Vec<String> = first.scores.iter().map(|(name, ..)| name.clone()).collect();
    names.extend(["top1", "top5"].map(str::to_owned));
    let accuracies = |mix: &String| ["top1", "top5"].map(|value| format!("{mix}:{value}"));
    names.extend(report.columns.iter().flat_map(accuracies));
    let value = |it: &Results, name: &String| {
        let mean = Quantity::read(name).of(it, classifier, mix)?.mean;
        mean.is_finite().then(|| (name.clone(), mean))
    };
    let points: Vec<Combination> = results
        .iter()
        .map(|it| Combination {
            settings: it.cell.axes.iter().cloned().collect(),
            values: names.iter().filter_map(|name| value(it, name)).collect(),
        })
        .collect();
    let measured = |name: &&String| points.iter().any(|point| point.values.contains_key(*name));
    let better = names.iter().filter(measured).filter_map(|name| {
        let (_, direction, _) = Quantity::read(name).unit(results);
        Some((name.clone(), direction?))
    });
    Points { better: better.collect(), points }
}

/// Says which settings come from another experiment.
pub(super) fn laid(experiment: &Experiment, settings: &[(String, Json)]) -> Option<String> {
    let point = experiment.point.as_ref()?;
    let (report, best) = (&point.report, point.best.join(" and "));
    let held = match settings {
        [] => "all its settings are replaced here".to_owned(),
        some => combination(some),
    };
    Some(format!("From {report}, best by {best}: {held}."))
}
