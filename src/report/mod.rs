//! Results become tables, plots and documents. Computes no result and touches no disk.
//!
//! In reading order: [`Table`] and [`Figure`] say what is shown, [`Document`] holds them together
//! and returns its files as `(path, bytes)`; somebody else writes them, whole or not at all.
//! `printed` decides once what a table says (rounding, best and second best, notes, warnings);
//! `markdown`, `latex` and `html` only dress it. `long_form`, one row per cell, stands behind `csv`
//! and `parquet`; `json` is the form that machines compare, and [`Baseline`] reads it back for the
//! gate; [`Points`] is that of swept combinations, for later experiments. `plot` draws a figure
//! once and dresses it as SVG and PNG.
//!
//! All of it but the manifest and the provenance in the HTML page depends on results alone: no
//! time, no path, no machine. Two runs that measured the same numbers write the same bytes.

mod csv;
mod document;
mod figure;
mod gate;
mod html;
mod json;
mod latex;
mod long_form;
mod markdown;
mod parquet;
mod plot;
mod points;
mod printed;
mod provenance;
#[cfg(test)]
mod sample;
mod table;

pub use document::{Document, Sheet};
pub use figure::{Axis, Bars, Curve, Curves, Figure, Front, Group, Mark, Plot, Point, Scatter};
pub use gate::{Baseline, Gate, Verdict};
pub use points::{Combination, Points};
pub use table::{Cell, Column, Estimate, Published, Row, Table, Unit};
