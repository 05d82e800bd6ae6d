//! Laying one part of a file over another: profiles, options, sweeps.
//!
//! Tables are merged key by key, everything else is replaced. Where the schema says that a table is
//! a choice, another choice replaces the one before, with all that stood under it.

use serde_json::Value;

use super::node::{Kind, Node};
use super::schema::{Shape, explained, schema, shape};
use crate::terms::{Problem, nearest};

/// Lays `over` over a whole file.
pub(super) fn lay(file: &mut Node, over: Node) {
    merge(file, over, schema());
}

fn merge(base: &mut Node, over: Node, part: &'static Value) {
    let held = shape(part);
    let (Kind::Table(_), Kind::Table(new)) = (&base.kind, over.kind.clone()) else {
        *base = over;
        return;
    };
    let Kind::Table(old) = &mut base.kind else { return };
    if let Shape::Choice { .. } = held
        && new.keys().ne(old.keys())
    {
        *base = over;
        return;
    }
    for (key, (place, node)) in new {
        match (old.get_mut(&key), part_at(&held, &key)) {
            (Some((_, under)), Some(part)) => merge(under, node, part),
            _ => drop(old.insert(key, (place, node))),
        }
    }
}

fn part_at(held: &Shape<'static>, key: &str) -> Option<&'static Value> {
    match held {
        Shape::Struct(properties) => properties.get(key),
        Shape::Map(value) => Some(value),
        Shape::Choice { tables, .. } => {
            tables.iter().find(|(name, _)| *name == key).map(|(_, payload)| *payload)
        }
        _ => None,
    }
}

/// Returns what the last key of a path is about that has a description.
pub(super) fn meaning_of(keys: &[&str]) -> Option<String> {
    let (mut part, mut told) = (schema(), None);
    for key in keys {
        let Some(next) = part_at(&shape(part), key) else { break };
        part = next;
        told = explained(part).map(|text| format!("`{key}`: {text}")).or(told);
    }
    told
}

/// Returns a file that says nothing but `path = value`, to be laid over another.
///
/// # Errors
/// If the schema has no such path.
pub(super) fn at_path(path: &str, value: Node) -> Result<Node, Problem> {
    let keys: Vec<&str> = path.split('.').collect();
    let mut part = schema();
    for (i, key) in keys.iter().enumerate() {
        let held = shape(part);
        match part_at(&held, key) {
            Some(next) => part = next,
            None => return Err(no_such_key(&held, &keys[..=i], &value)),
        }
    }
    Ok(keys.iter().rev().fold(value, |inner, key| {
        let place = inner.place.clone();
        let entries = [((*key).to_owned(), (place.clone(), inner))].into_iter().collect();
        Node { place, kind: Kind::Table(entries) }
    }))
}

/// Returns the first choice on the way to a path that a file does not make: laying a value there
/// would replace what it chose.
pub(super) fn choice_not_made(file: &Node, path: &str) -> Option<String> {
    let keys: Vec<&str> = path.split('.').collect();
    let mut part = schema();
    for i in 1..=keys.len() {
        let held = shape(part);
        if let Shape::Choice { .. } = held
            && !file.deepest(&keys[..i]).1
        {
            return Some(keys[..i].join("."));
        }
        part = part_at(&held, keys[i - 1])?;
    }
    None
}

fn no_such_key(held: &Shape<'static>, keys: &[&str], value: &Node) -> Problem {
    let (last, before) = keys.split_last().expect("a path has a key");
    let known: Vec<&str> = match held {
        Shape::Struct(properties) => properties.keys().map(String::as_str).collect(),
        Shape::Choice { tables, words } => {
            tables.iter().map(|(key, _)| *key).chain(words.iter().copied()).collect()
        }
        _ => Vec::new(),
    };
    let under =
        if before.is_empty() { String::new() } else { format!(" under `{}`", before.join(".")) };
    let expected = match known.is_empty() {
        true => "no key there".to_owned(),
        false => format!(
            "one of {}",
            known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    let problem = value.place.problem(format!("unknown key `{last}`{under}"), expected);
    match nearest(last, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("`ersatz schema` prints everything that a file may say"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::{parse, parse_value};
    use super::*;
    use serde_json::json;

    fn laid(base: &str, over: &str) -> Value {
        let mut base = parse("base", base).unwrap();
        lay(&mut base, parse("over", over).unwrap());
        base.value()
    }

    #[test]
    fn tables_merge_and_choices_replace() {
        let base = "seeds = [0, 1]\n[data]\nsize = 8\n[data.source.folder]\ntrain = \"a\"\n";
        assert_eq!(
            laid(base, "seeds = [5]\n[data.source.folder]\ntest = \"b\"\n"),
            json!({"seeds": [5], "data": {"size": 8, "source": {"folder":
                {"train": "a", "test": "b"}}}})
        );
        assert_eq!(
            laid(base, "[data.source.digits]\n"),
            json!({"seeds": [0, 1], "data": {"size": 8, "source": {"digits": {}}}})
        );
    }

    #[test]
    fn a_path_may_lead_through_another_choice() {
        let file = parse("x", "[generator.pixel.sampler.ddim]\n[data]\nsize = 8\n").unwrap();
        let lacks = |path| choice_not_made(&file, path);
        assert_eq!(lacks("generator.pixel.guidance"), None);
        assert_eq!(lacks("data.seed"), None);
        assert_eq!(
            lacks("generator.pixel.sampler.ddpm.logvar").unwrap(),
            "generator.pixel.sampler.ddpm"
        );
        assert_eq!(lacks("generator.cascade.guidance").unwrap(), "generator.cascade");
    }

    #[test]
    fn a_path_is_a_file_of_one_key() {
        let node = at_path("generator.pixel.guidance", parse_value("-o", "2.0")).unwrap();
        assert_eq!(node.value(), json!({"generator": {"pixel": {"guidance": 2.0}}}));
        let problem = at_path("generator.pixel.guidanc", parse_value("-o", "2.0")).unwrap_err();
        assert_eq!(problem.found, "unknown key `guidanc` under `generator.pixel`");
        assert_eq!(problem.hint.unwrap(), "did you mean `guidance`?");
        assert!(at_path("mix.any.real", parse_value("-o", "0.5")).is_ok());
    }
}
