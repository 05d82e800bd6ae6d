//! Does an experiment make sense? Everything that the schema cannot tell and that needs no work:
//! names that refer to nothing, nets that do not fit the pictures, data that are not there.

use std::collections::BTreeSet;

use super::build::input;
use super::file::Experiment;
use super::node::Node;
use super::overlay::meaning_of;
use super::published::published;
use crate::lab::data;
use crate::lab::data::{Shapes, Source};
use crate::lab::generators::{Defect, Generator, Planted};
use crate::lab::images::Channels;
use crate::stages::{ClassifierSpec, Net};
use crate::terms::{Files, Problem, nearest};

/// Returns what does not make sense, each at its place in the file. What depends on one of the
/// `broken` keys is not looked at: what was meant there is not known.
pub(super) fn check(
    file: &Node,
    experiment: &Experiment,
    broken: &BTreeSet<String>,
    files: &dyn Files,
) -> Vec<Problem> {
    let mut found = Found { file, problems: Vec::new() };
    let known = |keys: &[&str]| keys.iter().all(|key| !broken.contains(*key));
    if known(&["data"]) {
        found.data(experiment, files);
    }
    if known(&["generator"]) {
        found.generator(experiment);
    }
    if known(&["data", "classifier", "report", "metrics"]) {
        found.classifiers(experiment);
    }
    if known(&["mix", "report"]) {
        found.mixes(experiment);
    }
    if known(&["seeds"]) {
        found.seeds(experiment);
    }
    if known(&["classifier", "mix", "report", "metrics"]) {
        found.names(experiment);
    }
    found.problems
}

struct Found<'a> {
    file: &'a Node,
    problems: Vec<Problem>,
}

