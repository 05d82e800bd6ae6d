//! From resolved experiments to the graph of stages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::{Budget, Draws, Experiment};
use super::resolve::{Cell, Resolved};
use crate::engine::{DiskFiles, Graph, NodeId};
use crate::lab::classifiers::Mix;
use crate::lab::data::fingerprint;
use crate::lab::generators::{Generator, Pixel, Planted};
use crate::nets::classifier::Input;
use crate::stages::{
    ClassifierSpec, ClassifierStage, Data, DatasetStage, EvaluateStage, GeneratorStage, Machine,
    MeasureStage, On, PlantedStage, START, SampleStage,
};
use crate::terms::Problems;

/// The nodes of one combination of swept values.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// The real pictures.
    pub data: NodeId,
    /// Synthetic pictures by draw, copy by copy.
    pub samples: BTreeMap<u64, Vec<NodeId>>,
    /// Trained classifiers by classifier, mix and seed.
    pub classifiers: BTreeMap<Trained, NodeId>,
    /// Their tests on real test pictures.
    pub tests: BTreeMap<Trained, NodeId>,
    /// Tests of the baseline's classifiers on synthetic pictures.
    pub gan_tests: BTreeMap<Trained, NodeId>,
    /// Scores of the synthetic pictures by draw.
    pub measures: BTreeMap<u64, NodeId>,
}

impl Nodes {
    /// Returns the first copies of a draw.
    fn drawn(&self, draw: u64, copies: usize) -> Vec<NodeId> {
        let all = self.samples.get(&draw).map_or(&[][..], Vec::as_slice);
        all[..copies.min(all.len())].to_vec()
    }
}

/// Which trained classifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trained {
    /// Its name in the file.
    pub classifier: String,
    /// The mix it learned from.
    pub mix: String,
    /// Its seed.
    pub seed: u64,
}

/// A graph and where everything is in it.
pub struct Built {
    /// The stages.
    pub graph: Graph,
    /// What the report needs, in the order of the cells.
    pub cells: Vec<(Cell, Nodes)>,
}

impl Built {
    /// Returns the nodes whose results the report reads.
    pub fn targets(&self) -> Vec<NodeId> {
        let mut targets = Vec::new();
        for (_, nodes) in &self.cells {
            targets.push(nodes.data);
            targets.extend(nodes.samples.values().flatten());
            targets.extend(nodes.tests.values());
            targets.extend(nodes.gan_tests.values());
            targets.extend(nodes.measures.values());
        }
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// Builds the graph of an experiment.
///
/// # Errors
/// If the data cannot be read.
pub fn build(resolved: &Resolved, machine: &Arc<Machine>) -> Result<Built, Problems> {
    let mut graph = Graph::default();
    let mut cells = Vec::new();
    for cell in &resolved.cells {
        let data = &cell.experiment.data;
        let fingerprint = fingerprint(&data.source, &data.subset, &DiskFiles)?;
        let stage = Arc::new(DatasetStage::new(data.clone(), fingerprint));
        let data = graph.add(stage, &[]);
        let builder = Builder { experiment: &cell.experiment, machine, graph: &mut graph };
        let nodes = builder.build(data);
        cells.push((cell.clone(), nodes));
    }
    Ok(Built { graph, cells })
}

struct Builder<'a> {
    experiment: &'a Experiment,
    machine: &'a Arc<Machine>,
    graph: &'a mut Graph,
}

impl Builder<'_> {
    fn build(mut self, data: NodeId) -> Nodes {
        let experiment = self.experiment;
        let mut nodes = Nodes {
            data,
            samples: BTreeMap::new(),
            classifiers: BTreeMap::new(),
            tests: BTreeMap::new(),
            gan_tests: BTreeMap::new(),
            measures: BTreeMap::new(),
        };
        self.samples(&mut nodes);
        let report = &experiment.report;
        let mut mixes = report.columns.clone();
        mixes.extend(report.difference.iter().cloned());
        if !report.baseline.is_empty() {
            mixes.push(report.baseline.clone());
        }
        for classifier in &report.rows {
            for mix in mixes.iter().filter(|name| experiment.mix.contains_key(*name)) {
                for &seed in &experiment.seeds {
                    let which = Trained { classifier: classifier.clone(), mix: mix.clone(), seed };
                    if !nodes.tests.contains_key(&which) {
                        self.classifier(&which, &mut nodes);
                    }
                }
            }
        }
        self.measures(&mut nodes);
        nodes
    }

