//! What the stages left, by name and seed.

use std::collections::BTreeMap;

use crate::engine::{Entry, Failure, NodeId, Store};
use crate::experiment::build::{Built, Nodes, Trained};
use crate::experiment::file::Value;
use crate::experiment::resolve::Cell;
use crate::lab::stats::{self, paired};
use crate::report::Estimate;
use crate::stages::{Evaluation, Measurement};
use crate::terms::{Direction, Protocol};

/// The results of one combination of swept values.
pub(super) struct Results {
    pub(super) cell: Cell,
    /// Tests on real test pictures.
    pub(super) tests: BTreeMap<Trained, Evaluation>,
    /// Tests on synthetic pictures.
    pub(super) gan_tests: BTreeMap<Trained, Evaluation>,
    /// Scores of the synthetic pictures by name, in order: direction, protocol, one value per draw.
    pub(super) scores: Vec<(String, Direction, Protocol, Vec<f64>)>,
    /// What could not be measured, and why.
    pub(super) refused: Vec<String>,
}

/// Returns the entry of a node.
pub(super) fn entry(built: &Built, id: NodeId, store: &Store) -> Result<Entry, Failure> {
    let node = built.graph.node(id);
    let found = store.find(node.key())?;
    found.whole().ok_or_else(|| Failure::other(format!("`{}` has no result", node.label())))
}

impl Results {
    pub(super) fn read(
        cell: &Cell,
        nodes: &Nodes,
        built: &Built,
        store: &Store,
    ) -> Result<Self, Failure> {
        let read = |tests: &BTreeMap<Trained, NodeId>| {
            tests
                .iter()
                .map(|(which, id)| {
                    Ok((which.clone(), Evaluation::read(&entry(built, *id, store)?)?))
                })
                .collect::<Result<BTreeMap<_, _>, Failure>>()
        };
        let mut results = Self {
            cell: cell.clone(),
            tests: read(&nodes.tests)?,
            gan_tests: read(&nodes.gan_tests)?,
            scores: Vec::new(),
            refused: Vec::new(),
        };
        for ((_, reference), id) in &nodes.measures {
            let mut measurement = Measurement::read(&entry(built, *id, store)?)?;
            if let Some(reference) = reference {
                for score in &mut measurement.scores {
                    score.name = format!("{}-{}", score.name, reference.name());
                }
            }
            results.add(measurement);
        }
        Ok(results)
    }

    fn add(&mut self, measurement: Measurement) {
        for score in measurement.scores {
            match self.scores.iter_mut().find(|(name, ..)| *name == score.name) {
                Some((.., values)) => values.push(score.value),
                None => self.scores.push((
                    score.name,
                    score.direction,
                    score.protocol,
                    vec![score.value],
                )),
            }
        }
        self.refused.extend(measurement.refused);
    }

    /// Returns the accuracy by seed of a classifier on a mix; empty if it was not tested.
    fn by_seed(&self, classifier: &str, mix: &str, value: Value) -> BTreeMap<u64, f64> {
        self.tests
            .iter()
            .filter(|(which, _)| which.classifier == classifier && which.mix == mix)
            .filter_map(|(which, test)| Some((which.seed, accuracy(test, value)?)))
            .collect()
    }

    /// Returns the mean accuracy of a classifier on a mix over seeds.
    pub(super) fn accuracy(&self, classifier: &str, mix: &str) -> Option<Estimate> {
        self.accuracy_as(classifier, mix, self.cell.experiment.report.value)
    }

    /// Returns the mean top-1 or top-5 accuracy of a classifier on a mix over seeds.
    pub(super) fn accuracy_as(
        &self,
        classifier: &str,
        mix: &str,
        value: Value,
    ) -> Option<Estimate> {
        let by_seed = self.by_seed(classifier, mix, value);
        let values: Vec<f64> = by_seed.into_values().collect();
        let protocol = self.protocol(classifier, mix, value)?;
        Some(shown(stats::Estimate::of(&values)?, protocol))
    }

    /// Returns the same without its protocol, for figures: there all accuracies are of one test,
    /// whatever the name that the training set gives them.
    pub(super) fn plotted(&self, classifier: &str, mix: &str) -> Option<Estimate> {
        Some(Estimate { protocol: None, ..self.accuracy(classifier, mix)? })
    }

    /// Returns the difference of two mixes, paired by seed.
    pub(super) fn difference(&self, classifier: &str, mix: &str) -> Option<Estimate> {
        let report = &self.cell.experiment.report;
        let (baseline, value) = (&report.baseline, report.value);
        let by_seed = |mix: &str| self.by_seed(classifier, mix, value);
        let (ours, theirs) = (by_seed(mix), by_seed(baseline));
        let Protocol(text) = self.protocol(classifier, mix, value)?;
        let protocol = Protocol(format!("{text} - {baseline}, paired by seed"));
        Some(shown(paired(&ours, &theirs)?, protocol))
    }

    /// Returns how often synthetic pictures are recognised as their class by a classifier of the
    /// baseline.
    pub(super) fn gan_test(&self, classifier: &str) -> Option<Estimate> {
        let tests = self.gan_tests.iter().filter(|(which, _)| which.classifier == classifier);
        let tests: Vec<&Evaluation> = tests.map(|(_, test)| test).collect();
        let values: Vec<f64> = tests.iter().map(|test| test.accuracy.top1).collect();
        let n = tests.first()?.accuracy.n;
        let protocol = Protocol(format!("gan-test[top1;N={n};ref=synthetic]"));
        Some(shown(stats::Estimate::of(&values)?, protocol))
    }

    /// Returns the mean of a score over draws.
    pub(super) fn score(&self, name: &str) -> Option<Estimate> {
        let (.., protocol, values) = self.scores.iter().find(|(known, ..)| known == name)?;
        Some(shown(stats::Estimate::of(values)?, protocol.clone()))
    }

    /// Returns how the accuracy of a classifier on a mix was measured.
    fn protocol(&self, classifier: &str, mix: &str, value: Value) -> Option<Protocol> {
        let experiment = &self.cell.experiment;
        let (_, test) =
            self.tests.iter().find(|(w, _)| w.classifier == classifier && w.mix == mix)?;
        let declared = experiment.mix.get(mix)?;
        let name = match (declared.real > 0.0, declared.synthetic > 0.0) {
            (false, true) => "cas",
            (true, true) => "nas",
            _ => "accuracy",
        };
        let value = match value {
            Value::Top1 => "top1",
            Value::Top5 => "top5",
        };
        Some(Protocol(format!("{name}[{value};N={};ref=test]", test.accuracy.n)))
    }
}

fn accuracy(test: &Evaluation, value: Value) -> Option<f64> {
    match value {
        Value::Top1 => Some(test.accuracy.top1),
        Value::Top5 => test.accuracy.top5,
    }
}

fn shown(estimate: stats::Estimate, protocol: Protocol) -> Estimate {
    let stats::Estimate { mean, low, high, n, sd } = estimate;
    Estimate { mean, low, high, n, sd, protocol: Some(protocol) }
}
