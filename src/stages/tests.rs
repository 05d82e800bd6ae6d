//! A whole small chain from pictures to scores, run, run again, interrupted and killed.

mod cascade;
mod tuning;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::engine::{
    Bench, Context, Events, Executor as _, Fault, FaultyDisk, Graph, Local, NodeId, Stage,
    StopFlag, Store, Summary, Work,
};
use crate::lab::classifiers::{Mix, Sight, SupervisedSpec};
use crate::lab::data::Subset;
use crate::lab::diffusion::Sampler;
use crate::lab::diffusion::samplers::Ddim;
use crate::lab::generators::{Pixel, PixelNet, PixelTraining};
use crate::lab::images::{Channels, Normalisation, View};
use crate::lab::metrics::Metric;
use crate::lab::training::Recipe;
use crate::nets::classifier::{ClassifierNet, Input};
use crate::nets::resnet::{ResNetFamily, ResNetSpec, Stem};
use crate::terms::{Key, Precision};

const INPUT: Input = Input { channels: 1, pixels: 8 };

const SIGHT: Sight =
    Sight { normalisation: Normalisation::Signed, channels: Channels::Grey, view: View::Data };

/// 300 training pictures: more than one shard of synthetic ones.
fn digits() -> Data {
    let subset = Subset { per_class: Some(30), ..Subset::default() };
    Data { subset, channels: Channels::Grey, ..Data::default() }
}

fn pixel() -> Pixel {
    let net = PixelNet { channels: vec![4, 4], groups: 2, ..PixelNet::default() };
    let recipe = Recipe { steps: 3, batch: 4, ..Recipe::default() };
    let sampler = Sampler::Ddim(Ddim { steps: 2, ..Ddim::default() });
    let training = PixelTraining { net, recipe, ..PixelTraining::default() };
    Pixel { training, sampler, ..Pixel::default() }
}

fn resnet() -> ClassifierNet {
    let (stem, width) = (Some(Stem::Cifar), Some(4));
    ClassifierNet::ResNet(ResNetSpec { family: ResNetFamily::ResNet10, stem, width })
}

/// The stages of a small experiment.
struct Chain {
    graph: Graph,
    data: NodeId,
    generator: NodeId,
    sample: NodeId,
    classifier: NodeId,
    tests: [NodeId; 2],
    measure: NodeId,
}

impl Chain {
    fn new() -> Self {
        let machine = Arc::new(Machine::new(Device::flex()));
        let mut graph = Graph::default();
        let data = graph.add(Arc::new(DatasetStage::new(digits(), Key::of_bytes(b"digits"))), &[]);
        let generator = GeneratorStage {
            training: pixel().training,
            seed: 0,
            channels: Channels::Grey,
            size: 8,
            enlarging: None,
            start: None,
            machine: machine.clone(),
        };
        let generator = graph.add(Arc::new(generator), &[("data", data)]);
        let sample = SampleStage {
            pixel: pixel(),
            draw: 0,
            copy: 0,
            channels: Channels::Grey,
            size: 8,
            machine: machine.clone(),
        };
        let sample = graph.add(Arc::new(sample), &[("data", data), ("generator", generator)]);
        let recipe = Recipe { steps: 3, batch: 8, ..Recipe::default() };
        let classifier = ClassifierStage {
            name: "tiny".to_owned(),
            mix_name: "both".to_owned(),
            net: resnet(),
            training: SupervisedSpec { recipe, ..SupervisedSpec::default() },
            mix: Mix { synthetic: 1.0, ..Mix::default() },
            seed: 0,
            input: INPUT,
            machine: machine.clone(),
        };
        let inputs = [("data", data), ("synthetic-000", sample)];
        let classifier = graph.add(Arc::new(classifier), &inputs);
        let all = [("data", data), ("synthetic-000", sample), ("classifier", classifier)];
        let tests = [On::Test, On::Synthetic].map(|on| {
            let stage = EvaluateStage {
                of: "tiny on both".to_owned(),
                net: resnet(),
                sight: SIGHT,
                input: INPUT,
                on,
                machine: machine.clone(),
            };
            let own = match on {
                On::Test => [all[0], all[2]],
                On::Synthetic => [all[1], all[2]],
            };
            graph.add(Arc::new(stage), &own)
        });
        let measure = MeasureStage {
            metrics: Metric::ALL.to_vec(),
            draw: 0,
            reference: "train",
            net: resnet(),
            sight: SIGHT,
            input: INPUT,
            machine,
        };
        let measure = graph.add(Arc::new(measure), &all);
        Self { graph, data, generator, sample, classifier, tests, measure }
    }

    fn run(&self, store: &Store, targets: &[NodeId], jobs: usize) -> Summary {
        let (events, stop) = (Events::silent(), StopFlag::default());
        let work = Work { graph: &self.graph, targets, store, events: &events, stop: &stop };
        Local { jobs }.execute(&work).unwrap()
    }

