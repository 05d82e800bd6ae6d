//! Everything a training needs to go on as if it had never stopped.
//!
//! Layout: the length of a JSON header (8 bytes, little endian), the header, then a safetensors
//! file with `model.*`, `best.*`, and per parameter in the order of the module `first.i`,
//! `second.i`, `ema.i`.

use serde::{Deserialize, Serialize};

use super::optimizer::Memory;
use crate::nets::weights::{Array, State, read_safetensors, write_safetensors};

/// One line of a training's record.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Steps done.
    pub step: usize,
    /// Mean loss since the line before.
    pub loss: f64,
    /// How good the model was on validation data.
    pub validation: Option<f64>,
}

/// The small part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Header {
    /// Steps done.
    pub(super) step: usize,
    /// Losses since the last line of the log: their sum and number.
    pub(super) pending: (f64, usize),
    /// The record so far.
    pub(super) log: Vec<LogLine>,
    /// The best validation so far.
    pub(super) best: Option<f64>,
}

/// A [`Header`] as it is written: floats by their bits, because a decimal may come back one bit off
/// and a resumed run would then differ from an uninterrupted one.
#[derive(Serialize, Deserialize)]
struct Written {
    step: usize,
    pending: (u64, usize),
    log: Vec<(usize, u64, Option<u64>)>,
    best: Option<u64>,
}

impl From<&Header> for Written {
    fn from(header: &Header) -> Self {
        let line =
            |line: &LogLine| (line.step, line.loss.to_bits(), line.validation.map(f64::to_bits));
        Self {
            step: header.step,
            pending: (header.pending.0.to_bits(), header.pending.1),
            log: header.log.iter().map(line).collect(),
            best: header.best.map(f64::to_bits),
        }
    }
}

impl From<Written> for Header {
    fn from(written: Written) -> Self {
        let line = |(step, loss, validation): (usize, u64, Option<u64>)| LogLine {
            step,
            loss: f64::from_bits(loss),
            validation: validation.map(f64::from_bits),
        };
        Self {
            step: written.step,
            pending: (f64::from_bits(written.pending.0), written.pending.1),
            log: written.log.into_iter().map(line).collect(),
            best: written.best.map(f64::from_bits),
        }
    }
}

/// A training between two steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) header: Header,
    pub(super) model: State,
    pub(super) best: State,
    pub(super) memories: Vec<Memory>,
    pub(super) averages: Vec<Vec<f32>>,
}

fn flat(values: &[f32]) -> Array {
    Array { shape: vec![values.len()], values: values.to_vec() }
}

impl Checkpoint {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut state = State::new();
        for (room, part) in [("model", &self.model), ("best", &self.best)] {
            state.extend(part.iter().map(|(name, a)| (format!("{room}.{name}"), a.clone())));
        }
        for (i, memory) in self.memories.iter().enumerate() {
            state.insert(format!("first.{i:05}"), flat(&memory.first));
            state.insert(format!("second.{i:05}"), flat(&memory.second));
        }
        for (i, average) in self.averages.iter().enumerate() {
            state.insert(format!("ema.{i:05}"), flat(average));
        }
        let header =
            serde_json::to_vec(&Written::from(&self.header)).expect("a header is plain data");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(write_safetensors(&state));
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is anything else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let header: Written = serde_json::from_slice(rest.get(..length)?).ok()?;
        let state = read_safetensors(rest.get(length..)?).ok()?;
        let mut checkpoint = Self { header: header.into(), ..Self::default() };
        // Names of a state are sorted, so numbered parts arrive in order.
        for (name, array) in state {
            let (room, rest) = name.split_once('.')?;
            match room {
                "model" => drop(checkpoint.model.insert(rest.to_owned(), array)),
                "best" => drop(checkpoint.best.insert(rest.to_owned(), array)),
                "first" => {
                    checkpoint.memories.push(Memory { first: array.values, second: Vec::new() })
                }
                "second" => {
                    let index: usize = rest.parse().ok()?;
                    checkpoint.memories.get_mut(index)?.second = array.values;
                }
                "ema" => checkpoint.averages.push(array.values),
                _ => return None,
            }
        }
        Some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_damage_is_noticed() {
        let array = Array { shape: vec![2, 1], values: vec![0.1, -2.5] };
        let checkpoint = Checkpoint {
            header: Header {
                step: 7,
                pending: (0.1 + 0.2, 2),
                log: vec![LogLine { step: 5, loss: 1.0 / 3.0, validation: Some(0.5) }],
                best: Some(0.5),
            },
            model: State::from([("layer1.0.weight".to_owned(), array.clone())]),
            best: State::from([("layer1.0.weight".to_owned(), array)]),
            memories: vec![
                Memory { first: vec![1.0], second: vec![] },
                Memory { first: vec![2.0], second: vec![3.0] },
            ],
            averages: vec![vec![4.0], vec![5.0, 6.0]],
        };
        let bytes = checkpoint.to_bytes();
        assert_eq!(Checkpoint::from_bytes(&bytes), Some(checkpoint));
        for cut in [0, 4, 30, bytes.len() - 1] {
            assert_eq!(Checkpoint::from_bytes(&bytes[..cut]), None);
        }
    }
}
