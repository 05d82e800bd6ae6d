//! Trainings that start from other weights, and the choice among the weights of one.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]

use std::sync::Arc;

use tempfile::TempDir;

use super::{INPUT, SIGHT, digits, pixel, resnet, run_in_pieces, store};
use crate::engine::{
    Context, Events, Executor as _, Graph, Inputs, Local, NodeId, StopFlag, Store, Summary, Work,
};
use crate::lab::classifiers::{Mix, SupervisedSpec};
use crate::lab::data::Subset;
use crate::lab::generators::{
    Choice, ClassTable, Enlarging, PixelTraining, Start, StartFile, StartPretraining,
};
use crate::lab::training::Recipe;
use crate::nets::weights::read_safetensors;
use crate::stages::*;
use crate::terms::Key;

const WEIGHTS: &str = "weights.safetensors";

/// A graph and its store.
struct Desk {
    graph: Graph,
    store: Store,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let (folder, store) = store();
        Self { graph: Graph::default(), store, _folder: folder }
    }

    /// Adds digits, of which some are held out; the same at another size or of other classes.
    fn digits(&mut self, size: usize, classes: &[&str]) -> NodeId {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        let subset = Subset { per_class: Some(8), classes, ..Subset::default() };
        let data = Data { size, subset, ..digits() };
        self.graph.add(Arc::new(DatasetStage::new(data, Key::of_bytes(b"digits"))), &[])
    }

    fn generator(
        &mut self,
        training: PixelTraining,
        start: Option<Key>,
        inputs: &[(&str, NodeId)],
    ) -> NodeId {
        let enlarging = inputs.iter().any(|(name, _)| *name == "smaller");
        let stage = GeneratorStage {
            training,
            seed: 0,
            channels: digits().channels,
            size: 8,
            enlarging: enlarging.then(Enlarging::default),
            start,
            machine: Arc::new(Machine::new(Device::flex())),
        };
        self.graph.add(Arc::new(stage), inputs)
    }

    fn run(&self, target: NodeId) -> Summary {
        let (events, stop) = (Events::silent(), StopFlag::default());
        let targets = &[target];
        let work =
            Work { graph: &self.graph, targets, store: &self.store, events: &events, stop: &stop };
        Local { jobs: 1 }.execute(&work).unwrap()
    }

    fn entry(&self, id: NodeId) -> Entry {
        self.store.find(self.graph.node(id).key()).unwrap().whole().unwrap()
    }

    fn read(&self, id: NodeId, name: &str) -> Vec<u8> {
        self.entry(id).read(name).unwrap()
    }

    fn inputs(&self, id: NodeId) -> Inputs {
        let inputs = self.graph.node(id).inputs().iter();
        Inputs::new(inputs.map(|(name, id)| (name.clone(), self.entry(*id))))
    }

    /// Runs a stage whose inputs are there, and returns why it failed.
    fn failure(&self, id: NodeId) -> String {
        let node = self.graph.node(id);
        self.graph.node(id).inputs().values().for_each(|id| drop(self.run(*id)));
        let bench = self.store.bench(node.key()).unwrap();
        let failed = node.stage().run(&self.inputs(id), &bench, &Context::silent());
        failed.unwrap_err().to_string()
    }
}

fn training(steps: usize, start: Option<Start>) -> PixelTraining {
    let own = pixel().training;
    PixelTraining { recipe: Recipe { steps, ..own.recipe }, start, ..own }
}

fn from(classes: ClassTable) -> Option<Start> {
    Some(Start::Pretraining(StartPretraining { of: "wide".to_owned(), classes }))
}

#[test]
fn tuned_by_no_step_is_what_it_started_from() {
    let mut desk = Desk::new();
    let data = desk.digits(8, &[]);
    let wide = desk.generator(training(3, None), None, &[("data", data)]);
    let inputs = [("data", data), ("start", wide), ("start-data", data)];
    let tuned = desk.generator(training(0, from(ClassTable::Same)), None, &inputs);
    assert!(desk.run(tuned).complete());
    assert!(desk.read(tuned, WEIGHTS) == desk.read(wide, WEIGHTS));
    // A file with the same weights is the same start, wherever it lies.
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.safetensors", "b.safetensors"] {
        let path = folder.path().join(name);
        std::fs::write(&path, desk.read(wide, WEIGHTS)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let start = Start::File(StartFile { path, classes: ClassTable::Same });
        let content = Key::of_bytes(&desk.read(wide, WEIGHTS));
        let tuned = desk.generator(training(0, Some(start)), Some(content), &[("data", data)]);
        let done = desk.run(tuned).done();
        assert_eq!(done, usize::from(name == "a.safetensors"), "the place is not part of the key");
        assert!(desk.read(tuned, WEIGHTS) == desk.read(wide, WEIGHTS));
    }
}