    fn draw(&self, seed: u64) -> u64 {
        match self.experiment.draws {
            Draws::PerSeed => seed,
            Draws::Shared => self.experiment.seeds[0],
        }
    }

    fn input(&self, of: &ClassifierSpec) -> Input {
        input(&self.experiment.data, of)
    }

    fn samples(&mut self, nodes: &mut Nodes) {
        let experiment = self.experiment;
        let most = experiment.mix.values().map(|mix| mix.synthetic).fold(0.0, f64::max);
        let asked = !experiment.metrics.scores.is_empty() || experiment.report.gan_test;
        let copies = (most.ceil() as usize).max(usize::from(asked));
        if copies == 0 {
            return;
        }
        for &seed in &experiment.seeds {
            let draw = self.draw(seed);
            let drawn = (0..copies).filter_map(|copy| self.drawn(draw, copy, nodes.data)).collect();
            nodes.samples.insert(draw, drawn);
        }
    }

    /// Adds one copy of a draw, and the generator if it is trained; `None` for one that the program
    /// does not have, which was refused before.
    fn drawn(&mut self, draw: u64, copy: usize, data: NodeId) -> Option<NodeId> {
        match &self.experiment.generator {
            Generator::Pixel(pixel) => {
                let generator = self.generator(pixel, data);
                Some(self.sample(pixel, draw, copy, (data, generator)))
            }
            Generator::Planted(planted) => Some(self.planted(planted, draw, copy, data)),
            Generator::Announced(_) => None,
        }
    }

