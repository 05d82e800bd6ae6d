//! Weights as plain arrays, and the files they come in.
//!
//! In reading order: [`State`] is a net's float tensors by dotted path, taken out by [`state_of`]
//! and put back, strictly, by [`load_state`]; [`read_safetensors`] and [`write_safetensors`] are
//! one file format, pickled PyTorch checkpoints the other; [`read_weights`] tells them apart. Nets
//! carry the names, shapes and layouts of the reference implementations, so no key is ever renamed
//! here.

mod file;
mod pickle;
mod safetensors;
mod state;

pub use file::{WeightsError, read_weights};
pub use safetensors::{read_safetensors, write_safetensors};
pub use state::{Array, Mismatch, State, WrongShape, load_state, parameter_count, state_of};

#[cfg(test)]
mod tests;
