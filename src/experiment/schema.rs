//! The JSON schema of the experiment file, read as shapes.
//!
//! One derivation makes the schema that editors use, the reference page, and the check of every
//! file: what is refused here is what the schema refuses.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::file::Experiment;

/// Returns the JSON schema of the experiment file.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(Experiment).to_value())
}

/// What may stand at a place of the file.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    /// A table with known keys.
    Struct(&'a Map<String, Value>),
    /// A table with any keys, all of one shape.
    Map(&'a Value),
    /// A list of one shape, of at least so many.
    List { item: &'a Value, least: usize },
    /// One of several: a word, or a table with exactly one key.
    Choice { words: Vec<&'a str>, tables: Vec<(&'a str, &'a Value)> },
    /// A whole number.
    Integer(Range),
    /// A number.
    Number(Range),
    /// Yes or no.
    Bool,
    /// Any text.
    Text,
    /// Anything.
    Any,
}

/// The ends of a range of numbers, both included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

impl Range {
    fn of(schema: &Value) -> Self {
        let end = |name: &str| schema.get(name).and_then(Value::as_f64);
        Self { min: end("minimum"), max: end("maximum") }
    }

    pub(super) fn holds(&self, x: f64) -> bool {
        self.min.is_none_or(|min| x >= min) && self.max.is_none_or(|max| x <= max)
    }

    pub(super) fn words(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" in {min}..={max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        }
    }
}

/// Returns the shape that a part of the schema stands for.
pub(super) fn shape(part: &'static Value) -> Shape<'static> {
    let part = follow(part);
    if let Some(options) = part.get("oneOf").or(part.get("anyOf")).and_then(Value::as_array) {
        return choice(options);
    }
    if let Some(words) = part.get("enum").and_then(Value::as_array) {
        let words = words.iter().filter_map(Value::as_str).collect();
        return Shape::Choice { words, tables: Vec::new() };
    }
    let kind = match part.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("")
        }
        _ => "",
    };
    match kind {
        "object" => match part.get("properties").and_then(Value::as_object) {
            Some(properties) => Shape::Struct(properties),
            None => Shape::Map(part.get("additionalProperties").unwrap_or(&Value::Bool(true))),
        },
        "array" => Shape::List {
            item: part.get("items").unwrap_or(&Value::Bool(true)),
            least: part.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize,
        },
        "integer" => Shape::Integer(Range::of(part)),
        "number" => Shape::Number(Range::of(part)),
        "boolean" => Shape::Bool,
        "string" => Shape::Text,
        _ => Shape::Any,
    }
}

/// Returns what a part of the schema is about: the first sentence of its description.
pub(super) fn explained(part: &'static Value) -> Option<String> {
    let own = part.get("description").or_else(|| follow(part).get("description"));
    let text = own?.as_str()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    Some(text[..end].trim_end_matches('.').to_owned())
}

fn follow(part: &'static Value) -> &'static Value {
    let Some(name) = part.get("$ref").and_then(Value::as_str) else { return part };
    let name = name.rsplit('/').next().unwrap_or(name);
    follow(&schema()["$defs"][name])
}

fn choice(options: &'static [Value]) -> Shape<'static> {
    let null = |option: &&Value| option.get("type").and_then(Value::as_str) != Some("null");
    let options: Vec<&'static Value> = options.iter().filter(null).collect();
    if let [only] = options[..] {
        return shape(only); // An optional value.
    }
    let (mut words, mut tables) = (Vec::new(), Vec::new());
    for option in options {
        if let Some(word) = option.get("const").and_then(Value::as_str) {
            words.push(word);
        } else if let Some(list) = option.get("enum").and_then(Value::as_array) {
            words.extend(list.iter().filter_map(Value::as_str));
        } else if let Some(properties) = option.get("properties").and_then(Value::as_object) {
            tables.extend(properties.iter().map(|(name, payload)| (name.as_str(), payload)));
        }
    }
    Shape::Choice { words, tables }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Shape<'static> {
        path.split('.').fold(shape(schema()), |held, key| match held {
            Shape::Struct(properties) => shape(&properties[key]),
            Shape::Choice { tables, .. } => {
                shape(tables.iter().find(|(name, _)| *name == key).unwrap().1)
            }
            Shape::Map(value) => shape(value),
            other => panic!("{key} in {other:?}"),
        })
    }

    #[test]
    fn every_kind_of_part_has_its_shape() {
        assert!(matches!(at("title"), Shape::Text));
        assert!(matches!(at("seeds"), Shape::List { least: 1, .. }));
        assert!(matches!(at("mix.any.repeat"), Shape::Integer(range) if range.min == Some(1.0)));
        assert!(matches!(at("generator.pixel.guidance"), Shape::Number(_)));
        assert!(matches!(at("report.gan-test"), Shape::Bool));
        assert!(matches!(at("sweep.any"), Shape::List { .. }));
        let Shape::Choice { words, tables } = at("generator.pixel.sampler") else { panic!() };
        assert!(words.is_empty() && tables.iter().any(|(name, _)| *name == "dpmpp-2m"));
        let Shape::Choice { words, .. } = at("draws") else { panic!() };
        assert_eq!(words, ["per-seed", "shared"]);
        assert!(matches!(at("classifier.any.training.recipe.clip-norm"), Shape::Number(_)));
        assert!(matches!(at("classifier.any.training.recipe.ema"), Shape::Struct(_)));
    }
}
