//! The part of the graph that ends with synthetic pictures.

use std::sync::Arc;

use super::{Builder, input, named, with_samples};
use crate::engine::NodeId;
use crate::experiment::models::{self, Model};
use crate::lab::classifiers::Mix;
use crate::lab::generators::{
    Cascade, Choice, ClassTable, Generator, Judge, Low, Pixel, Planted, Start, Upscaler,
};
use crate::stages::{
    ChoiceStage, ClassifierStage, GeneratorStage, JudgeNet, PlantedStage, ResizeStage, SampleStage,
    UpscaleStage,
};

/// Which pictures: the draw, and the copy of the class counts.
type Which = (u64, usize);

impl<'a> Builder<'a> {
    /// Adds one copy of a draw, and the models that it needs; `None` for a generator that the
    /// program does not have, which was refused before.
    pub(super) fn drawn(&mut self, draw: u64, copy: usize, data: NodeId) -> Option<NodeId> {
        let experiment = self.experiment;
        let which = (draw, copy);
        match &experiment.generator {
            Generator::Pixel(pixel) => {
                let model = &models::own(experiment)[0];
                Some(self.sample(pixel, which, model))
            }
            Generator::Cascade(cascade) => Some(self.cascade(cascade, which)),
            Generator::Planted(planted) => Some(self.planted(planted, which, data)),
            Generator::Announced(_) => None,
        }
    }

    fn planted(&mut self, planted: &Planted, (draw, copy): Which, real: NodeId) -> NodeId {
        let data = self.experiment.data.clone();
        let stage = PlantedStage { planted: planted.clone(), data, draw, copy };
        self.graph.add(Arc::new(stage), &[("data", real)])
    }

