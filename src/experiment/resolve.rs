//! From what was written to what is meant: profile, options, sweep, defaults, and every check that
//! needs no work.

use indexmap::IndexMap;
use serde_json::Value;

use super::check::{Misfits, check};
use super::file::Experiment;
use super::node::{Kind, Node, parse, parse_value};
use super::overlay::{at_path, lay};
use super::point;
use super::sense;
use crate::lab::classifiers::Mix;
use crate::terms::{Files, Problem, Problems, nearest};

/// What was asked for on the command line, beside the file.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The overlay to lay over the file; `paper`: none; absent: `tiny` if the file has it, else
    /// none.
    pub profile: Option<String>,
    /// `key=value`, each laid over the file in order.
    pub overrides: Vec<String>,
    /// `key=a,b,c`, each an axis beside those of the file.
    pub sweeps: Vec<String>,
    /// What `$ERSATZ_DATA` stands for at the start of a path.
    pub data_folder: String,
}

/// The profile that is the file as it stands.
pub const PAPER: &str = "paper";

/// One combination of swept values.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Swept keys and their values here, in the order of the axes.
    pub axes: Vec<(String, Value)>,
    /// The experiment with these values.
    pub experiment: Experiment,
}

/// An experiment, ready to become a graph.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The name of the file, without folder and ending.
    pub name: String,
    /// The profile that was laid over it, or [`PAPER`].
    pub profile: String,
    /// Settings of another experiment's point that hold here; some may be swept or replaced by the
    /// command line.
    pub point: Vec<(String, Value)>,
    /// One per combination of swept values; one if nothing is swept.
    pub cells: Vec<Cell>,
}

