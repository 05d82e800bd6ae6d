//! Scores as tables.

use super::{ClassLine, Scores};
use crate::lab::metrics::ClassOutcome;
use crate::report::{Cell, Column, Estimate, Row, Table, Unit};
use crate::terms::Direction;

/// Returns scores as a table: a row per set, a column per score, so that numbers of one column can
/// be compared, and are warned of where their protocols differ.
pub fn table(sets: &[(String, Scores)]) -> Table {
    let mut columns: Vec<Column> = Vec::new();
    for line in sets.iter().flat_map(|(_, scores)| &scores.lines) {
        if !columns.iter().any(|column| column.name == line.name) {
            columns.push(Column {
                name: line.name.clone(),
                unit: Unit::Plain,
                direction: Some(line.direction),
                decimals: decimals(&line.name),
            });
        }
    }
    let row = |(name, scores): &(String, Scores)| Row {
        labels: vec![name.clone()],
        cells: columns.iter().map(|column| cell(scores, &column.name)).collect(),
    };
    Table {
        name: "scores".to_owned(),
        caption: "Generated pictures against real ones.".to_owned(),
        interval: "95 % interval over pictures".to_owned(),
        row_labels: vec!["set".to_owned()],
        rows: sets.iter().map(row).collect(),
        columns,
    }
}

/// Returns digits that show what a score can tell.
fn decimals(name: &str) -> usize {
    match name {
        "kid" => 6,
        name if name == "is" || name.starts_with("is-") => 3,
        "precision" | "recall" | "density" | "coverage" | "f-score" | "authenticity"
        | "near-train" => 4,
        _ => 3,
    }
}

fn cell(scores: &Scores, name: &str) -> Cell {
    let Some(line) = scores.lines.iter().find(|line| line.name == name) else {
        return Cell::Empty;
    };
    Cell::Estimate(Estimate {
        mean: line.value,
        low: line.interval.map(|interval| interval.low),
        high: line.interval.map(|interval| interval.high),
        n: line.n,
        sd: line.spread,
        protocol: Some(line.protocol.clone()),
    })
}

/// Returns the scores of each class of a set as a table; `distance` is what the Fréchet distance is
/// called.
pub fn class_table(set: &str, distance: &str, classes: &[ClassLine]) -> Table {
    let column = |name: &str, direction, decimals| Column {
        name: name.to_owned(),
        unit: Unit::Plain,
        direction,
        decimals,
    };
    let count = |n: usize| Cell::Text(n.to_string());
    let outcome = |outcome: &ClassOutcome| match outcome {
        ClassOutcome::Score(value) => Cell::Estimate(Estimate::single(*value)),
        ClassOutcome::Refused(_) => Cell::Text("too few".to_owned()),
    };
    let row = |line: &ClassLine| Row {
        labels: vec![line.class.clone()],
        cells: vec![
            count(line.real),
            count(line.fake),
            outcome(&line.distance),
            outcome(&line.recall),
        ],
    };
    Table {
        name: "classes".to_owned(),
        caption: format!("Each class of {set} against the real pictures of it."),
        interval: String::new(),
        row_labels: vec!["class".to_owned()],
        columns: vec![
            column("real", None, 0),
            column("generated", None, 0),
            column(distance, Some(Direction::Lower), 3),
            column("recall", Some(Direction::Higher), 4),
        ],
        rows: classes.iter().map(row).collect(),
    }
}
