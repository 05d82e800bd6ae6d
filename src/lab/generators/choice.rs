//! Which weights of a training are kept, judged by the pictures they draw.
//!
//! Azizi et al. 2023 (arXiv:2304.08466), section 4.1: the checkpoint of the fine-tuning with the
//! lowest FID of 10,000 pictures against the validation pictures, all drawn by one sampler.
//! Validation pictures are real ones held out from training; test pictures are never looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::diffusion::Sampler;

/// Keeps the weights whose pictures have the lowest FID against the real validation pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Choice {
    /// The steps after which weights become candidates, of at most `recipe.steps`.
    #[schemars(length(min = 1))]
    pub at: Vec<usize>,
    /// Pictures drawn for each candidate, in turns over the classes. A stage that enlarges is
    /// judged by enlarged real training pictures.
    #[schemars(range(min = 2))]
    pub pictures: usize,
    /// How they are drawn: the same for all candidates, whatever draws the pictures of the
    /// experiment.
    pub sampler: Sampler,
    /// How far the class is exaggerated in them; 1 is off.
    #[schemars(range(min = 0.0))]
    pub guidance: f64,
    /// The net whose features measure them.
    pub extractor: Judge,
}

/// The net in whose features candidates are measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Judge {
    /// A classifier (by name), trained on the real pictures at the size of the candidates'
    /// pictures. Empty: that of `metrics.extractor`.
    Classifier(String),
    /// The Inception of FID, by the file of its weights.
    Inception(InceptionFile),
}

/// The weights of the Inception of FID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct InceptionFile {
    /// The file, as pytorch-fid or torch-fidelity publish it. Its content is part of the result,
    /// its place is not.
    pub path: String,
}

impl Default for Judge {
    fn default() -> Self {
        Self::Classifier(String::new())
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            at: Vec::new(),
            pictures: 2000,
            sampler: Sampler::default(),
            guidance: 1.0,
            extractor: Judge::default(),
        }
    }
}

impl Choice {
    /// Returns the choice without what the keys of its inputs tell.
    #[must_use]
    pub fn without_extractor(&self) -> Self {
        Self { extractor: Judge::default(), ..self.clone() }
    }
}
