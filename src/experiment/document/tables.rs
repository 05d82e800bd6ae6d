//! What the tables and the summary show.

use super::declared::declared;
use super::results::Results;
use crate::experiment::file::{Budget, Experiment};
use crate::experiment::published::{PublishedTable, published};
use crate::lab::classifiers::Mix;
use crate::report::{Cell, Column, Estimate, Published, Row, Table, Unit};
use crate::stages::ClassifierSpec;
use crate::terms::Direction;

/// What every interval of a report is.
pub(super) const INTERVAL: &str = "95 % Student t interval over seeds";

/// Returns what a mix is called in a heading: its name, and the standard name of its accuracy.
pub(super) fn heading(name: &str, mix: &Mix) -> String {
    match (mix.real > 0.0, mix.synthetic > 0.0) {
        (false, true) => format!("{name} (cas)"),
        (true, true) => format!("{name} (nas)"),
        _ => name.to_owned(),
    }
}

pub(super) fn tables(results: &[Results]) -> Vec<Table> {
    let mut tables = vec![accuracies(results)];
    if results.iter().any(|results| !results.scores.is_empty()) {
        tables.push(scores(results));
    }
    tables.extend(declared(results));
    tables
}

/// Returns the values of the swept keys as labels.
pub(super) fn axis_labels(results: &Results) -> Vec<String> {
    results.cell.axes.iter().map(|(_, value)| spoken(value)).collect()
}