#[test]
fn other_classes_start_fresh() {
    let mut desk = Desk::new();
    let (data, few) = (desk.digits(8, &[]), desk.digits(8, &["3", "5"]));
    let wide = desk.generator(training(2, None), None, &[("data", data)]);
    let inputs = [("data", few), ("start", wide)];
    let tuned = desk.generator(training(0, from(ClassTable::New)), None, &inputs);
    let fresh = desk.generator(training(0, None), None, &[("data", few)]);
    assert!(desk.run(tuned).complete() && desk.run(fresh).complete());
    let weights = |id| read_safetensors(&desk.read(id, WEIGHTS)).unwrap();
    let (wide, tuned, fresh) = (weights(wide), weights(tuned), weights(fresh));
    for (name, array) in &tuned {
        let table = name == "class_embedding.weight";
        assert!(array == if table { &fresh[name] } else { &wide[name] }, "{name}");
    }
    let inputs = [("data", few), ("start", inputs[1].1), ("start-data", data)];
    let wrong = desk.generator(training(1, from(ClassTable::Same)), None, &inputs);
    let told = desk.failure(wrong);
    assert!(told.contains("weights of `wide` for other classes"), "{told}");
    assert!(told.contains("hint: `classes = \"new\"`"), "{told}");
}

#[test]
fn a_file_that_changed_is_refused() {
    let mut desk = Desk::new();
    let data = desk.digits(8, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, b"other weights").unwrap();
    let path = path.to_str().unwrap().to_owned();
    let start = Start::File(StartFile { path, classes: ClassTable::Same });
    let content = Key::of_bytes(b"the weights that were hashed");
    let tuned = desk.generator(training(1, Some(start)), Some(content), &[("data", data)]);
    assert!(desk.failure(tuned).ends_with("has changed since the run began"));
}

#[test]
fn a_tuning_with_candidates_goes_on_where_it_stopped() {
    let mut desk = Desk::new();
    let (data, small) = (desk.digits(8, &[]), desk.digits(4, &[]));
    let own = [("data", data), ("smaller", small)];
    let wide = desk.generator(training(2, None), None, &own);
    let choice = Some(Choice { at: vec![1, 3], ..Choice::default() });
    let training = PixelTraining { choice, ..training(3, from(ClassTable::New)) };
    let inputs = [own[0], own[1], ("start", wide)];
    let tuned = desk.generator(training, None, &inputs);
    assert!(desk.run(tuned).complete());
    let names = ["weights-0000001.safetensors", "weights-0000003.safetensors", WEIGHTS];
    let want = names.map(|name| desk.read(tuned, name));
    assert!(want[0] != want[1] && want[1] == want[2], "the last candidate is what is left");
    let (_folder, other) = store();
    let node = desk.graph.node(tuned);
    let bench = other.bench(node.key()).unwrap();
    assert_eq!(run_in_pieces(node.stage(), &desk.inputs(tuned), &bench), 2);
    for (name, want) in names.iter().zip(want) {
        assert!(bench.get(name).unwrap().unwrap() == want, "{name}");
    }
}

#[test]
fn the_weights_with_the_nearest_pictures_are_kept() {
    let mut desk = Desk::new();
    let (data, small) = (desk.digits(8, &[]), desk.digits(4, &[]));
    let choice = Choice { at: vec![1, 2, 3], pictures: 30, ..Choice::default() };
    let sampler = pixel().sampler;
    let choice = Choice { sampler, ..choice };
    let training = PixelTraining { choice: Some(choice.clone()), ..training(3, None) };
    let machine = Arc::new(Machine::new(Device::flex()));
    let recipe = Recipe { steps: 2, batch: 8, ..Recipe::default() };
    let judge = ClassifierStage {
        name: "judge".to_owned(),
        mix_name: "real".to_owned(),
        net: resnet(),
        training: SupervisedSpec { recipe, ..SupervisedSpec::default() },
        mix: Mix::default(),
        seed: 0,
        input: INPUT,
        machine: machine.clone(),
    };
    let judge = desk.graph.add(Arc::new(judge), &[("data", data)]);
    for own in [&[("data", data)][..], &[("data", data), ("smaller", small)]] {
        let enlarging = (own.len() == 2).then(Enlarging::default);
        let trained = desk.generator(training.clone(), None, own);
        let stage = ChoiceStage {
            training: training.clone(),
            choice: choice.clone(),
            seed: 0,
            channels: digits().channels,
            size: 8,
            enlarging,
            by: JudgeNet::Classifier(resnet(), INPUT, SIGHT),
            machine: machine.clone(),
        };
        let inputs = [own, &[("generator", trained), ("classifier", judge)]].concat();
        let chosen = desk.graph.add(Arc::new(stage), &inputs);
        assert!(desk.run(chosen).complete());
        let found: Chosen = serde_json::from_slice(&desk.read(chosen, "choice.json")).unwrap();
        assert_eq!(found.candidates.iter().map(|c| c.step).collect::<Vec<_>>(), [1, 2, 3]);
        let best = found.candidates.iter().map(|c| c.fid).fold(f64::INFINITY, f64::min);
        let kept = found.candidates.iter().find(|c| c.step == found.step).unwrap();
        assert!(kept.fid <= best && best.is_finite());
        let name = format!("weights-{:07}.safetensors", found.step);
        assert!(desk.read(chosen, WEIGHTS) == desk.read(trained, &name));
        // Candidates that were judged before a kill are not judged again, and nothing changes.
        let (_folder, other) = store();
        let node = desk.graph.node(chosen);
        let bench = other.bench(node.key()).unwrap();
        let first = desk.read(chosen, "candidate-0000001.json");
        bench.put("candidate-0000001.json", &first).unwrap();
        node.stage().run(&desk.inputs(chosen), &bench, &Context::silent()).unwrap();
        let again = bench.get("choice.json").unwrap().unwrap();
        assert!(again == desk.read(chosen, "choice.json"));
    }
}
