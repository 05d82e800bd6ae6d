//! Models that enlarge: pictures at every size, made anew only where something changed.

use std::sync::Arc;

use super::{digits, pixel, run_in_pieces, store};
use crate::engine::{
    Events, Executor as _, Graph, Inputs, Local, NodeId, StopFlag, Store, Summary, Work,
};
use crate::lab::data::Dataset;
use crate::lab::generators::{Enlarging, Pixel, Upscaler};
use crate::lab::images::{Channels, Filter};
use crate::stages::*;
use crate::terms::Key;

fn upscaler() -> Upscaler {
    let Pixel { training, sampler, .. } = pixel();
    Upscaler { training, sampler, noise_level: 0.2, ..Upscaler::default() }
}

/// Adds a cascade to a graph: digits drawn at 4 pixels, enlarged to 8 (from real ones with `real`),
/// scaled to 6.
struct Steps {
    graph: Graph,
    upscaler: NodeId,
    sample: NodeId,
    enlarged: NodeId,
    from_real: NodeId,
    scaled: NodeId,
}

impl Steps {
    fn new(upscaler: &Upscaler) -> Self {
        let machine = Arc::new(Machine::new(Device::flex()));
        let mut graph = Graph::default();
        let [small, large] = [4, 8].map(|size| {
            let data = Data { size, ..digits() };
            graph.add(Arc::new(DatasetStage::new(data, Key::of_bytes(b"digits"))), &[])
        });
        let channels = Channels::Grey;
        let [generator, trained] = [None, Some(upscaler.enlarging)].map(|enlarging| {
            let stage = GeneratorStage {
                training: pixel().training,
                seed: 0,
                channels,
                size: if enlarging.is_some() { 8 } else { 4 },
                enlarging,
                start: None,
                machine: machine.clone(),
            };
            let (from_noise, enlarging) =
                ([("data", small)], [("data", large), ("smaller", small)]);
            let inputs = if stage.enlarging.is_some() { &enlarging[..] } else { &from_noise };
            graph.add(Arc::new(stage), inputs)
        });
        let stage = SampleStage {
            pixel: pixel(),
            draw: 0,
            copy: 0,
            channels,
            size: 4,
            machine: machine.clone(),
        };
        let sample = graph.add(Arc::new(stage), &[("data", small), ("generator", generator)]);
        let own = [("data", small), ("generator", trained), ("synthetic-000", sample)];
        let [enlarged, from_real] = [&own[..], &own[..2]].map(|inputs| {
            let stage = UpscaleStage {
                upscaler: upscaler.clone(),
                seed: 0,
                draw: 0,
                copy: 0,
                channels,
                machine: machine.clone(),
            };
            graph.add(Arc::new(stage), inputs)
        });
        let stage = ResizeStage { size: 6, filter: Filter::Box, draw: 0 };
        let scaled = graph.add(Arc::new(stage), &[("synthetic-000", enlarged)]);
        Self { graph, upscaler: trained, sample, enlarged, from_real, scaled }
    }

    fn run(&self, store: &Store, targets: &[NodeId]) -> Summary {
        let (events, stop) = (Events::silent(), StopFlag::default());
        let work = Work { graph: &self.graph, targets, store, events: &events, stop: &stop };
        Local { jobs: 1 }.execute(&work).unwrap()
    }

    fn pictures(&self, store: &Store, id: NodeId) -> Dataset {
        let entry = store.verify(self.graph.node(id).key()).unwrap().whole().unwrap();
        shards::pictures(&entry).unwrap()
    }
}

#[test]
fn a_cascade_keeps_its_pictures_at_every_size() {
    let steps = Steps::new(&upscaler());
    let (_folder, store) = store();
    let targets = [steps.from_real, steps.scaled];
    assert_eq!(steps.run(&store, &targets).done(), 8);
    let all = [steps.sample, steps.enlarged, steps.from_real, steps.scaled]
        .map(|id| steps.pictures(&store, id));
    for (set, size) in all.iter().zip([4, 8, 8, 6]) {
        assert_eq!(set.roll(), all[0].roll(), "the same pictures by name");
        assert!(set.examples.iter().all(|e| e.picture.width() == size));
    }
    assert!(all[1].examples[0].picture != all[2].examples[0].picture);
    // Another noise level makes the larger pictures anew, and nothing before them.
    let other = Steps::new(&Upscaler { noise_level: 0.1, ..upscaler() });
    assert_eq!(other.run(&store, &[other.from_real, other.scaled]).done(), 3);
    // So does another training of the model that enlarges, with that training.
    let enlarging = Enlarging { noise_max: 0.5, ..Enlarging::default() };
    let other = Steps::new(&Upscaler { enlarging, ..upscaler() });
    assert_eq!(other.run(&store, &[other.from_real, other.scaled]).done(), 4);
}

#[test]
fn a_model_that_enlarges_is_trained_in_pieces() {
    let steps = Steps::new(&upscaler());
    let (_folder, whole) = store();
    steps.run(&whole, &[steps.upscaler]);
    let node = steps.graph.node(steps.upscaler);
    let entry = |id: &NodeId| whole.find(steps.graph.node(*id).key()).unwrap().whole().unwrap();
    let inputs = node.inputs().iter().map(|(name, id)| (name.clone(), entry(id)));
    let (_folder, other) = store();
    let bench = other.bench(node.key()).unwrap();
    assert_eq!(run_in_pieces(node.stage(), &Inputs::new(inputs), &bench), 2);
    let want = entry(&steps.upscaler).read("weights.safetensors").unwrap();
    assert!(bench.get("weights.safetensors").unwrap().unwrap() == want);
}
