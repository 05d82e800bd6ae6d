//! Do the models of generators make sense: what they start from, and how their weights are chosen?

use std::path::Path;

use burn::tensor::Device;

use super::Found;
use crate::experiment::build::input;
use crate::experiment::file::Experiment;
use crate::experiment::models::{self, Model};
use crate::lab::generators::{Choice, Judge, Start};
use crate::lab::metrics::extractors::{Encoder, Network};
use crate::nets::weights::read_weights;
use crate::terms::{Files, Problem};

impl Found<'_> {
    /// Looks at all models that are trained.
    pub(super) fn models(&mut self, experiment: &Experiment, files: &dyn Files) {
        for model in models::all(experiment) {
            let place = format!("{}.training", model.path);
            let problems = model.part.training.net.check(&format!("{place}.net"));
            if !problems.is_empty() {
                problems.into_iter().for_each(|problem| self.below("", problem));
                continue; // There is no such net to compare weights with.
            }
            match &model.part.training.start {
                Some(Start::File(file)) => {
                    let source = format!("{place}.start.file");
                    let config = |classes| model.part.config(model.data.channels, classes);
                    if let Some(problem) = file.check(&source, config, files) {
                        self.below("", problem);
                    }
                }
                Some(Start::Pretraining(_)) => {
                    self.pretraining(experiment, &model, &format!("{place}.start.pretraining.of"));
                }
                None => {}
            }
            if let Some(choice) = &model.part.training.choice {
                self.choice(experiment, (choice, &model), &format!("{place}.choice"));
            }
            if let Some(name) = model.of {
                self.data_at(&format!("pretraining.{name}.data"), model.data, files);
            }
        }
    }

    fn pretraining(&mut self, experiment: &Experiment, model: &Model<'_>, place: &str) {
        let Some(start) = model.start() else { return };
        let choices = model.choices(experiment);
        if !choices.contains(&start.of.as_str()) {
            if choices.is_empty() {
                let found = format!("unknown pretraining `{}`", start.of);
                self.tell(place, found, "`[pretraining.NAME]` before it in the file");
            } else {
                self.known(place, &start.of, &choices, "pretraining");
            }
            return;
        }
        let Some(before) = model.before(experiment) else {
            let (found, expected) = match model.part.stage {
                None => (
                    format!("pretraining `{}` without a model that draws from noise", start.of),
                    "a generator `pixel`, or `cascade` with its base".to_owned(),
                ),
                Some(stage) => (
                    format!("pretraining `{}` without a stage `{stage}`", start.of),
                    format!("a generator `cascade` with a stage `{stage}`"),
                ),
            };
            self.tell(place, found, expected);
            return;
        };
        let (ours, theirs) = (&model.part.training, &before.part.training);
        let alike = [
            ("training.net", ours.net == theirs.net),
            ("training.prediction", ours.prediction == theirs.prediction),
            ("data.channels", model.data.channels == before.data.channels),
        ];
        for (what, _) in alike.iter().filter(|(_, alike)| !alike) {
            let found = format!("weights of `{}`, which has another `{what}`", start.of);
            let problem = Problem::new(place, found, format!("the same `{what}`"));
            self.below("", problem.hint("weights are taken over tensor by tensor, as they are"));
        }
    }

    fn choice(
        &mut self,
        experiment: &Experiment,
        (choice, model): (&Choice, &Model<'_>),
        place: &str,
    ) {
        let steps = model.part.training.recipe.steps;
        for (i, at) in choice.at.iter().enumerate() {
            if *at == 0 || *at > steps {
                let expected = format!("steps from 1 to `recipe.steps`, {steps}");
                self.tell(&format!("{place}.at.{i}"), format!("weights after step {at}"), expected);
            }
            if choice.at[..i].contains(at) {
                let found = format!("weights after step {at} a second time");
                self.tell(&format!("{place}.at.{i}"), found, "each step once");
            }
        }
        let extractor = format!("{place}.extractor");
        match &choice.extractor {
            Judge::Inception(file) => self.inception(&file.path, &format!("{extractor}.inception")),
            Judge::Classifier(name) if name.is_empty() => {
                self.judge(experiment, (&experiment.metrics.extractor, model), place);
            }
            Judge::Classifier(name) => self.judge(experiment, (name, model), &extractor),
        }
    }

    fn judge(&mut self, experiment: &Experiment, of: (&str, &Model<'_>), place: &str) {
        let (name, model) = of;
        let classifiers: Vec<&str> = experiment.classifier.keys().map(String::as_str).collect();
        let Some(spec) = experiment.classifier.get(name) else {
            self.known(place, name, &classifiers, "classifier");
            return;
        };
        let Some(net) = spec.net.built() else {
            let found = format!("classifier `{name}`, which this program does not have yet");
            self.tell(place, found, "one that it has");
            return;
        };
        if !spec.start.is_empty() {
            let found = format!("classifier `{name}`, which starts from `{}`", spec.start);
            self.tell(place, found, "one with fresh weights");
        }
        let input = input(&model.seen(), spec);
        for problem in net.check(input) {
            let found = format!("classifier `{name}` at {} px: {}", input.pixels, problem.found);
            self.tell(place, found, problem.expected);
        }
    }

    fn inception(&mut self, path: &str, place: &str) {
        let network = Network::Inception;
        let wrong = match read_weights(Path::new(path)) {
            Err(error) => Some(error.to_string()),
            Ok(weights) => {
                let device = Device::flex();
                let built = Encoder::new(network, network.preprocessing(), &weights, "", &device);
                built.err().map(|error| error.to_string())
            }
        };
        if let Some(found) = wrong {
            let source = format!("{place}.path");
            let problem = Problem::new(source, found, "the weights of the Inception of FID");
            self.below("", problem.hint("`ersatz weights ls` says where they are"));
        }
    }
}
