//! A classifier is tested: on real test pictures, or (gan-test) on synthetic ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Machine, classifier, real, synthetic};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::classifiers::{Sight, predict};
use crate::lab::metrics::{Accuracy, Calibration, Logits, accuracy, calibration};
use crate::nets::classifier::{ClassifierNet, Input};
use crate::terms::{ClassId, ClassNames, Picture};

/// The file this stage leaves.
const RESULT: &str = "evaluation.json";

/// Which pictures test the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// The real test pictures. Nothing else in the program reads them.
    Test,
    /// Synthetic pictures: are they recognised as their class?
    Synthetic,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The names of the classes, in order.
    pub classes: ClassNames,
    /// Right answers, overall and per class.
    pub accuracy: Accuracy,
    /// Whether the classifier's confidence is deserved.
    pub calibration: Calibration,
}

impl Evaluation {
    /// Reads what an evaluation left.
    ///
    /// # Errors
    /// If the entry cannot be read.
    pub fn read(entry: &Entry) -> Result<Self, Failure> {
        super::read_json(entry, RESULT)
    }
}

/// Tests a classifier.
pub struct EvaluateStage {
    /// What the classifier is called: name, mix and seed.
    pub of: String,
    /// Its architecture.
    pub net: ClassifierNet,
    /// How it sees pictures.
    pub sight: Sight,
    /// What it sees.
    pub input: Input,
    /// Which pictures test it.
    pub on: On,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl Stage for EvaluateStage {
    fn kind(&self) -> &'static str {
        "evaluate"
    }

    fn version(&self) -> u32 {
        4
    }

    fn spec(&self) -> Value {
        json!({"on": self.on})
    }

    fn label(&self) -> String {
        match self.on {
            On::Test => format!("test of {}", self.of),
            On::Synthetic => format!("gan-test by {}", self.of),
        }
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 1.0, bytes: 1 << 14 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, _: &Context) -> Result<(), Failure> {
        let data = match self.on {
            On::Test => real(inputs, "test")?,
            On::Synthetic => synthetic(inputs)?
                .ok_or_else(|| Failure::other("there is no synthetic picture to test"))?,
        };
        if data.is_empty() {
            return Err(Failure::other("there is no picture to test on"));
        }
        let at = (self.input, data.classes.len(), self.machine.as_ref());
        let net = classifier::trained(inputs.entry(classifier::INPUT), &self.net, at)?;
        let pictures: Vec<&Picture> = data.examples.iter().map(|e| e.picture.as_ref()).collect();
        let predicted = predict(&net, &pictures, self.sight);
        let logits = Logits::new(predicted.classes, predicted.logits);
        let truth: Vec<ClassId> = data.examples.iter().map(|example| example.class).collect();
        let evaluation = Evaluation {
            classes: data.classes.clone(),
            accuracy: accuracy(&logits, &truth),
            calibration: calibration(&logits.softmax(), &truth),
        };
        bench.put(RESULT, &super::json(&evaluation))?;
        Ok(())
    }
}
