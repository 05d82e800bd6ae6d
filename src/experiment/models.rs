//! The models that an experiment trains before it draws: those of its generator, and those under
//! `pretraining` that they start from.

use super::file::Experiment;
use crate::lab::generators::{Generator, Judge, Part, PixelTraining, Start, StartPretraining};
use crate::stages::Data;

/// One model, and what it learns from.
pub(super) struct Model<'a> {
    /// Where it stands in the file: `generator.pixel`, `pretraining.wide.generator.pixel`.
    pub(super) path: String,
    /// The pretraining it belongs to; none for those of the experiment's own generator.
    pub(super) of: Option<&'a str>,
    /// The real pictures.
    pub(super) data: &'a Data,
    /// The model.
    pub(super) part: Part<'a>,
    /// The address of its randomness.
    pub(super) seed: u64,
}

impl<'a> Model<'a> {
    /// Returns what it starts from, if that is a pretraining.
    pub(super) fn start(&self) -> Option<&'a StartPretraining> {
        match &self.part.training.start {
            Some(Start::Pretraining(start)) => Some(start),
            _ => None,
        }
    }

    /// Returns the real pictures at the size of its own.
    pub(super) fn seen(&self) -> Data {
        Data { size: self.part.size, ..self.data.clone() }
    }

    /// Returns the files of weights that it needs.
    pub(super) fn files(&self) -> Vec<&'a str> {
        let PixelTraining { start, choice, .. } = self.part.training;
        let mut files = Vec::new();
        if let Some(Start::File(file)) = start {
            files.push(file.path.as_str());
        }
        if let Some(Judge::Inception(file)) = choice.as_ref().map(|choice| &choice.extractor) {
            files.push(file.path.as_str());
        }
        files
    }

    /// Returns the names of the pretrainings it may start from: a pretraining starts from those
    /// that stand before it in the file.
    pub(super) fn choices(&self, experiment: &'a Experiment) -> Vec<&'a str> {
        let names = experiment.pretraining.keys().map(String::as_str);
        names.take_while(|name| Some(*name) != self.of).collect()
    }

    /// Returns the model it starts from: that of the same stage.
    pub(super) fn before(&self, experiment: &'a Experiment) -> Option<Self> {
        let start = self.start()?;
        let name = *self.choices(experiment).iter().find(|name| **name == start.of)?;
        let pretraining = &experiment.pretraining[name];
        let path = format!("pretraining.{name}.generator");
        models((path, Some(name)), &pretraining.data, &pretraining.generator)
            .into_iter()
            .find(|model| model.part.stage == self.part.stage)
    }
}

fn models<'a>(
    (path, of): (String, Option<&'a str>),
    data: &'a Data,
    generator: &'a Generator,
) -> Vec<Model<'a>> {
    let (parts, seed) = generator.parts(data.size);
    let model = |part: Part<'a>| {
        let path = format!("{path}.{}", part.path);
        Model { path, of, data, part, seed }
    };
    parts.into_iter().map(model).collect()
}

/// Returns the models of the experiment's own generator.
pub(super) fn own(experiment: &Experiment) -> Vec<Model<'_>> {
    models(("generator".to_owned(), None), &experiment.data, &experiment.generator)
}

/// Returns the models of the experiment's own generator and all that they start from.
pub(super) fn all(experiment: &Experiment) -> Vec<Model<'_>> {
    let mut all = Vec::new();
    for model in own(experiment) {
        let mut next = Some(model);
        while let Some(model) = next {
            next = model.before(experiment);
            all.push(model);
        }
    }
    all
}
