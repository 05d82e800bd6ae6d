//! Weights as plain arrays, and the files they come in.
//!
//! In reading order: [`State`] is a net's float tensors by dotted path, taken out by [`state_of`]
//! and put back, strictly, by [`load_state`]; [`read_safetensors`] and [`write_safetensors`] are
//! one file format, pickled PyTorch checkpoints the other; [`read_weights`] tells them apart. Nets
//! carry the names, shapes and layouts of one reference implementation; a family that other
//! implementations have as well says by [`Stored`] what its tensors are called there, and
//! [`load_stored`] is as strict about those names.

mod file;
mod pickle;
mod safetensors;
mod state;
mod stored;

pub use file::{WeightsError, read_weights};
pub use safetensors::{read_safetensors, write_safetensors};
pub use state::{Array, Mismatch, State, WrongShape, load_state, parameter_count, state_of};
pub use stored::{Stored, load_stored};

#[cfg(test)]
pub(in crate::nets) use state::outline_of;

#[cfg(test)]
mod tests;