impl Found<'_> {
    /// Tells a problem whose source is a key below `prefix`.
    fn below(&mut self, prefix: &str, problem: Problem) {
        let path = match (prefix.is_empty(), problem.source.is_empty()) {
            (true, _) => problem.source.clone(),
            (_, true) => prefix.to_owned(),
            _ => format!("{prefix}.{}", problem.source),
        };
        let keys: Vec<&str> = path.split('.').collect();
        let (node, whole) = self.file.deepest(&keys);
        let place = &node.place;
        let found = if whole { problem.found } else { format!("`{path}`: {}", problem.found) };
        let mut told = place.problem(found, problem.expected);
        told.hint = problem.hint.or_else(|| meaning_of(&keys));
        self.problems.push(told);
    }

    fn tell(&mut self, path: &str, found: impl Into<String>, expected: impl Into<String>) {
        self.below("", Problem::new(path, found, expected));
    }

    fn known(&mut self, path: &str, name: &str, known: &[&str], what: &str) {
        if known.contains(&name) {
            return;
        }
        let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let problem = Problem::new(
            path,
            format!("unknown {what} `{name}`"),
            format!("one of {}", listed.join(", ")),
        );
        let problem = problem.hint_near(nearest(name, known.iter().copied()));
        self.below("", problem);
    }

    fn data(&mut self, experiment: &Experiment, files: &dyn Files) {
        let data = &experiment.data;
        for problem in data::check(&data.source, &data.subset, files).0 {
            let prefix = if problem.source.starts_with("subset") { "data" } else { "data.source" };
            let first = problem.source.split('.').next().unwrap_or_default();
            if ["subset", data.source.kind()].contains(&first) {
                self.below(prefix, problem);
            } else {
                self.problems.push(problem); // A file of the data itself.
            }
        }
        let sides = Shapes::SIDES;
        if matches!(data.source, Source::Shapes(_)) && !sides.contains(&data.size) {
            let expected = format!("{} to {} pixels for shapes", sides.start(), sides.end());
            self.tell("data.size", data.size.to_string(), expected);
        }
    }

    fn generator(&mut self, experiment: &Experiment) {
        match &experiment.generator {
            Generator::Pixel(pixel) => {
                let source = "generator.pixel";
                for problem in pixel.training.net.check("training.net") {
                    self.below(source, problem);
                }
                for problem in pixel.sampler.problems(&pixel.training.schedule, "sampler") {
                    self.below(source, problem);
                }
            }
            Generator::Planted(planted) => self.planted(planted, experiment),
            Generator::Announced(announced) => {
                let problem = Problem::new(
                    "generator.announced",
                    format!("generator `{}`, which this program does not have yet", announced.what),
                    "`generator.pixel`",
                );
                self.below(
                    "",
                    problem.hint("write `[generator.pixel]`, or choose a profile that has it"),
                );
            }
        }
    }

    fn planted(&mut self, planted: &Planted, experiment: &Experiment) {
        let data = &experiment.data;
        let source = "generator.planted.defect";
        let known = matches!(data.source, Source::Shapes(_));
        match planted.defect {
            Defect::Truth if !known => {
                let found = "the truth about data whose law nobody knows";
                let problem = Problem::new(source, found, "`data.source.shapes`");
                self.below("", problem.hint("other defects are planted in any training pictures"));
            }
            Defect::ColourShift(_) if data.channels == Channels::Grey => {
                let found = "shifted colours before nets that see grey levels";
                self.tell(source, found, "`data.channels = \"rgb\"`");
            }
            _ => {}
        }
    }

    fn classifiers(&mut self, experiment: &Experiment) {
        if experiment.classifier.is_empty() {
            let problem = Problem::new("classifier", "no classifier", "at least one");
            self.below("", problem.hint("for instance `[classifier.resnet-20.net.resnet]`"));
        }
        let (rows, metrics) = (&experiment.report.rows, &experiment.metrics);
        let measures = !metrics.scores.is_empty() && !rows.contains(&metrics.extractor);
        let named = rows.iter().chain(measures.then_some(&metrics.extractor));
        for name in self.with_starts(named, experiment) {
            let spec = &experiment.classifier[name];
            let prefix = format!("classifier.{name}");
            match (&spec.net, spec.net.built()) {
                (_, Some(net)) => {
                    for problem in net.check(input(&experiment.data, spec)) {
                        self.below(&format!("{prefix}.net"), problem);
                    }
                }
                (Net::Announced(announced), None) => {
                    let problem = Problem::new(
                        "net.announced",
                        format!("net `{}`, which this program does not have yet", announced.what),
                        "`resnet`, `resnet-rs` or `vit`",
                    );
                    self.below(&prefix, problem.hint("leave it out of `report.rows`"));
                }
                _ => {}
            }
            let training = &spec.training;
            let problems = training.augmentation.check("training.augmentation");
            let problems = problems
                .into_iter()
                .chain(training.mixing.check("training.mixing"))
                .chain(training.view.check("training.view"));
            for problem in problems {
                self.below(&prefix, problem);
            }
        }
    }

    /// Returns the classifiers that are trained, and tells where one cannot start from another.
    fn with_starts<'e>(
        &mut self,
        named: impl Iterator<Item = &'e String>,
        experiment: &'e Experiment,
    ) -> Vec<&'e str> {
        let known: Vec<&str> = experiment.classifier.keys().map(String::as_str).collect();
        let mut trained: Vec<&str> = Vec::new();
        for name in named {
            let mut next = name.as_str();
            let mut path: Vec<&str> = Vec::new();
            while let Some(spec) = experiment.classifier.get(next) {
                let at = format!("classifier.{next}.start");
                path.push(next);
                let start = spec.start.as_str();
                if start.is_empty() {
                    break;
                }
                self.known(&at, start, &known, "classifier");
                if path.contains(&start) {
                    let found = format!("`{start}`, which starts from `{next}`");
                    self.tell(&at, found, "a classifier that is trained before");
                    break;
                }
                let is = |spec: &ClassifierSpec| spec.net.built().map(|net| net.describe());
                if experiment.classifier.get(start).is_some_and(|other| is(other) != is(spec)) {
                    let expected = format!("a classifier with the same `net` as `{next}`");
                    self.tell(&at, format!("`{start}`, whose net is another"), expected);
                }
                next = start;
            }
            trained.extend(path);
        }
        let mut seen = BTreeSet::new();
        trained.retain(|name| seen.insert(*name));
        trained
    }

    fn mixes(&mut self, experiment: &Experiment) {
        for (name, mix) in &experiment.mix {
            if mix.real + mix.synthetic <= 0.0 {
                let found = format!("mix `{name}` without any picture");
                self.tell(&format!("mix.{name}"), found, "`real` or `synthetic` above 0");
            }
        }
        if experiment.report.baseline.is_empty() && !experiment.report.difference.is_empty() {
            self.tell(
                "report.difference",
                "differences, and no mix of real pictures only",
                "a `baseline`",
            );
        }
    }

    fn seeds(&mut self, experiment: &Experiment) {
        let mut known = BTreeSet::new();
        for (i, seed) in experiment.seeds.iter().enumerate() {
            if !known.insert(seed) {
                let problem = Problem::new(
                    format!("seeds.{i}"),
                    format!("the seed {seed} a second time"),
                    "seeds that differ",
                );
                self.below("", problem.hint("the same seed gives the same result"));
            }
        }
    }

    fn names(&mut self, experiment: &Experiment) {
        let classifiers: Vec<&str> = experiment.classifier.keys().map(String::as_str).collect();
        let mixes: Vec<&str> = experiment.mix.keys().map(String::as_str).collect();
        let report = &experiment.report;
        for (list, names, known, what) in [
            ("rows", &report.rows, &classifiers, "classifier"),
            ("columns", &report.columns, &mixes, "mix"),
            ("difference", &report.difference, &mixes, "mix"),
        ] {
            for (i, name) in names.iter().enumerate() {
                self.known(&format!("report.{list}.{i}"), name, known, what);
            }
        }
        if !report.baseline.is_empty() {
            self.known("report.baseline", &report.baseline, &mixes, "mix");
        }
        if !experiment.metrics.scores.is_empty() {
            let metrics = &experiment.metrics;
            self.known("metrics.extractor", &metrics.extractor, &classifiers, "classifier");
            self.known("metrics.extractor-mix", &metrics.extractor_mix, &mixes, "mix");
        }
        if !report.published.is_empty()
            && let Err(problem) = published(&report.published)
        {
            self.below("report.published", Problem { source: String::new(), ..problem });
        }
    }
}
