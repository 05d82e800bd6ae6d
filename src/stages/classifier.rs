//! A classifier learns from a mix of real and synthetic pictures.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Machine, keeper, real, synthetic};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::classifiers::{Mix, Supervised, SupervisedSpec};
use crate::lab::generators::Announced;
use crate::lab::images::Channels;
use crate::nets::blocks::Site;
use crate::nets::classifier::{Classifier, ClassifierNet, Input};
use crate::nets::resnet::ResNetSpec;
use crate::nets::resnet_rs::ResNetRsSpec;
use crate::nets::vit::VitSpec;
use crate::nets::weights::{State, load_state, parameter_count, read_safetensors};
use crate::terms::{Precision, Seed};

/// The name of this stage among the inputs of others.
pub(super) const INPUT: &str = "classifier";

/// The name of the classifier among the inputs that another one starts from.
pub const START: &str = "start";

/// What was learned from, in numbers.
const SUMMARY: &str = "summary.json";

/// A classifier and how it is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ClassifierSpec {
    /// The architecture.
    pub net: Net,
    /// The classifier (by name) whose weights this one starts from, those that the other learned
    /// from the same mix with the same seed; it has the same net, and may see pictures of another
    /// size. Empty: fresh weights.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub start: String,
    /// Recipe and augmentation.
    pub training: SupervisedSpec,
}

impl ClassifierSpec {
    /// Returns the name of the net, if there is one, and how exact its products are in training if
    /// they are not single: `resnet-20-bf16`.
    pub fn describe(&self) -> Option<String> {
        self.net.built().map(|net| described(&net, &self.training))
    }
}

fn described(net: &ClassifierNet, training: &SupervisedSpec) -> String {
    match training.recipe.precision {
        Precision::F32 => net.describe(),
        Precision::Bf16 => net.describe() + "-bf16",
    }
}

/// An architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Net {
    /// A residual network.
    #[serde(rename = "resnet")]
    ResNet(ResNetSpec),
    /// A residual network with squeeze-and-excitation and the stem of ResNet-D.
    #[serde(rename = "resnet-rs")]
    ResNetRs(ResNetRsSpec),
    /// A vision transformer.
    Vit(VitSpec),
    /// An architecture of a paper that this program cannot train yet; `plan` refuses it.
    Announced(Announced),
}

impl Default for Net {
    fn default() -> Self {
        Self::ResNet(ResNetSpec::default())
    }
}

impl Net {
    /// Returns the architecture, if there is one.
    pub fn built(&self) -> Option<ClassifierNet> {
        match self {
            Self::ResNet(spec) => Some(ClassifierNet::ResNet(*spec)),
            Self::ResNetRs(spec) => Some(ClassifierNet::ResNetRs(*spec)),
            Self::Vit(spec) => Some(ClassifierNet::Vit(*spec)),
            Self::Announced(_) => None,
        }
    }
}

/// Trains a classifier, from fresh weights or from those of another one.
pub struct ClassifierStage {
    /// What it is called in the file.
    pub name: String,
    /// What the mix is called in the file.
    pub mix_name: String,
    /// The architecture.
    pub net: ClassifierNet,
    /// Recipe and augmentation; its steps are those of the budget.
    pub training: SupervisedSpec,
    /// What it learns from.
    pub mix: Mix,
    /// Weights, order, augmentation.
    pub seed: u64,
    /// What the net sees.
    pub input: Input,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl ClassifierStage {
    fn channels(&self) -> Channels {
        if self.input.channels == 1 { Channels::Grey } else { Channels::Rgb }
    }
}

impl Stage for ClassifierStage {
    fn kind(&self) -> &'static str {
        "classifier"
    }

    fn version(&self) -> u32 {
        4
    }

    fn spec(&self) -> Value {
        json!({
            "net": self.net, "training": self.training, "mix": self.mix, "seed": self.seed,
            "channels": self.input.channels,
        })
    }

    fn label(&self) -> String {
        format!("classifier {} on {}, seed {}", self.name, self.mix_name, self.seed)
    }

    fn estimate(&self) -> Estimate {
        let recipe = &self.training.recipe;
        let pixels = (self.input.pixels * self.input.pixels) as f64;
        // Fitted to ResNet-20 on two cores; recorded runs of the same kind replace it.
        let seconds = (recipe.steps * recipe.batch) as f64 * pixels * 2e-6;
        Estimate { seconds, bytes: 2 << 20 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let (train, val) = (real(inputs, "train")?, real(inputs, "val")?);
        let drawn = synthetic(inputs)?;
        let seed = Seed::root(self.seed).child("classifier");
        let mixed =
            self.mix.make(&train, drawn.as_ref(), seed.child("mix")).map_err(Failure::other)?;
        let task =
            Supervised::new(&self.training, &mixed, &val, self.channels(), seed.child("task"));
        let recipe = &self.training.recipe;
        let site = Site::new(seed.child("weights"), &self.machine.device);
        let site = site.products(recipe.precision);
        let fresh = self.net.build(self.input, train.classes.len(), &site);
        let net = match inputs.get(START) {
            None => fresh,
            Some(entry) => {
                let mut state = weights(entry)?;
                self.net.adapt(&mut state, self.input);
                load_state(fresh, &state).map_err(Failure::other)?
            }
        };
        let parameters = parameter_count(&net);
        keeper::train(&task, net, recipe, &self.machine.device, (bench, context))?;
        let summary = json!({
            "net": described(&self.net, &self.training), "parameters": parameters,
            "pictures": mixed.len(), "steps": recipe.steps,
            "epochs": (recipe.steps * recipe.batch) as f64 / mixed.len() as f64,
        });
        bench.put(SUMMARY, &super::json(&summary))?;
        Ok(())
    }
}

/// Reads the weights that a training left.
fn weights(entry: &Entry) -> Result<State, Failure> {
    read_safetensors(&entry.read(keeper::WEIGHTS)?).map_err(Failure::other)
}

/// Returns the trained net of an entry.
pub(super) fn trained(
    entry: &Entry,
    net: &ClassifierNet,
    at: (Input, usize, &Machine),
) -> Result<Classifier, Failure> {
    let (input, classes, machine) = at;
    let state = weights(entry)?;
    let fresh = net.build(input, classes, &Site::new(Seed::root(0), &machine.device));
    load_state(fresh, &state).map_err(Failure::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of finished stages stay: what is usual is not written. What is not shows in tables.
    #[test]
    fn precision_is_named_where_it_is_not_single() {
        let spec = |text: &str| -> ClassifierSpec { toml::from_str(text).unwrap() };
        let single = spec("[net.resnet]\nfamily = \"resnet-20\"");
        assert_eq!(single.describe().unwrap(), "resnet-20");
        let text = serde_json::to_string(&single.training).unwrap();
        assert!(!text.contains("precision"), "{text}");
        let half =
            spec("training.recipe.precision = \"bf16\"\n[net.resnet]\nfamily = \"resnet-20\"");
        assert_eq!(half.describe().unwrap(), "resnet-20-bf16");
        assert_ne!(serde_json::to_string(&half.training).unwrap(), text);
    }
}
