//! Tables that a file declares column by column: those of a paper, row for row.

use super::results::Results;
use super::tables::{INTERVAL, axis_labels, axis_names, heading, spoken};
use crate::experiment::file::{Declared, Metrics, RowsAre, Value};
use crate::experiment::published::{PublishedTable, published};
use crate::lab::classifiers::Mix;
use crate::lab::metrics::Metric;
use crate::report::{Axis, Cell, Column, Estimate, Published, Row, Table, Unit};
use crate::terms::Direction;

/// What stands in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::experiment) enum Quantity {
    /// An accuracy, of the row's mix or of another.
    Accuracy { mix: Option<String>, value: Value },
    /// The difference of the row's mix to the baseline.
    Difference,
    /// A score of the synthetic pictures.
    Score(String),
}

impl Quantity {
    /// Reads `top1`, `real:top5`, `difference` or the name of a score.
    pub(in crate::experiment) fn read(text: &str) -> Self {
        let (mix, name) = match text.rsplit_once(':') {
            Some((mix, name)) => (Some(mix.to_owned()), name),
            None => (None, text),
        };
        match name {
            "top1" => Self::Accuracy { mix, value: Value::Top1 },
            "top5" => Self::Accuracy { mix, value: Value::Top5 },
            "difference" if mix.is_none() => Self::Difference,
            _ => Self::Score(text.to_owned()),
        }
    }

    /// Returns the value of a combination for a classifier and a mix.
    pub(super) fn of(&self, results: &Results, classifier: &str, mix: &str) -> Option<Estimate> {
        match self {
            Self::Accuracy { mix: other, value } => {
                results.accuracy_as(classifier, other.as_deref().unwrap_or(mix), *value)
            }
            Self::Difference => results.difference(classifier, mix),
            Self::Score(name) => results.score(name),
        }
    }

    /// Returns how its numbers are printed, and which way is better.
    pub(super) fn unit(&self, results: &[Results]) -> (Unit, Option<Direction>, usize) {
        match self {
            Self::Accuracy { .. } => (Unit::Percent, Some(Direction::Higher), 2),
            Self::Difference => (Unit::Points, Some(Direction::Higher), 2),
            Self::Score(name) => {
                let found = results.iter().flat_map(|it| &it.scores).find(|(it, ..)| it == name);
                (Unit::Plain, found.map(|(_, direction, ..)| *direction), 3)
            }
        }
    }

    /// Returns an axis of it.
    pub(super) fn axis(&self, label: &str, results: &[Results]) -> Axis {
        let (unit, direction, _) = self.unit(results);
        Axis { label: label.to_owned(), unit, direction }
    }
}

/// Returns what a score of these metrics may be called.
pub(in crate::experiment) fn score_names(metrics: &Metrics) -> Vec<String> {
    let names = |metric: &Metric| metric.scores().iter().map(|(name, _)| (*name).to_owned());
    let mut all: Vec<String> = metrics.scores.iter().flat_map(names).collect();
    for reference in &metrics.also_against {
        let distances = metrics.scores.iter().filter(|metric| metric.is_distance());
        all.extend(distances.flat_map(names).map(|name| format!("{name}-{}", reference.name())));
    }
    all
}

/// What a declared table is about, with what it leaves open filled in.
struct Subject<'a> {
    declared: &'a Declared,
    classifier: &'a str,
    mix: &'a str,
    paper: Option<PublishedTable>,
}

/// A column: of one value, and where rows are mixes, of one combination.
struct Place<'a> {
    name: String,
    quantity: Quantity,
    results: Option<&'a Results>,
}

/// Returns the declared tables, in the order of the file.
pub(super) fn declared(results: &[Results]) -> Vec<Table> {
    let experiment = &results[0].cell.experiment;
    let one = |(name, declared): (&String, &Declared)| {
        let subject = subject(declared, results);
        let mut table = subject.table(name, results);
        subject.publish(&mut table);
        table
    };
    experiment.report.table.iter().map(one).collect()
}

