//! Where science meets machinery: one file is one stage, its spec, its inputs and its run.
//!
//! In reading order, as the work flows: [`DatasetStage`] reads and fits real pictures,
//! [`GeneratorStage`] learns from them, [`ChoiceStage`] keeps the best of its weights,
//! [`SampleStage`] draws synthetic ones ([`PlantedStage`] draws them without a generator),
//! [`UpscaleStage`] makes small ones larger, [`ResizeStage`] only scales them, [`ClassifierStage`]
//! learns from a mix, [`EvaluateStage`] tests it, [`MeasureStage`] measures the synthetic pictures.
//! A stage holds no formula and reads no TOML. What a stage leaves is in files that their owners
//! name as constants.

mod choice;
mod classifier;
mod dataset;
mod evaluate;
mod generator;
mod keeper;
mod measure;
mod packed;
mod planted;
mod resize;
mod sample;
mod shards;
#[cfg(test)]
mod tests;
mod upscale;

pub use choice::{Candidate, ChoiceStage, Chosen, JudgeNet};
pub use classifier::{ClassifierSpec, ClassifierStage, Net, START};
pub use dataset::{Data, DatasetStage, SHEET, SHEET_COLUMNS, codec, sheet};
pub use evaluate::{EvaluateStage, Evaluation, On};
pub use generator::GeneratorStage;
pub use measure::{MeasureStage, Measurement};
pub use packed::{PackedError, pack, unpack};
pub use planted::PlantedStage;
pub use resize::ResizeStage;
pub use sample::SampleStage;
pub use shards::{Sampled, drawn_files};
pub use upscale::UpscaleStage;

use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::{Entry, Failure, Inputs};
use crate::lab::data::Dataset;
use crate::nets::kernels::keep_memory;

/// How stages are run: never part of a key.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where nets live.
    pub device: Device,
}

impl Machine {
    /// A device, and a process that is ready for its work.
    pub fn new(device: Device) -> Self {
        // Before any thread has memory of its own.
        keep_memory();
        Self { device }
    }
}

/// Reads a part of the real pictures: `train`, `val` or `test`.
fn real(inputs: &Inputs, part: &str) -> Result<Dataset, Failure> {
    real_at(inputs, dataset::INPUT, part)
}

/// Reads a part of the real pictures that are there under another name.
fn real_at(inputs: &Inputs, name: &str, part: &str) -> Result<Dataset, Failure> {
    unpack(&inputs.read(name, &dataset::file_of(part))?).map_err(Failure::other)
}

/// Reads all synthetic pictures among the inputs, in the order of the inputs' names.
fn synthetic(inputs: &Inputs) -> Result<Option<Dataset>, Failure> {
    let mut all: Option<Dataset> = None;
    for (_, entry) in inputs.iter().filter(|(name, _)| name.starts_with(shards::INPUT)) {
        let part = shards::pictures(entry)?;
        all = Some(match all {
            None => part,
            Some(held) => held.concat(&part).map_err(Failure::other)?,
        });
    }
    Ok(all)
}

/// Reads a JSON file of an entry.
///
/// # Errors
/// If it cannot be read or holds something else.
pub fn read_json<T: DeserializeOwned>(entry: &Entry, name: &str) -> Result<T, Failure> {
    serde_json::from_slice(&entry.read(name)?).map_err(Failure::other)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("results are plain data")
}
