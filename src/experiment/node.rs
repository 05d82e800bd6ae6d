//! A TOML document as a tree whose every part knows where it was written.

use std::ops::Range;
use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::terms::Problem;

/// Where a value was written: a file or a command-line option, and the bytes inside it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The file or option.
    pub(super) source: Rc<Source>,
    /// Bytes of the value.
    pub(super) span: Range<usize>,
}

/// A text that values were read from.
#[derive(Debug)]
pub(super) struct Source {
    /// The path of the file, or what the option looked like.
    pub(super) name: String,
}

/// A value with its place; tables also know where their keys stand.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it was written.
    pub(super) place: Place,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A boolean, number or string; null for what is none of these.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A table; the place is that of the key.
    Table(IndexMap<String, (Place, Node)>),
}

impl Place {
    /// Returns a problem at this place.
    pub(super) fn problem(&self, found: impl Into<String>, expected: impl Into<String>) -> Problem {
        Problem::new(self.source.name.clone(), found, expected).at(Some(self.span.clone()))
    }
}

impl Node {
    /// Returns the tree without its places.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Table(entries) => Value::Object(
                entries.iter().map(|(key, (_, node))| (key.clone(), node.value())).collect(),
            ),
        }
    }

    /// Returns the node at a path, or the deepest one on the way, and whether it is the whole way.
    /// Items of a list go by their position.
    pub(super) fn deepest(&self, path: &[&str]) -> (&Self, bool) {
        let Some((first, rest)) = path.split_first() else { return (self, true) };
        match &self.kind {
            Kind::Table(entries) if entries.contains_key(*first) => entries[*first].1.deepest(rest),
            Kind::List(items) => match first.parse().ok().and_then(|i: usize| items.get(i)) {
                Some(item) => item.deepest(rest),
                None => (self, false),
            },
            _ => (self, false),
        }
    }

    /// Returns a tree that was written at one place.
    pub(super) fn from_value(value: &Value, place: &Place) -> Self {
        let kind = match value {
            Value::Array(items) => {
                Kind::List(items.iter().map(|item| Self::from_value(item, place)).collect())
            }
            Value::Object(entries) => {
                let entry = |(key, value): (&String, &Value)| {
                    (key.clone(), (place.clone(), Self::from_value(value, place)))
                };
                Kind::Table(entries.iter().map(entry).collect())
            }
            scalar => Kind::Scalar(scalar.clone()),
        };
        Self { place: place.clone(), kind }
    }

    /// Drops a key of a table.
    pub(super) fn forget(&mut self, key: &str) {
        if let Kind::Table(entries) = &mut self.kind {
            entries.shift_remove(key);
        }
    }

    /// Returns what people call its type.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Null) => "a date, an infinite number or one too large",
            Kind::Scalar(Value::Bool(_)) => "a boolean",
            Kind::Scalar(Value::Number(n)) if n.is_f64() => "a number",
            Kind::Scalar(Value::Number(_)) => "a whole number",
            Kind::Scalar(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    /// Returns the value as it is shown in messages.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Scalar(Value::Null) => self.type_name().to_owned(),
            Kind::Scalar(value) => format!("`{value}`"),
            Kind::List(_) | Kind::Table(_) => self.type_name().to_owned(),
        }
    }
}

/// Reads a TOML text.
///
/// # Errors
/// All places where it is not TOML, one a line.
pub(super) fn parse(name: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let source = Rc::new(Source { name: name.to_owned() });
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(convert_table(&source, table.span(), table.get_ref()));
    }
    let mut slips: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (error.span().unwrap_or_default(), error.message())).collect();
    slips.sort_by_key(|(span, _)| span.start);
    // An array that is never closed swallows the rest of the file: only its first slip means
    // anything.
    let unclosed = slips.iter().any(|(_, message)| message.starts_with("unclosed array,"));
    if let (true, Some(i)) = (unclosed, slips.iter().position(|(_, text)| text.contains("array"))) {
        slips[i].1 = "an array that is still open, expected `]`";
        slips.truncate(i + 1);
    }
    let line = |span: &Range<usize>| text[..span.start.min(text.len())].matches('\n').count();
    slips.dedup_by_key(|(span, _)| line(span));
    Err(slips.into_iter().map(|(span, message)| slip(name, span, message)).collect())
}

