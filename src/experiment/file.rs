//! What an experiment file says.
//!
//! Every field has a default, so a file holds only what it cares about; the doc comments here and
//! beside each spec are the reference page and the JSON schema. Choices are keys
//! (`[generator.pixel]`), unknown keys are refused.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::classifiers::Mix;
use crate::lab::generators::Generator;
use crate::lab::metrics::Metric;
use crate::stages::{ClassifierSpec, Data};

/// One experiment: one table or figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Experiment {
    /// The headline of the report.
    pub title: String,
    /// What the experiment asks, in a few sentences; printed under the headline.
    pub question: String,
    /// Seeds of the classifiers and, with `draws = "per-seed"`, of the synthetic pictures. Every
    /// number of the report is a mean over them.
    #[schemars(length(min = 1))]
    pub seeds: Vec<u64>,
    /// The real pictures.
    pub data: Data,
    /// Where the synthetic pictures come from.
    pub generator: Generator,
    /// Generators trained on other pictures, by name, from whose weights the generator may start
    /// (`training.start.pretraining`). One that nothing starts from is not trained.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub pretraining: IndexMap<String, Pretraining>,
    /// Whether every seed has synthetic pictures of its own.
    pub draws: Draws,
    /// The training sets, by name, in the order of the report.
    pub mix: IndexMap<String, Mix>,
    /// How long classifiers train when training sets differ in size.
    pub budget: Budget,
    /// The classifiers, by name, in the order of the report.
    pub classifier: IndexMap<String, ClassifierSpec>,
    /// What is measured about the synthetic pictures themselves.
    pub metrics: Metrics,
    /// What the report shows.
    pub report: Report,
    /// Axes: each key (written as on the command line, `"generator.pixel.guidance"`) takes each of
    /// its values, and every combination is run.
    pub sweep: IndexMap<String, Vec<serde_json::Value>>,
    /// A combination of swept values of another experiment, whose settings are laid over the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<ChosenPoint>,
    /// Overlays by name; the one that `--profile` names is laid over the file before anything else.
    pub profile: IndexMap<String, serde_json::Value>,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            title: String::new(),
            question: String::new(),
            seeds: vec![0, 1, 2],
            data: Data::default(),
            generator: Generator::default(),
            pretraining: IndexMap::new(),
            draws: Draws::default(),
            mix: IndexMap::new(),
            budget: Budget::default(),
            classifier: IndexMap::new(),
            metrics: Metrics::default(),
            report: Report::default(),
            sweep: IndexMap::new(),
            point: None,
            profile: IndexMap::new(),
        }
    }
}

/// The best of the swept combinations of another experiment. Its settings are laid over the file
/// after the profile; what is said on the command line or swept here counts more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ChosenPoint {
    /// The folder of that experiment's report: `reports/figure3/tiny`.
    pub report: String,
    /// The values that decide (`fid`, `top1`, `MIX:top1`): the least sum of ranks wins, which is a
    /// point of their Pareto front; among equal sums the first value decides.
    #[schemars(length(min = 1))]
    pub best: Vec<String>,
}

/// A generator trained on other pictures than those of the experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pretraining {
    /// The pictures it learns from.
    pub data: Data,
    /// The generator; how it draws does not matter.
    pub generator: Generator,
}

/// Whether every seed has synthetic pictures of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Draws {
    /// Each seed trains on a fresh set; intervals include the luck of the draw.
    #[default]
    PerSeed,
    /// All seeds share the set of the first one.
    Shared,
}

/// How long classifiers train when training sets differ in size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// `recipe.steps` optimiser steps, whatever the training set.
    #[default]
    Steps,
    /// As many epochs as `recipe.steps` are on the real training pictures alone.
    Epochs,
}

/// What is measured about the synthetic pictures themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metrics {
    /// Which scores.
    pub scores: Vec<Metric>,
    /// The classifier (by name) whose last features measure them: the one trained on the mix
    /// `extractor-mix` with the first seed; it need not be a row. Empty: the first classifier.
    pub extractor: String,
    /// The mix (by name) that the extractor was trained on. Empty: the first that is real pictures
    /// only.
    pub extractor_mix: String,
    /// Parts of the real data that distances (`fid`, `kid`, `fid-infinity`) are measured to beside
    /// the training pictures: each adds them once more, as `fid-val`, `fid-test`.
    pub also_against: Vec<Reference>,
}

/// A part of the real data that synthetic pictures are measured against.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// Validation pictures.
    Val,
    /// Test pictures. They are looked at to describe, never to choose.
    Test,
}

impl Reference {
    /// Returns its name, as in `fid-val`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// What the report shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Report {
    /// Classifiers (by name) that are rows. Empty: all.
    pub rows: Vec<String>,
    /// Mixes (by name) that are columns. Empty: all.
    pub columns: Vec<String>,
    /// Which accuracy fills the cells.
    pub value: Value,
    /// The mix whose accuracy is subtracted from that of `difference`, paired by seed. Empty: the
    /// first mix.
    pub baseline: String,
    /// Mixes (by name) that have a column of differences to the baseline.
    pub difference: Vec<String>,
    /// Whether the classifiers that learned from the baseline are tested on synthetic pictures
    /// (gan-test).
    pub gan_test: bool,
    /// A table of published numbers to print beside ours: paper and table, as `azizi-2023/table3`.
    pub published: String,
    /// Figures by kind.
    pub figures: Vec<FigureKind>,
    /// Tables beside those of accuracies and scores, by name: a table of a paper, row for row.
    pub table: IndexMap<String, Declared>,
    /// What a reader must know, printed under the tables.
    pub notes: Vec<String>,
}

/// Which accuracy fills a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Share of test pictures whose class is ranked first.
    #[default]
    Top1,
    /// Share of test pictures whose class is among the first five.
    Top5,
}

/// A figure that an experiment can show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// Accuracy of every classifier on every mix, as bars.
    Bars,
    /// Accuracy against the synthetic multiple of the mixes.
    Scale,
    /// Accuracy per class: synthetic only against real only.
    PerClass,
    /// Accuracies and scores against a swept key; other swept keys make curves of their own.
    Sweep,
    /// One value of the swept combinations against another, with the Pareto front.
    Front(FrontAxes),
}

/// The axes of a Pareto front. Values are named as in `report.table`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FrontAxes {
    /// The value to the right: `fid`.
    pub x: String,
    /// The value upwards: `is`, `top1`.
    pub y: String,
}

/// A table that is declared column by column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Declared {
    /// What it shows, in a sentence.
    pub caption: String,
    /// What a row is.
    pub rows: RowsAre,
    /// The columns: `top1`, `top5`, `difference` (to the baseline, paired by seed), or a score of
    /// the synthetic pictures (`fid`, `is`, `fid-test`). `MIX:top1` is of another mix than the
    /// row's, as in `real:top1`.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
    /// The classifier (by name) that accuracies are of. Empty: the first row of the report.
    pub classifier: String,
    /// The mix (by name) that accuracies are of, where rows are combinations of swept values.
    /// Empty: the first of synthetic pictures only.
    pub mix: String,
    /// A table of published numbers to print beside: paper and table, as `azizi-2023/table1`.
    pub published: String,
    /// Which row of it stands beside which of ours, by our label.
    pub published_rows: IndexMap<String, String>,
    /// Which column of it stands beside which of ours, by the heading of ours.
    pub published_columns: IndexMap<String, String>,
}

/// What a row of a declared table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowsAre {
    /// A combination of swept values.
    #[default]
    Combinations,
    /// A mix; every combination of swept values has columns of its own.
    Mixes,
}
