//! The long form of all tables of a report: one row per cell, numbers unrounded.
//!
//! Columns: `experiment`, `profile`, `table`, `row` (counted from 0), one `row.<heading>` for every
//! heading of a label column in any table, then `column`, `unit`, `direction`, `kind` (`text`,
//! `estimate`, `difference`, `published`), `text`, `mean`, `low`, `high`, `sd`, `n`, `protocol`,
//! `published`, `published-spread`, `published-tag`. Empty cells have no row; what does not apply
//! to a cell is null. Shares are in 0..=1, not per cent.

use polars::prelude::{Column as FrameColumn, DataFrame, PlSmallStr};

use super::document::Document;
use super::table::{Cell, Column, Row, Table, Unit};
use crate::terms::Direction;

/// A cell with all that is around it.
struct Place<'a> {
    table: &'a Table,
    row_index: usize,
    row: &'a Row,
    column: &'a Column,
    cell: &'a Cell,
}

/// Returns the long form of all tables of a report.
pub(super) fn long_form(document: &Document) -> DataFrame {
    let places = places(document);
    let text = |name: &str, of: &dyn Fn(&Place<'_>) -> Option<String>| {
        FrameColumn::new(PlSmallStr::from_str(name), places.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Place<'_>) -> Option<f64>| {
        FrameColumn::new(PlSmallStr::from_str(name), places.iter().map(of).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Place<'_>) -> Option<u64>| {
        FrameColumn::new(PlSmallStr::from_str(name), places.iter().map(of).collect::<Vec<_>>())
    };
    let mut columns = vec![
        text("experiment", &|_| Some(document.experiment.clone())),
        text("profile", &|_| Some(document.profile.clone())),
        text("table", &|place| Some(place.table.name.clone())),
        count("row", &|place| Some(place.row_index as u64)),
    ];
    for heading in label_headings(document) {
        columns.push(text(&format!("row.{heading}"), &|place| label(place, heading)));
    }
    columns.extend([
        text("column", &|place| Some(place.column.name.clone())),
        text("unit", &|place| Some(unit(place.column.unit).to_owned())),
        text("direction", &|place| place.column.direction.map(|d| direction(d).to_owned())),
        text("kind", &|place| Some(kind(place.cell).to_owned())),
        text("text", &|place| match place.cell {
            Cell::Text(text) => Some(text.clone()),
            _ => None,
        }),
        number("mean", &|place| place.cell.measured().map(|e| e.mean)),
        number("low", &|place| place.cell.measured()?.low),
        number("high", &|place| place.cell.measured()?.high),
        number("sd", &|place| place.cell.measured()?.sd),
        count("n", &|place| place.cell.measured().map(|e| e.n as u64)),
        text("protocol", &|place| Some(place.cell.measured()?.protocol.as_ref()?.to_string())),
        number("published", &|place| published(place.cell).map(|p| p.value)),
        number("published-spread", &|place| published(place.cell)?.spread),
        text("published-tag", &|place| published(place.cell).map(|p| p.tag.clone())),
    ]);
    DataFrame::new(places.len(), columns).expect("columns of one length with different names")
}

fn places(document: &Document) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for table in &document.tables {
        for (row_index, row) in table.rows.iter().enumerate() {
            for (column, cell) in table.columns.iter().zip(&row.cells) {
                if *cell != Cell::Empty {
                    places.push(Place { table, row_index, row, column, cell });
                }
            }
        }
    }
    places
}

/// The headings of label columns of all tables, in the order of their first appearance.
fn label_headings(document: &Document) -> Vec<&str> {
    let mut headings: Vec<&str> = Vec::new();
    for heading in document.tables.iter().flat_map(|table| &table.row_labels) {
        if !headings.contains(&heading.as_str()) {
            headings.push(heading);
        }
    }
    headings
}

fn label(place: &Place<'_>, heading: &str) -> Option<String> {
    let position = place.table.row_labels.iter().position(|known| known == heading)?;
    Some(place.row.labels[position].clone())
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Plain => "plain",
        Unit::Percent => "percent",
        Unit::Points => "points",
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Higher => "higher",
        Direction::Lower => "lower",
    }
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Empty => "empty",
        Cell::Text(_) => "text",
        Cell::Estimate(_) => "estimate",
        Cell::Difference(_) => "difference",
        Cell::Published(_) => "published",
    }
}

fn published(cell: &Cell) -> Option<&super::table::Published> {
    match cell {
        Cell::Published(published) => Some(published),
        _ => None,
    }
}
