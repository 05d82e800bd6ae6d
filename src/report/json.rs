//! Tables in JSON: what machines compare. Depends on results alone, and its order is fixed.

use serde::Serialize;

use super::document::Document;
use super::table::Table;

#[derive(Serialize)]
struct Tables<'a> {
    experiment: &'a str,
    profile: &'a str,
    title: &'a str,
    tables: &'a [Table],
}

/// Returns all tables of a report, unrounded.
pub(super) fn tables(document: &Document) -> String {
    let tables = Tables {
        experiment: &document.experiment,
        profile: &document.profile,
        title: &document.title,
        tables: &document.tables,
    };
    pretty(&tables)
}

/// Returns a value as indented JSON with a final line break. What is not finite becomes `null`.
pub(super) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value)
        .expect("plain values with text keys always have a JSON form")
        + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn knows_results_only() {
        let one = sample::document();
        let mut other = sample::document();
        other.provenance = serde_json::json!({"machine": "another", "seconds": 3});
        assert_eq!(tables(&one), tables(&other));
        let back: serde_json::Value = serde_json::from_str(&tables(&one)).unwrap();
        assert_eq!(back["tables"].as_array().unwrap().len(), one.tables.len());
        assert_eq!(back["profile"], "tiny");
    }
}
