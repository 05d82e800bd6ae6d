//! From results to a report.
//!
//! Parts: `results` reads what the stages left, `tables`, `declared` (tables that the file
//! declares), `figures` and `sheets` say what is shown of it,
//! `points` what later experiments may choose from, `provenance` how it came about.

pub(super) mod declared;
mod figures;
mod points;
mod provenance;
mod results;
mod sheets;
mod tables;

use super::build::Built;
use super::published::published;
use super::resolve::Resolved;
use crate::engine::{Failure, Store};
use crate::report::Document;

pub use provenance::Circumstances;

use results::Results;

/// Puts the results of a finished run into a report.
///
/// # Errors
/// If a result is not in the store, or cannot be read.
pub fn document(
    resolved: &Resolved,
    built: &Built,
    store: &Store,
    circumstances: &Circumstances,
) -> Result<Document, Failure> {
    let results: Vec<Results> = built
        .cells
        .iter()
        .map(|(cell, nodes)| Results::read(cell, nodes, built, store))
        .collect::<Result<_, _>>()?;
    let first = &resolved.cells[0].experiment;
    let mut notes = first.report.notes.clone();
    notes.extend(results.iter().flat_map(|results| results.refused.iter().cloned()));
    notes.extend(tables::protocol_notes(first));
    notes.extend(points::laid(first, &resolved.point));
    let declared = first.report.table.values().map(|table| &table.published);
    for name in std::iter::once(&first.report.published).chain(declared) {
        if let Ok(table) = published(name) {
            notes.push(format!("Published values: {}.", table.source()));
            notes.extend(table.notes().iter().cloned());
        }
    }
    notes.dedup();
    Ok(Document {
        experiment: resolved.name.clone(),
        title: first.title.clone(),
        profile: resolved.profile.clone(),
        question: first.question.clone(),
        summary: tables::summary(&results),
        tables: tables::tables(&results),
        figures: figures::figures(&results),
        points: points::points(&results),
        sheets: sheets::sheets(built, store)?,
        notes,
        provenance: provenance::provenance(resolved, built, store, circumstances)?,
    })
}