    fn entry(&self, store: &Store, id: NodeId) -> Entry {
        store.verify(self.graph.node(id).key()).unwrap().whole().unwrap()
    }

    /// Returns the content of an entry: the hash of every file.
    fn content(&self, store: &Store, id: NodeId) -> BTreeMap<String, Key> {
        let manifest = self.entry(store, id).manifest().clone();
        manifest.files.into_iter().map(|file| (file.name, file.blake3)).collect()
    }

    fn stage(&self, id: NodeId) -> &dyn Stage {
        self.graph.node(id).stage()
    }

    fn inputs(&self, store: &Store, id: NodeId) -> Inputs {
        let inputs = self.graph.node(id).inputs().iter();
        Inputs::new(inputs.map(|(name, id)| (name.clone(), self.entry(store, *id))))
    }
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn a_chain_runs_once_and_its_results_do_not_depend_on_the_run() {
    let chain = Chain::new();
    let targets = [chain.tests[0], chain.tests[1], chain.measure];
    let (_first, store_one) = store();
    let summary = chain.run(&store_one, &targets, 1);
    assert!(summary.complete() && summary.done() == 7, "{summary:?}");
    let again = chain.run(&store_one, &targets, 1);
    assert!(again.complete() && again.done() == 0, "{again:?}");

    let (_second, store_two) = store();
    assert_eq!(chain.run(&store_two, &targets, 3).done(), 7);
    for (id, node) in chain.graph.iter() {
        let [one, two] = [&store_one, &store_two].map(|store| chain.content(store, id));
        assert_eq!(one, two, "{}", node.label());
    }

    let read = |id| Evaluation::read(&chain.entry(&store_one, id)).unwrap();
    let [real, synthetic] = chain.tests.map(read);
    assert_eq!((real.accuracy.n, synthetic.accuracy.n), (357, 300));
    assert_eq!(synthetic.accuracy.per_class.iter().map(|c| c.n).collect::<Vec<_>>(), [30; 10]);
    let sampled: Sampled =
        read_json(&chain.entry(&store_one, chain.sample), "summary.json").unwrap();
    assert_eq!(sampled, Sampled { pictures: 300, blank: 0 });
    let measured = Measurement::read(&chain.entry(&store_one, chain.measure)).unwrap();
    assert_eq!(measured.refused, [""; 0]);
    let names: Vec<&str> = measured.scores.iter().map(|score| score.name.as_str()).collect();
    let known = Metric::ALL.iter().flat_map(|metric| metric.scores());
    assert_eq!(names, known.map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(measured.scores.iter().all(|score| score.value.is_finite()));
}

/// The weights of a generator and of a classifier differ with the precision of their products.
#[test]
fn both_trainings_keep_to_their_precision() {
    let (_folder, store) = store();
    let [single, half] = [Precision::F32, Precision::Bf16].map(|precision| {
        let machine = Arc::new(Machine::new(Device::flex()));
        let mut graph = Graph::default();
        let data = graph.add(Arc::new(DatasetStage::new(digits(), Key::of_bytes(b"digits"))), &[]);
        let mut training = pixel().training;
        training.recipe.precision = precision;
        let recipe = training.recipe.clone();
        let generator = GeneratorStage {
            training,
            seed: 0,
            channels: Channels::Grey,
            size: 8,
            enlarging: None,
            start: None,
            machine: machine.clone(),
        };
        let classifier = ClassifierStage {
            name: "tiny".to_owned(),
            mix_name: "real".to_owned(),
            net: resnet(),
            training: SupervisedSpec { recipe, ..SupervisedSpec::default() },
            mix: Mix::default(),
            seed: 0,
            input: INPUT,
            machine,
        };
        let stages: [Arc<dyn Stage>; 2] = [Arc::new(generator), Arc::new(classifier)];
        let targets = stages.map(|stage| graph.add(stage, &[("data", data)]));
        let (events, stop) = (Events::silent(), StopFlag::default());
        let work =
            Work { graph: &graph, targets: &targets, store: &store, events: &events, stop: &stop };
        assert!(Local { jobs: 1 }.execute(&work).unwrap().complete());
        targets.map(|id| {
            let entry = store.verify(graph.node(id).key()).unwrap().whole().unwrap();
            entry.read(keeper::WEIGHTS).unwrap()
        })
    });
    for (single, half) in single.into_iter().zip(half) {
        assert_ne!(single, half);
    }
}

/// Runs a stage that is asked to stop at once, again and again until it is done; returns how often
/// it was stopped.
fn run_in_pieces(stage: &dyn Stage, inputs: &Inputs, bench: &Bench) -> usize {
    let stop = StopFlag::default();
    stop.set();
    let context = Context::new(bench.key(), stage.label(), Events::silent(), stop);
    for stops in 0..10 {
        match stage.run(inputs, bench, &context) {
            Ok(()) => return stops,
            Err(Failure::Interrupted) => assert!(bench.has("checkpoint.bin").unwrap()),
            Err(other) => panic!("{other}"),
        }
    }
    panic!("it never ends");
}

#[test]
fn a_training_stage_in_pieces_leaves_the_same_bytes() {
    let chain = Chain::new();
    let (_folder, whole) = store();
    chain.run(&whole, &[chain.classifier], 1);
    for id in [chain.generator, chain.classifier] {
        let (_folder, other) = store();
        let bench = other.bench(chain.graph.node(id).key()).unwrap();
        // Three steps: stopped after the first and the second.
        assert_eq!(run_in_pieces(chain.stage(id), &chain.inputs(&whole, id), &bench), 2);
        let content = |name: String| {
            let hash = Key::of_bytes(&bench.get(&name).unwrap().unwrap());
            (name, hash)
        };
        let found: BTreeMap<String, Key> =
            bench.names().unwrap().into_iter().map(content).collect();
        assert_eq!(found, chain.content(&whole, id));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let there = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &there);
        } else {
            std::fs::copy(&path, &there).unwrap();
        }
    }
}