/// Resolves a file.
///
/// # Errors
/// All mistakes at once, each at its place.
pub fn resolve(
    path: &str,
    text: &str,
    request: &Request,
    files: &dyn Files,
) -> Result<Resolved, Problems> {
    let mut file = parse(path, text).map_err(Problems)?;
    let Misfits { mut problems, broken } = check(&file);
    let mut options = Vec::new();
    let profile = match &request.profile {
        Some(name) => name.clone(),
        None if file.deepest(&["profile", "tiny"]).1 => "tiny".to_owned(),
        None => PAPER.to_owned(),
    };
    options.extend(lay_profile(&mut file, &profile).err());
    lay_overrides(&mut file, &request.overrides, &mut options);
    let settings = point::settings(&file, files).unwrap_or_else(|problem| {
        options.push(problem);
        Vec::new()
    });
    for (key, value) in &settings {
        options.extend(lay_at(&mut file, key, value));
    }
    // What was said on the command line may name the point, and counts more than its settings.
    if !settings.is_empty() {
        lay_overrides(&mut file, &request.overrides, &mut Vec::new());
    }
    let mut axes = axes_of_file(&file, &mut problems);
    axes_of_options(&request.sweeps, &mut axes, &mut options);
    if !options.is_empty() {
        // It is not known which experiment was meant.
        problems.extend(options);
        return Err(in_order(problems, path));
    }
    let point = still_held(settings, &file, &axes);
    let mut cells = Vec::new();
    for values in combinations(&axes) {
        let mut node = file.clone();
        for (key, value) in &values {
            problems.extend(lay_at(&mut node, key, value));
        }
        broken.iter().for_each(|key| node.forget(key));
        let axes = values.iter().map(|(key, value)| (key.clone(), value.value())).collect();
        place_data(&mut node, &request.data_folder);
        match meaning(&node) {
            Ok(experiment) => {
                problems.extend(sense::check(&node, &experiment, &broken, files));
                cells.push(Cell { axes, experiment });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(in_order(problems, path));
    }
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".toml").to_owned();
    Ok(Resolved { name, profile, point, cells })
}

/// Returns every problem once: those of the file line by line, then the others.
fn in_order(problems: Vec<Problem>, path: &str) -> Problems {
    let mut told: Vec<Problem> = Vec::new();
    for problem in problems {
        if !told.contains(&problem) {
            told.push(problem);
        }
    }
    told.sort_by_key(|problem| match &problem.span {
        Some(span) if problem.source == path => (0, span.start),
        _ => (1, 0),
    });
    Problems(told)
}

fn lay_overrides(file: &mut Node, overrides: &[String], problems: &mut Vec<Problem>) {
    for option in overrides {
        match key_value("-o", option) {
            Ok((key, value)) => {
                let value = parse_value(&format!("-o {option}"), value);
                problems.extend(lay_at(file, key, &value));
            }
            Err(problem) => problems.push(problem),
        }
    }
}

/// Returns the settings of a point that nothing has replaced.
fn still_held(
    settings: Vec<(String, Node)>,
    file: &Node,
    axes: &IndexMap<String, Vec<Node>>,
) -> Vec<(String, Value)> {
    let held = |(key, value): (String, Node)| {
        let keys: Vec<&str> = key.split('.').collect();
        let value = value.value();
        let stands = file.deepest(&keys).0.value() == value && !axes.contains_key(&key);
        stands.then_some((key, value))
    };
    settings.into_iter().filter_map(held).collect()
}

/// Lays a value at a path over a file if it fits the schema; returns why it does not.
fn lay_at(file: &mut Node, path: &str, value: &Node) -> Vec<Problem> {
    match at_path(path, value.clone()) {
        Ok(over) => lay_checked(file, over),
        Err(problem) => vec![problem],
    }
}

/// Lays one key over a file if it fits the schema; returns why it does not.
fn lay_checked(file: &mut Node, over: Node) -> Vec<Problem> {
    let Misfits { problems, .. } = check(&over);
    if problems.is_empty() {
        lay(file, over);
    }
    problems
}

/// Returns the names of all profiles of a file, the first of which is the file as it stands.
///
/// # Errors
/// If it is no TOML.
pub fn profiles(path: &str, text: &str) -> Result<Vec<String>, Problems> {
    let file = parse(path, text).map_err(Problems)?;
    Ok([PAPER.to_owned()].into_iter().chain(declared(&file)).collect())
}

/// Returns the names of the overlays in a file.
fn declared(file: &Node) -> Vec<String> {
    let (profiles, whole) = file.deepest(&["profile"]);
    match &profiles.kind {
        Kind::Table(entries) if whole => entries.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn lay_profile(file: &mut Node, name: &str) -> Result<(), Problem> {
    if name == PAPER {
        return Ok(());
    }
    let known = declared(file);
    let (overlay, whole) = file.deepest(&["profile", name]);
    if whole {
        let overlay = overlay.clone();
        lay(file, overlay);
        return Ok(());
    }
    let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let expected = match listed.is_empty() {
        true => "a profile of the file, which has none".to_owned(),
        false => format!("one of {}", listed.join(", ")),
    };
    let problem =
        Problem::new(format!("--profile {name}"), format!("unknown profile `{name}`"), expected);
    Err(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("`--profile paper` runs the file as it stands"),
    })
}

fn key_value<'a>(option: &str, text: &'a str) -> Result<(&'a str, &'a str), Problem> {
    text.split_once('=').ok_or_else(|| {
        let problem = Problem::new(format!("{option} {text}"), format!("`{text}`"), "`key=value`");
        problem.hint(format!("for instance `{option} generator.pixel.guidance=1.5`"))
    })
}

fn axes_of_file(file: &Node, problems: &mut Vec<Problem>) -> IndexMap<String, Vec<Node>> {
    let mut axes = IndexMap::new();
    let (sweep, true) = file.deepest(&["sweep"]) else { return axes };
    let Kind::Table(entries) = &sweep.kind else { return axes };
    for (key, (_, node)) in entries {
        match &node.kind {
            Kind::List(values) if values.is_empty() => {
                let problem = node.place.problem("a list of 0", "at least one value");
                problems.push(problem.hint("a key that is not swept is left out"));
            }
            Kind::List(values) => drop(axes.insert(key.clone(), values.clone())),
            _ => {} // Refused by the schema.
        }
    }
    axes
}

fn axes_of_options(
    sweeps: &[String],
    axes: &mut IndexMap<String, Vec<Node>>,
    problems: &mut Vec<Problem>,
) {
    for option in sweeps {
        match key_value("--sweep", option) {
            Ok((key, values)) => {
                let source = format!("--sweep {option}");
                let values = values.split(',').map(|value| parse_value(&source, value));
                axes.insert(key.to_owned(), values.collect());
            }
            Err(problem) => problems.push(problem),
        }
    }
}

/// Returns every combination of values, the last axis moving fastest.
fn combinations(axes: &IndexMap<String, Vec<Node>>) -> Vec<Vec<(String, Node)>> {
    let mut all = vec![Vec::new()];
    for (key, values) in axes {
        all = all
            .into_iter()
            .flat_map(|held: Vec<(String, Node)>| {
                values.iter().map(move |value| {
                    let mut next = held.clone();
                    next.push((key.clone(), value.clone()));
                    next
                })
            })
            .collect();
    }
    all
}

/// Puts the folder of data where a string starts with `$ERSATZ_DATA/`.
fn place_data(node: &mut Node, folder: &str) {
    match &mut node.kind {
        Kind::Scalar(Value::String(text)) => {
            if let Some(rest) = text.strip_prefix("$ERSATZ_DATA/") {
                *text = format!("{folder}/{rest}");
            }
        }
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| place_data(item, folder)),
        Kind::Table(entries) => {
            entries.values_mut().for_each(|(_, item)| place_data(item, folder));
        }
    }
}

