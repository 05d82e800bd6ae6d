//! Synthetic pictures are measured in the feature space of a trained classifier.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Machine, classifier, real, synthetic};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::classifiers::{Sight, predict};
use crate::lab::data::Dataset;
use crate::lab::metrics::{Evidence, Extractor, Features, Logits, Measured, Metric, Taps};
use crate::nets::classifier::{Classifier, ClassifierNet, Input};
use crate::terms::{Picture, Score, Seed};

/// The file this stage leaves.
const RESULT: &str = "scores.json";

/// What came of measuring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The scores.
    pub scores: Vec<Score>,
    /// Metrics that could not be measured, and why.
    pub refused: Vec<String>,
}

impl Measurement {
    /// Reads what a measurement left.
    ///
    /// # Errors
    /// If the entry cannot be read.
    pub fn read(entry: &Entry) -> Result<Self, Failure> {
        super::read_json(entry, RESULT)
    }
}

/// Measures synthetic pictures against the real training pictures.
pub struct MeasureStage {
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Which set of pictures, for the label.
    pub draw: u64,
    /// The part of the real data that they are measured against: `train`, `val` or `test`.
    pub reference: &'static str,
    /// The extractor's architecture.
    pub net: ClassifierNet,
    /// How it sees pictures.
    pub sight: Sight,
    /// What it sees.
    pub input: Input,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl Stage for MeasureStage {
    fn kind(&self) -> &'static str {
        "measure"
    }

    fn version(&self) -> u32 {
        4
    }

    fn spec(&self) -> Value {
        json!({"metrics": self.metrics, "reference": self.reference})
    }

    fn label(&self) -> String {
        let (draw, net) = (self.draw, self.net.describe());
        match self.reference {
            "train" => format!("scores of draw {draw} by {net}"),
            part => format!("scores of draw {draw} against {part} by {net}"),
        }
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 2.0, bytes: 1 << 14 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let (reference, val) = (real(inputs, self.reference)?, real(inputs, "val")?);
        let drawn = synthetic(inputs)?
            .ok_or_else(|| Failure::other("there is no synthetic picture to measure"))?;
        let at = (self.input, reference.classes.len(), self.machine.as_ref());
        let extractor = TrainedExtractor::read(inputs, &self.net, self.sight, at)?;
        let described = extractor.describe();
        let taps = |data: &Dataset| extractor.taps(&pictures(data));
        if reference.is_empty() {
            let found = format!("the data have no {} pictures", self.reference);
            return Err(Failure::other(format!("measure: {found}")));
        }
        let real = taps(&reference).features;
        let unseen = (!val.is_empty()).then(|| taps(&val).features);
        let Taps { features: fake, logits, .. } = taps(&drawn);
        let probabilities = logits.as_ref().map(Logits::softmax);
        let evidence = Evidence {
            extractor: &described,
            reference: self.reference,
            real: &real,
            fake: &fake,
            probabilities: probabilities.as_ref(),
            unseen: unseen.as_ref(),
            seed: Seed::root(0).child("metrics"),
        };
        let mut measurement = Measurement::default();
        for (i, metric) in self.metrics.iter().enumerate() {
            context.proceed()?;
            context.progress(i, self.metrics.len(), format!("{metric:?}"));
            match metric.measure(&evidence) {
                Measured::Scores(scores) => measurement.scores.extend(scores),
                Measured::Refused(why) => {
                    measurement.refused.push(format!("{metric:?} not measured: {why}"));
                }
            }
        }
        bench.put(RESULT, &super::json(&measurement))?;
        Ok(())
    }
}

fn pictures(data: &Dataset) -> Vec<&Picture> {
    data.examples.iter().map(|example| example.picture.as_ref()).collect()
}

/// The penultimate layer of a classifier of this experiment.
pub(super) struct TrainedExtractor {
    net: Classifier,
    name: String,
    sight: Sight,
}

impl TrainedExtractor {
    /// Reads the classifier among the inputs.
    pub(super) fn read(
        inputs: &Inputs,
        net: &ClassifierNet,
        sight: Sight,
        at: (Input, usize, &Machine),
    ) -> Result<Self, Failure> {
        let entry = inputs.entry(classifier::INPUT);
        let name = format!("{}.penultimate@{}", net.describe(), &entry.key().short()[..8]);
        Ok(Self { net: classifier::trained(entry, net, at)?, name, sight })
    }
}

impl Extractor for TrainedExtractor {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn taps(&self, pictures: &[&Picture]) -> Taps {
        let predicted = predict(&self.net, pictures, self.sight);
        Taps {
            features: Features::new(predicted.width, predicted.features),
            logits: Some(Logits::new(predicted.classes, predicted.logits)),
            spatial: None,
        }
    }
}
