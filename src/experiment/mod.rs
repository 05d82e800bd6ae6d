//! From TOML to typed specs to a stage graph.
//!
//! In reading order: `node` is the text with places, `schema` says what may stand where, `check` tells all
//! misfits, `overlay` lays profiles and options over it, `file` is what the file means; [`resolve`] goes
//! through them all and gives one [`Cell`] per combination of swept values.

mod check;
mod file;
mod node;
mod overlay;
mod schema;

pub use file::Experiment;
pub use schema::schema;