/// Returns a slip of syntax as a problem; the messages of the parser end in what it expected.
fn slip(name: &str, span: Range<usize>, message: &str) -> Problem {
    let (found, expected) = message.split_once(", expected ").unwrap_or((message, "correct TOML"));
    let hint = match found {
        "duplicate key" => "a key or table is written once; put what belongs together in one place",
        "key with no value" => "a line is `key = value`, or a table: `[key]`",
        _ => "strings stand in quotes, lists in `[ ]`; https://toml.io shows the rest",
    };
    Problem::new(name, found, expected).at(Some(span)).hint(hint)
}

/// Reads one TOML value, as it stands behind `key=` on the command line; a bare word is a string.
pub(super) fn parse_value(option: &str, text: &str) -> Node {
    let source = Rc::new(Source { name: option.to_owned() });
    let place = Place { source: source.clone(), span: 0..option.len() };
    let (value, errors) = DeValue::parse_recoverable(text);
    let mut node = convert(&source, &value);
    if !errors.is_empty() || matches!(node.kind, Kind::Scalar(Value::Null)) {
        node.kind = Kind::Scalar(Value::String(text.to_owned()));
    }
    relocate(&mut node, &place);
    node
}

/// Says that a whole tree was written at one place.
fn relocate(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Kind::Table(entries) => entries.values_mut().for_each(|(key, item)| {
            *key = place.clone();
            relocate(item, place);
        }),
    }
}

fn convert_table(source: &Rc<Source>, span: Range<usize>, table: &DeTable<'_>) -> Node {
    let place = |span| Place { source: source.clone(), span };
    let entries = table
        .iter()
        .map(|(key, value)| {
            let node = convert(source, value);
            (key.get_ref().to_string(), (place(key.span()), node))
        })
        .collect();
    Node { place: place(span), kind: Kind::Table(entries) }
}

fn convert(source: &Rc<Source>, value: &Spanned<DeValue<'_>>) -> Node {
    let place = Place { source: source.clone(), span: value.span() };
    let scalar = match value.get_ref() {
        DeValue::Table(table) => return convert_table(source, value.span(), table),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| convert(source, item)).collect();
            return Node { place, kind: Kind::List(items) };
        }
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(yes) => Some(Value::Bool(*yes)),
        DeValue::Integer(digits) => {
            let (text, radix) = (digits.as_str().replace('_', ""), digits.radix());
            let signed = i64::from_str_radix(&text, radix).map(Number::from);
            signed
                .or_else(|_| u64::from_str_radix(&text, radix).map(Number::from))
                .ok()
                .map(Value::Number)
        }
        DeValue::Float(digits) => {
            let number = digits.as_str().replace('_', "").parse().ok();
            number.and_then(Number::from_f64).map(Value::Number)
        }
        DeValue::Datetime(_) => None,
    };
    Node { place, kind: Kind::Scalar(scalar.unwrap_or(Value::Null)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let text = "a = 1\n[b.c]\nd = [true, 2.5]\n";
        let node = parse("x.toml", text).unwrap();
        let (list, whole) = node.deepest(&["b", "c", "d"]);
        assert!(whole);
        let Kind::List(items) = &list.kind else { panic!("{list:?}") };
        assert_eq!(&text[items[1].place.span.clone()], "2.5");
        assert_eq!(node.value(), serde_json::json!({"a": 1, "b": {"c": {"d": [true, 2.5]}}}));
        let (deepest, whole) = node.deepest(&["b", "x"]);
        assert!(!whole && matches!(deepest.kind, Kind::Table(_)));
    }

    #[test]
    fn all_slips_of_syntax_are_told_with_their_place() {
        let problems = parse("x.toml", "a = = 1\nb = 2\nc = 'open\n").unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.span.is_some()));
    }

    #[test]
    fn the_command_line_takes_bare_words() {
        let value = |text| parse_value("-o k", text).value();
        assert_eq!(value("1.5"), serde_json::json!(1.5));
        assert_eq!(value("[1, 2]"), serde_json::json!([1, 2]));
        assert_eq!(value("best-validation"), serde_json::json!("best-validation"));
        assert_eq!(value("{ steps = 3 }"), serde_json::json!({"steps": 3}));
    }
}
