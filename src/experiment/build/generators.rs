//! The part of the graph that ends with synthetic pictures.

use std::sync::Arc;

use super::{Builder, named, with_samples};
use crate::engine::NodeId;
use crate::lab::generators::{
    Cascade, Enlarging, Generator, Low, Pixel, PixelTraining, Planted, Upscaler,
};
use crate::stages::{GeneratorStage, PlantedStage, ResizeStage, SampleStage, UpscaleStage};

/// Which pictures: the draw, and the copy of the class counts.
type Which = (u64, usize);

impl Builder<'_> {
    /// Adds one copy of a draw, and the generator if it is trained; `None` for one that the program
    /// does not have, which was refused before.
    pub(super) fn drawn(&mut self, draw: u64, copy: usize, data: NodeId) -> Option<NodeId> {
        let (which, size) = ((draw, copy), self.experiment.data.size);
        match &self.experiment.generator {
            Generator::Pixel(pixel) => Some(self.sample(pixel, which, (size, data))),
            Generator::Cascade(cascade) => Some(self.cascade(cascade, which)),
            Generator::Planted(planted) => Some(self.planted(planted, which, data)),
            Generator::Announced(_) => None,
        }
    }

    fn generator(
        &mut self,
        (training, seed): (&PixelTraining, u64),
        size: usize,
        enlarging: Option<Enlarging>,
        inputs: &[(&str, NodeId)],
    ) -> NodeId {
        let stage = Arc::new(GeneratorStage {
            training: training.clone(),
            seed,
            channels: self.experiment.data.channels,
            size,
            enlarging,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, inputs)
    }

    fn planted(&mut self, planted: &Planted, (draw, copy): Which, real: NodeId) -> NodeId {
        let data = self.experiment.data.clone();
        let stage = PlantedStage { planted: planted.clone(), data, draw, copy };
        self.graph.add(Arc::new(stage), &[("data", real)])
    }

    fn sample(
        &mut self,
        pixel: &Pixel,
        (draw, copy): Which,
        (size, real): (usize, NodeId),
    ) -> NodeId {
        let own = [("data", real)];
        let generator = self.generator((&pixel.training, pixel.seed), size, None, &own);
        let stage = Arc::new(SampleStage {
            pixel: pixel.clone(),
            draw,
            copy,
            channels: self.experiment.data.channels,
            size,
            machine: self.machine.clone(),
        });
        self.graph.add(stage, &[("data", real), ("generator", generator)])
    }

    /// Adds the models of a cascade up to the one whose pictures are used, and what each of them
    /// draws: a set of pictures at every size.
    fn cascade(&mut self, cascade: &Cascade, which: Which) -> NodeId {
        let used: Vec<&Upscaler> = cascade.used().into_iter().map(|(_, stage)| stage).collect();
        // What comes before real pictures are enlarged is not looked at.
        let from_real = used.iter().rposition(|stage| stage.low == Low::Real);
        let first = from_real.unwrap_or(0);
        let mut size = if first == 0 { cascade.base.size } else { used[first - 1].size };
        let mut drawn = match from_real {
            Some(_) => None,
            None => {
                let real = self.real(size);
                Some(self.sample(&cascade.base.pixel(cascade.seed), which, (size, real)))
            }
        };
        for stage in &used[first..] {
            drawn = Some(self.enlarged((stage, cascade.seed), which, (size, drawn)));
            size = stage.size;
        }
        let drawn = drawn.expect("a cascade has a model");
        self.scaled(drawn, which, (size, cascade.resize))
    }

    /// Adds one model that enlarges, and what it makes of smaller pictures; of real ones if there
    /// are no drawn ones.
    fn enlarged(
        &mut self,
        (upscaler, seed): (&Upscaler, u64),
        (draw, copy): Which,
        (size, smaller): (usize, Option<NodeId>),
    ) -> NodeId {
        let (real, real_smaller) = (self.real(upscaler.size), self.real(size));
        let training = (&upscaler.training, seed);
        let inputs = [("data", real), ("smaller", real_smaller)];
        let enlarging = Some(upscaler.enlarging);
        let generator = self.generator(training, upscaler.size, enlarging, &inputs);
        let stage = Arc::new(UpscaleStage {
            upscaler: upscaler.clone(),
            seed,
            draw,
            copy,
            channels: self.experiment.data.channels,
            machine: self.machine.clone(),
        });
        let own = [("data", real_smaller), ("generator", generator)];
        self.graph.add(stage, &named(&with_samples(&own, smaller.as_slice())))
    }

    /// Brings pictures to the size that classifiers and metrics see, if they have another.
    fn scaled(
        &mut self,
        drawn: NodeId,
        (draw, _): Which,
        (size, filter): (usize, crate::lab::images::Filter),
    ) -> NodeId {
        let wanted = self.experiment.data.size;
        if size == wanted {
            return drawn;
        }
        let stage = Arc::new(ResizeStage { size: wanted, filter, draw });
        self.graph.add(stage, &named(&with_samples(&[], &[drawn])))
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
        let built = build(&resolved, &Arc::new(Machine { device: Device::flex() })).unwrap();
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
