//! From TOML to typed specs to a stage graph, and from results to a report.
//!
//! In reading order: [`find`] gets the text; `node` is the text with places, `schema` says what may
//! stand where, `check` tells all misfits, `overlay` lays profiles and options over it, `point`
//! lays what another experiment found best, `file` is what it means, `models` are what it trains,
//! `sense` tells what the schema cannot; [`resolve`] goes through them all and gives one [`Cell`]
//! per combination of swept values. [`build`] makes the graph, [`published`] knows the papers'
//! numbers, and [`document`] puts the results into a report. Beside them, [`inspect_source`] looks
//! at data as they are, and [`fetch`] at the files of well-known ones.
//! Nothing here runs a stage.

mod build;
mod catalogue;
mod check;
mod document;
mod file;
mod inspection;
mod models;
mod node;
mod overlay;
mod point;
mod published;
mod resolve;
mod schema;
mod sense;
mod sources;

pub use build::{Built, Nodes, Trained, build};
pub use catalogue::find;
pub use document::{Circumstances, document};
pub use file::{
    Budget, ChosenPoint, Declared, Draws, Experiment, FigureKind, FrontAxes, Metrics, Pretraining,
    Reference, Report, RowsAre, Value,
};
pub use inspection::{Inspection, Warning, folder_source, inspect_experiment, inspect_source};
pub use published::{PublishedTable, PublishedValue, published};
pub use resolve::{Cell, PAPER, Request, Resolved, profiles, resolve};
pub use schema::schema;
pub use sources::{Absent, Fetched, fetch, source_of, sources};
