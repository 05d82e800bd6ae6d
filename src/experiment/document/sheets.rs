//! Which sample pictures are shown.

use super::results::entry;
use super::tables::spoken;
use crate::engine::{Failure, Store};
use crate::experiment::build::Built;
use crate::report::Sheet;
use crate::stages::SHEET;

/// Returns a sheet of real pictures, and one of synthetic pictures for each combination.
pub(super) fn sheets(built: &Built, store: &Store) -> Result<Vec<Sheet>, Failure> {
    let (_, nodes) = &built.cells[0];
    let mut sheets = vec![Sheet {
        name: "real".to_owned(),
        caption: "Real training pictures, one row per class.".to_owned(),
        png: entry(built, nodes.data, store)?.read(SHEET)?,
    }];
    for (i, (cell, nodes)) in built.cells.iter().enumerate() {
        let Some(sample) = nodes.samples.values().next().and_then(|copies| copies.first()) else {
            continue;
        };
        let axes: Vec<String> =
            cell.axes.iter().map(|(key, value)| format!("{key} = {}", spoken(value))).collect();
        let (name, at) = match axes.is_empty() {
            true => ("synthetic".to_owned(), String::new()),
            false => (format!("synthetic-{}", i + 1), format!(" at {}", axes.join(", "))),
        };
        sheets.push(Sheet {
            name,
            caption: format!("Synthetic pictures{at}, one row per class, as drawn."),
            png: entry(built, *sample, store)?.read(SHEET)?,
        });
    }
    Ok(sheets)
}
