//! Settings that another experiment found: the best of its swept combinations.

use std::path::Path;

use serde_json::Value;

use super::node::{Kind, Node};
use super::overlay::choice_not_made;
use crate::report::{Combination, Points};
use crate::terms::{Files, Problem, nearest};

/// Returns the swept keys and values of the point that a file names, to be laid over it; none if it
/// names none. A section that does not fit the schema is left to those who tell that.
///
/// # Errors
/// If there is no such report, no such value in it, or the file made other choices.
pub(super) fn settings(file: &Node, files: &dyn Files) -> Result<Vec<(String, Node)>, Problem> {
    let (report, true) = file.deepest(&["point", "report"]) else { return Ok(Vec::new()) };
    let Kind::Scalar(Value::String(folder)) = &report.kind else { return Ok(Vec::new()) };
    let points = read(folder, report, files)?;
    let Some(chosen) = choose(&points, file, report)? else { return Ok(Vec::new()) };
    let setting = |(key, value): (&String, &Value)| match choice_not_made(file, key) {
        None => Ok((key.clone(), Node::from_value(value, &report.place))),
        Some(lacks) => {
            let found = format!("a point that sets `{key}`");
            let problem = report.place.problem(found, format!("a file that has `[{lacks}]`"));
            Err(problem.hint("the two experiments use different parts"))
        }
    };
    chosen.settings.iter().map(setting).collect()
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
