//! Settings that another experiment found: the best of its swept combinations, laid over a file.

use std::path::Path;

use serde_json::Value;

use super::node::{Kind, Node};
use super::overlay::{at_path, choice_not_made, lay};
use crate::report::{Combination, Points};
use crate::terms::{Files, Problem, nearest};

/// Swept keys and values that were laid over a file.
pub(super) type Settings = Vec<(String, Value)>;

/// Lays the settings of the point that a file names over it, and returns them; none if it names
/// none. A section that does not fit the schema is left to those who tell that.
///
/// # Errors
/// If there is no such report, no such value in it, or a setting does not fit the file.
pub(super) fn lay_point(file: &mut Node, files: &dyn Files) -> Result<Settings, Problem> {
    let (report, true) = file.deepest(&["point", "report"]) else { return Ok(Vec::new()) };
    let (Kind::Scalar(Value::String(folder)), report) = (&report.kind, report.clone()) else {
        return Ok(Vec::new());
    };
    let points = read(folder, &report, files)?;
    let Some(chosen) = choose(&points, file, &report)? else { return Ok(Vec::new()) };
    let chosen: Settings = chosen.settings.clone().into_iter().collect();
    for (key, value) in &chosen {
        if let Some(lacks) = choice_not_made(file, key) {
            let found = format!("a point that sets `{key}`");
            let expected = format!("a file that has `[{lacks}]`");
            let problem = report.place.problem(found, expected);
            return Err(problem.hint("the two experiments use different parts"));
        }
        let over = at_path(key, Node::from_value(value, &report.place))?;
        lay(file, over);
    }
    Ok(chosen)
}

fn read(folder: &str, report: &Node, files: &dyn Files) -> Result<Points, Problem> {
    let path = Path::new(folder).join("points.json");
    let told = |found: String, hint: &str| {
        let expected = "the folder of a report whose experiment sweeps something";
        report.place.problem(found, expected).hint(hint)
    };
    let bytes = files.read(&path).map_err(|error| {
        told(error.to_string(), "run that experiment first; paths begin in the current folder")
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let hint = "`ersatz report` writes the report again";
        told(format!("`{}`, which is damaged: {error}", path.display()), hint)
    })
}

fn choose<'a>(
    points: &'a Points,
    file: &Node,
    report: &Node,
) -> Result<Option<&'a Combination>, Problem> {
    let (best, _) = file.deepest(&["point", "best"]);
    let Kind::List(items) = &best.kind else {
        let problem = report.place.problem("a point without `best`", "values that decide");
        return Err(problem.hint("for instance `best = [\"fid\", \"top1\"]`"));
    };
    let mut names: Vec<&str> = Vec::new();
    for item in items {
        let Kind::Scalar(Value::String(name)) = &item.kind else { return Ok(None) };
        if !points.better.contains_key(name) {
            let known: Vec<&str> = points.better.keys().map(String::as_str).collect();
            let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let expected = format!("one of {}", listed.join(", "));
            let problem = item.place.problem(format!("unknown value `{name}`"), expected);
            return Err(problem.hint_near(nearest(name, known)));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Ok(None);
    }
    points.best(&names).map(Some).ok_or_else(|| {
        best.place.problem("values that no combination has all of", "values that were measured")
    })
}