fn subject<'a>(declared: &'a Declared, results: &'a [Results]) -> Subject<'a> {
    let experiment = &results[0].cell.experiment;
    let first = || experiment.report.rows.first().map_or("", String::as_str);
    Subject {
        declared,
        classifier: if declared.classifier.is_empty() { first() } else { &declared.classifier },
        mix: if declared.mix.is_empty() { synthetic_only(results) } else { &declared.mix },
        paper: published(&declared.published).ok(),
    }
}

/// Returns the first mix of synthetic pictures only.
pub(super) fn synthetic_only(results: &[Results]) -> &str {
    let mixes = &results[0].cell.experiment.mix;
    let only = |(_, mix): &(&String, &Mix)| mix.real <= 0.0;
    mixes.iter().find(only).map_or("", |(name, _)| name)
}

impl Subject<'_> {
    fn table(&self, name: &str, results: &[Results]) -> Table {
        let places = self.places(results);
        let columns = places
            .iter()
            .map(|place| {
                let (unit, direction, decimals) = place.quantity.unit(results);
                Column { name: place.name.clone(), unit, direction, decimals }
            })
            .collect();
        let cell = |results: &Results, place: &Place<'_>, mix: &str| {
            let found = place.quantity.of(results, self.classifier, mix);
            match (found, &place.quantity) {
                (None, _) => Cell::Empty,
                (Some(found), Quantity::Difference) => Cell::Difference(found),
                (Some(found), _) => Cell::Estimate(found),
            }
        };
        let experiment = &results[0].cell.experiment;
        let (row_labels, rows) = match self.declared.rows {
            RowsAre::Combinations => {
                let row = |it: &Results| Row {
                    labels: axis_labels(it),
                    cells: places.iter().map(|place| cell(it, place, self.mix)).collect(),
                };
                (axis_names(&results[0]), results.iter().map(row).collect())
            }
            RowsAre::Mixes => {
                let row = |mix: &String| Row {
                    labels: vec![heading(mix, &experiment.mix[mix])],
                    cells: places
                        .iter()
                        .map(|place| cell(place.results.unwrap_or(&results[0]), place, mix))
                        .collect(),
                };
                let rows = experiment.report.columns.iter().map(row).collect();
                (vec!["training set".to_owned()], rows)
            }
        };
        Table {
            name: name.to_owned(),
            caption: self.declared.caption.clone(),
            interval: INTERVAL.to_owned(),
            row_labels,
            columns,
            rows,
        }
    }

    fn places<'a>(&self, results: &'a [Results]) -> Vec<Place<'a>> {
        let one = |results: Option<&'a Results>| {
            self.declared.values.iter().map(move |value| {
                let at = results.map(|it| axis_labels(it).join(", ")).unwrap_or_default();
                let name = if at.is_empty() { value.clone() } else { format!("{value}, {at}") };
                Place { name, quantity: Quantity::read(value), results }
            })
        };
        match self.declared.rows {
            RowsAre::Combinations => one(None).collect(),
            RowsAre::Mixes => results.iter().flat_map(|it| one(Some(it))).collect(),
        }
    }

    /// Adds the columns of the paper.
    fn publish(&self, table: &mut Table) {
        let Some(paper) = &self.paper else { return };
        let Declared { published_rows, published_columns, .. } = self.declared;
        for (ours, theirs) in published_columns {
            let Some(column) = table.columns.iter().find(|column| column.name == *ours) else {
                continue;
            };
            table.columns.push(Column { name: format!("{ours}, paper"), ..column.clone() });
            for row in &mut table.rows {
                let label = row.labels.join(", ");
                let found = published_rows.get(&label).and_then(|row| paper.value(row, theirs));
                row.cells.push(found.map_or(Cell::Empty, |found| {
                    let (value, spread, tag) = (found.value, found.spread, found.tag);
                    Cell::Published(Published { value, spread, tag })
                }));
            }
        }
    }
}

/// Returns what swept values are called: `guidance 1.5, logvar 0`.
pub(super) fn combination(axes: &[(String, serde_json::Value)]) -> String {
    let axis = |(key, value): &(String, serde_json::Value)| {
        format!("{} {}", key.rsplit('.').next().unwrap_or(key), spoken(value))
    };
    axes.iter().map(axis).collect::<Vec<_>>().join(", ")
}
