//! Does a file fit the schema? All misfits at once, each at its place, with a hint.

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::{Kind, Node, Place};
use super::schema::{Shape, explained, schema, shape};
use crate::terms::{Problem, nearest};

/// What the schema refuses.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    /// Everything refused, in no order.
    pub(super) problems: Vec<Problem>,
    /// Keys at the top of the file that are refused or hold something refused, and those that a
    /// refused one may have meant: what they say is not known.
    pub(super) broken: BTreeSet<String>,
}

/// Returns everything in a file that the schema refuses, profiles included.
pub(super) fn check(file: &Node) -> Misfits {
    let mut misfits = Misfits::default();
    whole(file, &mut misfits);
    if let Kind::Table(entries) = &file.kind
        && let Some((_, profiles)) = entries.get("profile")
        && let Kind::Table(profiles) = &profiles.kind
    {
        profiles.values().for_each(|(_, overlay)| whole(overlay, &mut misfits));
    }
    misfits
}

/// Checks what has the shape of a whole file.
fn whole(file: &Node, misfits: &mut Misfits) {
    fits(file, schema(), &mut misfits.problems);
    let (Kind::Table(entries), Shape::Struct(known)) = (&file.kind, shape(schema())) else {
        return;
    };
    for (key, (_, node)) in entries {
        let broken = match known.get(key) {
            Some(part) => {
                let mut problems = Vec::new();
                fits(node, part, &mut problems);
                (!problems.is_empty()).then_some(key.as_str())
            }
            None => {
                misfits.broken.insert(key.clone());
                nearest(key, known.keys().map(String::as_str))
            }
        };
        misfits.broken.extend(broken.map(str::to_owned));
    }
}

fn fits(node: &Node, part: &'static Value, problems: &mut Vec<Problem>) {
    match (shape(part), &node.kind) {
        (Shape::Any, _)
        | (Shape::Bool, Kind::Scalar(Value::Bool(_)))
        | (Shape::Text, Kind::Scalar(Value::String(_))) => {}
        (Shape::Integer(range), Kind::Scalar(Value::Number(n))) if !n.is_f64() => {
            if !n.as_f64().is_some_and(|x| range.holds(x)) {
                let expected = format!("a whole number{}", range.words());
                problems.push(node.place.problem(format!("`{n}`"), expected));
            }
        }
        (Shape::Number(range), Kind::Scalar(Value::Number(n))) => {
            if !n.as_f64().is_some_and(|x| range.holds(x)) {
                let expected = format!("a number{}", range.words());
                problems.push(node.place.problem(format!("`{n}`"), expected));
            }
        }
        (Shape::List { item, least }, Kind::List(items)) => {
            if items.len() < least {
                let found = format!("a list of {}", items.len());
                problems.push(node.place.problem(found, format!("at least {least}")));
            }
            items.iter().for_each(|node| fits(node, item, problems));
        }
        (Shape::Map(value), Kind::Table(entries)) => {
            entries.values().for_each(|(_, node)| fits(node, value, problems));
        }
        (Shape::Struct(properties), Kind::Table(entries)) => {
            for (key, (place, node)) in entries {
                match properties.get(key) {
                    Some(part) => {
                        let before = problems.len();
                        fits(node, part, problems);
                        // The innermost key that holds a misfit explains it.
                        for problem in problems[before..].iter_mut().filter(|p| p.hint.is_none()) {
                            problem.hint = explained(part).map(|text| format!("`{key}`: {text}"));
                        }
                    }
                    None => problems.push(unknown("key", key, place, properties.keys())),
                }
            }
        }
        (Shape::Choice { words, tables }, _) => fits_choice(node, &words, &tables, problems),
        (wanted, _) => problems.push(node.place.problem(node.shown(), wanted_words(&wanted))),
    }
}