#[test]
fn drawing_goes_on_after_a_kill_at_any_time() {
    let chain = Chain::new();
    let (prepared, whole) = store();
    chain.run(&whole, &[chain.generator], 1);
    let start = tempfile::tempdir().unwrap();
    copy(prepared.path(), start.path());
    chain.run(&whole, &[chain.sample], 1);
    let want = chain.content(&whole, chain.sample);
    let shards = want.keys().filter(|name| name.ends_with(".parquet"));
    assert_eq!(shards.count(), 2);

    let mut between = 0;
    // Every third operation on the disk, which is at least one of each file that is written.
    for at in (0..).step_by(3) {
        let folder = tempfile::tempdir().unwrap();
        copy(start.path(), folder.path());
        let disk = Arc::new(FaultyDisk::new(Fault::Kill, at));
        if let Ok(store) = Store::open_on(disk.clone(), folder.path()) {
            let (events, stop) = (Events::silent(), StopFlag::default());
            let (graph, targets) = (&chain.graph, &[chain.sample]);
            let work = Work { graph, targets, store: &store, events: &events, stop: &stop };
            // It ends somewhere; where is not the question.
            let _ = Local { jobs: 1 }.execute(&work);
        }
        // A disk that never fails, and never waits for the platter.
        let disk_after = Arc::new(FaultyDisk::new(Fault::Kill, usize::MAX));
        let store = Store::open_on(disk_after, folder.path()).unwrap();
        let bench = folder.path().join("work").join(chain.graph.node(chain.sample).key().hex());
        let there = |name: &str| bench.join(name).is_file();
        between += usize::from(there("train-00000.parquet") && !there("train-00001.parquet"));
        assert!(chain.run(&store, &[chain.sample], 1).complete(), "after operation {at}");
        assert_eq!(chain.content(&store, chain.sample), want, "after operation {at}");
        if !disk.failed() {
            break;
        }
    }
    assert!(between > 0, "some kill fell between two shards");
}

#[test]
fn copies_are_nested_and_draws_differ() {
    let chain = Chain::new();
    let (_folder, store) = store();
    chain.run(&store, &[chain.generator], 1);
    let machine = Arc::new(Machine::new(Device::flex()));
    let drawn = |draw, copy| {
        let (pixel, machine) = (pixel(), machine.clone());
        let stage = SampleStage { pixel, draw, copy, channels: Channels::Grey, size: 8, machine };
        let mut graph = Chain::new().graph;
        let inputs = [("data", chain.data), ("generator", chain.generator)];
        let id = graph.add(Arc::new(stage), &inputs);
        let bench = store.bench(graph.node(id).key()).unwrap();
        let inputs = chain.inputs(&store, chain.sample);
        graph.node(id).stage().run(&inputs, &bench, &Context::silent()).unwrap();
        let origin = graph.node(id).origin().clone();
        shards::pictures(&store.commit(bench, origin).unwrap()).unwrap()
    };
    let (first, second, other) = (drawn(0, 0), drawn(0, 1), drawn(1, 0));
    assert_eq!(first.examples[0].id, "draw-0/0/000000");
    assert_eq!(second.examples[0].id, "draw-0/0/000030");
    assert_eq!(other.examples[0].id, "draw-1/0/000000");
    let pictures = |data: &Dataset| -> Vec<_> {
        data.examples.iter().map(|e| e.picture.rgb().to_vec()).collect()
    };
    let all = [pictures(&first), pictures(&second), pictures(&other)].concat();
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 900, "no picture is drawn twice");
    // Round by round over the classes: any front part is balanced.
    let front = first.select(&(0..50).collect::<Vec<_>>());
    assert_eq!(front.class_counts(), [5; 10]);
}