    fn sample(&mut self, pixel: &Pixel, (draw, copy): Which, model: &Model<'a>) -> NodeId {
        let inputs =
            [("data", self.real(model.of, model.part.size)), ("generator", self.learned(model))];
        let stage = Arc::new(SampleStage {
            pixel: pixel.clone(),
            draw,
            copy,
            channels: model.data.channels,
            size: model.part.size,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &inputs)
    }

    /// Adds the models of a cascade up to the one whose pictures are used, and what each of them
    /// draws: a set of pictures at every size.
    fn cascade(&mut self, cascade: &'a Cascade, which: Which) -> NodeId {
        let mut drawn = None;
        for model in &models::own(self.experiment) {
            drawn = Some(match model.part.stage {
                None => self.sample(&cascade.base.pixel(cascade.seed), which, model),
                Some(name) => self.enlarged(&cascade.stage[name], which, (model, drawn)),
            });
        }
        let drawn = drawn.expect("a cascade has a model");
        let wanted = self.experiment.data.size;
        if cascade.size() == wanted {
            return drawn;
        }
        let stage = ResizeStage { size: wanted, filter: cascade.resize, draw: which.0 };
        self.graph.add(Arc::new(stage), &named(&with_samples(&[], &[drawn])))
    }

    /// Adds one model that enlarges, and what it makes of smaller pictures: of real ones if it is
    /// to, else of those that were drawn.
    fn enlarged(
        &mut self,
        upscaler: &Upscaler,
        (draw, copy): Which,
        (model, smaller): (&Model<'a>, Option<NodeId>),
    ) -> NodeId {
        let (_, below) = model.part.enlarging.expect("a stage above the base enlarges");
        let own = [("data", self.real(model.of, below)), ("generator", self.learned(model))];
        let smaller = smaller.filter(|_| upscaler.low == Low::Drawn);
        let stage = Arc::new(UpscaleStage {
            upscaler: upscaler.clone(),
            seed: model.seed,
            draw,
            copy,
            channels: model.data.channels,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &named(&with_samples(&own, smaller.as_slice())))
    }

    /// Adds the training of a model, what it starts from, and the choice among its weights.
    fn learned(&mut self, model: &Model<'a>) -> NodeId {
        let part = &model.part;
        let mut inputs = vec![("data", self.real(model.of, part.size))];
        if let Some((_, below)) = part.enlarging {
            inputs.push(("smaller", self.real(model.of, below)));
        }
        let mut all = inputs.clone();
        if let Some(before) = model.before(self.experiment) {
            all.push(("start", self.learned(&before)));
            if part.training.start.as_ref().map(Start::classes) == Some(ClassTable::Same) {
                all.push(("start-data", self.real(before.of, before.part.size)));
            }
        }
        let start = match &part.training.start {
            Some(Start::File(file)) => Some(self.contents.weights[&file.path]),
            _ => None,
        };
        let stage = Arc::new(GeneratorStage {
            training: part.training.clone(),
            seed: model.seed,
            channels: model.data.channels,
            size: part.size,
            enlarging: part.enlarging.map(|(enlarging, _)| enlarging),
            start,
            machine: self.machine.clone(),
        });
        let trained = self.graph.add(stage, &all);
        match &part.training.choice {
            None => trained,
            Some(choice) => self.chosen(choice, model, (trained, inputs)),
        }
    }

    /// Adds the choice among a model's weights, and the classifier that judges their pictures.
    fn chosen(
        &mut self,
        choice: &Choice,
        model: &Model<'a>,
        (trained, mut inputs): (NodeId, Vec<(&str, NodeId)>),
    ) -> NodeId {
        let part = &model.part;
        let by = match &choice.extractor {
            Judge::Inception(file) => {
                JudgeNet::Inception(file.path.clone(), self.contents.weights[&file.path])
            }
            Judge::Classifier(name) => {
                let (judge, by) = self.judge(name, model, inputs[0].1);
                inputs.push(("classifier", judge));
                by
            }
        };
        inputs.push(("generator", trained));
        let stage = Arc::new(ChoiceStage {
            training: part.training.clone(),
            choice: choice.clone(),
            seed: model.seed,
            channels: model.data.channels,
            size: part.size,
            enlarging: part.enlarging.map(|(enlarging, _)| enlarging),
            by,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &inputs)
    }

    /// Adds the classifier that judges, trained on the real pictures that the model learns from.
    fn judge(&mut self, name: &str, model: &Model<'a>, data: NodeId) -> (NodeId, JudgeNet) {
        let experiment = self.experiment;
        let name = if name.is_empty() { &experiment.metrics.extractor } else { name };
        let spec = &experiment.classifier[name];
        let net = spec.net.built().expect("an announced net was refused before");
        let input = input(&model.seen(), spec);
        let stage = Arc::new(ClassifierStage {
            name: name.to_owned(),
            mix_name: "real".to_owned(),
            net,
            training: spec.training.clone(),
            mix: Mix::default(),
            seed: experiment.seeds[0],
            input,
            machine: self.machine.clone(),
        });
        let by = JudgeNet::Classifier(net, input, spec.training.sight(model.data.channels));
        (self.graph.add(stage, &[("data", data)]), by)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::tensor::Device;

    use super::*;
    use crate::engine::Graph;
    use crate::experiment::{Request, build, resolve};
    use crate::stages::Machine;
    use crate::terms::MemoryFiles;

    const FILE: &str = "seeds = [0]\n[classifier.a.net.resnet]\nfamily = \"resnet-20\"\n\
        [generator.cascade.stage.middle]\nsize = 8\n[generator.cascade.stage.top]\nsize = 16\n";

    /// Returns the keys of the stages that end with synthetic pictures, and their labels.
    fn drawn(options: &[&str]) -> (BTreeSet<String>, Vec<String>) {
        let overrides = options.iter().map(|option| (*option).to_owned()).collect();
        let request = Request { overrides, ..Request::default() };
        let resolved = resolve("x.toml", FILE, &request, &MemoryFiles::default()).unwrap();
        let built = build(&resolved, &Arc::new(Machine::new(Device::flex()))).unwrap();
        let (_, nodes) = &built.cells[0];
        let sample = nodes.samples[&0][0];
        let mut keys = BTreeSet::new();
        let mut labels = Vec::new();
        walk(&built.graph, sample, &mut |key, label| {
            if keys.insert(key) {
                labels.push(label);
            }
        });
        labels.sort();
        (keys, labels)
    }

    fn walk(graph: &Graph, id: NodeId, tell: &mut dyn FnMut(String, String)) {
        let node = graph.node(id);
        tell(node.key().hex(), node.label().to_owned());
        node.inputs().values().for_each(|id| walk(graph, *id, tell));
    }

    #[test]
    fn only_what_is_used_is_in_the_graph() {
        let count = |options: &[&str]| drawn(options).1.len();
        // Three sizes of real pictures, three trainings, three sets; one set is scaled to 8.
        assert_eq!(count(&[]), 10);
        assert_eq!(count(&["data.size=16"]), 9);
        assert_eq!(count(&["generator.cascade.pictures=\"middle\""]), 6);
        assert_eq!(count(&["generator.cascade.pictures=\"base\""]), 4);
        // Real pictures at 8, enlarged to 16 and scaled: nothing at 4.
        assert_eq!(count(&["generator.cascade.stage.top.low=\"real\""]), 5);
    }

    #[test]
    fn a_change_above_leaves_what_is_below() {
        let (all, _) = drawn(&[]);
        let new = |option: &str| drawn(&[option]).0.difference(&all).count();
        assert_eq!(new("generator.cascade.resize=\"lanczos\""), 1);
        assert_eq!(new("generator.cascade.stage.top.noise-level=0.1"), 2);
        assert_eq!(new("generator.cascade.stage.top.enlarging.noise-max=0.5"), 3);
        assert_eq!(new("generator.cascade.stage.middle.guidance=2.0"), 3);
        // The training of a stage above does not depend on what is drawn below.
        assert_eq!(new("generator.cascade.base.guidance=2.0"), 4);
    }

    #[test]
    fn the_base_alone_is_a_model_on_pixels() {
        let options = ["data.size=4", "generator.cascade.pictures=\"base\""];
        let pixel = ["data.size=4", "generator={pixel={}}"];
        assert_eq!(drawn(&options).0, drawn(&pixel).0);
    }
}