fn fits_choice(
    node: &Node,
    words: &[&str],
    tables: &[(&'static str, &'static Value)],
    problems: &mut Vec<Problem>,
) {
    match &node.kind {
        Kind::Scalar(Value::String(word)) => {
            if let Some((key, _)) = tables.iter().find(|(key, _)| key == word) {
                let found = format!("the word `{word}`");
                let problem = node.place.problem(found, format!("a table `{key}`"));
                problems.push(problem.hint(format!("write `{{ {key} = {{}} }}`")));
            } else if !words.contains(&word.as_str()) {
                let known = words.iter().chain(tables.iter().map(|(key, _)| key));
                problems.push(unknown("choice", word, &node.place, known));
            }
        }
        Kind::Table(entries) if entries.len() == 1 => {
            let (key, (place, payload)) = entries.first().expect("there is one");
            match tables.iter().find(|(known, _)| known == key) {
                Some((_, part)) => fits(payload, part, problems),
                None => {
                    let known = tables.iter().map(|(key, _)| key).chain(words);
                    problems.push(unknown("choice", key, place, known));
                }
            }
        }
        Kind::Table(entries) => {
            let keys: Vec<_> = entries.keys().map(|key| format!("`{key}`")).collect();
            let found = match keys.len() {
                0 => "an empty table".to_owned(),
                _ => format!("{} choices: {}", keys.len(), keys.join(", ")),
            };
            let known = list(words.iter().chain(tables.iter().map(|(key, _)| key)));
            problems.push(node.place.problem(found, format!("exactly one of {known}")));
        }
        _ => {
            let known = list(words.iter().chain(tables.iter().map(|(key, _)| key)));
            problems.push(node.place.problem(node.shown(), format!("one of {known}")));
        }
    }
}

fn unknown<'a>(
    what: &str,
    name: &str,
    place: &Place,
    known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> Problem {
    let known: Vec<&str> = known.into_iter().map(AsRef::as_ref).collect();
    let problem =
        place.problem(format!("unknown {what} `{name}`"), format!("one of {}", list(&known)));
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("`ersatz schema` prints everything that a file may say"),
    }
}

fn list<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn wanted_words(shape: &Shape<'_>) -> String {
    match shape {
        Shape::Struct(_) | Shape::Map(_) => "a table".to_owned(),
        Shape::List { .. } => "a list".to_owned(),
        Shape::Choice { .. } => "a choice".to_owned(),
        Shape::Integer(range) => format!("a whole number{}", range.words()),
        Shape::Number(range) => format!("a number{}", range.words()),
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::Text => "a string".to_owned(),
        Shape::Any => "anything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::parse;
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let node = parse("x.toml", text).unwrap();
        let at = |problem: &Problem| {
            let start = problem.span.clone().unwrap().start;
            text[..start].lines().count().max(1)
        };
        let Misfits { problems, .. } = check(&node);
        problems
            .iter()
            .map(|p| format!("{}: {} / {}", at(p), p.found, p.hint.clone().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn all_misfits_are_told_at_once() {
        let text = "titel = \"x\"\nseeds = []\n[mix.real]\nreal = 1.5\nrepeat = 1.0\n\
                    [generator.pixle]\n[draws]\n[profile.tiny]\ntitel = \"y\"\n";
        let told = told(text);
        let has =
            |part: &str| assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:?}");
        has("unknown key `titel` / did you mean `title`?");
        has("a list of 0");
        has("`1.5`");
        has("`1.0`");
        has("unknown choice `pixle` / did you mean `pixel`?");
        has("an empty table");
        assert_eq!(told.iter().filter(|line| line.contains("titel")).count(), 2);
    }

    #[test]
    fn a_good_file_has_no_problem() {
        let text = "title = \"t\"\nseeds = [0]\ndraws = \"shared\"\n[mix.real]\n[mix.x]\n\
                    synthetic = 1\n[generator.pixel.sampler.ddim]\nsteps = 5\n\
                    [classifier.a.net.resnet]\nfamily = \"resnet-20\"\n[sweep]\n\
                    \"generator.pixel.guidance\" = [1.0, 2]\n";
        assert_eq!(told(text), [""; 0]);
    }

    #[test]
    fn a_table_written_as_a_word_is_explained() {
        let told = told("[generator.pixel]\nsampler = \"ddim\"\n");
        assert!(told[0].contains("write `{ ddim = {} }`"), "{told:?}");
    }
}
