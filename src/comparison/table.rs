//! Scores as a table: a row per score, a column per set of generated pictures.

use super::Scores;
use crate::report::{Cell, Column, Estimate, Row, Table, Unit};
use crate::terms::Direction;

/// Returns scores as a table: a row per score, a column per set.
pub fn table(sets: &[(String, Scores)]) -> Table {
    let mut names: Vec<(String, Direction)> = Vec::new();
    for line in sets.iter().flat_map(|(_, scores)| &scores.lines) {
        if !names.iter().any(|(name, _)| *name == line.name) {
            names.push((line.name.clone(), line.direction));
        }
    }
    let row = |(name, direction): (String, Direction)| {
        let arrow = if direction == Direction::Higher { "↑" } else { "↓" };
        Row {
            labels: vec![format!("{name} {arrow}")],
            cells: sets.iter().map(|(_, scores)| cell(scores, &name)).collect(),
        }
    };
    let column = |(name, _): &(String, Scores)| Column {
        name: name.clone(),
        unit: Unit::Plain,
        direction: None,
        decimals: 4,
    };
    Table {
        name: "scores".to_owned(),
        caption: "Generated pictures against real ones.".to_owned(),
        interval: "95 % interval over pictures".to_owned(),
        row_labels: vec!["score".to_owned()],
        columns: sets.iter().map(column).collect(),
        rows: names.into_iter().map(row).collect(),
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
        n: 1,
        sd: line.spread,
        protocol: Some(line.protocol.clone()),
    })
}