    fn generator(&mut self, pixel: &Pixel, real: NodeId) -> NodeId {
        let data = &self.experiment.data;
        let stage = Arc::new(GeneratorStage {
            training: pixel.training.clone(),
            seed: pixel.seed,
            channels: data.channels,
            size: data.size,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &[("data", real)])
    }

    fn planted(&mut self, planted: &Planted, draw: u64, copy: usize, real: NodeId) -> NodeId {
        let data = self.experiment.data.clone();
        let stage = PlantedStage { planted: planted.clone(), data, draw, copy };
        self.graph.add(Arc::new(stage), &[("data", real)])
    }

    fn sample(&mut self, pixel: &Pixel, draw: u64, copy: usize, from: (NodeId, NodeId)) -> NodeId {
        let data = &self.experiment.data;
        let stage = Arc::new(SampleStage {
            pixel: pixel.clone(),
            draw,
            copy,
            channels: data.channels,
            size: data.size,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &[("data", from.0), ("generator", from.1)])
    }

    /// Adds a classifier of the report: it is trained and tested.
    fn classifier(&mut self, which: &Trained, nodes: &mut Nodes) {
        let experiment = self.experiment;
        let trained = self.trained(which, nodes);
        let spec = &experiment.classifier[&which.classifier];
        let of = format!("{} on {}, seed {}", which.classifier, which.mix, which.seed);
        let drawn = nodes.drawn(self.draw(which.seed), 1);
        let mut test = |on, inputs: &[(&str, NodeId)]| {
            let stage = EvaluateStage {
                of: of.clone(),
                net: spec.net.built().expect("an announced net was refused before"),
                sight: spec.training.sight(experiment.data.channels),
                input: self.input(spec),
                on,
                machine: self.machine.clone(),
            };
            self.graph.add(Arc::new(stage), inputs)
        };
        let own = [("data", nodes.data), ("classifier", trained)];
        nodes.tests.insert(which.clone(), test(On::Test, &own));
        if experiment.report.gan_test && which.mix == experiment.report.baseline {
            let inputs = with_samples(&[("classifier", trained)], &drawn);
            nodes.gan_tests.insert(which.clone(), test(On::Synthetic, &named(&inputs)));
        }
    }

    /// Adds the training of a classifier, and of the one it starts from.
    fn trained(&mut self, which: &Trained, nodes: &mut Nodes) -> NodeId {
        if let Some(known) = nodes.classifiers.get(which) {
            return *known;
        }
        let experiment = self.experiment;
        let spec = &experiment.classifier[&which.classifier];
        let mix = experiment.mix[&which.mix];
        let mut training = spec.training.clone();
        training.recipe.steps = steps(experiment.budget, &mix, training.recipe.steps);
        let stage = Arc::new(ClassifierStage {
            name: which.classifier.clone(),
            mix_name: which.mix.clone(),
            net: spec.net.built().expect("an announced net was refused before"),
            training,
            mix,
            seed: which.seed,
            input: self.input(spec),
            machine: self.machine.clone(),
        });
        let drawn = nodes.drawn(self.draw(which.seed), mix.synthetic.ceil() as usize);
        let mut inputs = with_samples(&[("data", nodes.data)], &drawn);
        if !spec.start.is_empty() {
            let other = Trained { classifier: spec.start.clone(), ..which.clone() };
            inputs.push((START.to_owned(), self.trained(&other, nodes)));
        }
        let trained = self.graph.add(stage, &named(&inputs));
        nodes.classifiers.insert(which.clone(), trained);
        trained
    }

    fn measures(&mut self, nodes: &mut Nodes) {
        let experiment = self.experiment;
        let metrics = &experiment.metrics;
        if metrics.scores.is_empty() {
            return;
        }
        let extractor = Trained {
            classifier: metrics.extractor.clone(),
            mix: metrics.extractor_mix.clone(),
            seed: experiment.seeds[0],
        };
        if !nodes.tests.contains_key(&extractor) {
            self.classifier(&extractor, nodes);
        }
        let spec = &experiment.classifier[&metrics.extractor];
        for (&draw, drawn) in &nodes.samples.clone() {
            let stage = Arc::new(MeasureStage {
                metrics: metrics.scores.clone(),
                draw,
                net: spec.net.built().expect("an announced net was refused before"),
                sight: spec.training.sight(experiment.data.channels),
                input: self.input(spec),
                machine: self.machine.clone(),
            });
            let own = [("data", nodes.data), ("classifier", nodes.classifiers[&extractor])];
            let inputs = with_samples(&own, &drawn[..1]);
            nodes.measures.insert(draw, self.graph.add(stage, &named(&inputs)));
        }
    }
}

/// Returns what a classifier sees.
pub(super) fn input(data: &Data, of: &ClassifierSpec) -> Input {
    let pixels = of.training.view.side().unwrap_or(data.size);
    Input { channels: data.channels.count(), pixels }
}

/// Returns the optimiser steps of a mix under a budget.
fn steps(budget: Budget, mix: &Mix, steps: usize) -> usize {
    match budget {
        Budget::Steps => steps,
        Budget::Epochs => {
            let relative = mix.real * mix.repeat as f64 + mix.synthetic;
            ((steps as f64 * relative).round() as usize).max(1)
        }
    }
}

fn with_samples(own: &[(&str, NodeId)], drawn: &[NodeId]) -> Vec<(String, NodeId)> {
    let own = own.iter().map(|(name, id)| ((*name).to_owned(), *id));
    let copies = drawn.iter().enumerate().map(|(i, id)| (format!("synthetic-{i:03}"), *id));
    own.chain(copies).collect()
}

fn named(inputs: &[(String, NodeId)]) -> Vec<(&str, NodeId)> {
    inputs.iter().map(|(name, id)| (name.as_str(), *id)).collect()
}
