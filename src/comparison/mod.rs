//! Sets of pictures against each other, as the published tools measure them.
//!
//! In reading order: an [`Album`] is pictures in a folder, an archive or a file; `features` puts
//! them through a published network once and keeps the result in the store, keyed by content;
//! [`Tool`] says how each published tool prepares pictures and computes its scores; [`compare`]
//! does the work, and [`Comparison`] is what comes of it. [`weights`] knows where weights lie.
//!
//! Invariants: a number carries its protocol; what the literature's rules forbid is refused unless
//! it is asked for by name; a picture that cannot be read is never left out silently.

mod album;

pub use album::{Album, Unreadable};