/// Returns a swept value as a reader would say it: `4.5`, `copies`, `blur, radius 2`.
pub(super) fn spoken(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(word) => word.clone(),
        serde_json::Value::Object(keys) => {
            let part = |(key, value): (&String, &serde_json::Value)| match value {
                serde_json::Value::Object(inner) if inner.is_empty() => key.clone(),
                serde_json::Value::Object(_) => format!("{key}, {}", spoken(value)),
                _ => format!("{key} {}", spoken(value)),
            };
            keys.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

pub(super) fn axis_names(results: &Results) -> Vec<String> {
    let last = |key: &String| key.rsplit('.').next().unwrap_or(key).to_owned();
    results.cell.axes.iter().map(|(key, _)| last(key)).collect()
}

fn column(name: String, unit: Unit, direction: Option<Direction>, decimals: usize) -> Column {
    Column { name, unit, direction, decimals }
}

fn accuracies(results: &[Results]) -> Table {
    let experiment = &results[0].cell.experiment;
    let report = &experiment.report;
    let paper = published(&report.published).ok();
    let up = Some(Direction::Higher);
    let mut columns = Vec::new();
    for name in &report.columns {
        let name = heading(name, &experiment.mix[name]);
        columns.push(column(name, Unit::Percent, up, 2));
    }
    for name in &report.difference {
        columns.push(column(format!("{name} − {}", report.baseline), Unit::Points, up, 2));
    }
    if report.gan_test {
        columns.push(column("gan-test".to_owned(), Unit::Percent, up, 2));
    }
    for (name, unit) in published_columns(experiment, paper.as_ref()) {
        columns.push(column(format!("{name}, paper"), unit, up, 2));
    }
    let rows = results
        .iter()
        .flat_map(|results| {
            results.cell.experiment.report.rows.iter().map(|classifier| Row {
                labels: axis_labels(results)
                    .into_iter()
                    .chain([classifier.clone(), net_name(results, classifier)])
                    .collect(),
                cells: accuracy_cells(results, classifier, paper.as_ref()),
            })
        })
        .collect();
    let mut row_labels = axis_names(&results[0]);
    row_labels.extend(["classifier".to_owned(), "net".to_owned()]);
    Table {
        name: "accuracy".to_owned(),
        caption: "Accuracy on real test pictures, by training set. cas: trained on synthetic \
                  pictures only. nas: trained on real and synthetic ones. gan-test: share of \
                  synthetic pictures that the classifier of real ones recognises."
            .to_owned(),
        interval: INTERVAL.to_owned(),
        row_labels,
        columns,
        rows,
    }
}

/// Returns what the net of a row really is: a profile may train a small one under a paper's name.
fn net_name(results: &Results, classifier: &str) -> String {
    let spec = results.cell.experiment.classifier.get(classifier);
    spec.and_then(ClassifierSpec::describe).unwrap_or_default()
}

/// Returns the published columns that stand beside ours: mixes and the difference.
fn published_columns(
    experiment: &Experiment,
    paper: Option<&PublishedTable>,
) -> Vec<(String, Unit)> {
    let Some(paper) = paper else { return Vec::new() };
    let has = |name: &str| paper.columns().iter().any(|column| column.key == name);
    let report = &experiment.report;
    let mixes = report.columns.iter().filter(|name| has(name));
    let mut columns: Vec<_> = mixes.map(|name| (name.clone(), Unit::Percent)).collect();
    if !report.difference.is_empty() && has("difference") {
        columns.push(("difference".to_owned(), Unit::Points));
    }
    columns
}

fn accuracy_cells(
    results: &Results,
    classifier: &str,
    paper: Option<&PublishedTable>,
) -> Vec<Cell> {
    let experiment = &results.cell.experiment;
    let report = &experiment.report;
    let measured = |found: Option<Estimate>| found.map_or(Cell::Empty, Cell::Estimate);
    let mut cells: Vec<Cell> =
        report.columns.iter().map(|mix| measured(results.accuracy(classifier, mix))).collect();
    cells.extend(
        report
            .difference
            .iter()
            .map(|mix| results.difference(classifier, mix).map_or(Cell::Empty, Cell::Difference)),
    );
    if report.gan_test {
        cells.push(measured(results.gan_test(classifier)));
    }
    for (name, _) in published_columns(experiment, paper) {
        let found = paper.and_then(|paper| paper.value(classifier, &name));
        cells.push(found.map_or(Cell::Empty, |found| {
            Cell::Published(Published { value: found.value, spread: found.spread, tag: found.tag })
        }));
    }
    cells
}

fn scores(results: &[Results]) -> Table {
    let names: Vec<_> = results
        .iter()
        .find(|results| !results.scores.is_empty())
        .map(|results| results.scores.iter().map(|(name, direction, ..)| (name, *direction)))
        .into_iter()
        .flatten()
        .collect();
    let columns = names
        .iter()
        .map(|(name, direction)| column((*name).clone(), Unit::Plain, Some(*direction), 3))
        .collect();
    let rows = results
        .iter()
        .map(|results| {
            let mut labels = axis_labels(results);
            labels.push("synthetic".to_owned());
            let cell = |name: &str| results.score(name).map_or(Cell::Empty, Cell::Estimate);
            Row { labels, cells: names.iter().map(|(name, _)| cell(name)).collect() }
        })
        .collect();
    let mut row_labels = axis_names(&results[0]);
    row_labels.push("pictures".to_owned());
    Table {
        name: "scores".to_owned(),
        caption: "The synthetic pictures against the real training pictures, in the feature space \
                  that the protocols name."
            .to_owned(),
        interval: "95 % Student t interval over draws".to_owned(),
        row_labels,
        columns,
        rows,
    }
}

/// Returns what a reader must know to compare the accuracies.
pub(super) fn protocol_notes(experiment: &Experiment) -> Vec<String> {
    let budget = match experiment.budget {
        Budget::Steps => {
            "Every training set of a classifier gets the same number of optimiser steps."
        }
        Budget::Epochs => "Every training set of a classifier gets the same number of epochs.",
    };
    let recipes: Vec<String> = experiment
        .report
        .rows
        .iter()
        .filter_map(|name| {
            let recipe = &experiment.classifier.get(name)?.training.recipe;
            Some(format!("{name}: {} steps of {} pictures", recipe.steps, recipe.batch))
        })
        .collect();
    vec![
        format!("{budget} {}. Test pictures are read once, after training.", recipes.join("; ")),
        format!("Seeds: {:?}.", experiment.seeds),
    ]
}

/// Returns what came out, a sentence per classifier and combination.
pub(super) fn summary(results: &[Results]) -> Vec<String> {
    results.iter().flat_map(summary_of).collect()
}

fn summary_of(results: &Results) -> Vec<String> {
    let report = &results.cell.experiment.report;
    let axes: Vec<String> =
        results.cell.axes.iter().map(|(key, value)| format!("{key} = {}", spoken(value))).collect();
    let lead = if axes.is_empty() { String::new() } else { format!("{}: ", axes.join(", ")) };
    report
        .rows
        .iter()
        .filter_map(|classifier| {
            let parts: Vec<String> = report
                .columns
                .iter()
                .filter_map(|mix| {
                    let found = results.accuracy(classifier, mix)?;
                    let name = heading(mix, &results.cell.experiment.mix[mix]);
                    Some(format!("{name} {}", percent(&found)))
                })
                .collect();
            let gains: Vec<String> = report
                .difference
                .iter()
                .filter_map(|mix| {
                    verdict(mix, &report.baseline, &results.difference(classifier, mix)?)
                })
                .collect();
            (!parts.is_empty()).then(|| {
                let gains = gains.iter().map(|gain| format!(" {gain}")).collect::<String>();
                format!("{lead}{classifier}: {}.{gains}", parts.join(", "))
            })
        })
        .collect()
}

fn percent(estimate: &Estimate) -> String {
    let mean = estimate.mean * 100.0;
    match estimate.interval() {
        Some((low, high)) => format!("{mean:.1} % [{:.1}, {:.1}]", low * 100.0, high * 100.0),
        None => format!("{mean:.1} %"),
    }
}

/// Says whether a difference is one.
fn verdict(mix: &str, baseline: &str, difference: &Estimate) -> Option<String> {
    let (low, high) = difference.interval()?;
    let points = difference.mean * 100.0;
    let judged = match (low > 0.0, high < 0.0) {
        (true, _) => "a gain",
        (_, true) => "a loss",
        _ => "no difference that these seeds can show",
    };
    Some(format!("{mix} against {baseline}: {points:+.2} points, {judged}."))
}