/// Reads a checked file as an experiment and fills in what it leaves open.
fn meaning(node: &Node) -> Result<Experiment, Problem> {
    let mut experiment: Experiment = serde_json::from_value(node.value())
        .map_err(|error| node.place.problem(error.to_string(), "a file that fits the schema"))?;
    // What has been laid over the file is part of it by now.
    experiment.profile.clear();
    experiment.sweep.clear();
    if experiment.mix.is_empty() {
        let mix = |real, synthetic| Mix { real, synthetic, ..Mix::default() };
        let usual = [("real", 1.0, 0.0), ("synthetic", 0.0, 1.0), ("real+synthetic", 1.0, 1.0)];
        experiment.mix = usual
            .into_iter()
            .map(|(name, real, synthetic)| (name.to_owned(), mix(real, synthetic)))
            .collect();
    }
    let Experiment { report, metrics, mix, classifier, .. } = &mut experiment;
    let first = |names: Vec<&String>| names.first().map(|name| (*name).clone()).unwrap_or_default();
    if report.rows.is_empty() {
        report.rows = classifier.keys().cloned().collect();
    }
    if report.columns.is_empty() {
        report.columns = mix.keys().cloned().collect();
    }
    let real_only = mix.iter().filter(|(_, mix)| !mix.needs_synthetic()).map(|(name, _)| name);
    let real_only = first(real_only.collect());
    if report.baseline.is_empty() {
        report.baseline.clone_from(&real_only);
    }
    if metrics.extractor.is_empty() {
        metrics.extractor = first(report.rows.iter().collect());
    }
    if metrics.extractor_mix.is_empty() {
        metrics.extractor_mix = real_only;
    }
    Ok(experiment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;
    use serde_json::json;

    const FILE: &str = "seeds = [0]\n[generator.pixel]\nguidance = 1.5\n\
        [classifier.a.net.resnet]\nfamily = \"resnet-20\"\n\
        [profile.tiny]\nseeds = [4, 5]\n[profile.tiny.generator.pixel]\nguidance = 2.0\n";

    fn resolved(request: &Request) -> Result<Resolved, Problems> {
        resolve("some/where/x.toml", FILE, request, &MemoryFiles::default())
    }

    #[test]
    fn profile_then_options_then_sweep() {
        let request = Request {
            profile: None,
            overrides: vec!["generator.pixel.seed=9".to_owned()],
            sweeps: vec!["generator.pixel.guidance=1,3.5".to_owned(), "data.seed=1,2".to_owned()],
            ..Request::default()
        };
        let resolved = resolved(&request).unwrap();
        assert_eq!(resolved.name, "x");
        assert_eq!(resolved.cells.len(), 4);
        let cell = &resolved.cells[2];
        assert_eq!(cell.axes[0], ("generator.pixel.guidance".to_owned(), json!(3.5)));
        assert_eq!(cell.axes[1], ("data.seed".to_owned(), json!(1)));
        let crate::lab::generators::Generator::Pixel(pixel) = &cell.experiment.generator else {
            panic!()
        };
        assert_eq!((pixel.guidance, pixel.seed, cell.experiment.data.seed), (3.5, 9, 1));
        assert_eq!(cell.experiment.seeds, [4, 5]);
        assert_eq!(
            cell.experiment.mix.keys().collect::<Vec<_>>(),
            ["real", "synthetic", "real+synthetic"]
        );
        assert_eq!(cell.experiment.report.rows, ["a"]);
        assert_eq!(cell.experiment.metrics.extractor_mix, "real");
    }

    #[test]
    fn mistakes_on_the_command_line_are_told_together() {
        let request = Request {
            profile: Some("tinny".to_owned()),
            overrides: vec!["generator.pixel.guidence=1".to_owned(), "seeds".to_owned()],
            sweeps: vec!["data.size=a".to_owned()],
            ..Request::default()
        };
        let Problems(problems) = resolved(&request).unwrap_err();
        let all = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for part in ["did you mean `tiny`?", "did you mean `guidance`?", "`key=value`"] {
            assert!(all.contains(part), "{part}: {all}");
        }
    }
}
